"""What the four probing tasks share: one sample of sentences, one stream, features of every layer, four
questions.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, ClassVar, cast, get_args

import numpy as np

from embryo_store.records import Dataset, Json
from evaluators.batches import Batch, Stream
from evaluators.corpora.annotated import printable
from evaluators.corpora.base import Corpus
from evaluators.corpora.edges import EDGE_TASKS, SPLITS, EdgeCorpus, EdgeTask
from evaluators.errors import CheckpointError, InputError
from evaluators.probes.features import FeatureBank, Pooling, poolings
from evaluators.probes.judge import Questions, judge
from evaluators.probes.labels import Whose, labels_of
from evaluators.probes.sample import Beyond, Bools, Ints, Sample, beyond_labels, draw
from evaluators.probes.spans import Rows, TaskSpans, rows_of, spans_of
from evaluators.tasks.base import Collector, Cost, Finding, ModelTask, Pass, Prepared

if TYPE_CHECKING:
    from evaluators.vocabulary import Vocabulary

_LABELS_SHOWN = 8
#: The store's name of what is over all labels.
_OVERALL = "all"
#: The largest number that the store keeps as a seed.
_MOST_SEED = 2**31 - 1
#: Labels that a probe can tell apart; the table of its mistakes has so many squared.
_MOST_LABELS = 1_000


@dataclass(frozen=True)
class Probe(ModelTask):
    """A linear probe of every layer (paper, section 4 and appendix D).

    ``max_targets``: of each split, drawn once and for all by ``seed``; 0 is all of them. ``memory``: GB
    of features that the four probing tasks may hold together, a quarter each; what is beyond lies on disk
    meanwhile. ``labels``: the paper's lists, or the corpus's own.
    """

    version = 3
    reads = "edges"
    cost = Cost.FIT
    edge: ClassVar[EdgeTask]

    max_targets: int = 20_000
    seed: int = 0
    memory: float = 4.0
    labels: str = "paper"

    def __post_init__(self) -> None:
        """Refuses what cannot be meant."""
        if self.max_targets < 0 or not 0 <= self.seed <= _MOST_SEED:
            raise InputError(
                f"[task.{self.name}] max_targets {self.max_targets}, seed {self.seed}: expected 0 or more, "
                f"and a seed of at most {_MOST_SEED}."
            )
        if not self.memory > 0:
            raise InputError(f"[task.{self.name}] memory is {self.memory} GB. Expected more than 0.")
        if self.labels not in get_args(Whose):
            raise InputError(
                f"[task.{self.name}] labels is {self.labels!r}. Expected {' or '.join(get_args(Whose))}."
            )

    def options(self) -> Mapping[str, Json]:
        """All but the memory, which no number depends on."""
        return {key: value for key, value in dataclasses.asdict(self).items() if key != "memory"}

    @property
    def drawn_by(self) -> int:
        """The seed that draws the sample."""
        return self.seed

    def protocols(self, corpus: Corpus) -> tuple[str, ...]:
        """None where the corpus is not annotated for the task, or not in all three splits."""
        assert isinstance(corpus, EdgeCorpus)
        return tuple(self.among(())) if self.edge in corpus.tasks else ()

    def among(self, labels: Sequence[str]) -> Mapping[str, Bools]:
        """Protocol → which of the probe's ``labels`` its F1 is over."""
        return {"paper": np.ones(len(labels), dtype=np.bool_)}

    def control(self, corpus: EdgeCorpus, sample: Sample) -> Mapping[str, Ints] | None:
        """The control labels of the sampled targets by split, where the task has a control."""
        return None

    def prepare(self, corpus: Corpus, vocabulary: Vocabulary, limit: int) -> Prepared:
        """Draws, cuts into pieces, and finds every span's pieces.

        Raises:
            CheckpointError: a split has no target that the model could see whole, or labels are too many.
        """
        assert isinstance(corpus, EdgeCorpus)
        whose = cast(Whose, self.labels)
        labels = labels_of(corpus, self.edge, whose)
        if len(labels) > _MOST_LABELS:
            raise CheckpointError(
                f"{corpus.uri}: expected at most {_MOST_LABELS:,} labels of {self.edge}, found "
                f'{len(labels):,}. labels = "paper" leaves out those that are not the paper\'s.'
            )
        if _OVERALL in labels:
            raise CheckpointError(
                f"{corpus.uri}: a label of {self.edge} is named {_OVERALL!r}, which is what the store calls "
                "the F1 over all of them. Name it otherwise."
            )
        shared = _shared(_ByContent(corpus), _ByDigest(vocabulary), limit, self.max_targets, self.seed, whose)
        spans = spans_of(shared.sample, self.edge, shared.rows)
        for split, targets in spans.targets.items():
            if not len(targets.label):
                raise CheckpointError(f"{corpus.uri}: no {self.edge} target of {split} fits {limit} pieces.")
        control = self.control(corpus, shared.sample)
        tested = spans.targets["test"].source
        questions = Questions(
            labels=labels,
            targets=spans.targets,
            sentence=shared.sample.tasks["test"][self.edge].sentence[tested],
            control={split: labels[spans.targets[split].source] for split, labels in control.items()}
            if control is not None
            else None,
            among=self.among(labels),
        )
        return PreparedProbe(
            corpus=corpus,
            edge=self.edge,
            stream=shared.stream,
            spans=spans,
            poolings=poolings(spans, shared.stream.batches),
            questions=questions,
            beyond=beyond_labels(corpus, self.edge, whose),
            budget=self.memory * 1e9 / len(EDGE_TASKS),
        )


@dataclass(frozen=True)
class PreparedProbe(Prepared):
    """A probing task on one corpus under one tokenizer."""

    corpus: EdgeCorpus
    edge: EdgeTask
    stream: Stream
    spans: TaskSpans
    poolings: tuple[Pooling, ...]
    questions: Questions
    beyond: Beyond
    budget: float

    def start(self) -> Collector:
        """A collector that gathers features."""
        return _Features(self)

    def dataset(self) -> Dataset:
        """The corpus."""
        return self.corpus.dataset()

    def notes(self) -> list[str]:
        """What the reader left out, which labels the probe does not know, and which targets it cannot see."""
        found = []
        name = self.corpus.name
        faults, places = (self.corpus.report.get(key) for key in ("faults", "first_faults"))
        if isinstance(faults, Mapping) and isinstance(places, Mapping):
            for kind, count in faults.items():
                first = next(iter(cast("list[str]", places.get(kind, ()))), "")
                found.append(f"{name}: {kind} {count:,}. First: {first}")
        if self.beyond.counts:
            most = sorted(self.beyond.counts.items(), key=lambda item: -item[1])
            shown = ", ".join(f"{printable(label)} {count:,}" for label, count in most[:_LABELS_SHOWN])
            rest = f" and {len(most) - _LABELS_SHOWN} more" if len(most) > _LABELS_SHOWN else ""
            left_out = sum(self.beyond.counts.values())
            found.append(
                f"{name}: {left_out:,} of {self.beyond.total:,} {self.edge} targets have labels that the "
                f"paper's list lacks, and are left out ({shown}{rest})."
            )
        cut = sum(targets.cut for targets in self.spans.targets.values())
        if cut:
            found.append(
                f"{name}: {cut:,} {self.edge} targets lie beyond the model's length and are not judged."
            )
        return found


class _Features(Collector):
    def __init__(self, prepared: PreparedProbe) -> None:
        self._prepared = prepared
        self._bank: FeatureBank | None = None

    def see(self, index: int, batch: Batch, seen: Pass) -> None:
        prepared = self._prepared
        if self._bank is None:
            width, self._device = seen.hidden.shape[-1], seen.hidden.device
            self._bank = FeatureBank(
                len(seen.layers), len(prepared.spans), width, prepared.budget, self._device
            )
        self._bank.fill(prepared.poolings[index], seen.layers)

    def findings(self) -> Mapping[str, Finding]:
        assert self._bank is not None
        found = judge(self._bank, self._prepared.questions, self._device)
        self._bank = None
        return {protocol: Finding(metrics) for protocol, metrics in found.items()}


@dataclass(frozen=True)
class _Shared:
    """What the four tasks read."""

    sample: Sample
    rows: Rows
    stream: Stream


class _ByContent:
    """A corpus that equals another of the same content."""

    def __init__(self, corpus: EdgeCorpus) -> None:
        self.corpus = corpus

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _ByContent) and other.corpus.data_hash == self.corpus.data_hash

    def __hash__(self) -> int:
        return hash(self.corpus.data_hash)


class _ByDigest:
    """A vocabulary that equals another of the same digest."""

    def __init__(self, vocabulary: Vocabulary) -> None:
        self.vocabulary = vocabulary

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _ByDigest) and other.vocabulary.digest == self.vocabulary.digest

    def __hash__(self) -> int:
        return hash(self.vocabulary.digest)


@lru_cache(maxsize=8)
def _shared(
    corpus: _ByContent, vocabulary: _ByDigest, limit: int, most: int, seed: int, whose: Whose
) -> _Shared:
    """One sample and one stream for all tasks that the corpus has, whichever of them were asked for: so
    that a stored number does not depend on what was evaluated beside it.
    """
    sample = draw(corpus.corpus, most, seed, whose)
    rows = rows_of(corpus.corpus, sample, vocabulary.vocabulary, limit)
    drawn = (whose, str(limit), str(most), str(seed))
    key = ("edges", corpus.corpus.data_hash, vocabulary.vocabulary.digest, *drawn)
    assert set(sample.sentences) == set(SPLITS)
    return _Shared(sample, rows, Stream(key, rows.batches, layers=True))
