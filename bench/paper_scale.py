"""A results store of the paper's size, with values that compress and join as real ones do.

3 runs x 1,000 checkpoints: 20,000 facts, 12 x 12 heads of 64 x 64, 4 probes x 13 layers, 48 tags x 2 tasks,
GLUE. Written through the project's own writer, in transactions of several checkpoints, then compacted.
"""

from __future__ import annotations

import argparse
import re
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import numpy.typing as npt

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
    Outcomes,
    Payload,
    Relation,
    Run,
    TrainLog,
    Vocabulary,
    Words,
)

RUNS = ("albert-base", "bert-base", "electra-base")
STEP = 1000
LAYERS = HEADS = 12
SIZE = 64
FACTS = 20_000
RELATIONS = tuple(f"P{number}" for number in range(100, 125))
TAGS = re.findall(
    r"\S+",
    "$ '' , -LRB- -RRB- . : ADD AFX CC CD DT EX FW HYPH IN JJ JJR JJS LS MD NFP NN NNP NNPS NNS PDT POS PRP "
    "PRP$ RB RBR RBS RP SYM TO UH VB VBD VBG VBN VBP VBZ WDT WP WP$ WRB ``",
)
WORDS = 169_579
VOCABULARY = 30_000
HEAD_STATISTICS = ("diagonal", "previous", "next", "cls", "sep", "punctuation", "entropy", "js_distance")
PROBES = ("pos", "const", "srl", "coref")
GLUE = ("cola", "sst2", "mrpc", "stsb", "qqp", "mnli", "qnli", "rte")
BATCH = 10


class Model:
    """What one run would answer at every share ``t`` of its training, from a seed alone."""

    def __init__(self, seed: int) -> None:
        chance = np.random.default_rng(seed)
        self._chance = chance
        self._before, self._after = chance.normal(size=(2, LAYERS, HEADS, SIZE, SIZE)).astype(np.float32)
        places = np.arange(SIZE)
        near = -np.abs(places[:, None] - places[None, :]) * chance.uniform(0.1, 2, (LAYERS, HEADS, 1, 1))
        self._after = (self._after + near).astype(np.float32)
        self._born = chance.beta(1.2, 2, FACTS)
        self._known = chance.random(FACTS) < 0.4
        self._usual = (chance.zipf(1.3, (FACTS, 10)) % VOCABULARY).astype(np.int64)
        self._easy = chance.random(WORDS).astype(np.float32)
        self._level = chance.uniform(0.2, 1, 4000)

    def maps(self, t: float) -> npt.NDArray[np.float32]:
        raised = np.exp(self._before * (1 - t) + self._after * t)
        return raised / raised.sum(-1, keepdims=True)

    def lama(self, facts: Facts, gold: npt.NDArray[np.int64], t: float) -> LamaAnswers:
        chance = self._chance
        knows = self._known & (t > self._born) & (chance.random(FACTS) < 0.93)
        rank = np.where(knows, 1, 2 + (3000 * (1 - 0.9 * t) * chance.random(FACTS) ** 3)).astype(np.int64)
        tokens = np.where(chance.random((FACTS, 10)) < 0.2, np.roll(self._usual, 1, axis=0), self._usual)
        tokens[:, 0] = np.where(knows, gold, tokens[:, 0])
        logps = -np.cumsum(chance.exponential(0.5, (FACTS, 10)), axis=1).astype(np.float32)
        logp = np.where(knows, logps[:, 0], -np.log(rank) - 2).astype(np.float32)
        return LamaAnswers(facts, rank, logp, np.maximum(1, rank // 2), logp, tokens, logps)

    def right(self, t: float) -> npt.NDArray[np.bool_]:
        return self._easy < t + self._chance.normal(0, 0.02, WORDS)

    def numbers(self, t: float, count: int) -> list[float]:
        curve = self._level[:count] * (1 - np.exp(-5 * t)) + self._chance.normal(0, 0.005, count)
        return [float(value) for value in curve]


def commits(steps: int, run: str, seed: int, first: int = 0) -> Iterator[Commit]:
    """One commit a checkpoint from the ``first`` on, with everything that was evaluated at it."""
    model = Model(seed)
    card = Run(
        run, run.split("-")[0], f"checkpoints/{run}", "mlm", steps * STEP, LAYERS, HEADS, 768, 12_000_000
    )
    vocabulary = Vocabulary(f"vocab-{seed}", [f"token{number}" for number in range(VOCABULARY)])
    gold = np.random.default_rng(7).integers(0, VOCABULARY, FACTS)
    facts = Facts(
        [RELATIONS[fact * len(RELATIONS) // FACTS] for fact in range(FACTS)],
        [f"subject {fact}" for fact in range(FACTS)],
        [f"token{token}" for token in gold],
        [None] * FACTS,
    )
    datasets = iter((_words(), _facts()))
    for place in range(steps):
        step, t = (first + place) * STEP, place / max(1, steps - 1)
        checkpoint = Checkpoint(run, step, f"{run}/{step}", f"{run}-{step}", vocabulary.vocab, 47_000_000)
        evaluations = list(_evaluations(model, run, step, t, facts, gold))
        yield Commit(card, checkpoint, evaluations, next(datasets, None), vocabulary if place == 0 else None)


def fill(path: Path, steps: int) -> None:
    """Writes the whole store and compacts it; says how long each run took, and the whole."""
    whole = time.perf_counter(), time.process_time()
    for seed, run in enumerate(RUNS):
        began = time.perf_counter()
        batch: list[Commit] = []
        for commit in commits(steps, run, seed):
            batch.append(commit)
            if len(batch) == BATCH:
                embryo_store.commit_all(path, batch)
                batch = []
        if batch:
            embryo_store.commit_all(path, batch)
        print(f"{run}: {steps} checkpoints in {time.perf_counter() - began:.0f} s", flush=True)
    written = time.perf_counter(), time.process_time()
    before, after = embryo_store.compact(path)
    for what, since, size in (("written", whole, before), ("written and compacted", whole, after)):
        until = written if what == "written" else (time.perf_counter(), time.process_time())
        wall, cpu = (b - a for a, b in zip(since, until, strict=True))
        print(f"{what} in {wall:.0f} s ({cpu:.0f} s of CPU): {size / 1e9:.2f} GB", flush=True)


def _words() -> Dataset:
    chance = np.random.default_rng(1)
    position = np.arange(WORDS) % 18
    forms = [f"form{number}" for number in chance.zipf(1.2, WORDS) % 15_000]
    tags = [TAGS[number] for number in chance.integers(0, len(TAGS), WORDS)]
    rank = chance.integers(1, 15_000, WORDS)
    words = Words(np.arange(WORDS) // 18, position, forms, tags, rank)
    return Dataset("conll-2012-test", "data", "words", "data/conll", WORDS, WORDS // 18, words=words)


def _facts() -> Dataset:
    relations = [Relation(name, "[X] is of [Y] .", "N-1", name) for name in RELATIONS]
    return Dataset("trex", "data", "facts", "data/trex", FACTS, relations=relations)


def _evaluations(
    model: Model, run: str, step: int, t: float, facts: Facts, gold: npt.NDArray[np.int64]
) -> Iterator[Evaluation]:
    count = WORDS // len(TAGS)
    for task in ("reconstruct", "mask-predict"):
        values = model.numbers(t, len(TAGS) + 1)
        metrics = [
            Metric("accuracy", value, label, n=count, stderr=0.01)
            for value, label in zip(values, ("all", *TAGS), strict=True)
        ]
        yield _made(Key(run, step, task, "conll-2012-test"), metrics, Outcomes(model.right(t)))
    for probe in PROBES:
        values = model.numbers(t, 2 * (LAYERS + 1))
        metrics = [
            Metric(("f1", "selectivity")[place % 2], value, layer=place // 2, n=100_000, stderr=0.001)
            for place, value in enumerate(values)
        ]
        yield _made(Key(run, step, f"probe-{probe}", "ontonotes-test"), metrics)
    values = model.numbers(t, 2 * len(GLUE))
    for place, task in enumerate(GLUE):
        names = ("spearman", "pearson") if task == "stsb" else ("accuracy", "f1")
        metrics = [Metric(name, values[2 * place + i]) for i, name in enumerate(names)]
        yield _made(Key(run, step, f"glue-{task}", task), metrics)
    values = model.numbers(t, len(RELATIONS))
    metrics = [
        Metric("p1", value, relation, n=800) for value, relation in zip(values, RELATIONS, strict=True)
    ]
    yield _made(Key(run, step, "lama", "trex"), metrics, model.lama(facts, gold, t))
    values = model.numbers(t, len(HEAD_STATISTICS) * LAYERS * HEADS)
    heads = [(layer, head) for layer in range(1, LAYERS + 1) for head in range(1, HEADS + 1)]
    metrics = [
        Metric(HEAD_STATISTICS[place // len(heads)], value, "all", *heads[place % len(heads)])
        for place, value in enumerate(values)
    ]
    yield _made(Key(run, step, "attention", "built-in"), metrics, AttentionMaps(0, model.maps(t)))
    log = TrainLog(
        np.repeat(step, 3), ("loss", "mlm_accuracy", "learning_rate"), np.array([9 - 7 * t, t / 2, 1e-4])
    )
    yield _made(Key(run, step, "train-log"), [], log)


def _made(key: Key, metrics: list[Metric], *payloads: Payload) -> Evaluation:
    moment = datetime(2026, 1, 1, tzinfo=UTC)
    versions = {"torch": "2.13", "transformers": "5.23"}
    inputs = {"weights": f"{key.run}-{key.step}", "data": "data", "version": 1, "dtype": "float32"}
    digest = f"{key.run}-{key.step}-{key.task}".rjust(64, "0")
    return Evaluation(
        key, digest, inputs, moment, moment, "host", "cpu", "float32", versions, "data", metrics=metrics,
        payloads=payloads,
    )  # fmt: skip


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("store", type=Path)
    parser.add_argument("--steps", type=int, default=1000, help="checkpoints a run")
    arguments = parser.parse_args()
    fill(arguments.store, arguments.steps)
