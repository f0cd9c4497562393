"""Which sentences and targets of a corpus a probe learns from and is tested on: everything, or a fixed
sample.

One set of sentences serves all tasks, so that one pass of the encoder does. Knows no tokenizer and no
model; a function of the corpus and the options alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from evaluators.corpora.edges import PAIRED, SPLITS, EdgeCorpus, EdgeTask, Targets
from evaluators.probes.labels import Whose, labels_of

Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class TaskSample:
    """One task's targets in one split, in reading order.

    ``sentence``: (n,) its number in the split. ``spans``: (n, 2, 2) or (n, 1, 2), start and end of every
    span in words. ``label``: (n,) index into the probe's labels.
    """

    sentence: Ints
    spans: Ints
    label: Ints


@dataclass(frozen=True)
class Sample:
    """``sentences``: the numbers of the sentences that are read, ascending, by split; ``tasks``: their
    targets, by split and task.
    """

    sentences: Mapping[str, Ints]
    tasks: Mapping[str, Mapping[EdgeTask, TaskSample]]


@dataclass(frozen=True)
class Beyond:
    """Targets of one task whose label the probe does not know, by label, over all splits; and of how many."""

    counts: Mapping[str, int]
    total: int


def known_targets(corpus: EdgeCorpus, split: str, task: EdgeTask, whose: Whose) -> TaskSample:
    """The targets whose label is the probe's."""
    targets = corpus.splits[split].targets[task]
    ids = _renumbering(corpus, task, whose)[targets.label]
    known = ids >= 0
    spans = targets.spans[known].astype(np.int64).reshape(-1, 2, 2)
    return TaskSample(
        sentence=targets.sentence[known].astype(np.int64),
        spans=spans if task in PAIRED else spans[:, :1],
        label=ids[known],
    )


def beyond_labels(corpus: EdgeCorpus, task: EdgeTask, whose: Whose) -> Beyond:
    """What the corpus labels otherwise than the probe."""
    names = corpus.labels[task]
    outside = np.flatnonzero(_renumbering(corpus, task, whose) < 0).tolist()
    every: list[Targets] = [corpus.splits[split].targets[task] for split in SPLITS]
    counts = np.bincount(np.concatenate([targets.label for targets in every]), minlength=len(names))
    return Beyond({names[i]: int(counts[i]) for i in outside if counts[i]}, sum(map(len, every)))


def _renumbering(corpus: EdgeCorpus, task: EdgeTask, whose: Whose) -> Ints:
    order = {label: number for number, label in enumerate(labels_of(corpus, task, whose))}
    return np.array([order.get(label, -1) for label in corpus.labels[task]], dtype=np.int64)


def draw(corpus: EdgeCorpus, most: int, seed: int, whose: Whose = "paper") -> Sample:
    """At most ``most`` targets a task and split (0: all of them).

    Sentences are taken in an order that ``seed`` fixes, as many as it takes for every task to have
    ``most`` targets among them, or all. From a task's targets among them, ``most`` are drawn label by
    label, in proportion.
    """
    sentences: dict[str, Ints] = {}
    tasks: dict[str, dict[EdgeTask, TaskSample]] = {}
    for place, split in enumerate(SPLITS):
        found = {task: known_targets(corpus, split, task, whose) for task in corpus.tasks}
        count = len(corpus.splits[split])
        random = np.random.default_rng([seed, place])
        chosen = np.ones(count, dtype=np.bool_)
        if most:
            order = random.permutation(count)
            enough = [_enough(sample, order, most) for sample in found.values()]
            chosen[order[max(enough) :]] = False
            found = {task: _thinned(sample, chosen, most, random) for task, sample in found.items()}
        used = np.zeros(count, dtype=np.bool_)
        for sample in found.values():
            used[sample.sentence] = True
        sentences[split] = np.flatnonzero(used)
        tasks[split] = found
    return Sample(sentences, tasks)


def _enough(sample: TaskSample, order: Ints, most: int) -> int:
    """How many sentences, in that order, hold ``most`` targets; all of them where there are fewer."""
    targets = np.bincount(sample.sentence, minlength=len(order))[order]
    return int(np.searchsorted(np.cumsum(targets), most)) + 1


def _thinned(sample: TaskSample, chosen: Bools, most: int, random: np.random.Generator) -> TaskSample:
    """``most`` of the targets in the chosen sentences, each label in proportion (largest remainders
    first).
    """
    rows = np.flatnonzero(chosen[sample.sentence])
    if len(rows) > most:
        labels, counts = np.unique(sample.label[rows], return_counts=True)
        shares = counts * (most / len(rows))
        quotas = np.maximum(np.floor(shares).astype(np.int64), 1)
        for number in np.argsort(quotas - shares, kind="stable")[: max(most - int(quotas.sum()), 0)]:
            quotas[number] += 1
        for _ in range(int(quotas.sum()) - max(most, len(labels))):
            # What rare labels took beyond their shares, the labels give that have the most beyond theirs.
            quotas[np.argmax(np.where(quotas > 1, quotas - shares, -np.inf))] -= 1
        kept = [
            random.permutation(rows[sample.label[rows] == label])[:quota]
            for label, quota in zip(labels, quotas, strict=True)
        ]
        rows = np.sort(np.concatenate(kept))
    return TaskSample(sample.sentence[rows], sample.spans[rows], sample.label[rows])
