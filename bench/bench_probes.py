"""Probing every layer in four tasks: one pass of the encoder and our solver, beside the published pipeline.

The published pipeline encodes anew for each layer, task and split, pools span by span in Python, pickles,
and trains each classifier with Adam (1e-4, batches of 1,024, 30,000 steps). It is done here in the same
terms on a part of the same sample (``--share`` of the batches, ``--adam`` steps), in the same process, and
scaled up; ours is done whole. A made-up corpus stands in for a treebank (as many words, constituents,
arguments and pairs a sentence as English Web Treebank and GUM have); the encoder has ALBERT-base's shape and
random weights.
CPU-seconds, so that a busy machine does no harm.
"""

from __future__ import annotations

import argparse
import pickle
import random
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import torch
from transformers import AlbertConfig, AlbertModel

from evaluators.batches import Batch
from evaluators.corpora.edges import EDGE_TASKS, SPLITS, EdgeBuilder, EdgeCorpus, Target
from evaluators.probes.features import FeatureBank, poolings
from evaluators.probes.judge import Questions, examples, judge
from evaluators.probes.labels import PAPER_LABELS
from evaluators.probes.sample import draw
from evaluators.probes.solver import Examples, Fit, fit
from evaluators.probes.spans import Rows, TaskSpans, rows_of, spans_of

TYPES = 6_000
ADAM_STEPS = 30_000
LIMITS = {"all probes, against the published pipeline": 30.0, "the same without its training": 30.0}


@dataclass
class Pieces:
    """One to three made-up pieces a word."""

    cls: int = 2
    sep: int = 3
    digest: str = "made up"

    def many(self, words: Sequence[str]) -> list[tuple[int, ...]]:
        drawn = [np.random.default_rng(int(word)) for word in words]
        return [tuple(r.integers(5, 30_000, size=r.choice([1, 1, 1, 1, 2, 3])).tolist()) for r in drawn]


def corpus_of(sentences: int) -> EdgeCorpus:
    """Words by Zipf, each with a usual tag; labels that follow from tags and places, with some noise."""
    chance = random.Random(0)
    usual = [chance.choice(PAPER_LABELS["pos"]) for _ in range(TYPES)]
    weights = [1 / (rank + 10) for rank in range(TYPES)]
    builder = EdgeBuilder()
    for split, count in zip(SPLITS, (sentences, sentences // 6, sentences // 6), strict=True):
        for _ in range(count):
            length = min(max(round(chance.lognormvariate(2.5, 0.7)), 3), 60)
            words = chance.choices(range(TYPES), weights, k=length)
            number = builder.sentence(split, [str(word) for word in words])
            labels = [usual[w] if chance.random() < 0.95 else "NN" for w in words]
            builder.targets(split, "pos", number, [Target((i, i + 1), None, t) for i, t in enumerate(labels)])
            spans = [sorted(chance.sample(range(length + 1), 2)) for _ in range(round(0.9 * length))]
            found = [Target((a, b), None, _label("const", words[a], b - a, chance)) for a, b in spans]
            builder.targets(split, "const", number, found)
            verbs = chance.sample(range(length), max(round(0.19 * length), 1))
            pairs = [(v, sorted(chance.sample(range(length + 1), 2))) for v in verbs for _ in range(2)]
            told = [Target((v, v + 1), (a, b), _label("srl", words[a], v - a, chance)) for v, (a, b) in pairs]
            builder.targets(split, "srl", number, told)
            mentions = [chance.randrange(length) for _ in range(chance.choice([1, 2, 3, 4]))]
            two = [(a, b) for i, a in enumerate(mentions) for b in mentions[:i] if a != b]
            same = [str(int(words[a] % 7 == words[b] % 7)) for a, b in two]
            builder.targets(
                split,
                "coref",
                number,
                [Target((a, a + 1), (b, b + 1), s) for (a, b), s in zip(two, same, strict=True)],
            )
    return builder.build("made up", "made up", "0" * 64, {})


def _label(task: Any, word: int, place: int, chance: random.Random) -> str:
    labels = PAPER_LABELS[task]
    if chance.random() < 0.2:
        return chance.choice(labels[:10])
    return labels[int(min(abs(hash((word % 50, place > 3))) % 97, abs(place * 5 + word) % 61) % len(labels))]


def states(encoder: Any, batch: Batch) -> tuple[torch.Tensor, ...]:
    with torch.inference_mode():
        found: tuple[torch.Tensor, ...] = encoder(
            input_ids=torch.from_numpy(batch.ids), output_hidden_states=True
        ).hidden_states
    return found


class Watch:
    """The solver, with its CPU-seconds and its passes noted."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self.passes: list[int] = []

    def __call__(self, train: Examples, dev: Examples, labels: int) -> Fit:
        began = time.process_time()
        found = fit(train, dev, labels)
        self.seconds += time.process_time() - began
        self.passes.append(found.passes)
        return found


def published_features(
    encoder: Any, rows: Rows, spans: TaskSpans, share: int, layer: int, folder: Path
) -> float:
    """CPU-seconds of one layer of one task, all splits: encode, pool in Python, pickle. Sentences without a
    target of the task are not read.
    """
    asked = set(spans.row.tolist())
    mine = [
        Batch(batch.ids[kept], batch.item)
        for batch in rows.batches
        if len(kept := [i for i, row in enumerate(batch.item.tolist()) if row in asked])
    ]
    part = mine[::share]
    began = time.process_time()
    found = []
    for batch in part:
        state = states(encoder, batch)[layer]
        first, last = np.searchsorted(spans.row, [batch.item[0], batch.item[-1] + 1])
        place = {row: i for i, row in enumerate(row for row in batch.item.tolist() if row in asked)}
        for number in range(first, last):
            row = place[int(spans.row[number])]
            found.append(state[row, spans.start[number] : spans.end[number]].mean(0))
    with (folder / "features.pickle").open("wb") as out:
        pickle.dump(torch.stack(found), out)
    return (time.process_time() - began) * sum(b.ids.size for b in mine) / sum(b.ids.size for b in part)


def published_training(train: Examples, labels: int, steps: int) -> float:
    """CPU-seconds of one classifier, scaled to all the steps."""
    layer = torch.nn.Linear(len(train.vectors) * train.vectors[0].shape[1], labels)
    optimizer = torch.optim.Adam(layer.parameters(), lr=1e-4)
    rows = torch.cat([v if i is None else v[i] for v, i in zip(train.vectors, train.index, strict=True)], 1)
    began = time.process_time()
    for _ in range(steps):
        chosen = torch.randint(len(rows), (1024,))
        loss = torch.nn.functional.cross_entropy(layer(rows[chosen]), train.label[chosen])
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(layer.parameters(), 5.0)
        optimizer.step()
    return (time.process_time() - began) * ADAM_STEPS / steps


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--targets", type=int, default=20_000)
    parser.add_argument(
        "--share", type=int, default=20, help="the published encoding reads one batch of so many"
    )
    parser.add_argument("--adam", type=int, default=200, help="steps of the published training that are done")
    parser.add_argument("--layers", type=int, default=12)
    given = parser.parse_args()
    corpus = corpus_of(given.targets // 2)
    torch.manual_seed(0)
    encoder = AlbertModel(
        AlbertConfig(
            vocab_size=30_000,
            hidden_size=768,
            num_hidden_layers=given.layers,
            num_attention_heads=12,
            intermediate_size=3072,
            embedding_size=128,
        ),
        add_pooling_layer=False,
    ).eval()
    sample = draw(corpus, given.targets, 0)
    rows = rows_of(corpus, sample, Pieces(), 512)  # type: ignore[arg-type]
    spans = {task: spans_of(sample, task, rows) for task in EDGE_TASKS}
    first = int(rows.row["dev"].min())
    read = {
        split: sum(b.ids.size for b in rows.batches if (b.item[0] < first) == (split == "train"))
        for split in ("train", "rest")
    }
    print(
        f"{len(rows.words):,} sentences, {read['train'] + read['rest']:,} pieces "
        f"({read['train']:,} of train); train targets:",
        ", ".join(f"{task} {len(s.targets['train'].label):,}" for task, s in spans.items()),
    )

    pooled = {task: poolings(found, rows.batches) for task, found in spans.items()}
    banks = {task: FeatureBank(given.layers + 1, len(found), 768, 1e9) for task, found in spans.items()}
    encoding = {"train": 0.0, "rest": 0.0}
    pooling = 0.0
    for number, batch in enumerate(rows.batches):
        began = time.process_time()
        seen = states(encoder, batch)
        encoding["train" if batch.item[0] < first else "rest"] += time.process_time() - began
        began = time.process_time()
        for task in EDGE_TASKS:
            banks[task].fill(pooled[task][number], seen)
        pooling += time.process_time() - began
    watch = Watch()
    judging = training = 0.0
    for task in EDGE_TASKS:
        size = len(PAPER_LABELS[task])
        questions = Questions(
            PAPER_LABELS[task],
            spans[task].targets,
            sample.tasks["test"][task].sentence[spans[task].targets["test"].source],
            None,
            {"paper": np.ones(size, dtype=np.bool_)},
        )
        began = time.process_time()
        with mock.patch("evaluators.probes.judge.fit", watch):
            judge(banks[task], questions, torch.device("cpu"))
        judging += time.process_time() - began
        # Every layer's training is the same work: one is done, and counted for all.
        vectors = banks[task].layer(given.layers)
        train = examples(vectors, spans[task].targets["train"], torch.device("cpu"))
        training += (given.layers + 1) * published_training(train, size, given.adam)
        del banks[task]
    with tempfile.TemporaryDirectory() as folder:
        peer = (given.layers + 1) * sum(
            published_features(encoder, rows, spans[task], given.share, given.layers, Path(folder))
            for task in EDGE_TASKS
        )
    ours = sum(encoding.values()) + pooling + judging
    print("\n                                        CPU-s")
    for name, value in (
        ("ours: encode train", encoding["train"]),
        ("ours: encode dev and test", encoding["rest"]),
        ("ours: pool", pooling),
        ("ours: fit (within the next)", watch.seconds),
        ("ours: fit, predict, score", judging),
        ("ours: all", ours),
        ("published: encode, pool, pickle", peer),
        ("published: train", training),
    ):
        print(f"{name:<34}{value:>11,.1f}")
    print(f"\npasses over the train targets: median {np.median(watch.passes):.0f}, most {max(watch.passes)}")
    for name, ratio in (
        ("all probes, against the published pipeline", (peer + training) / ours),
        ("the same without its training", peer / ours),
    ):
        print(f"{name:<46}{ratio:>8.1f}  (limit {LIMITS[name]:.0f}, target 60)")
    share = watch.seconds / encoding["train"]
    print(f"{'fitting, against encoding the train sample':<46}{share:>8.2f}  (limit 1.00)")


if __name__ == "__main__":
    main()
