"""Executes a plan: hands units to workers, writes what comes back, tells of it. The same loop for this
process, for worker processes and for a cluster; only who computes differs.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import groupby
from typing import Protocol

import embryo_store
from evaluators.claims import Claims
from evaluators.desk import Desk
from evaluators.plan import Job, is_done
from evaluators.progress import Reporter
from evaluators.tasks.base import Finding
from evaluators.tasks.train_log import LogSlice
from evaluators.units import Answer, Ask, Doing, Unit, Units, now, of_dataset, of_vocabulary, units_of

#: Seconds of computing that a kill may cost so that commits, which cost more than that, are fewer.
NEXT_TO_NOTHING = 0.5


class Workers(Protocol):
    """Whoever computes."""

    def answers(self, units: Units) -> Iterator[Doing | Answer]:
        """Takes units when there is room for one, and yields what comes of them, in any order."""


@dataclass(frozen=True)
class Outcome:
    """How it went: results stored by this process, and meanwhile by others; jobs that failed, and why."""

    stored: int
    elsewhere: int
    failures: tuple[tuple[Job, str], ...]


@dataclass
class Runner:
    """Has ``workers`` evaluate jobs in the order given, and commits each."""

    desk: Desk
    workers: Workers
    claims: Claims
    report: Reporter
    elsewhere: int = 0

    def run(self, jobs: Sequence[Job]) -> Outcome:
        """Evaluates and commits.

        Raises:
            StoreError: the store cannot be written. What was committed before stays.
        """
        failures: list[tuple[Job, str]] = []
        with self.report.progress(jobs):
            for answered in self._answered(jobs):
                self.desk.commit(answered)
                for job, answer in answered:
                    if answer.failure is not None:
                        failures.append((job, answer.failure))
                        self.report.failed(job, answer.failure)
                    self.report.finished(job, (answer.finished - answer.started).total_seconds())
        embryo_store.fold_in(self.desk.settings.db)
        return Outcome(len(jobs) - len(failures) - self.elsewhere, self.elsewhere, tuple(failures))

    def _answered(self, jobs: Sequence[Job]) -> Iterator[Sequence[tuple[Job, Answer]]]:
        """What is committed together."""
        logs = [job for job in jobs if isinstance(job.content, LogSlice)]
        yield from self._read_logs(logs)
        jobs = [job for job in jobs if not isinstance(job.content, LogSlice)]
        if jobs:
            yield from self._evaluate(jobs)

    def _read_logs(self, jobs: Sequence[Job]) -> Iterator[Sequence[tuple[Job, Answer]]]:
        """Training logs cost nothing to compute: those of a run are one commit."""
        for _, group in groupby(jobs, key=lambda job: job.saved.run):
            answered = []
            for job in group:
                assert isinstance(job.content, LogSlice)
                finding = Finding((), [job.content.log])
                answered.append((job, Answer(0, now(), now(), self.desk.host, "cpu", {"paper": finding})))
            yield answered

    def _evaluate(self, jobs: Sequence[Job]) -> Iterator[Sequence[tuple[Job, Answer]]]:
        handed_out: dict[int, _HandedOut] = {}
        for said in self.workers.answers(self._units(jobs, handed_out)):
            job = jobs[said.number]
            if isinstance(said, Doing):
                self.report.doing(job)
                continue
            for note in said.notes:
                self.report.note(note)
            place = handed_out.pop(said.number)
            ready = place.take(job, said)
            if ready:
                yield ready
                self._remember(ready)
            if not place.left:
                self.claims.release(place.unit)

    def _remember(self, answered: Sequence[tuple[Job, Answer]]) -> None:
        """What need not be sent here again."""
        for job, answer in answered:
            if answer.dataset is not None:
                self.desk.held.add(of_dataset(job.task.reads, job.dataset, job.saved))
            if answer.vocabulary is not None:
                self.desk.held.add(of_vocabulary(job.saved))

    def _units(self, jobs: Sequence[Job], handed_out: dict[int, _HandedOut]) -> Units:
        """The units that nobody else computes or has computed, as soon as that is known of each."""
        waiting = deque(units_of(jobs))
        while waiting:
            for _ in range(len(waiting)):
                unit = waiting.popleft()
                if not self.claims.claim(unit):
                    waiting.append(unit)
                    continue
                left = self._left(unit, jobs) if self.claims.in_company() else unit.asks
                if not left:
                    self.claims.release(unit)
                    continue
                place = _HandedOut(unit, {ask.number for ask in left})
                handed_out.update((number, place) for number in place.left)
                yield replace(unit, asks=left, held=frozenset(self.desk.held))
            if waiting:
                yield None

    def _left(self, unit: Unit, jobs: Sequence[Job]) -> tuple[Ask, ...]:
        """The asks of a unit that another process has not answered since the plan was made."""
        saved = unit.asks[0].saved
        stored = embryo_store.done(self.desk.settings.db, checkpoint=(saved.run, saved.step))
        left = []
        for ask in unit.asks:
            job = jobs[ask.number]
            if is_done(job.identities, stored):
                self.elsewhere += 1
                self.report.finished(job, None)
            else:
                left.append(ask)
        return tuple(left)


@dataclass
class _HandedOut:
    """A unit that is being computed: the asks that are ``left``, and the answers that wait for a commit."""

    unit: Unit
    left: set[int]
    waiting: list[tuple[Job, Answer]] = field(default_factory=list)
    seconds: float = 0.0

    def take(self, job: Job, answer: Answer) -> Sequence[tuple[Job, Answer]]:
        """What is to be committed now. Answers that cost next to nothing wait for the rest of their unit."""
        self.left.discard(answer.number)
        self.waiting.append((job, answer))
        self.seconds += (answer.finished - answer.started).total_seconds()
        if self.left and self.seconds < NEXT_TO_NOTHING:
            return ()
        ready, self.waiting = self.waiting, []
        return ready
