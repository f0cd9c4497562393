"""How well a probe does: micro-F1 with an interval, F1 by label, confusions, majority. NumPy alone.

Every target has one gold and one predicted label, so that micro-F1 over all labels is accuracy
(protocols, "Edge probing"); over some labels it is not, and it is that of Tenney et al. (2018): true
positives among them over what was predicted and what was gold among them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]

RESAMPLES = 1000
#: Resamples that are weighed at a time: bounds the matrix of weights.
_BLOCK = 50


@dataclass(frozen=True)
class Score:
    """A micro-F1 with its bootstrap interval (95 %) and standard error over ``n`` targets."""

    value: float
    low: float
    high: float
    stderr: float
    n: int


def f1(right: float, predicted: float, gold: float) -> float:
    """2·right / (predicted + gold); 0 where there is neither."""
    return 2 * right / (predicted + gold) if predicted + gold else 0.0


def micro_f1(
    gold: Ints, predicted: Sequence[Ints], sentence: Ints, among: Bools, seed: int = 0
) -> list[Score]:
    """Micro-F1 over the labels ``among`` for several predictions of the same targets.

    Targets of one sentence stand or fall together, so the bootstrap draws sentences; all predictions are
    judged on the same draws, which makes their differences comparable. ``among``: (labels,).
    """
    _, group = np.unique(sentence, return_inverse=True)
    groups = int(group.max(initial=-1)) + 1
    of_gold = _sums(group, among[gold], groups)
    columns = [of_gold]
    for guess in predicted:
        columns.append(_sums(group, among[gold] & (guess == gold), groups))
        columns.append(_sums(group, among[guess], groups))
    counts = np.stack(columns, axis=1)
    totals = counts.sum(0)
    draws = _resampled(counts, seed)
    n = int(totals[0])
    scores = []
    for number in range(len(predicted)):
        right, guesses = 1 + 2 * number, 2 + 2 * number
        both = draws[:, guesses] + draws[:, 0]
        values = np.divide(2 * draws[:, right], both, out=np.zeros(len(draws)), where=both > 0)
        low, high = np.quantile(values, [0.025, 0.975])
        value = f1(totals[right], totals[guesses], totals[0])
        scores.append(Score(value, float(low), float(high), float(values.std(ddof=1)), n))
    return scores


def _sums(group: Ints, values: Bools, groups: int) -> Floats:
    return np.bincount(group, weights=values.astype(np.float64), minlength=groups).astype(np.float64)


def _resampled(counts: Floats, seed: int) -> Floats:
    """Column sums of ``RESAMPLES`` draws of as many rows as there are, with replacement."""
    drawn = _draws(len(counts), seed)
    parts = [drawn[i : i + _BLOCK].astype(np.float64) @ counts for i in range(0, RESAMPLES, _BLOCK)]
    return np.concatenate(parts)


@lru_cache(maxsize=8)
def _draws(groups: int, seed: int) -> npt.NDArray[np.uint16]:
    """How often each of ``groups`` is in each draw: the same at every checkpoint, layer and protocol."""
    random = np.random.default_rng(seed)
    drawn = np.empty((RESAMPLES, groups), dtype=np.uint16)
    for row in drawn:
        row[:] = np.bincount(random.integers(groups, size=groups), minlength=groups)
    return drawn


def confusion(gold: Ints, predicted: Ints, labels: int) -> Ints:
    """Counts: (labels, labels), gold by predicted."""
    return np.bincount(gold * labels + predicted, minlength=labels * labels).reshape(labels, labels)


def f1_by_label(table: Ints) -> dict[int, tuple[float, int]]:
    """F1 and the number of gold targets of every label that occurs as gold, by its index."""
    gold, predicted, right = table.sum(1), table.sum(0), np.diagonal(table)
    return {
        int(label): (f1(right[label], predicted[label], gold[label]), int(gold[label]))
        for label in np.flatnonzero(gold)
    }


def commonest_mistakes(table: Ints, most: int) -> list[tuple[int, int, int]]:
    """The ``most`` frequent pairs (gold, predicted, count) that are mistakes; ties by label."""
    mistakes = table.copy()
    np.fill_diagonal(mistakes, 0)
    gold, predicted = np.nonzero(mistakes)
    order = np.lexsort((predicted, gold, -mistakes[gold, predicted]))[:most]
    return [(int(gold[i]), int(predicted[i]), int(mistakes[gold[i], predicted[i]])) for i in order]


def majority_label(labels: Ints) -> int:
    """The commonest label; the first in the list's order where several are."""
    return int(np.bincount(labels).argmax())
