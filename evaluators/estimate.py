"""What a plan will cost: seconds and bytes, from what the store says earlier results cost, else by a formula.

The formula counts the encoder's products (2 · 12 · layers · width² for a piece, attention's own apart) and
divides by what NumPy multiplies here, measured for a moment. It knows no GPU and no task's own arithmetic.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Literal

import numpy as np

from embryo_store.evaluating import ROW_BYTES, ResultCost
from evaluators.checkpoints import SavedStep
from evaluators.corpora.base import FactCorpus, SentenceCorpus, WordCorpus
from evaluators.corpora.edges import EdgeCorpus
from evaluators.plan import Job
from evaluators.tasks.base import Cost
from evaluators.tasks.train_log import LogSlice

#: store: this run's own results of the task. scaled: another run's, by the models' size. formula: none yet.
Basis = Literal["store", "scaled", "formula"]

#: Pieces of a word and of a filled-in fact, on English text with vocabularies of about 30,000.
_PIECES_A_WORD = 1.25
_PIECES_A_FACT = 12
#: A pass reaches this share of NumPy's speed at large square products.
_SHARE = 0.5
#: Fitting probes costs about as much again as the pass that feeds them.
_FIT = 2
#: Labels under which a task's numbers are stored, at a guess.
_METRICS = 60
_MAP_SIDE = 32


@dataclass(frozen=True)
class Estimate:
    """What jobs of one run, task and corpus cost together: of one worker's time, and in the store."""

    seconds: float
    bytes: float
    basis: Basis


def estimate(jobs: Sequence[Job], costs: Sequence[ResultCost]) -> Estimate:
    """The cost of ``jobs``, which are of one run, task and corpus."""
    first = jobs[0]
    known = [cost for cost in costs if (cost.task, cost.dataset) == (first.task.name, first.dataset)]
    own = [cost for cost in known if cost.run == first.saved.run]
    if own:
        return _times(len(jobs), own[0].seconds, own[0].bytes, "store")
    work = _work(first.saved)
    other = next((cost for cost in known if cost.layers and cost.hidden), None)
    if other is not None and other.layers and other.hidden and work:
        scale = work / (other.layers * other.hidden**2)
        return _times(len(jobs), other.seconds * scale, other.bytes, "scaled")
    if isinstance(first.content, LogSlice):
        rows = sum(len(job.content.log.step) for job in jobs if isinstance(job.content, LogSlice))
        return Estimate(0.0, rows * ROW_BYTES["log"] + len(jobs) * ROW_BYTES["evaluation"], "formula")
    seconds = 24.0 * work * _pieces(first) / (_SHARE * _flops_a_second())
    return _times(len(jobs), seconds, _bytes(first), "formula")


def _times(count: int, seconds: float, size: float, basis: Basis) -> Estimate:
    return Estimate(count * seconds, count * size, basis)


def _work(saved: SavedStep) -> int:
    """Layers · width², to which the encoder's products are proportional; 0 where config.json does not say."""
    layers, width = (saved.config.get(name) for name in ("num_hidden_layers", "hidden_size"))
    return layers * width**2 if isinstance(layers, int) and isinstance(width, int) else 0


def _pieces(job: Job) -> float:
    """How many pieces a task reads at one checkpoint. A sweep reads every sentence once for every word."""
    match job.content:
        case WordCorpus(words=sentences):
            lengths = np.array([len(sentence) for sentence in sentences]) * _PIECES_A_WORD + 2
            times = lengths - 2 if job.task.cost is Cost.SWEEP else 1
            return float((lengths * times).sum())
        case FactCorpus(facts=facts):
            return float(len(facts) * _PIECES_A_FACT)
        case SentenceCorpus(sentences=lines):
            return sum(len(line.split()) * _PIECES_A_WORD + 2 for line in lines)
        case EdgeCorpus(splits=splits):
            words = sum(len(split.word) for split in splits.values())
            most = job.task.options().get("max_targets")
            if isinstance(most, int) and most:
                words = min(words, most * len(splits))
            return words * _PIECES_A_WORD * _FIT
    return 0.0


def _bytes(job: Job) -> float:
    size = float(ROW_BYTES["evaluation"] + _METRICS * ROW_BYTES["metric"])
    match job.content:
        case WordCorpus(words=sentences):
            size += sum(map(len, sentences)) / 8
        case FactCorpus(facts=facts):
            size += len(facts) * ROW_BYTES["lama"]
        case SentenceCorpus():
            heads = job.saved.config.get("num_attention_heads", 0) * job.saved.config.get(
                "num_hidden_layers", 0
            )
            size += 4 * heads * (_MAP_SIDE**2 + ROW_BYTES["attention"])
    return size


@cache
def _flops_a_second() -> float:
    """What NumPy multiplies here in fp32: the best of three products, about 50 ms."""
    side = 1024
    left = np.ones((side, side), dtype=np.float32)
    best = np.inf
    for _ in range(3):
        began = time.perf_counter()
        left @ left
        best = min(best, time.perf_counter() - began)
    return float(2 * side**3 / best)
