"""A small text, a small recipe, and one run trained to its end that the tests share."""

from __future__ import annotations

import json
import random
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

RECIPE = """
name = "little"
family = "albert"
objective = "mlm+sop"

[model]
hidden = 32
layers = 2
heads = 2
ffn = 64
embedding = 16
positions = 32
hidden_dropout = 0.1
attention_dropout = 0.1

[vocabulary]
size = 200
character_coverage = 1.0

[data]
length = 32
max_predictions = 6
duplicates = 3

[optimizer]
name = "lamb"
learning_rate = 5e-3
warmup_steps = 10

[training]
steps = 120
batch = 8
log_every = 20

[save]
steps = [0, 1, 2, 4, 8]
pieces = [{ until = 120, every = 40 }]
"""


_ELECTRA = """activation = "gelu_erf"

[electra]
generator_width = 0.5
"""


def recipe_of(family: str) -> str:
    """The little recipe of a family: BERT's grows longer half-way, ELECTRA's draws positions twice."""
    text = RECIPE.replace('"albert"', f'"{family}"').replace("steps = 120", "steps = 24")
    text = text.replace("log_every = 20", "log_every = 4").replace(
        "until = 120, every = 40", "until = 24, every = 12"
    )
    if family == "albert":
        return RECIPE
    text = text.replace('"lamb"', '"adamw"').replace("[vocabulary]", '[vocabulary]\nkind = "wordpiece"')
    if family == "bert":
        phases = "phases = [{ from_step = 12, length = 32, max_predictions = 6, batch = 4 }]"
        text = text.replace("mlm+sop", "mlm+nsp").replace("embedding = 16", "embedding = 32")
        return text.replace("length = 32\n", f"length = 16\nngram = 1\nwhole_words = false\n{phases}\n")
    text = text.replace("mlm+sop", "mlm+rtd").replace("positions = 32\n", f"positions = 32\n{_ELECTRA}")
    text = text.replace("hidden_dropout", "# hidden_dropout").replace(
        "attention_dropout", "# attention_dropout"
    )
    return text.replace(
        "duplicates = 3",
        "duplicates = 3\nngram = 1\nwhole_words = false\nmasked_twice = true\nreplaced_by_random = 0.0",
    )


def little_text(documents: int = 120, seed: int = 0) -> str:
    """Documents of one to six sentences, one a line, of made-up words."""
    draw = random.Random(seed)
    syllables = [a + b for a in "bdfgklmnprst" for b in "aeiou"]
    words = ["".join(draw.choices(syllables, k=draw.randint(1, 4))) for _ in range(400)]
    weights = [1 / rank for rank in range(1, len(words) + 1)]

    def sentence() -> str:
        chosen = draw.choices(words, weights, k=draw.randint(3, 14))
        return f"{chosen[0].capitalize()} {' '.join(chosen[1:])}{draw.choice(['.', '.', '?'])}"

    return "\n\n".join("\n".join(sentence() for _ in range(draw.randint(1, 6))) for _ in range(documents))


@dataclass(frozen=True)
class World:
    """A working folder with ``text/`` and ``little.toml``."""

    root: Path

    @property
    def recipe(self) -> Path:
        return self.root / "little.toml"

    @property
    def text(self) -> Path:
        return self.root / "text"

    def command(self, out: str = "run", *more: str, family: str = "little") -> list[str]:
        """A training command as a user would type it. One thread: the same sums on every machine."""
        begin = [
            "--recipe",
            str(self.root / f"{family}.toml"),
            "--corpus",
            str(self.text),
            "--out",
            str(self.root / out),
        ]
        return [*begin, "--threads", "1", "--quiet", *more]


@pytest.fixture(scope="session", autouse=True)
def one_thread() -> None:
    """TensorFlow takes its number of threads once a process, before its first operation."""
    from tpu_train import hardware

    hardware.prepare(1)


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> World:
    """Text, recipe, and ``run`` trained to its end. Not to be written to."""
    from tpu_train.cli import main

    made = World(tmp_path_factory.mktemp("template"))
    made.text.mkdir()
    (made.text / "a.txt").write_text(little_text(), "utf-8")
    made.recipe.write_text(RECIPE, "utf-8")
    for family in ("bert", "electra"):
        (made.root / f"{family}.toml").write_text(recipe_of(family), "utf-8")
    assert main(made.command()) == 0
    return made


@pytest.fixture
def finished(template: World) -> Path:
    """The finished run's folder. Not to be written to."""
    return template.root / "run"


@pytest.fixture(scope="session", params=["bert", "electra"])
def other_family(request: pytest.FixtureRequest, template: World) -> tuple[str, Path]:
    """A little BERT or ELECTRA trained to its end, and its family. Not to be written to."""
    from tpu_train.cli import main

    assert main(template.command(request.param, family=request.param)) == 0
    return request.param, template.root / request.param


@pytest.fixture
def world(template: World, tmp_path: Path) -> World:
    """A working folder of its own, with the same text and recipe, and no run."""
    made = World(tmp_path)
    shutil.copytree(template.text, made.text)
    for recipe in template.root.glob("*.toml"):
        shutil.copy(recipe, made.root)
    return made


@pytest.fixture
def log_of() -> Callable[[Path], list[dict[str, Any]]]:
    """Reads a run's training log."""

    def read(run: Path) -> list[dict[str, Any]]:
        return [json.loads(line) for line in (run / "train_log.jsonl").read_text("utf-8").splitlines()]

    return read
