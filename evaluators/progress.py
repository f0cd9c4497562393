"""What a user sees while a plan is executed: a bar in a terminal, a line now and then elsewhere."""

from __future__ import annotations

import time
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from evaluators.plan import Job

#: Seconds between two lines where there is no terminal.
QUIET_FOR = 10.0


@dataclass
class Reporter:
    """Tells of jobs on ``console``."""

    console: Console
    _bar: Progress | None = None
    _task: TaskID | None = None
    _left: Counter[tuple[str, str]] = field(default_factory=Counter)
    _spent: defaultdict[tuple[str, str], list[float]] = field(default_factory=lambda: defaultdict(list))
    _noted: set[str] = field(default_factory=set)
    _total: int = 0
    _count: int = 0
    _last_line: float = 0.0
    _began: float = 0.0

    @contextmanager
    def progress(self, jobs: Sequence[Job]) -> Iterator[None]:
        """Shows a bar for ``jobs`` as long as the block lasts."""
        self._left = Counter(_kind(job) for job in jobs)
        self._total = len(jobs)
        self._began = self._last_line = time.monotonic()
        if not self.console.is_terminal:
            yield
            return
        columns = (
            BarColumn(24),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("{task.fields[left]}"),
            TextColumn("{task.description}"),
        )
        with Progress(*columns, console=self.console, transient=True) as bar:
            self._bar, self._task = bar, bar.add_task("", total=len(jobs), left="")
            try:
                yield
            finally:
                self._bar = self._task = None

    def doing(self, job: Job) -> None:
        """Names the job that is being computed."""
        if self._bar is not None and self._task is not None:
            self._bar.update(self._task, description=escape(_name(job)))

    def finished(self, job: Job, seconds: float | None) -> None:
        """Counts a job that was stored, after so many seconds; None: by another process."""
        kind = _kind(job)
        self._left[kind] -= 1
        if seconds is not None:
            self._spent[kind].append(seconds)
        self._count += 1
        if self._bar is not None and self._task is not None:
            self._bar.update(self._task, advance=1, left=self._time_left())
        elif time.monotonic() - self._last_line >= QUIET_FOR or self._count == self._total:
            self._last_line = time.monotonic()
            self.console.print(
                f"{self._count}/{self._total}  {_name(job)}  {self._time_left()}",
                markup=False,
                highlight=False,
            )

    def failed(self, job: Job, reason: str) -> None:
        """Tells of a job that failed."""
        self.console.print(
            f"[red]failed[/] {escape(_name(job))}: {escape(reason)}", highlight=False, soft_wrap=True
        )

    def note(self, text: str) -> None:
        """Tells something that a user should know and need not act on, once."""
        if text in self._noted:
            return
        self._noted.add(text)
        self.console.print(f"note: {text}", markup=False, highlight=False, soft_wrap=True)

    def _time_left(self) -> str:
        """From the mean time of each kind of job, and how much of it passed side by side; empty until every
        kind that is left was seen.
        """
        seconds = 0.0
        for kind, count in self._left.items():
            if count and not self._spent[kind]:
                return ""
            if count:
                seconds += count * sum(self._spent[kind]) / len(self._spent[kind])
        spent = sum(map(sum, self._spent.values()))
        if spent:
            seconds *= (time.monotonic() - self._began) / spent
        return f"{int(seconds // 60)}:{int(seconds % 60):02d} left" if seconds else ""


def _kind(job: Job) -> tuple[str, str]:
    return job.task.name, job.dataset


def _name(job: Job) -> str:
    return f"{job.saved.run} step {job.saved.step:,} {job.task.name}" + (
        f" {job.dataset}" if job.dataset else ""
    )
