"""Accuracies and their standard errors; right and wrong, word by word. NumPy alone."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Hashable, Sequence

import numpy as np
import numpy.typing as npt

from embryo_store.records import ALL, Metric

Bools = npt.NDArray[np.bool_]
Ints = npt.NDArray[np.int64]


def proportion(metric: str, right: int, n: int, label: str = ALL) -> Metric:
    """``right`` of ``n``, with the binomial standard error √(p(1-p)/n)."""
    value = right / n
    return Metric(metric, value, label=label, n=n, stderr=math.sqrt(value * (1 - value) / n))


def mean(metric: str, values: npt.NDArray[np.float64], label: str = ALL) -> Metric:
    """The mean of ``values``, with its standard error s/√n (0 for a single value)."""
    n = len(values)
    spread = float(values.std(ddof=1)) / math.sqrt(n) if n > 1 else 0.0
    return Metric(metric, float(values.mean()), label=label, n=n, stderr=spread)


def accuracies(correct: Bools, judged: Bools, tags: Sequence[str]) -> list[Metric]:
    """Accuracy over the judged words, all together and for every tag (in alphabetical order)."""
    labels = np.array(tags, dtype=object)
    found = [proportion("accuracy", int(correct[judged].sum()), int(judged.sum()))]
    for tag in sorted(set(labels[judged])):
        mine = judged & (labels == tag)
        found.append(proportion("accuracy", int(correct[mine].sum()), int(mine.sum()), str(tag)))
    return found


def by_band(correct: Bools, judged: Bools, ranks: Ints, bands: Sequence[str]) -> list[Metric]:
    """Accuracy over the judged words whose rank by frequency lies in each of ``bands`` ("50-99", ends
    included); bands without such a word are left out.
    """
    found = []
    for band in bands:
        first, last = map(int, band.split("-"))
        mine = judged & (first <= ranks) & (ranks <= last)
        if mine.any():
            found.append(proportion("accuracy", int(correct[mine].sum()), int(mine.sum()), f"rank {band}"))
    return found


def majority(answers: Sequence[Hashable], judged: Bools) -> Metric:
    """The accuracy of always giving the commonest answer."""
    counts = Counter(answer for answer, counts in zip(answers, judged, strict=True) if counts)
    return proportion("majority", max(counts.values()), counts.total())


def all_right(right: Bools, owner: Ints, words: Bools) -> None:
    """Marks in ``words`` the owners all of whose pieces are ``right``; a word's pieces stand side by side."""
    if len(owner):
        starts = np.flatnonzero(np.r_[True, owner[1:] != owner[:-1]])
        words[owner[starts]] = np.logical_and.reduceat(right, starts)
