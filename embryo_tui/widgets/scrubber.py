"""The step cursor as a track: every saved step has its own place, near or far. Knows steps alone."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from rich.style import Style
from textual import events
from textual.message import Message
from textual.strip import Strip

from embryo_tui.raster.axes import short
from embryo_tui.raster.curves import Floats
from embryo_tui.steps import EMPTY, position
from embryo_tui.widgets.ink import Ink
from embryo_tui.widgets.panel import Lines, line

LEFT, RIGHT = 20, 12


class Scrubber(Lines):
    """Two lines: the track with its handle, and the names of some steps."""

    class Moved(Message):
        """The user took the handle to a step."""

        def __init__(self, step: int) -> None:
            """``step``: a saved one."""
            super().__init__()
            self.step = step

    class PlayAsked(Message):
        """The user clicked the sign at the right."""

    def __init__(self) -> None:
        """Shows nothing until ``show`` is called."""
        super().__init__("scrubber")
        self._steps = EMPTY
        self._step = 0
        self._mark: int | None = None
        self._state = ""

    def place(self, steps: np.typing.NDArray[np.int64], step: int, mark: int | None, state: str) -> None:
        """The saved steps, the cursor, the mark A, and what is said at the right (speed of play)."""
        if (step, mark, state) == (self._step, self._mark, self._state) and np.array_equal(
            steps, self._steps
        ):
            return
        self._steps, self._step, self._mark, self._state = steps, step, mark, state
        self.refresh()

    def _track(self) -> int:
        return max(2, self.size.width - LEFT - RIGHT)

    def _columns(self) -> Floats:
        """Where each step stands: evenly, so that early steps are as easy to hit as late ones."""
        count = len(self._steps)
        return np.linspace(0, self._track() - 1, count) if count > 1 else np.zeros(count)

    def draw_line(self, y: int, width: int, pen: Ink) -> Strip:
        """The track (line 0) or the names (line 1)."""
        index = position(self._steps, self._step)
        if not len(self._steps):
            return line([(f" {self._state}" if y == 0 else "", pen.faint)], width, pen.blank)
        if y == 0:
            head = f" step {self._step:>11,}  "
            parts = [(head[:6], pen.dim), (head[6:], pen.accent)]
            return line([*parts, *self._rail(index, pen), (f"  {self._state}", pen.accent)], width, pen.blank)
        count = f" {0 if index is None else index + 1} of {len(self._steps)}"
        mark = f"  A {short(self._mark)}" if self._mark is not None else ""
        return line(
            [(f"{count:<{LEFT}}", pen.dim), (self._names(), pen.faint), (mark, pen.mark)], width, pen.blank
        )

    def _rail(self, index: int | None, pen: Ink) -> list[tuple[str, Style]]:
        track = self._track()
        columns = np.rint(self._columns()).astype(int)
        sparse = len(columns) * 3 <= track
        here = 0 if index is None else int(columns[index])
        cells = ["━"] * here + ["●"] + ["─"] * (track - here - 1)
        if sparse:
            for column in columns.tolist():
                cells[column] = "┯" if column < here else "┬" if column > here else "●"
        marked = None if self._mark is None else position(self._steps, self._mark)
        bounds = {0, here + 1, track}
        at = -1 if marked is None else int(columns[marked])
        if at >= 0 and at != here:
            cells[at] = "A"
            bounds |= {at, at + 1}
        return [
            (
                "".join(cells[start:end]),
                pen.mark if start == at != here else pen.accent if start <= here else pen.rule,
            )
            for start, end in pairwise(sorted(bounds))
        ]

    def _names(self) -> str:
        """Short names of as many steps as have room, the first and the last among them."""
        track = self._track()
        text, columns = [" "] * track, np.rint(self._columns()).astype(int)
        taken = np.zeros(track + 1, dtype=bool)
        wanted = [
            0,
            len(columns) - 1,
            *np.linspace(0, len(columns) - 1, max(2, track // 10)).astype(int).tolist(),
        ]
        for index in wanted:
            name = short(float(self._steps[index]))
            start = min(max(int(columns[index]) - len(name) // 2, 0), track - len(name))
            if start >= 0 and not taken[max(0, start - 1) : start + len(name) + 1].any():
                text[start : start + len(name)] = name
                taken[start : start + len(name)] = True
        return "".join(text)

    def on_mouse_down(self, event: events.MouseDown) -> None:
        """A press takes the handle there and begins a drag; right of the track it plays or stops."""
        if event.x >= self.size.width - RIGHT + 1:
            self.post_message(self.PlayAsked())
            return
        self.capture_mouse()
        self._pick(event)

    def on_mouse_move(self, event: events.MouseMove) -> None:
        """A drag takes the handle along."""
        if self.app.mouse_captured is self:
            self._pick(event)

    def on_mouse_up(self, _event: events.MouseUp) -> None:
        """The drag ends."""
        self.release_mouse()

    def on_mouse_scroll_down(self, event: events.MouseScrollDown) -> None:
        """The wheel moves by one step."""
        self._roll(1)
        event.stop()

    def on_mouse_scroll_up(self, event: events.MouseScrollUp) -> None:
        """The wheel moves by one step."""
        self._roll(-1)
        event.stop()

    def _roll(self, by: int) -> None:
        index = position(self._steps, self._step) or 0
        if len(self._steps):
            self.post_message(self.Moved(int(self._steps[min(max(index + by, 0), len(self._steps) - 1)])))

    def _pick(self, event: events.MouseEvent) -> None:
        if len(self._steps):
            nearest = int(np.abs(self._columns() - (event.x - LEFT)).argmin())
            self.post_message(self.Moved(int(self._steps[nearest])))
