"""Curves over steps with the cursor painted on them. Knows series of numbers; not what they mean."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from rich.cells import cell_len
from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.geometry import Region
from textual.message import Message
from textual.strip import Strip

from embryo_tui.raster.axes import Axis, Floats, short, smooth, value_axis
from embryo_tui.raster.curves import Pattern, broken, compose, pack, trace
from embryo_tui.raster.strips import paint_column, to_strips
from embryo_tui.steps import position
from embryo_tui.widgets.ink import LETTERS, Ink
from embryo_tui.widgets.panel import Panel, line

#: Cells that a legend's entry needs beside the name: mark, number, a gap.
LEGEND_EXTRA = 10
#: Cells left of the plot for the names of its values.
MARGIN = 6


@dataclass(frozen=True, eq=False)
class Series:
    """A curve: ``x`` ascending steps, ``y`` values (NaN breaks the line); ``tint`` indexes the palette."""

    name: str
    x: np.typing.NDArray[np.int64]
    y: Floats
    tint: int
    pattern: Pattern = "solid"
    hidden: bool = False

    def at(self, step: int) -> tuple[int, float] | None:
        """The step and value that stand for ``step``: the nearest earlier ones that are known."""
        steps, values = self._known
        index = position(steps, step)
        return None if index is None else (int(steps[index]), float(values[index]))

    @cached_property
    def _known(self) -> tuple[np.typing.NDArray[np.int64], Floats]:
        known = np.isfinite(self.y)
        return self.x[known], self.y[known]


@dataclass(frozen=True)
class Frame:
    """How series are drawn: the axis of steps, smoothing. ``shares``: values are parts of 1, drawn from 0."""

    across: Axis
    smooth: bool = False
    shares: bool = False
    legend: bool = True


class Plot(Panel):
    """Curves in braille. Moving the cursor repaints two columns and the legend, nothing else."""

    class StepPicked(Message):
        """The user clicked or dragged to a step."""

        def __init__(self, step: float) -> None:
            """``step``: where on the axis, not yet a saved step."""
            super().__init__()
            self.step = step

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
        self._columns: dict[tuple[int, int], int | None] = {}
        self._places: tuple[int | None, int | None] = (None, None)
        self._rows, self._top = 1, 0

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
        self._cursor, self._mark = cursor, mark
        after = self._places = (self._column(cursor), self._column(mark))
        if self._base is None or not self.is_attached:
            return
        rows = self.size.height - 2
        columns = {column for column in {*before, *after} if column is not None}
        if before != after:
            self.refresh(*(Region(column, 1, 1, rows) for column in columns))
        top = self._layout()[2]
        if before != after or top:
            self.refresh_lines(0, 1 + top)

    @property
    def note(self) -> str:
        """The panel's own note, and which earlier values stand in for those at the cursor."""
        cursor = self._cursor
        stale = [(name, step) for name, _, step in self.legend if step is not None and step != cursor]
        if cursor is None or not stale:
            return self._note
        steps = sorted({step for _, step in stale})
        whose = "" if len(stale) == len(self.legend) else f"{stale[0][0]}: " if len(stale) == 1 else "some: "
        said = f"{whose}{' and '.join(short(step) for step in steps[:2])} shown for {short(cursor)}"
        return f"{said} · {self._note}" if self._note else said

    @property
    def legend(self) -> tuple[tuple[str, float | None, int | None], ...]:
        """Name, value at the cursor and the step it is from, of every visible series."""
        entries: list[tuple[str, float | None, int | None]] = []
        for series in self._series:
            if not series.hidden:
                found = None if self._cursor is None else series.at(self._cursor)
                entries.append((series.name, found[1] if found else None, found[0] if found else None))
        return tuple(entries)

    def _layout(self) -> tuple[int, int, int]:
        """Columns and rows of the plot proper, and its first line under the rule."""
        top = len(self._legend_lines()) if self._frame.legend else 0
        width, height = self.size
        return max(1, width - MARGIN), max(1, height - 2 - top), top

    def _legend_lines(self) -> list[list[int]]:
        """Which visible series the legend names in which line: by the room that their longest numbers need,
        so that nothing moves with the cursor. Two lines at most, one where the plot is low.
        """
        width, height = self.size
        if self._named_for == (width, height):
            return self._named
        names = [series.name for series in self._series if not series.hidden]
        lines: list[list[int]] = [[]]
        used = 0
        for index, name in enumerate(names):
            size = LEGEND_EXTRA + cell_len(name)
            if used + size > width - MARGIN and lines[-1]:
                if len(lines) >= (2 if height >= 8 else 1):
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
            middle = max(0, (self.size.height - 1) // 2 - 1)
            text = self._empty if y == middle else ""
            return line(
                [(" " * max(0, (width - cell_len(text)) // 2), pen.blank), (text, pen.faint)],
                width,
                pen.blank,
            )
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
        shown = [series for series in self._series if not series.hidden]
        entries = self.legend
        for index in lines[y]:
            series, (_, value, _) = shown[index], entries[index]
            mark = LETTERS[series.tint % 26] if pen.mono else "●" if series.pattern == "solid" else "◌"
            number = "–" if value is None else f"{value:.3f}"
            parts += [(f"{mark} ", pen.of(series.tint)), (f"{series.name} ", pen.dim), (number, pen.strong)]
            parts.append(("  ", pen.blank))
        if y == len(lines) - 1 and sum(len(row) for row in lines) < len(shown):
            parts.append(("…", pen.faint))
        return parts

    def _build(self, pen: Ink) -> None:
        """Draws everything but the cursor, if anything changed since it was drawn."""
        drawn_for = (self.size, pen)
        if self._base is not None and self._drawn_for == drawn_for:
            return
        self._drawn_for = drawn_for
        self._places = (self._column(self._cursor), self._column(self._mark))
        columns, rows, top = self._layout()
        self._rows, self._top = rows, top
        frame, shown = self._frame, [series for series in self._series if not series.hidden]
        lines = [smooth(series.y) if frame.smooth else series.y for series in shown]
        values = value_axis(np.concatenate(lines) if lines else np.zeros(0), unit_interval=frame.shares)
        layers, styles = [], []
        shape = (4 * rows, 2 * columns)
        pairs = list(zip(shown, lines, strict=True))
        ghosts = [(series, series.y, pen.rule) for series in shown] if frame.smooth else []
        curves = [*ghosts, *((series, y, pen.of(series.tint)) for series, y in reversed(pairs))]
        for series, y, style in curves:
            dots = trace(self._frame.across.place(series.x), values.place(y), shape[1], shape[0])
            layers.append(pack(broken(dots, series.pattern)))
            styles.append(style)
        cells = compose(layers, (rows, columns))
        if pen.mono:
            self._letter(cells.glyph, pairs, values)
        names = _value_names(values, rows)
        body = to_strips(cells, styles, pen.blank)
        self._base = [
            Strip([Segment(names.get(row, "     │"), pen.faint), *strip], MARGIN + columns)
            for row, strip in enumerate(body)
        ]
        self._base.append(line([(_step_names(frame.across, columns), pen.faint)], self.size.width, pen.blank))

    def _letter(
        self, glyph: np.typing.NDArray[np.uint32], pairs: list[tuple[Series, Floats]], values: Axis
    ) -> None:
        """Without colour, letters along a line say whose it is."""
        rows, columns = glyph.shape
        for index, (series, y) in enumerate(pairs):
            places, heights = self._frame.across.place(series.x), values.place(y)
            for part in np.linspace(0.15, 0.95, 5) + 0.02 * index:
                near = int(np.abs(places - part).argmin()) if len(places) else 0
                if len(places) and np.isfinite(heights[near]) and np.isfinite(places[near]):
                    row = min(max(int((1 - heights[near]) * (rows - 1) + 0.5), 0), rows - 1)
                    column = min(max(int(places[near] * (columns - 1) + 0.5), 0), columns - 1)
                    glyph[row, column] = ord(LETTERS[series.tint % 26])

    def on_mouse_down(self, event: events.MouseDown) -> None:
        """A press takes the cursor there and begins a drag."""
        self.capture_mouse()
        self._pick(event)

    def on_mouse_move(self, event: events.MouseMove) -> None:
        """A drag takes the cursor along."""
        if self.app.mouse_captured is self:
            self._pick(event)

    def on_mouse_up(self, _event: events.MouseUp) -> None:
        """The drag ends."""
        self.release_mouse()

    def _pick(self, event: events.MouseEvent) -> None:
        columns, _, _ = self._layout()
        if not self._series or event.x < MARGIN:
            return
        part = min(max((event.x - MARGIN) / max(1, columns - 1), 0.0), 1.0)
        self.post_message(self.StepPicked(self._frame.across.value(part)))


def _value_names(axis: Axis, rows: int) -> dict[int, str]:
    """The text left of the rows that a tick falls on."""
    names: dict[int, str] = {}
    for value, name in axis.ticks(max(3, rows // 3 + 1)):
        row = round((1.0 - float(axis.place([value])[0])) * (rows - 1))
        if 0 <= row < rows:
            names[row] = f"{name:>5}┤"[-MARGIN:]
    return names


def _step_names(axis: Axis, columns: int) -> str:
    """The line under the plot: short step names under their columns, none touching another."""
    text = [" "] * (MARGIN + columns)
    free = 0
    for value, name in axis.ticks(max(2, columns // 7)):
        centre = MARGIN + int(float(axis.place([value])[0]) * (columns - 1) + 0.5)
        start = min(max(centre - len(name) // 2, MARGIN), MARGIN + columns - len(name))
        if start >= free:
            text[start : start + len(name)] = name
            free = start + len(name) + 2
    return "".join(text)
