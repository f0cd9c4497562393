"""Edge-probing corpora: sentences and labelled spans of them, in columns, by split. Knows no format and no
model.

A target is a span, or a pair of spans, and a label (Tenney et al. 2018; the paper's appendix D.2 and table
5).
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations, pairwise
from typing import Literal, NamedTuple, get_args

import numpy as np
import numpy.typing as npt

from embryo_store.records import Dataset, Json
from evaluators.corpora.annotated import AnnotatedSentence
from evaluators.errors import InputError

EdgeTask = Literal["pos", "const", "srl", "coref"]
EDGE_TASKS: tuple[EdgeTask, ...] = get_args(EdgeTask)
#: Tasks whose targets are pairs of spans.
PAIRED: frozenset[EdgeTask] = frozenset({"srl", "coref"})
SPLITS = ("train", "dev", "test")
#: Coreference labels: two mentions of different entities, two of the same one.
APART, TOGETHER = "0", "1"

Ints = npt.NDArray[np.int32]


class Target(NamedTuple):
    """``span1``, ``span2`` where the task pairs spans, and the label. Words count from 0, ends are
    exclusive.
    """

    span1: tuple[int, int]
    span2: tuple[int, int] | None
    label: str


@dataclass(frozen=True)
class Targets:
    """One task's targets in one split, row by row, in reading order.

    ``sentence``: (n,) its number in the split. ``spans``: (n, 4) start and end of both spans, within the
    sentence; -1 where there is no second. ``label``: (n,) index into the corpus's labels of the task.
    """

    sentence: Ints
    spans: Ints
    label: Ints

    def __len__(self) -> int:
        """The number of targets."""
        return len(self.sentence)


@dataclass(frozen=True)
class EdgeSplit:
    """A split. ``word``: (words,) index into the corpus's forms; sentence ``i`` has the words ``starts[i]``
    up to ``starts[i + 1]``.
    """

    word: Ints
    starts: npt.NDArray[np.int64]
    targets: Mapping[EdgeTask, Targets]

    def __len__(self) -> int:
        """The number of sentences."""
        return len(self.starts) - 1


@dataclass(frozen=True)
class EdgeCorpus:
    """A corpus to probe with. ``labels``: what the corpus itself uses, in alphabetical order, task by
    task.
    """

    name: str
    uri: str
    data_hash: str
    forms: tuple[str, ...]
    splits: Mapping[str, EdgeSplit]
    labels: Mapping[EdgeTask, tuple[str, ...]]
    report: Mapping[str, Json] = field(default_factory=dict)

    @property
    def tasks(self) -> tuple[EdgeTask, ...]:
        """The tasks that every split has targets for."""
        return tuple(
            task
            for task in EDGE_TASKS
            if all(split in self.splits and len(self.splits[split].targets.get(task, ())) for split in SPLITS)
        )

    def words(self, split: str, sentence: int) -> tuple[str, ...]:
        """The words of one sentence."""
        part = self.splits[split]
        return tuple(self.forms[i] for i in part.word[part.starts[sentence] : part.starts[sentence + 1]])

    def rows(self, split: str, task: EdgeTask) -> Iterator[tuple[int, list[Target]]]:
        """The targets of every sentence that has any, with the sentence's number."""
        part = self.splits[split].targets[task]
        if not len(part):
            return
        labels = self.labels[task]
        bounds: list[int] = np.flatnonzero(
            np.r_[True, part.sentence[1:] != part.sentence[:-1], True]
        ).tolist()
        for first, last in pairwise(bounds):
            yield (
                int(part.sentence[first]),
                [
                    Target((a, b), None if c < 0 else (c, d), labels[label])
                    for (a, b, c, d), label in zip(
                        part.spans[first:last].tolist(), part.label[first:last], strict=True
                    )
                ],
            )

    def dataset(self) -> Dataset:
        """This corpus as the store keeps it."""
        return Dataset(
            dataset=self.name,
            data_hash=self.data_hash,
            kind="edges",
            uri=self.uri,
            items=sum(len(targets) for split in self.splits.values() for targets in split.targets.values()),
            sentences=sum(map(len, self.splits.values())),
            report=self.report,
        )


def targets_of(sentence: AnnotatedSentence) -> Mapping[EdgeTask, list[Target]]:
    """The targets that a sentence's annotation gives (appendix D.2): a word and its tag; a constituent and
    its label; a predicate, an argument and its role; two mentions, and whether they mean the same entity.
    """
    found: dict[EdgeTask, list[Target]] = {}
    if sentence.tags is not None:
        found["pos"] = [Target((i, i + 1), None, tag) for i, tag in enumerate(sentence.tags)]
    if sentence.constituents is not None:
        found["const"] = [Target((c.start, c.end), None, c.label) for c in sentence.constituents]
    if sentence.propositions is not None:
        found["srl"] = [
            Target(proposition.predicate, (argument.start, argument.end), argument.label)
            for proposition in sentence.propositions
            for argument in proposition.arguments
        ]
    if sentence.mentions is not None:
        mentions = sorted(
            sentence.mentions, key=lambda mention: (mention.start, mention.end, mention.cluster)
        )
        found["coref"] = [
            Target((a.start, a.end), (b.start, b.end), TOGETHER if a.cluster == b.cluster else APART)
            for a, b in combinations(mentions, 2)
        ]
    return found


class EdgeBuilder:
    """Puts sentences and targets into columns, split by split."""

    def __init__(self) -> None:
        """Starts empty."""
        self._forms: dict[str, int] = {}
        self._splits: dict[str, _SplitBuilder] = {}
        self._labels: dict[EdgeTask, dict[str, int]] = {}

    def sentence(self, split: str, words: Sequence[str]) -> int:
        """Adds a sentence; returns its number in the split."""
        part = self._splits.setdefault(split, _SplitBuilder())
        part.word.extend(self._forms.setdefault(word, len(self._forms)) for word in words)
        part.starts.append(len(part.word))
        return len(part.starts) - 2

    def targets(self, split: str, task: EdgeTask, sentence: int, targets: Iterable[Target]) -> None:
        """Adds targets of a sentence that was added before."""
        labels = self._labels.setdefault(task, {})
        columns = self._splits[split].targets.setdefault(task, (array("i"), array("i"), array("i")))
        for (start, end), second, label in targets:
            columns[0].append(sentence)
            columns[1].extend((start, end, *(second or (-1, -1))))
            columns[2].append(labels.setdefault(label, len(labels)))

    def build(self, name: str, uri: str, data_hash: str, report: Mapping[str, Json]) -> EdgeCorpus:
        """The corpus.

        Raises:
            InputError: nothing was added.
        """
        if not self._splits:
            raise InputError(f"{uri} holds no sentence.")
        labels = {task: tuple(sorted(found)) for task, found in self._labels.items()}
        ranks = {
            task: np.array([labels[task].index(label) for label in found], dtype=np.int32)
            for task, found in self._labels.items()
        }
        return EdgeCorpus(
            name=name,
            uri=uri,
            data_hash=data_hash,
            forms=tuple(self._forms),
            splits={split: part.build(ranks) for split, part in sorted(self._splits.items())},
            labels=labels,
            report=report,
        )


class _SplitBuilder:
    """Columns as they grow: machine integers, since OntoNotes has ten million targets."""

    def __init__(self) -> None:
        self.word = array("i")
        self.starts = array("q", [0])
        self.targets: dict[EdgeTask, tuple[array[int], array[int], array[int]]] = {}

    def build(self, ranks: Mapping[EdgeTask, Ints]) -> EdgeSplit:
        return EdgeSplit(
            word=np.array(self.word, dtype=np.int32),
            starts=np.array(self.starts, dtype=np.int64),
            targets={task: _columns(*columns, ranks[task]) for task, columns in self.targets.items()},
        )


def _columns(sentence: array[int], spans: array[int], label: array[int], ranks: Ints) -> Targets:
    rows = np.array(sentence, dtype=np.int32)
    order = np.argsort(rows, kind="stable")
    columns = np.array(spans, dtype=np.int32).reshape(-1, 4)
    return Targets(rows[order], columns[order], ranks[np.array(label, dtype=np.int64)][order])
