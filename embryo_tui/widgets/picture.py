"""Series in a frame as the lines of a terminal: all of a plot but its legend and its cursor."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from rich.segment import Segment
from rich.style import Style
from textual.strip import Strip

from embryo_tui.raster.axes import Axis, Floats, smoothed, value_axis
from embryo_tui.raster.curves import Cells, broken, compose, pack, trace
from embryo_tui.raster.strips import to_strips
from embryo_tui.widgets.ink import LETTERS, Ink
from embryo_tui.widgets.panel import line
from embryo_tui.widgets.series import Frame, Level, Series

#: Cells left of the plot for the names of its values.
MARGIN = 6
#: What marks events under the plot, the weightiest last.
MARKS = {"plateau": "╌", "onset": "▴", "dip": "▾", "best": "×", "suspect": "!"}


def picture(
    series: Sequence[Series], frame: Frame, columns: int, rows: int, width: int, pen: Ink
) -> list[Strip]:
    """``rows`` lines of curves with the names of their values, and the line of steps below."""
    shown = [entry for entry in series if not entry.hidden]
    lines = [smoothed(entry.y, frame.smoothing) for entry in shown]
    values = value_axis(_seen(shown, lines, frame), unit_interval=frame.shares, rise=frame.rise)
    shape = (4 * rows, 2 * columns)
    across = frame.across

    def dots(x: npt.NDArray[np.int64], y: Floats) -> npt.NDArray[np.bool_]:
        return trace(across.place(x), values.place(y), shape[1], shape[0])

    layers: list[npt.NDArray[np.uint8]] = []
    styles: list[Style] = []
    for entry in shown:
        if entry.low is not None and entry.high is not None:
            layers.append(pack(_between(dots(entry.x, entry.low), dots(entry.x, entry.high))))
            styles.append(pen.rule)
    if frame.smoothing != "off":
        for entry in shown:
            layers.append(pack(broken(dots(entry.x, entry.y), entry.pattern)))
            styles.append(pen.rule)
    for level in frame.levels:
        layers.append(pack(_level(level, values, shape)))
        styles.append(pen.of(level.tint))
    for entry, y in reversed(list(zip(shown, lines, strict=True))):
        layers.append(pack(broken(dots(entry.x, y), entry.pattern)))
        styles.append(style_of(entry, pen))
    cells = compose(layers, (rows, columns))
    for index, (entry, y) in enumerate(zip(shown, lines, strict=True)):
        if entry.peak:
            _peak(cells, entry, len(styles) - 1 - index, across, values)
        if pen.mono:
            _letter(cells.glyph, entry, y, 0.02 * index, across, values)
    names = _value_names(values, rows)
    body = [
        Strip([Segment(names.get(row, "     │"), pen.faint), *strip], MARGIN + columns)
        for row, strip in enumerate(to_strips(cells, styles, pen.blank))
    ]
    return [*body, line(_step_line(frame, columns, pen), width, pen.blank)]


def style_of(entry: Series, pen: Ink) -> Style:
    """The colour of a curve: its own, or that of its place in an order."""
    return pen.of(entry.tint) if entry.shade is None else pen.shade(entry.shade)


def _seen(shown: Sequence[Series], lines: Sequence[Floats], frame: Frame) -> Floats:
    """The values in sight, those of bands included: what the value axis must hold."""
    low, high = frame.across.low, frame.across.high
    parts: list[Floats] = []
    for entry, y in zip(shown, lines, strict=True):
        inside = (entry.x >= low) & (entry.x <= high)
        parts.append(y[inside])
        parts += [edge[inside] for edge in (entry.low, entry.high) if edge is not None]
    parts.append(np.array([level.value for level in frame.levels]))
    return np.concatenate(parts) if parts else np.zeros(0)


def _between(low: npt.NDArray[np.bool_], high: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    """The area between two lines, thinly dotted."""
    below_top = np.logical_or.accumulate(high, axis=0)
    above_bottom = np.logical_or.accumulate(low[::-1], axis=0)[::-1]
    rows, columns = np.indices(low.shape)
    area: npt.NDArray[np.bool_] = below_top & above_bottom & ((rows + columns) % 2 == 0) & (columns % 2 == 0)
    return area


def _level(level: Level, values: Axis, shape: tuple[int, int]) -> npt.NDArray[np.bool_]:
    dots = np.zeros(shape, dtype=np.bool_)
    place = float(values.place([level.value])[0])
    if np.isfinite(place) and 0 <= place <= 1:
        dots[round((1 - place) * (shape[0] - 1)), ::4] = True
    return dots


def _cell(place: float, height: float, shape: tuple[int, int]) -> tuple[int, int] | None:
    """The row and column of a point given as parts of the plot; None outside it."""
    if not (np.isfinite(place) and np.isfinite(height) and 0 <= place <= 1 and 0 <= height <= 1):
        return None
    rows, columns = shape
    # By the dot that the curve has there, or the mark stands beside the line.
    row = round((1 - height) * (4 * rows - 1)) // 4
    return row, min(int(place * (2 * columns - 1) + 0.5) // 2, columns - 1)


def _peak(cells: Cells, entry: Series, owner: int, across: Axis, values: Axis) -> None:
    """Marks the best step with ×, as figures 5 and 12 do."""
    best = entry.best
    if best is not None:
        place, height = float(across.place([best[0]])[0]), float(values.place([best[1]])[0])
        where = _cell(place, height, (cells.glyph.shape[0], cells.glyph.shape[1]))
        if where is not None:
            cells.glyph[where], cells.owner[where] = ord("×"), owner


def _letter(
    glyph: npt.NDArray[np.uint32], entry: Series, y: Floats, shift: float, across: Axis, values: Axis
) -> None:
    """Without colour, letters along a line say whose it is."""
    places, heights = across.place(entry.x), values.place(y)
    if not len(places) or not np.isfinite(places).any():
        return
    for part in np.linspace(0.15, 0.95, 5) + shift:
        near = int(np.nanargmin(np.abs(places - part)))
        where = _cell(float(places[near]), float(heights[near]), (glyph.shape[0], glyph.shape[1]))
        if where is not None:
            glyph[where] = ord(LETTERS[entry.tint % 26])


def _value_names(axis: Axis, rows: int) -> dict[int, str]:
    """The text left of the rows that a tick falls on."""
    names: dict[int, str] = {}
    for value, name in axis.ticks(max(3, rows // 3 + 1)):
        row = round((1.0 - float(axis.place([value])[0])) * (rows - 1))
        if 0 <= row < rows:
            names[row] = f"{name:>5}┤"[-MARGIN:]
    return names


def _step_line(frame: Frame, columns: int, pen: Ink) -> list[tuple[str, Style]]:
    """The line under the plot: step names under their columns, none touching another, and events' marks."""
    axis = frame.across
    text = [(" ", pen.faint)] * (MARGIN + columns)
    free = 0
    for value, name in axis.ticks(max(2, columns // 7)):
        centre = MARGIN + int(float(axis.place([value])[0]) * (columns - 1) + 0.5)
        start = min(max(centre - len(name) // 2, MARGIN), MARGIN + columns - len(name))
        if start >= free:
            text[start : start + len(name)] = [(letter, pen.faint) for letter in name]
            free = start + len(name) + 2
    for event in sorted(frame.events, key=lambda event: list(MARKS).index(event.kind)):
        place = float(axis.place([event.step])[0])
        if np.isfinite(place) and -1e-9 <= place <= 1 + 1e-9:
            column = MARGIN + int(place * (2 * columns - 1) + 0.5) // 2
            if column < len(text) and text[column][0] == " ":
                text[column] = (MARKS[event.kind], pen.bad if event.kind == "suspect" else pen.mark)
    return text
