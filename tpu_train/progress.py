"""What the user sees while it works: a bar in a terminal, plain lines elsewhere. Knows numbers alone."""

from __future__ import annotations

import sys
import time
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

#: Seconds between plain lines.
_PLAIN_EVERY = 10.0


class Display:
    """A progress display on standard error; use it as a context manager."""

    def __init__(self, quiet: bool = False) -> None:
        """``quiet`` shows nothing at all."""
        self._console = Console(stderr=True, quiet=quiet, highlight=False, soft_wrap=True)
        self._live = self._console.is_terminal and not quiet
        self._bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=None),
            TextColumn("{task.fields[detail]}"),
            TimeRemainingColumn(compact=True),
            console=self._console,
            disable=not self._live,
            transient=False,
            expand=True,
        )
        self._task: TaskID | None = None
        self._stage = ""
        self._last = 0.0

    def __enter__(self) -> Self:
        """Starts the bar."""
        self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Leaves the bar as it stands."""
        self._bar.stop()

    def say(self, text: str) -> None:
        """A line that stays."""
        self._console.print(text, markup=False)

    def show(self, stage: str, done: int, total: int, detail: str = "") -> None:
        """How far ``stage`` is; ``total`` 0 where that is not known."""
        if stage != self._stage:
            if self._task is not None:
                self._bar.remove_task(self._task)
            self._task = self._bar.add_task(stage, total=total or None, completed=done, detail=detail)
            self._stage = stage
            self._last = 0.0
        elif self._task is not None:
            self._bar.update(self._task, completed=done, detail=detail)
        now = time.monotonic()
        if not self._live and (now - self._last >= _PLAIN_EVERY or (total and done == total)):
            counted = f" {done:,}/{total:,}" if total else f" {done:,}" if done else ""
            self.say(f"{stage}{counted}  {detail}".rstrip())
            self._last = now
        sys.stderr.flush()
