"""What goes to whoever computes and what comes back: small frozen records that travel between processes.

A unit is what one worker computes with one load of weights. Corpora are named, not carried: a worker holds
them. Knows neither PyTorch nor the store.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from itertools import groupby

from embryo_store.records import Dataset, Vocabulary
from evaluators.checkpoints import SavedStep
from evaluators.corpora.base import Corpus
from evaluators.plan import Job
from evaluators.tasks.base import Finding, Kind, ModelTask
from evaluators.tasks.train_log import LogSlice

#: A corpus by kind and name.
CorpusName = tuple[Kind, str]
Corpora = Mapping[CorpusName, Corpus]


@dataclass(frozen=True)
class Ask:
    """One task at one checkpoint. ``number`` is the job's place in the plan."""

    number: int
    saved: SavedStep
    task: ModelTask
    corpus: CorpusName


@dataclass(frozen=True)
class Unit:
    """Asks at one checkpoint. ``held``: the corpora (kind, name, tokenizer) and vocabularies that whoever
    writes has the records of already; ``deaths``: how many workers were lost over it.
    """

    asks: tuple[Ask, ...]
    held: frozenset[tuple[str, ...]] = frozenset()
    deaths: int = 0


@dataclass(frozen=True)
class Doing:
    """A worker has begun with the job of this number."""

    number: int


@dataclass(frozen=True)
class Answer:
    """What came of a job: findings by protocol, or the reason why there are none.

    ``dataset`` and ``vocabulary`` come where the unit did not hold them yet.
    """

    number: int
    started: datetime
    finished: datetime
    host: str
    device: str
    findings: Mapping[str, Finding] = field(default_factory=dict)
    failure: str | None = None
    dataset: Dataset | None = None
    vocabulary: Vocabulary | None = None
    notes: tuple[str, ...] = ()


def corpora_of(jobs: Sequence[Job]) -> Corpora:
    """The corpora that ``jobs`` read."""
    return {
        (job.task.reads, job.dataset): job.content for job in jobs if not isinstance(job.content, LogSlice)
    }


def units_of(jobs: Sequence[Job]) -> Iterator[Unit]:
    """Cuts model jobs, in their order, where the checkpoint or the cost changes."""
    numbered = enumerate(jobs)
    for _, group in groupby(numbered, key=lambda n: (n[1].saved.run, n[1].saved.step, n[1].task.cost)):
        asks = []
        for number, job in group:
            assert isinstance(job.task, ModelTask)
            asks.append(Ask(number, job.saved, job.task, (job.task.reads, job.dataset)))
        yield Unit(tuple(asks))


def of_dataset(kind: Kind, name: str, saved: SavedStep) -> tuple[str, ...]:
    """By what the record of a corpus is known: word pieces are part of it."""
    return ("dataset", kind, name, saved.tokenizer_hash)


def of_vocabulary(saved: SavedStep) -> tuple[str, ...]:
    """By what the record of a vocabulary is known."""
    return ("vocabulary", saved.tokenizer_hash)


def without(unit: Unit, answered: frozenset[int]) -> tuple[Ask, ...]:
    """The asks of a unit that are still open."""
    return tuple(ask for ask in unit.asks if ask.number not in answered)


def again(unit: Unit, left: Sequence[Ask]) -> Iterator[Unit]:
    """What is left after a worker was lost, one ask at a time: only the one that kills will fail."""
    for ask in left:
        yield replace(unit, asks=(ask,), deaths=unit.deaths + 1)


def now() -> datetime:
    """UTC, without saying so: as the store keeps times."""
    return datetime.now(UTC).replace(tzinfo=None)
