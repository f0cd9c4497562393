"""The four probing tasks from the command: what is stored, and that nothing beside it changes it."""

import json
import random
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

import embryo_store

Evaluate = Callable[..., tuple[int, str, str]]
Content = Callable[[Path], dict[str, list[tuple[object, ...]]]]
DB = Path("results.duckdb")
TASKS = ("probe-pos", "probe-const", "probe-srl", "probe-coref")
NOUNS, VERBS, ADJECTIVES = (
    ("dog", "cat", "bird", "house", "river"),
    ("sees", "likes"),
    ("big", "small", "old"),
)


def sentence(draw: random.Random) -> tuple[str, dict[str, list[dict[str, object]]]]:
    """A sentence like "the dog sees a big cat ." in all the annotation that the four tasks read."""
    subject, verb, adjective, other = (draw.choice(words) for words in (NOUNS, VERBS, ADJECTIVES, NOUNS))
    words = ["the", subject, verb, "a", adjective, other, "."]
    tags = ["DT", "NN", "VBZ", "DT", "JJ", "NN", "."]
    return " ".join(words), {
        "pos": [{"span1": [i, i + 1], "label": tag} for i, tag in enumerate(tags)],
        "const": [
            {"span1": [0, 7], "label": "TOP"},
            {"span1": [0, 2], "label": "NP"},
            {"span1": [2, 6], "label": "VP"},
            {"span1": [3, 6], "label": "NP"},
            {"span1": [6, 7], "label": "EDITED"},
        ],
        "srl": [
            {"span1": [2, 3], "span2": [0, 2], "label": "ARG0"},
            {"span1": [2, 3], "span2": [3, 6], "label": "ARG1"},
            {"span1": [2, 3], "span2": [6, 7], "label": "R-ARG1"},
        ],
        "coref": [{"span1": [0, 2], "span2": [3, 6], "label": str(int(subject == other))}],
    }


def write_corpus(
    folder: Path, tasks: tuple[str, ...] = ("pos", "const", "srl", "coref"), sentences: int = 60
) -> None:
    for split, seed in (("train", 0), ("dev", 1), ("test", 2)):
        drawn = random.Random(seed)
        told = [sentence(drawn) for _ in range(sentences)]
        for task in tasks:
            path = folder / task / f"{split}.jsonl"
            path.parent.mkdir(parents=True, exist_ok=True)
            lines = (
                json.dumps({"text": text, "targets": targets[task], "info": {}}) for text, targets in told
            )
            path.write_text("\n".join(lines) + "\n")


@pytest.fixture
def probed(little: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder with two checkpoints of one run and a corpus to probe with."""
    little.write_run(tmp_path / "checkpoints", "tiny", [0, 10])
    write_corpus(tmp_path / "data" / "small")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path


def rows(sql: str, db: Path = DB) -> list[tuple[object, ...]]:
    with embryo_store.read(db) as reader:
        return list(reader.sql(sql).rows)


def asked(*tasks: str) -> list[str]:
    return [word for task in tasks for word in ("--task", task)]


def test_every_layer_is_probed_in_every_task_and_then_skipped(probed: Path, evaluate: Evaluate) -> None:
    code, out, err = evaluate(*asked(*TASKS))
    assert code == 0, err
    assert "Stored 8 results" in out
    beyond = "small: 180 of 900 const targets have labels that the paper's list lacks"
    assert f"{beyond}, and are left out (EDITED 180)" in err


def test_a_model_too_short_for_a_split_is_a_failed_result_not_a_crash(
    probed: Path, little: ModuleType, evaluate: Evaluate
) -> None:
    for split in ("train", "dev", "test"):
        path = probed / "data" / "small" / "coref" / f"{split}.jsonl"
        text = " ".join(["zebra"] * 30)
        pair = {"span1": [20, 21], "span2": [25, 26], "label": "1"}
        path.write_text(json.dumps({"text": text, "targets": [pair]}) + "\n")
    code, out, _ = evaluate("--task", "probe-coref", "--step", "0")
    assert code == 1
    assert "no coref target of train fits 64 pieces" in out


@pytest.mark.parametrize(
    ("option", "said"),
    [
        ("max_targets = -1", "expected 0 or more"),
        ("memory = 0.0", "Expected more than 0"),
        ("seed = 1.5", "type int"),
    ],
)
def test_options_that_mean_nothing_are_refused(
    probed: Path, evaluate: Evaluate, option: str, said: str
) -> None:
    Path("embryo.toml").write_text(f"[task.probe-pos]\n{option}\n")
    code, _, err = evaluate("--task", "probe-pos")
    assert code == 2
    assert said in err
