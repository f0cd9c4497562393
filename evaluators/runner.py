"""Executes a plan: hands units to workers, writes what comes back, tells of it. The same loop for this
process, for worker processes and for a cluster; only who computes differs.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from typing import Protocol

import embryo_store
from evaluators.desk import Desk
from evaluators.plan import Job
from evaluators.progress import Reporter
from evaluators.tasks.base import Finding
from evaluators.tasks.train_log import LogSlice
from evaluators.units import Answer, Doing, Unit, now, of_dataset, of_vocabulary, units_of


class Workers(Protocol):
    """Whoever computes."""

    def answers(self, units: Iterator[Unit]) -> Iterator[Doing | Answer]:
        """Takes units when there is room for one, and yields what comes of them, in any order."""


@dataclass(frozen=True)
class Outcome:
    """How it went: results stored, and the jobs that failed with their reasons."""

    stored: int
    failures: tuple[tuple[Job, str], ...]


@dataclass
class Runner:
    """Has ``workers`` evaluate jobs in the order given, and commits each."""

    desk: Desk
    workers: Workers
    report: Reporter

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
        return Outcome(len(jobs) - len(failures), tuple(failures))

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
        for said in self.workers.answers(self._units(jobs)):
            job = jobs[said.number]
            if isinstance(said, Doing):
                self.report.doing(job)
                continue
            for note in said.notes:
                self.report.note(note)
            yield [(job, said)]
            if said.dataset is not None:
                self.desk.held.add(of_dataset(job.task.reads, job.dataset, job.saved))
            if said.vocabulary is not None:
                self.desk.held.add(of_vocabulary(job.saved))

    def _units(self, jobs: Sequence[Job]) -> Iterator[Unit]:
        for unit in units_of(jobs):
            yield replace(unit, held=frozenset(self.desk.held))
