"""Probing every layer in four tasks: one pass of the encoder and our solver, beside the published pipeline.

The published pipeline encodes anew for each layer, task and split, pools span by span in Python, pickles,
and trains each classifier with Adam (1e-4, batches of 1,024, 30,000 steps), in fp32. It is done here in the
same terms on a part of the same sample (``--share`` of the batches, ``--adam`` steps), in the same process,
and scaled up; ours is done whole, by the functions that ``embryo-eval`` calls, in ``--dtype``.

A made-up corpus stands in for a treebank: as many words, constituents, arguments and pairs a sentence as
English Web Treebank and GUM have, and labels of which a linear probe can learn as much, in as many passes, as
on the features of a trained model (the passes are printed). The encoder has ALBERT-base's shape and random
weights. CPU-seconds, so that a busy machine does no harm; with ``--device cuda`` seconds on the clock.
``--agree`` probes a small sample on both devices instead, and compares losses and F1.
"""

from __future__ import annotations

import argparse
import pickle
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import torch
import transformers
from base_models import without_store
from transformers import AlbertConfig, AlbertModel

without_store()

from evaluators.batches import Batch  # noqa: E402
from evaluators.checkpoints import CheckpointStore  # noqa: E402
from evaluators.corpora.edges import EDGE_TASKS, PAIRED, SPLITS, EdgeBuilder, EdgeCorpus, EdgeTask, Target  # noqa: E402
from evaluators.hardware import Dtype, resolve_dtype  # noqa: E402
from evaluators.loading import Resident  # noqa: E402
from evaluators.probes.features import FeatureBank, Pooling, poolings  # noqa: E402
from evaluators.probes.judge import Questions, examples, judge  # noqa: E402
from evaluators.probes.labels import PAPER_LABELS  # noqa: E402
from evaluators.probes.sample import Sample, draw  # noqa: E402
from evaluators.probes.solver import Examples, Fit, fit  # noqa: E402
from evaluators.probes.spans import Rows, TaskSpans, rows_of, spans_of  # noqa: E402

TYPES = 12_000
ADAM_STEPS = 30_000
LIMITS = {"all probes, against the published pipeline": 30.0, "the same without its training": 30.0}
#: How far a word's labels are from chance: the spread of its scores over that of the noise.
CLEARNESS: Mapping[EdgeTask, float] = {"pos": 6.0, "const": 2.5, "srl": 2.5, "coref": 1.0}


@dataclass
class Pieces:
    """One to three made-up pieces a word."""

    cls: int = 2
    sep: int = 3
    digest: str = "made up"

    def many(self, words: Sequence[str]) -> list[tuple[int, ...]]:
        drawn = [np.random.default_rng(int(word)) for word in words]
        return [tuple(r.integers(5, 30_000, size=r.choice([1, 1, 1, 1, 2, 3])).tolist()) for r in drawn]


class Labeller:
    """Labels as a multinomial logit model draws them: every label has a share, every word a leaning to every
    label, and a span leans as its words do.
    """

    def __init__(self, task: EdgeTask, chance: np.random.Generator) -> None:
        self.labels, self.chance = PAPER_LABELS[task], chance
        size = len(self.labels)
        self.share = -1.2 * np.log1p(np.arange(size))
        self.leaning = CLEARNESS[task] * chance.normal(size=(2 if task in PAIRED else 1, TYPES, size))

    def __call__(self, words: np.ndarray, *spans: tuple[int, int]) -> str:
        scores = self.share + self.chance.gumbel(size=len(self.labels))
        for leaning, (start, end) in zip(self.leaning, spans, strict=True):
            scores = scores + leaning[words[start:end]].sum(0) / np.sqrt(end - start)
        return self.labels[int(scores.argmax())]


def corpus_of(sentences: int) -> EdgeCorpus:
    """Words by Zipf; spans at random, as many of every task as treebanks have."""
    chance = np.random.default_rng(0)
    shares = 1 / (np.arange(TYPES) + 10)
    shares /= shares.sum()
    labeller = {task: Labeller(task, chance) for task in EDGE_TASKS}
    builder = EdgeBuilder()

    def span(length: int) -> tuple[int, int]:
        start, end = sorted(chance.choice(length + 1, 2, replace=False).tolist())
        return start, end

    for split, count in zip(SPLITS, (sentences, sentences // 6, sentences // 6), strict=True):
        for _ in range(count):
            length = int(np.clip(round(chance.lognormal(2.5, 0.7)), 3, 60))
            words = chance.choice(TYPES, length, p=shares)
            number = builder.sentence(split, [str(word) for word in words])
            verbs = [(v, v + 1) for v in chance.choice(length, max(round(0.19 * length), 1), replace=False)]
            mentions = [(m, m + 1) for m in chance.choice(length, chance.integers(1, 5), replace=True)]
            asked: dict[EdgeTask, list[tuple[tuple[int, int], ...]]] = {
                "pos": [((i, i + 1),) for i in range(length)],
                "const": [(span(length),) for _ in range(round(0.9 * length))],
                "srl": [(verb, span(length)) for verb in verbs for _ in range(2)],
                "coref": [(a, b) for i, a in enumerate(mentions) for b in mentions[:i] if a != b],
            }
            for task, spans in asked.items():
                told = [Target(s[0], s[1] if len(s) > 1 else None, labeller[task](words, *s)) for s in spans]
                builder.targets(split, task, number, told)
    return builder.build("made up", "made up", "0" * 64, {})


@dataclass
class Clock:
    """CPU-seconds of this process; on a GPU seconds on the clock, when all is done that was asked of it."""

    device: torch.device
    seconds: dict[str, float] = field(default_factory=dict)

    def now(self) -> float:
        if self.device.type != "cuda":
            return time.process_time()
        torch.cuda.synchronize()
        return time.perf_counter()

    @contextmanager
    def over(self, what: str) -> Iterator[None]:
        began = self.now()
        yield
        self.seconds[what] = self.seconds.get(what, 0.0) + self.now() - began


@dataclass
class Watch:
    """The solver, with its passes noted."""

    clock: Clock
    passes: list[int] = field(default_factory=list)

    def __call__(self, train: Examples, dev: Examples, labels: int) -> Fit:
        with self.clock.over("fit"):
            found = fit(train, dev, labels)
        self.passes.append(found.passes)
        return found


@dataclass(frozen=True)
class Work:
    """The sample in pieces, and what is asked about it."""

    sample: Sample
    rows: Rows
    spans: Mapping[EdgeTask, TaskSpans]
    pooled: Mapping[EdgeTask, tuple[Pooling, ...]]

    def in_train(self, batch: Batch) -> bool:
        return bool(batch.item[0] < self.rows.row["dev"].min())

    def questions(self, task: EdgeTask) -> Questions:
        targets, labels = self.spans[task].targets, PAPER_LABELS[task]
        sentence = self.sample.tasks["test"][task].sentence[targets["test"].source]
        return Questions(labels, targets, sentence, None, {"paper": np.ones(len(labels), dtype=np.bool_)})


def work_of(targets: int) -> Work:
    corpus = corpus_of(targets // 2)
    sample = draw(corpus, targets, 0)
    rows = rows_of(corpus, sample, Pieces(), 512)  # type: ignore[arg-type]
    spans = {task: spans_of(sample, task, rows) for task in EDGE_TASKS}
    return Work(sample, rows, spans, {task: poolings(found, rows.batches) for task, found in spans.items()})


def resident_of(model: AlbertModel, device: str, dtype: Dtype) -> Resident:
    """``model`` as ``embryo-eval`` holds one."""
    resident = Resident(device, dtype, torch.get_num_threads())
    with tempfile.TemporaryDirectory() as folder:
        model.save_pretrained(Path(folder, "made-up", "step-00000000"))
        resident.hold(CheckpointStore(folder).open("made-up", 0))
    return resident


def encode(resident: Resident, work: Work, clock: Clock) -> dict[EdgeTask, FeatureBank]:
    shown = resident.layers(torch.tensor([[2, 3]]))
    width = shown[0].shape[-1]
    banks = {
        task: FeatureBank(len(shown), len(found), width, 1e9, clock.device)
        for task, found in work.spans.items()
    }
    for number, batch in enumerate(work.rows.batches):
        with clock.over("encode train" if work.in_train(batch) else "encode dev and test"):
            seen = resident.layers(torch.from_numpy(batch.ids))
        with clock.over("pool"):
            for task in EDGE_TASKS:
                banks[task].fill(work.pooled[task][number], seen)
    return banks


def published_features(model: Any, work: Work, task: EdgeTask, share: int, layer: int, clock: Clock) -> float:
    """Seconds of one layer of one task, all splits: encode, pool in Python, pickle. Sentences without a
    target of the task are not read.
    """
    spans = work.spans[task]
    asked = set(spans.row.tolist())
    mine = [
        Batch(batch.ids[kept], batch.item)
        for batch in work.rows.batches
        if len(kept := [i for i, row in enumerate(batch.item.tolist()) if row in asked])
    ]
    part = mine[::share]
    began = clock.now()
    found = []
    for batch in part:
        ids = torch.from_numpy(batch.ids).to(clock.device)
        with torch.inference_mode():
            state = model(input_ids=ids, output_hidden_states=True).hidden_states[layer]
        first, last = np.searchsorted(spans.row, [batch.item[0], batch.item[-1] + 1])
        place = {row: i for i, row in enumerate(row for row in batch.item.tolist() if row in asked)}
        for number in range(first, last):
            row = place[int(spans.row[number])]
            found.append(state[row, spans.start[number] : spans.end[number]].mean(0))
    with tempfile.TemporaryFile() as out:
        pickle.dump(torch.stack(found).cpu(), out)
    return (clock.now() - began) * sum(b.ids.size for b in mine) / sum(b.ids.size for b in part)


def published_training(train: Examples, labels: int, steps: int, clock: Clock) -> float:
    """Seconds of one classifier, scaled to all the steps."""
    layer = torch.nn.Linear(len(train.vectors) * train.vectors[0].shape[1], labels, device=clock.device)
    optimizer = torch.optim.Adam(layer.parameters(), lr=1e-4)
    rows = torch.cat([v if i is None else v[i] for v, i in zip(train.vectors, train.index, strict=True)], 1)
    began = clock.now()
    for _ in range(steps):
        chosen = torch.randint(len(rows), (1024,), device=clock.device)
        loss = torch.nn.functional.cross_entropy(layer(rows[chosen]), train.label[chosen])
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(layer.parameters(), 5.0)
        optimizer.step()
    return (clock.now() - began) * ADAM_STEPS / steps


def speed(model: AlbertModel, work: Work, given: argparse.Namespace) -> None:
    clock = Clock(torch.device(given.device))
    read = {True: 0, False: 0}
    for batch in work.rows.batches:
        read[work.in_train(batch)] += batch.ids.size
    targets = ", ".join(f"{task} {len(s.targets['train'].label):,}" for task, s in work.spans.items())
    print(f"{len(work.rows.words):,} sentences, {sum(read.values()):,} pieces ({read[True]:,} of train)")
    print(f"train targets: {targets}; {given.device}, {given.dtype}", flush=True)
    resident = resident_of(model, given.device, given.dtype)
    encode(resident, work_of(40), Clock(clock.device))  # what is only done once is no part of it
    banks = encode(resident, work, clock)
    model.to(clock.device)
    peer = training = 0.0
    layers = given.layers + 1
    passes: list[int] = []
    for task in EDGE_TASKS:
        watch = Watch(clock)
        with clock.over("fit, predict, score"), mock.patch("evaluators.probes.judge.fit", watch):
            found = judge(banks[task], work.questions(task), clock.device)["paper"]
        f1 = [metric.value for metric in found if (metric.metric, metric.label) == ("f1", "all")]
        strengths = sorted({metric.value for metric in found if metric.metric == "prior_strength"})
        print(
            f"{task}: median {np.median(watch.passes):.0f} passes, at most {max(watch.passes)}; "
            f"F1 {min(f1):.3f} to {max(f1):.3f}; strengths {strengths}",
            flush=True,
        )
        passes += watch.passes
        # Every layer's training is the same work: one is done, and counted for all. So is the encoding.
        train = examples(banks[task].layer(given.layers), work.spans[task].targets["train"], clock.device)
        training += layers * published_training(train, len(PAPER_LABELS[task]), given.adam, clock)
        peer += layers * published_features(model, work, task, given.share, given.layers, clock)
        del banks[task]
    took = clock.seconds
    ours = took["encode train"] + took["encode dev and test"] + took["pool"] + took["fit, predict, score"]
    print(f"\n{'seconds' if given.device == 'cuda' else 'CPU-s':>45}")
    for name, value in (
        ("ours: encode train", took["encode train"]),
        ("ours: encode dev and test", took["encode dev and test"]),
        ("ours: pool", took["pool"]),
        ("ours: fit (within the next)", took["fit"]),
        ("ours: fit, predict, score", took["fit, predict, score"]),
        ("ours: all", ours),
        ("published: encode, pool, pickle", peer),
        ("published: train", training),
    ):
        print(f"{name:<34}{value:>11,.1f}")
    print(f"\npasses over the train targets: median {np.median(passes):.0f}, most {max(passes)}")
    for name, ratio in (
        ("all probes, against the published pipeline", (peer + training) / ours),
        ("the same without its training", peer / ours),
    ):
        print(f"{name:<46}{ratio:>8.1f}  (limit {LIMITS[name]:.0f}, target 60)")
    share = took["fit"] / took["encode train"]
    print(f"{'fitting, against encoding the train sample':<46}{share:>8.2f}  (limit 1.00)")


def agree(model: AlbertModel, work: Work, dtypes: Sequence[Dtype]) -> bool:
    """Are development losses and F1 those of the CPU in fp32? Twice on the GPU: to the last bit the same?"""
    found: dict[str, dict[str, np.ndarray]] = {}
    for name, device, dtype in [
        ("cpu", "cpu", "fp32"),
        *((f"cuda {d}", "cuda", d) for d in (*dtypes, "fp32")),
    ]:
        resident = resident_of(model, device, dtype)
        banks = encode(resident, work, Clock(torch.device(device)))
        values: dict[str, list[float]] = {"dev_loss": [], "f1": []}
        for task in EDGE_TASKS:
            for metric in judge(banks[task], work.questions(task), torch.device(device))["paper"]:
                if metric.metric in values and metric.label == "all" and metric.layer is not None:
                    values[metric.metric].append(metric.value)
        again = f"{name}, again" if name in found else name
        found[again] = {key: np.array(told) for key, told in values.items()}
    right = True
    for name, values in found.items():
        ratio = values["dev_loss"] / found["cpu"]["dev_loss"]
        apart = 100 * np.abs(values["f1"] - found["cpu"]["f1"])
        print(
            f"{name:<20} {len(ratio)} probes: development loss {ratio.min():.5f} to {ratio.max():.5f} of the "
            f"CPU's, F1 at most {apart.max():.2f} points apart, {apart.mean():.2f} in the mean"
        )
        right &= "bf16" in name or bool(ratio.min() > 0.998 and ratio.max() < 1.002)
    same = all(
        np.array_equal(found["cuda fp32"][key], found["cuda fp32, again"][key]) for key in ("f1", "dev_loss")
    )
    print(f"the same on the GPU twice: {same}; within 0.2 % of the CPU's loss: {right}")
    return same and right


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--device", choices=["cpu", "cuda"], default="cpu")
    parser.add_argument("--dtype", choices=["fp32", "bf16", "auto"], default="auto")
    parser.add_argument("--agree", action="store_true")
    parser.add_argument("--targets", type=int, default=20_000)
    parser.add_argument(
        "--share", type=int, default=20, help="the published encoding reads one batch of so many"
    )
    parser.add_argument("--adam", type=int, default=200, help="steps of the published training that are done")
    parser.add_argument("--layers", type=int, default=12)
    parser.add_argument(
        "--threads", type=int, help="1 on a busy machine: a thread that waits for another burns CPU-seconds"
    )
    given = parser.parse_args()
    given.dtype = resolve_dtype(given.dtype)
    transformers.logging.disable_progress_bar()
    if given.threads:
        torch.set_num_threads(given.threads)
    torch.manual_seed(0)
    model = AlbertModel(
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
    work = work_of(given.targets)
    if given.agree:
        return 0 if agree(model, work, ["fp32", "bf16"]) else 1
    speed(model, work, given)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
