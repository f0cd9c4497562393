"""A store of plausible results with known values: what every screen is looked at with.

Accuracies, facts and maps follow from formulas below, so a test can say which number must be on the screen.
"""

from __future__ import annotations

import asyncio
import math
import shutil
import sys
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from textual.pilot import Pilot
from textual.widget import Widget

import embryo_store
from embryo_store.records import (
    AttentionMaps,
    Checkpoint,
    Commit,
    Dataset,
    Evaluation,
    Facts,
    Key,
    LamaAnswers,
    Metric,
    Payload,
    Relation,
    Run,
    Sentence,
    TrainLog,
    Vocabulary,
    Words,
)
from embryo_tui.app import EmbryoApp
from embryo_tui.look import Look

STEPS = (0, 1, 2, 5, 10, 20, 50, 100, 200, 400, 700, 1000)
LAYERS, HEADS, SIZE = 3, 4, 32
#: Tag: words in the dataset, accuracy at the end, step at which half of it is there.
TAGS = {
    "DT": (1476, 0.91, 12), "IN": (1805, 0.84, 25), "CC": (510, 0.80, 18), "PRP": (700, 0.72, 40),
    "JJ": (920, 0.34, 240), "RB": (799, 0.46, 160), "VBZ": (393, 0.52, 90), "VBD": (539, 0.47, 120),
    "VB": (586, 0.44, 130), "VBN": (338, 0.40, 170), "VBG": (282, 0.33, 260), "NN": (2100, 0.31, 330),
    "NNS": (854, 0.29, 350), "NNP": (1314, 0.22, 480), ",": (900, 0.95, 8),
}  # fmt: skip
CAPITALS = {
    "France": "paris", "Italy": "rome", "Norway": "oslo", "Japan": "tokyo", "Egypt": "cairo", "Peru": "lima",
    "Kenya": "nairobi", "Cuba": "havana",
}  # fmt: skip
LANGUAGES = {
    "France": "french",
    "Italy": "italian",
    "Norway": "norwegian",
    "Peru": "spanish",
    "Cuba": "spanish",
}
RELATIONS = (
    Relation("P36", "The capital of [X] is [Y] .", "1-1", "capital"),
    Relation("P37", "The official language of [X] is [Y] .", "N-1", "official language"),
)
FACTS = [("P36", *pair) for pair in CAPITALS.items()] + [("P37", *pair) for pair in LANGUAGES.items()]
#: Fact by subject and relation: steps from which on it is known, until which.
KNOWN = {
    ("P36", "France"): (20, math.inf), ("P36", "Italy"): (100, math.inf), ("P36", "Norway"): (100, 400),
    ("P36", "Japan"): (200, math.inf), ("P36", "Egypt"): (400, math.inf), ("P37", "France"): (50, math.inf),
    ("P37", "Italy"): (200, math.inf), ("P37", "Peru"): (10, 100), ("P37", "Cuba"): (10, math.inf),
}  # fmt: skip
TOKENS = (
    "[PAD]", "[CLS]", "[SEP]", "[MASK]", "▁the", "▁city", *sorted({f"▁{fact[2]}" for fact in FACTS})
)  # fmt: skip
TEXT = (
    "the cat that the old man saw in the garden was sleeping under a big tree near the gate of the long house"
)
PIECES = ["[CLS]", *(f"▁{word}" for word in f"{TEXT} by the river and the sea".split()[: SIZE - 2]), "[SEP]"]


def card(run: str) -> Run:
    family = run.split("-")[0]
    return Run(
        run, family, f"checkpoints/{run}", total_steps=1000,
        objective="mlm+sop" if family == "albert" else "mlm+nsp",
        layers=LAYERS, heads=HEADS, hidden=128, parameters=412_000, corpus="demo world, seed 0",
        recipe={"batch": 32, "learning_rate": 0.004, "sequence": 64, "vocabulary": 1600},
    )  # fmt: skip


def accuracy(task: str, tag: str, step: int, run: str = "albert-demo") -> float:
    """Rises with the logarithm of the step; reconstruction earlier and higher than prediction; BERT later."""
    _, final, half = TAGS[tag]
    if task == "reconstruct":
        final, half = min(1.0, final + 0.3), half / 3
    if run.startswith("bert"):
        half *= 2
    return final / (1 + math.exp(-1.9 * (math.log(step + 1) - math.log(half)))) if step else 0.0


def pooled(task: str, step: int, tags: Sequence[str], run: str = "albert-demo") -> float:
    """The mean over the words of some tags."""
    words = sum(TAGS[tag][0] for tag in tags)
    return sum(TAGS[tag][0] * accuracy(task, tag, step, run) for tag in tags) / words


#: Bands of frequency: words, accuracy at the end, step at which half of it is there.
BANDS = {"rank 1-49": (4000, 0.8, 15), "rank 50-99": (1500, 0.6, 60), "rank 300-349": (600, 0.3, 300)}
PROBES = {
    "probe-pos": (0.95, 20),
    "probe-const": (0.8, 60),
    "probe-srl": (0.7, 150),
    "probe-coref": (0.75, 300),
}
GLUE = ("cola", "sst2", "mrpc", "stsb", "qqp", "mnli", "qnli", "rte")


def risen(final: float, half: float, step: int) -> float:
    """Rises with the logarithm of the step."""
    return final / (1 + math.exp(-1.9 * (math.log(step + 1) - math.log(half)))) if step else 0.0


def f1(task: str, layer: int, step: int) -> float:
    """Later layers begin lower and end higher; the last one decays after step 400."""
    final, half = PROBES[task]
    start = 0.3 - 0.05 * layer
    value = start + risen(final - 0.05 * (LAYERS - layer) - start, half, step)
    return value - (0.06 if layer == LAYERS and step > 400 else 0.0)


def glue(place: int, step: int) -> float:
    """The number of the task at a place of ``GLUE``, from 0 to 1; best at step 700."""
    return risen(0.9 - 0.04 * place, 40, step) - (0.01 if step > 700 else 0.0)


def known(relation: str, subject: str, step: int) -> bool:
    start, end = KNOWN.get((relation, subject), (math.inf, 0))
    return start <= step <= end


def statistic(layer: int, head: int, step: int) -> float:
    """The diagonal mass: head 3 of layer 2 becomes diagonal, the others stay even."""
    grown = (
        0.85 / (1 + math.exp(-1.5 * (math.log(step + 1) - math.log(100)))) if (layer, head) == (2, 3) else 0.0
    )
    return 1 / SIZE + grown


def maps(step: int) -> np.ndarray:
    """Every head a mixture of even attention and its own pattern."""
    found = np.full((LAYERS, HEADS, SIZE, SIZE), 1 / SIZE, dtype=np.float32)
    eye = np.eye(SIZE, dtype=np.float32)
    patterns = {
        (2, 3): eye,
        (1, 1): np.roll(eye, 1, axis=1),
        (3, 4): np.zeros_like(eye),
        (1, 4): np.zeros_like(eye),
    }
    patterns[3, 4][:, -1] = patterns[1, 4][:, 0] = 1
    for (layer, head), pattern in patterns.items():
        share = (statistic(2, 3, step) - 1 / SIZE) * (1 if (layer, head) == (2, 3) else 0.7)
        found[layer - 1, head - 1] = (1 - share) / SIZE + share * pattern
    return found


def _evaluation(key: Key, metrics: Sequence[Metric] = (), payloads: Sequence[Payload] = ()) -> Evaluation:
    moment = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    return Evaluation(
        key, "inputs", {"version": 1}, moment, moment, "host", "cpu", "float32", {"torch": "2.13"}, "data-1",
        metrics=metrics, payloads=payloads,
    )  # fmt: skip


def _checkpoint(run: str, step: int) -> Checkpoint:
    return Checkpoint(
        run, step, f"checkpoints/{run}/step-{step:08d}", f"weights-{run}-{step}", "vocab", 1_650_000
    )


def words_commit(run: str, step: int) -> Commit:
    evaluations = []
    for task in ("reconstruct", "mask-predict"):
        metrics = [
            Metric("accuracy", pooled(task, step, list(TAGS), run), n=sum(n for n, _, _ in TAGS.values()))
        ]
        metrics += [
            Metric("accuracy", accuracy(task, tag, step, run), label=tag, n=n, stderr=0.01)
            for tag, (n, _, _) in TAGS.items()
        ]
        metrics += [
            Metric("accuracy", risen(final, half, step), label=band, n=n)
            for band, (n, final, half) in BANDS.items()
        ]
        evaluations.append(_evaluation(Key(run, step, task, "demo-heldout"), metrics))
    mlm = [Metric("accuracy", 0.9 * pooled("mask-predict", step, list(TAGS), run), n=2000)]
    evaluations.append(_evaluation(Key(run, step, "mlm", "demo-heldout"), mlm))
    words = Words(np.array([0, 0]), np.array([0, 1]), ("The", "cat"), ("DT", "NN"), np.array([1, 2]))
    dataset = Dataset("demo-heldout", "data-1", "words", "data/demo-heldout", 2, 1, words=words)
    return Commit(card(run), _checkpoint(run, step), evaluations, dataset, Vocabulary("vocab", TOKENS))


def lama_commit(run: str, step: int) -> Commit:
    n = len(FACTS)
    right = np.array([known(relation, subject, step) for relation, subject, _ in FACTS])
    gold = np.array([TOKENS.index(f"▁{answer}") for _, _, answer in FACTS])
    rank = np.where(right, 1, np.maximum(2, 40 - np.arange(n) - int(4 * math.log(step + 1))))
    logp = np.where(right, math.log(0.75), np.log(0.2 / rank)).astype(np.float32)
    tokens = np.tile(np.arange(4, 14), (n, 1))
    tokens[:, 0] = np.where(right, gold, 4)
    logps = np.tile(np.log(0.5 / 2 ** np.arange(10)), (n, 1)).astype(np.float32)
    logps[right, 0] = math.log(0.75)
    columns = [list(column) for column in zip(*FACTS, strict=True)]
    facts = Facts(columns[0], columns[1], columns[2], [None] * n)
    echo = {0: [TOKENS.index("▁the"), 5, 4, int(tokens[0, 0])]}
    metrics = []
    for relation in RELATIONS:
        mine = np.array([fact[0] == relation.relation for fact in FACTS])
        metrics.append(Metric("p1", float(right[mine].mean()), label=relation.relation, n=int(mine.sum())))
    metrics.append(Metric("p1", sum(metric.value for metric in metrics) / len(metrics), n=n))
    answers = LamaAnswers(facts, rank, logp, None, None, tokens, logps, echo)
    dataset = Dataset("demo-facts", "data-1", "facts", "data/demo-facts", n, relations=RELATIONS)
    evaluations = [_evaluation(Key(run, step, "lama", "demo-facts"), metrics, [answers])]
    return Commit(card(run), _checkpoint(run, step), evaluations, dataset, Vocabulary("vocab", TOKENS))


def attention_commit(run: str, step: int) -> Commit:
    found = maps(step)
    heads = [(layer, head) for layer in range(1, LAYERS + 1) for head in range(1, HEADS + 1)]
    metrics = [Metric("diagonal", statistic(*head, step), layer=head[0], head=head[1]) for head in heads]
    metrics += [Metric("entropy", 3.4 - 0.1 * head[1], layer=head[0], head=head[1]) for head in heads]
    payloads = [AttentionMaps(0, found), AttentionMaps(1, found[:, ::-1])]
    sentences = (
        Sentence("vocab", 0, "mean over 50 sentences", [str(place) for place in range(1, SIZE + 1)]),
        Sentence("vocab", 1, TEXT, PIECES),
    )
    dataset = Dataset("built-in", "data-1", "sentences", "built-in", 50, 50, attention_sentences=sentences)
    evaluations = [_evaluation(Key(run, step, "attention", "built-in"), metrics, payloads)]
    return Commit(card(run), _checkpoint(run, step), evaluations, dataset, Vocabulary("vocab", TOKENS))


def probe_commit(run: str, step: int) -> Commit:
    evaluations = []
    for task in PROBES:
        metrics = [Metric("majority", 0.2)]
        for layer in range(LAYERS + 1):
            value = f1(task, layer, step)
            metrics.append(Metric("f1", value, layer=layer, n=500, low=value - 0.02, high=value + 0.02))
            metrics += [
                Metric("f1", value - 0.01 * place, label, layer, n=100 - place)
                for place, label in enumerate(("NN", "DT", "JJ"))
            ]
            metrics.append(Metric("mistakes", 12.0, "NN → JJ", layer, n=100))
            metrics.append(Metric("selectivity", value / 2, layer=layer))
        evaluations.append(_evaluation(Key(run, step, task, "demo-edges"), metrics))
    names = {"mrpc": "f1", "qqp": "f1", "stsb": "spearman"}
    evaluations += [
        _evaluation(
            Key(run, step, f"glue-{task}", task), [Metric(names.get(task, "accuracy"), glue(place, step))]
        )
        for place, task in enumerate(GLUE)
    ]
    return Commit(card(run), _checkpoint(run, step), evaluations)


def log_commit(run: str, step: int, before: int) -> Commit:
    steps = np.unique(np.linspace(before + 1, step, 8).astype(int)) if step else np.array([0])
    loss = [2.0 + 5.4 / (1 + s / 60) + 0.05 * math.sin(s) for s in steps]
    log = TrainLog(steps, ["loss"] * len(steps), np.array(loss))
    evaluations = [_evaluation(Key(run, step, "train-log"), payloads=[log])]
    return Commit(card(run), _checkpoint(run, step), evaluations)


def commits(run: str, steps: Sequence[int], *, attention: bool = True) -> Iterator[Commit]:
    """A commit a task at the first step, as an evaluation makes them; then one a step, which is quicker."""
    for place, step in enumerate(steps):
        made = [words_commit(run, step), lama_commit(run, step)]
        made += [attention_commit(run, step), probe_commit(run, step)] if attention else []
        made.append(log_commit(run, step, steps[place - 1] if place else 0))
        if place == 0:
            yield from made
        else:
            evaluations = [evaluation for commit in made for evaluation in commit.evaluations]
            yield Commit(card(run), _checkpoint(run, step), evaluations)


@pytest.fixture(scope="session")
def _finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("store") / "results.duckdb"
    for commit in commits("albert-demo", STEPS):
        embryo_store.commit(path, commit)
    for commit in commits("bert-demo", STEPS[::2], attention=False):
        embryo_store.commit(path, commit)
    return path


@pytest.fixture
def store(_finished: Path, tmp_path: Path) -> Path:
    """Two runs, the second at every other step and without attention."""
    path = tmp_path / "results.duckdb"
    shutil.copy(_finished, path)
    return path


@pytest.fixture(autouse=True)
def _terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """A true-colour terminal, whatever the tests are started from."""
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("COLORTERM", "truecolor")
    monkeypatch.delenv("NO_COLOR", raising=False)


def shown(widget: Widget) -> str:
    """What a widget drawn line by line shows, as text."""
    return "\n".join(widget.render_line(y).text.rstrip() for y in range(widget.size.height))


async def settle(pilot: Pilot[None], seconds: float = 20.0) -> None:
    """Waits until every question is answered and every answer is drawn."""
    app = pilot.app
    assert isinstance(app, EmbryoApp)
    async with asyncio.timeout(seconds):
        await pilot.pause()
        while app.desk.waiting or not len(app.world.steps):
            await pilot.pause(0.01)
        await pilot.pause()


@asynccontextmanager
async def opened(
    store: Path, look: Look | None = None, size: tuple[int, int] = (160, 45)
) -> AsyncIterator[tuple[EmbryoApp, Pilot[None]]]:
    """The app on a store, with everything that it first asks answered."""
    app = EmbryoApp([store], look)
    async with app.run_test(size=size) as pilot:
        await settle(pilot)
        yield app, pilot


@pytest.fixture
def world() -> ModuleType:
    """This module: the known values and the helpers above, for tests that cannot import them."""
    return sys.modules[__name__]
