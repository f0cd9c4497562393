"""One attention map with its word pieces, and small ones side by side. Knows matrices; not where from."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from rich.segment import Segment
from textual import events
from textual.message import Message
from textual.strip import Strip

from embryo_tui.raster.heat import half_blocks, quantise, resample, whole_side
from embryo_tui.raster.map_strip import Levels
from embryo_tui.raster.palette import Ramp
from embryo_tui.widgets.ink import Ink
from embryo_tui.widgets.panel import Content, Panel, fit, line, wide

LABEL = 11


class HeatMap(Panel):
    """A matrix as large as whole multiples of its size allow; rows ask, columns are looked at.

    Probabilities are drawn by their square root (the store keeps them so), differences as they are.
    """

    def __init__(self, key: str, title: str = "", empty: str = "") -> None:
        """``empty`` is what is said where there is no map."""
        super().__init__(key, title)
        self._empty = empty
        self._matrix: npt.NDArray[np.float32] = np.zeros((0, 0), dtype=np.float32)
        self._pieces: tuple[str, ...] = ()
        self._signed = False
        self._strips: list[Strip] | None = None
        self._drawn_for: tuple[object, ...] = ()
        self._drawn = (1, 1)

    def fill(
        self, matrix: npt.NDArray[np.float32], pieces: Sequence[str], signed: bool = False, empty: str = ""
    ) -> None:
        """Shows another matrix: ``(size, size)``, and the names of its rows and columns."""
        settings = (tuple(pieces), signed, empty or self._empty)
        if matrix is self._matrix and settings == (self._pieces, self._signed, self._empty):
            return
        self._empty = empty or self._empty
        self._matrix, self._pieces, self._signed, self._strips = matrix, tuple(pieces), signed, None
        self.refresh()

    @property
    def matrix(self) -> npt.NDArray[np.float32]:
        """What is shown."""
        return self._matrix

    def content(self) -> Content:
        """A row a piece that asks, a column a piece that is looked at."""
        names = _names(self._pieces, len(self._matrix))
        rows = tuple((name, *_values(row)) for name, row in zip(names, self._matrix, strict=True))
        return Content(self.heading, ("piece", *names), rows)

    def _scale(self) -> tuple[int, int]:
        """Pixels across and down: an exact multiple of the matrix where there is room, else fewer."""
        size = len(self._matrix)
        across, down = max(1, self.size.width - LABEL - 1), max(2, 2 * (self.size.height - 2))
        side = whole_side(size, min(across, down))
        return side, side

    def _build(self, pen: Ink) -> None:
        drawn_for = (self.size, pen)
        if self._strips is not None and self._drawn_for == drawn_for:
            return
        self._drawn_for = drawn_for
        width, height = self._drawn = self._scale()
        ramp = pen.ramp(self._signed)
        values = resample(self._matrix, height, width)
        if self._signed:
            bound = max(0.1, float(np.nanmax(np.abs(values), initial=0.0)))
            levels = quantise(values, -bound, bound, ramp.levels)
        else:
            levels = quantise(np.sqrt(np.clip(values, 0, None)), 0.0, 1.0, ramp.levels)
        names = [[Segment(self._label(y), pen.dim)] for y in range(-(-height // 2))]
        rest = max(0, self.size.width - LABEL - width)
        after = [Segment(" " * rest, pen.blank)] if rest else []
        self._strips = half_blocks(levels, ramp, names, after)

    def _label(self, y: int) -> str:
        """The name of the row that begins at a line of cells; nothing where it goes on."""
        size, down = len(self._matrix), self._drawn[1]
        first = 2 * y * size // down
        starts = y == 0 or first != 2 * (y - 1) * size // down
        name = self._pieces[first] if starts and first < len(self._pieces) else ""
        name = fit(name, LABEL - 1).rstrip()
        return f"{' ' * (LABEL - 1 - wide(name))}{name} "

    def render_body(self, y: int, width: int, pen: Ink) -> Strip:
        """Column names, or two rows of pixels."""
        if not len(self._matrix):
            text = self._empty if y == max(0, (self.size.height - 1) // 2 - 1) else ""
            return line(
                [(" " * max(0, (width - len(text)) // 2), pen.blank), (text, pen.faint)], width, pen.blank
            )
        self._build(pen)
        if y == 0:
            names = self._across(self._drawn[0], len(self._matrix))
            return line([(" " * LABEL, pen.blank), (names, pen.faint)], width, pen.blank)
        if self._strips is None or y - 1 >= len(self._strips):
            return Strip.blank(width, pen.blank)
        return self._strips[y - 1]

    def _across(self, across: int, size: int) -> str:
        """Names of as many columns as have room."""
        text, free = [" "] * across, 0
        for index in range(size):
            start = index * across // size
            piece = self._pieces[index] if index < len(self._pieces) else ""
            if start >= free and piece and start + min(len(piece), 6) <= across:
                shown = piece[:6]
                text[start : start + len(shown)] = shown
                free = start + len(shown) + 1
        return "".join(text)


class Thumbnails(Panel):
    """The maps of a layer's heads, small, side by side and in rows."""

    class Picked(Message):
        """A map was clicked."""

        def __init__(self, head: int) -> None:
            """Counts from 1."""
            super().__init__()
            self.head = head

    def __init__(self, key: str, title: str = "") -> None:
        """``key`` is the widget's id."""
        super().__init__(key, title)
        self._maps: npt.NDArray[np.float32] = np.zeros((0, 0, 0), dtype=np.float32)
        self._pieces: tuple[str, ...] = ()
        self._signed, self._chosen = False, 1
        self._lines: list[Strip] = []
        self._drawn_for: tuple[object, ...] = ()

    def fill(
        self, maps: npt.NDArray[np.float32], chosen: int, signed: bool = False, pieces: Sequence[str] = ()
    ) -> None:
        """Maps ``(heads, size, size)``, the head that is shown large, and the names of rows and columns."""
        self._pieces = tuple(pieces)
        same = maps is self._maps or (
            maps.shape == self._maps.shape
            and np.shares_memory(maps, self._maps)
            and maps.ctypes.data == self._maps.ctypes.data
        )
        if same and (chosen, signed) == (self._chosen, self._signed):
            return
        self._maps, self._chosen, self._signed, self._drawn_for = maps, chosen, signed, ()
        self.refresh()

    def content(self) -> Content:
        """A row a head and piece that asks, a column a piece that is looked at."""
        names = _names(self._pieces, self._maps.shape[-1])
        rows = tuple(
            (head, name, *_values(row))
            for head, matrix in enumerate(self._maps, 1)
            for name, row in zip(names, matrix, strict=True)
        )
        return Content(self.heading, ("head", "piece", *names), rows)

    def _grid(self) -> tuple[int, int]:
        """Maps a row, and pixels a side: as large as fit."""
        heads, size = self._maps.shape[:2]
        width, height = self.size.width, self.size.height - 1
        best = (max(1, heads), 2)
        for columns in range(heads, 0, -1):
            rows = -(-heads // columns)
            side = whole_side(size, min((width + 1) // columns - 1, 2 * (height // rows - 1)))
            if side > best[1]:
                best = (columns, side)
        return best

    def _build(self, pen: Ink) -> None:
        drawn_for = (self.size, pen)
        if self._drawn_for == drawn_for:
            return
        self._drawn_for, self._lines = drawn_for, []
        columns, side = self._grid()
        ramp = pen.ramp(self._signed)
        levels = self._levels(side, ramp)
        for start in range(0, len(self._maps), columns):
            heads = range(start, min(start + columns, len(self._maps)))
            titles: list[Segment] = []
            for head in heads:
                chosen = head + 1 == self._chosen
                text = f"[{head + 1}]" if chosen else f" {head + 1} "
                titles.append(Segment(fit(text, side + 1), pen.accent if chosen else pen.faint))
            self._lines.append(Strip(titles).adjust_cell_length(self.size.width, pen.blank))
            gap = np.full((side, 1), ramp.levels, dtype=np.int16)
            pixels = [part for head in heads for part in (levels[head], gap)]
            # Where the maps fill the line there is no room for the gap after the last.
            row = np.hstack(pixels)[:, : self.size.width]
            rest = self.size.width - row.shape[1]
            after = [Segment(" " * rest, pen.blank)] if rest else []
            self._lines += half_blocks(row, ramp, after=after)

    def _levels(self, side: int, ramp: Ramp) -> Levels:
        """All maps as pixels ``(heads, side, side)``."""
        values = resample(self._maps, side, side)
        if self._signed:
            return quantise(values, -0.5, 0.5, ramp.levels)
        return quantise(np.sqrt(np.clip(values, 0, None)), 0.0, 1.0, ramp.levels)

    def render_body(self, y: int, width: int, pen: Ink) -> Strip:
        """A line of maps, or of their numbers."""
        if not len(self._maps):
            return Strip.blank(width, pen.blank)
        self._build(pen)
        return self._lines[y] if y < len(self._lines) else Strip.blank(width, pen.blank)

    def on_click(self, event: events.Click) -> None:
        """Picks the map under the mouse."""
        if not len(self._maps):
            return
        columns, side = self._grid()
        row, column = (event.y - 1) // (-(-side // 2) + 1), event.x // (side + 1)
        head = row * columns + column + 1
        if event.y >= 1 and column < columns and head <= len(self._maps):
            self.post_message(self.Picked(head))


def _names(pieces: Sequence[str], size: int) -> tuple[str, ...]:
    """A name for every row and column: its place where it has none."""
    return tuple(pieces[place] if place < len(pieces) else str(place + 1) for place in range(size))


def _values(row: npt.NDArray[np.float32]) -> list[float]:
    """Numbers with the digits that a byte can tell."""
    return [round(value, 6) for value in row.tolist()]
