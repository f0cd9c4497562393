"""A line of a heat map that is sent to the terminal without segments: only what differs from the cell before.

Segments cost more to make and to send than all the rest of a frame; they are made when something asks for
them (a screenshot, a part of the line). Knows levels and a ramp.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import groupby
from typing import Any

import numpy as np
import numpy.typing as npt
from rich.color import ColorSystem
from rich.console import Console
from rich.segment import Segment
from textual.strip import Strip

from embryo_tui.raster.palette import Ramp

Levels = npt.NDArray[np.int16]


class MapStrip(Strip):
    """Text, then half blocks from two rows of levels, then text.

    Not initialised as a Strip until a part of one is asked for that only segments can give.
    """

    __slots__ = ("_after", "_before", "_codes", "_lower", "_ramp", "_upper")

    def __init__(
        self,
        before: Sequence[Segment],
        upper: Levels,
        lower: Levels,
        codes: list[int],
        ramp: Ramp,
        after: Sequence[Segment],
    ) -> None:
        """``upper`` and ``lower``: levels of the ramp, one a cell; ``codes``: the line of ``sent_codes``."""
        self._before, self._after, self._ramp = before, after, ramp
        self._upper, self._lower, self._codes = upper, lower, codes
        around = sum(segment.cell_length for segment in (*before, *after))
        self._cell_length = len(codes) + around
        self._render_cache = None

    def __getattr__(self, name: str) -> Any:
        """Turns into a whole Strip at the first need."""
        if name not in Strip.__slots__:
            raise AttributeError(name)
        rendered = self._render_cache
        super().__init__([*self._before, *self._blocks(), *self._after], self._cell_length)
        self._render_cache = rendered
        return getattr(self, name)

    def _blocks(self) -> Iterable[Segment]:
        pairs = zip(self._upper.tolist(), self._lower.tolist(), strict=True)
        for (upper, lower), cells in groupby(pairs):
            text = " " if upper == lower else "▀"
            yield Segment(text * sum(1 for _ in cells), self._ramp.pair(upper, lower))

    def divide(self, cuts: Iterable[int]) -> Sequence[Strip]:
        """Parts between cuts; the whole is itself."""
        wanted = list(cuts)
        return [self] if wanted == [self._cell_length] else super().divide(wanted)

    def render(self, console: Console) -> str:
        """What the terminal is sent."""
        if self._render_cache is None:
            cells = "".join(map(self._ramp.sent.__getitem__, self._codes))
            before, after = _rendered(self._before, console), _rendered(self._after, console)
            self._render_cache = f"{before}{cells}\x1b[0m{after}"
        return self._render_cache


def _rendered(segments: Sequence[Segment], console: Console) -> str:
    system = console._color_system or ColorSystem.TRUECOLOR
    return "".join(
        text if style is None else Strip.render_style(style, text, color_system=system)
        for text, style, _ in segments
    )


def sent_codes(upper: Levels, lower: Levels, ramp: Ramp) -> list[list[int]]:
    """What each cell is sent as, a key of ``ramp.sent``: the colours that it changes from the cell before.

    ``upper`` and ``lower``: ``(lines, cells)``. A cell of one colour is a space, which has no foreground.
    """
    lines, width = upper.shape
    levels = ramp.levels + 1
    up, low = upper.astype(np.int64), lower.astype(np.int64)
    plain = up == low
    start = np.full((lines, 1), -1)
    last = np.maximum.accumulate(np.where(plain, -1, np.arange(width)), axis=1)
    written = np.hstack([start, last[:, :-1]])
    ink = np.where(written < 0, -1, np.take_along_axis(up, np.maximum(written, 0), axis=1))
    same_ink, same_ground = up == ink, low == np.hstack([start, low[:, :-1]])
    code = 2 + 3 * levels + up * levels + low
    code = np.where(same_ink, 2 + 2 * levels + low, code)
    code = np.where(same_ground, np.where(same_ink, 1, 2 + levels + up), code)
    code = np.where(plain, np.where(same_ground, 0, 2 + low), code)
    found: list[list[int]] = code.tolist()
    return found
