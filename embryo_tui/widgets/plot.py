"""Curves over steps with the cursor painted on them. Knows series of numbers; not what they mean."""

from __future__ import annotations

from typing import Any

import numpy as np
from rich.cells import cell_len
from rich.style import Style
from textual import events
from textual.geometry import Region
from textual.message import Message
from textual.strip import Strip

from embryo_tui.raster.axes import Axis, short
from embryo_tui.raster.strips import paint_column
from embryo_tui.widgets.ink import LETTERS, Ink
from embryo_tui.widgets.panel import Content, Panel, line
from embryo_tui.widgets.picture import MARGIN, picture, style_of
from embryo_tui.widgets.series import Frame, Level, Series

__all__ = ["MARGIN", "Frame", "Level", "Plot", "Series"]

#: Cells that a legend's entry needs beside the name: mark, number, a gap.
LEGEND_EXTRA = 11
#: How much of the steps in sight one turn of the wheel leaves.
ZOOM = 0.8
#: The part of the steps in sight that one sideways turn moves by.
PAN = 0.1


class Plot(Panel):
    """Curves in braille. Moving the cursor repaints two columns and the legend, nothing else."""

    class StepPicked(Message):
        """The user clicked or dragged to a step."""

        def __init__(self, step: float) -> None:
            """``step``: where on the axis, not yet a saved step."""
            super().__init__()
            self.step = step

    class Switched(Message):
        """The user clicked a curve's name."""

        def __init__(self, label: str) -> None:
            """``label``: what the curve is switched by."""
            super().__init__()
            self.label = label

    class Zoomed(Message):
        """The user turned the wheel or dragged sideways: other steps are to be in sight."""

        def __init__(self, low: float, high: float) -> None:
            """The first and the last step in sight."""
            super().__init__()
            self.low, self.high = low, high

    def __init__(self, key: str, title: str = "", empty: str = "") -> None:
        """``empty`` is what a plot without curves says."""
        super().__init__(key, title)
        self._empty = empty
        self._series: tuple[Series, ...] = ()
        self._frame = Frame(Axis("linear", 0.0, 1.0))
        self._cursor: int | None = None
        self._mark: int | None = None
        self._base: list[Strip] | None = None
        self._drawn_for: tuple[object, ...] = ()
        self._named: list[list[int]] = [[]]
        self._named_for: tuple[int, int] | None = None
        self._spans: dict[int, list[tuple[int, int, str]]] = {}
        self._columns: dict[tuple[int, int], int | None] = {}
        self._places: tuple[int | None, int | None] = (None, None)
        self._rows, self._top = 1, 0
        self._held: tuple[int, Axis] | None = None

    def draw(self, series: tuple[Series, ...], frame: Frame, empty: str = "") -> None:
        """Shows other curves, or the same ones otherwise."""
        self._series, self._frame, self._base = series, frame, None
        self._named_for = None
        self._columns.clear()
        self._empty = empty or self._empty
        self.refresh()

    def point(self, cursor: int | None, mark: int | None = None) -> None:
        """Moves the cursor and the mark A."""
        before = self._places
        moved = (cursor, mark) != (self._cursor, self._mark)
        self._cursor, self._mark = cursor, mark
        after = self._places = (self._column(cursor), self._column(mark))
        if self._base is None or not self.is_attached:
            return
        rows = self.size.height - 2
        columns = {column for column in {*before, *after} if column is not None}
        if before != after:
            self.refresh(*(Region(column, 1, 1, rows) for column in columns))
        top = self._layout()[2]
        if moved and (before != after or top):
            self.refresh_lines(0, 1 + top)

    @property
    def series(self) -> tuple[Series, ...]:
        """What is drawn, hidden ones among it."""
        return self._series

    @property
    def frame(self) -> Frame:
        """How it is drawn."""
        return self._frame

    @property
    def note(self) -> str:
        """The panel's own note, of differences the step they are from, and which earlier values stand in for
        those at the cursor.
        """
        cursor = self._cursor
        stale = [(name, step) for name, _, step in self.legend if step is not None and step != cursor]
        since = "" if self._frame.since is None else f"change since {short(self._frame.since)}"
        own = " · ".join(part for part in (self._note, since) if part)
        if cursor is None or not stale:
            return own
        steps = sorted({step for _, step in stale})
        whose = "" if len(stale) == len(self.legend) else f"{stale[0][0]}: " if len(stale) == 1 else "some: "
        said = f"{whose}{' and '.join(short(step) for step in steps[:2])} shown for {short(cursor)}"
        return f"{said} · {own}" if own else said

    @property
    def legend(self) -> tuple[tuple[str, float | None, int | None], ...]:
        """Name, value at the cursor and the step it is from, of every visible series."""
        entries: list[tuple[str, float | None, int | None]] = []
        for series in self._series:
            if not series.hidden:
                found = None if self._cursor is None else series.at(self._cursor)
                entries.append((series.name, found[1] if found else None, found[0] if found else None))
        return tuple(entries)

    def content(self) -> Content:
        """A row a step, a column a curve in sight."""
        shown = [series for series in self._series if not series.hidden]
        steps = np.unique(np.concatenate([series.x for series in shown])) if shown else np.zeros(0, np.int64)
        columns: list[list[Any]] = [steps.tolist()]
        for series in shown:
            values = dict(zip(series.x.tolist(), series.y.tolist(), strict=True))
            columns.append([values.get(step) for step in columns[0]])
        since = "" if self._frame.since is None else f", change since {self._frame.since}"
        names = ("step", *(f"{series.name}{since}" for series in shown))
        return Content(self.heading, names, tuple(zip(*columns, strict=True)))

    def _layout(self) -> tuple[int, int, int]:
        """Columns and rows of the plot proper, and its first line under the rule."""
        top = len(self._legend_lines()) if self._frame.legend else 0
        width, height = self.size
        return max(1, width - MARGIN), max(1, height - 2 - top), top

    def _legend_lines(self) -> list[list[int]]:
        """Which series the legend names in which line: by the room that their longest numbers need, so that
        nothing moves with the cursor. Three lines at most, fewer where the plot is low.
        """
        width, height = self.size
        if self._named_for == (width, height):
            return self._named
        lines: list[list[int]] = [[]]
        used = 0
        most = 1 if height < 8 else 2 if height < 16 else 3
        for index, series in enumerate(self._series):
            size = LEGEND_EXTRA + cell_len(series.name)
            if used + size > width - MARGIN and lines[-1]:
                if len(lines) >= most:
                    break
                lines.append([])
                used = 0
            lines[-1].append(index)
            used += size
        self._named, self._named_for = lines, (width, height)
        return lines

    def _column(self, step: int | None) -> int | None:
        """The cell that a step falls into, from the widget's left edge."""
        if step is None or not self._series:
            return None
        columns = self._layout()[0]
        if (step, columns) not in self._columns:
            place = float(self._frame.across.place([step])[0])
            inside = np.isfinite(place) and -1e-9 <= place <= 1 + 1e-9
            self._columns[step, columns] = (
                MARGIN + int(place * (2 * columns - 1) + 0.5) // 2 if inside else None
            )
        return self._columns[step, columns]

    def render_body(self, y: int, width: int, pen: Ink) -> Strip:
        """One line: legend, plot, or axis."""
        self._build(pen)
        if self._base is None or not self._series:
            return self.said(self._empty, y, width, pen)
        rows, top = self._rows, self._top
        if y < top:
            return line(self._legend_parts(y, pen), width, pen.blank)
        if y - top >= len(self._base):
            return Strip.blank(width, pen.blank)
        strip = self._base[y - top]
        if y - top < rows:
            for column, style, glyph in (
                (self._places[1], pen.mark, "╎"),
                (self._places[0], pen.cursor, "│"),
            ):
                if column is not None and column < width:
                    strip = paint_column(strip, column, style, glyph)
        return strip

    def _legend_parts(self, y: int, pen: Ink) -> list[tuple[str, Style]]:
        parts: list[tuple[str, Style]] = [(" " * MARGIN, pen.blank)]
        lines = self._legend_lines()
        spans = self._spans[y] = []
        at = MARGIN
        for index in lines[y]:
            series = self._series[index]
            if series.hidden:
                pieces = [("○ ", pen.faint), (f"{series.name}  ", pen.faint)]
            else:
                found = None if self._cursor is None else series.at(self._cursor)
                mark = LETTERS[series.tint % 26] if pen.mono else "●" if series.pattern == "solid" else "◌"
                form = ".3f" if self._frame.since is None else "+.3f"
                number = "–" if found is None else f"{found[1]:{form}}"
                pieces = [(f"{mark} ", style_of(series, pen)), (f"{series.name} ", pen.dim)]
                pieces += [(number, pen.strong), ("  ", pen.blank)]
            size = sum(cell_len(text) for text, _ in pieces)
            spans.append((at, at + size, series.switch))
            at += size
            parts += pieces
        if y == len(lines) - 1 and sum(len(row) for row in lines) < len(self._series):
            parts.append(("…", pen.faint))
        return parts

    def _build(self, pen: Ink) -> None:
        """Draws everything but the cursor, if anything changed since it was drawn."""
        drawn_for = (self.size, pen)
        if self._base is not None and self._drawn_for == drawn_for:
            return
        self._drawn_for = drawn_for
        self._places = (self._column(self._cursor), self._column(self._mark))
        columns, self._rows, self._top = self._layout()
        width = self.size.width
        drawn = picture(self._series, self._frame, columns, self._rows, width, pen)
        # A widget narrower than the margin shows a part of it.
        self._base = [
            strip if strip.cell_length == width else strip.adjust_cell_length(width) for strip in drawn
        ]

    def on_mouse_down(self, event: events.MouseDown) -> None:
        """A press takes the cursor there and begins a drag; on a curve's name it switches the curve.
        The right button drags the steps in sight.
        """
        if not self._series:
            return
        if event.button != 1:
            self._held = (event.x, self._frame.across)
            self.capture_mouse()
            return
        if self._frame.legend and 1 <= event.y <= self._top:
            for start, end, label in self._spans.get(event.y - 1, ()):
                if start <= event.x < end:
                    self.post_message(self.Switched(label))
            return
        self.capture_mouse()
        self._pick(event)

    def on_mouse_move(self, event: events.MouseMove) -> None:
        """A drag takes the cursor, or the steps in sight, along."""
        if self.app.mouse_captured is not self:
            return
        if self._held is None:
            self._pick(event)
            return
        begun, across = self._held
        moved = across.panned((begun - event.x) / max(1, self._layout()[0]))
        self.post_message(self.Zoomed(moved.low, moved.high))

    def on_mouse_up(self, _event: events.MouseUp) -> None:
        """The drag ends."""
        self._held = None
        self.release_mouse()

    def on_mouse_scroll_up(self, event: events.MouseScrollUp) -> None:
        """The wheel looks closer at what is under the mouse, with shift or ctrl it moves along."""
        self._roll(event, ZOOM, -PAN)

    def on_mouse_scroll_down(self, event: events.MouseScrollDown) -> None:
        """The wheel takes in more around what is under the mouse, with shift or ctrl it moves along."""
        self._roll(event, 1 / ZOOM, PAN)

    def on_mouse_scroll_left(self, event: events.MouseScrollLeft) -> None:
        """A sideways turn moves along."""
        self._roll(event, 1.0, -PAN, along=True)

    def on_mouse_scroll_right(self, event: events.MouseScrollRight) -> None:
        """A sideways turn moves along."""
        self._roll(event, 1.0, PAN, along=True)

    def _roll(self, event: events.MouseEvent, factor: float, by: float, *, along: bool = False) -> None:
        event.stop()
        if not self._series:
            return
        across = self._frame.across
        along = along or event.shift or event.ctrl
        turned = across.panned(by) if along else across.zoomed(self._part(event), factor)
        self.post_message(self.Zoomed(turned.low, turned.high))

    def _part(self, event: events.MouseEvent) -> float:
        """Where on the axis the mouse is, from 0 to 1."""
        return min(max((event.x - MARGIN) / max(1, self._layout()[0] - 1), 0.0), 1.0)

    def _pick(self, event: events.MouseEvent) -> None:
        if event.x >= MARGIN:
            self.post_message(self.StepPicked(self._frame.across.value(self._part(event))))
