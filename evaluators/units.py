"""What goes to whoever computes and what comes back: small frozen records that travel between processes.

A unit is what one worker computes with one load of weights. Corpora are named, not carried: a worker holds
them. Knows neither PyTorch nor the store.
"""

from __future__ import annotations

import platform
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING

from embryo_store.records import Dataset, Vocabulary
from evaluators.checkpoints import SavedStep
from evaluators.corpora.base import Corpus
from evaluators.hardware import Dtype
from evaluators.tasks.base import Finding, Kind, ModelTask
from evaluators.tasks.train_log import LogSlice

if TYPE_CHECKING:
    from evaluators.plan import Job

#: A corpus by kind and name.
CorpusName = tuple[Kind, str]
Corpora = Mapping[CorpusName, Corpus]


@dataclass(frozen=True)
class Setup:
    """What a worker is made with. ``folder``: where relative paths begin; ``threads`` of each worker:
    None lets the model's width decide, up to ``most_threads``.
    """

    corpora: Corpora
    dtype: Dtype
    threads: int | None
    folder: Path
    most_threads: int | None = None


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


#: Units in the order of their evaluation. None: what is left is being computed by another process; ask later.
Units = Iterator[Unit | None]
#: Seconds after which to ask again.
LATER = 0.5
#: A unit over which so many workers were lost is given up, and recorded as failed.
MOST_DEATHS = 3


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
            asks.append(
                Ask(number, job.saved.serving(job.task.needs), job.task, (job.task.reads, job.dataset))
            )
        yield Unit(tuple(asks))


def of_dataset(kind: Kind, name: str, saved: SavedStep) -> tuple[str, ...]:
    """By what the record of a corpus is known: word pieces are part of it."""
    return ("dataset", kind, name, saved.tokenizer_hash)


def of_vocabulary(saved: SavedStep) -> tuple[str, ...]:
    """By what the record of a vocabulary is known."""
    return ("vocabulary", saved.tokenizer_hash)


def bereaved(unit: Unit, answered: Collection[int], how: str) -> tuple[list[Unit], list[Answer]]:
    """What to do about a unit whose worker was lost: units to be computed again, and answers that give up.

    What is left is asked again one by one: so only the ask that kills its workers fails in the end.
    """
    left = [ask for ask in unit.asks if ask.number not in answered]
    deaths = unit.deaths + 1
    if deaths < MOST_DEATHS:
        return [replace(unit, asks=(ask,), deaths=deaths) for ask in left], []
    why = (
        f"{deaths} workers in a row were lost over this task ({how}). If memory ran out, take fewer --jobs "
        "or a larger machine; the same command tries again."
    )
    return [], [Answer(ask.number, now(), now(), platform.node(), "none", failure=why) for ask in left]


def now() -> datetime:
    """UTC, without saying so: as the store keeps times."""
    return datetime.now(UTC).replace(tzinfo=None)
