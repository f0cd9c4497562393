"""A line of a heat map that is sent to the terminal without segments: only what differs from the cell before.

Segments cost more to make and to send than all the rest of a frame; they are made when something asks for
them (a screenshot, a part of the line). Knows levels and a ramp.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import groupby
from typing import Any

from rich.console import Console
from rich.segment import Segment
from textual.strip import Strip

from embryo_tui.raster.palette import Ramp


class MapStrip(Strip):
    """Text, then half blocks from two rows of levels, then text.

    Not initialised as a Strip until a part of one is asked for that only segments can give.
    """

    __slots__ = ("_after", "_before", "_lower", "_ramp", "_upper")

    def __init__(
        self,
        before: Sequence[Segment],
        upper: list[int],
        lower: list[int],
        ramp: Ramp,
        after: Sequence[Segment],
    ) -> None:
        """``upper`` and ``lower``: levels of the ramp, one a cell."""
        self._before, self._after = before, after
        self._upper, self._lower, self._ramp = upper, lower, ramp
        around = sum(segment.cell_length for segment in (*before, *after))
        self._cell_length = len(upper) + around
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
        for (upper, lower), cells in groupby(zip(self._upper, self._lower, strict=True)):
            text = " " if upper == lower else "▀"
            yield Segment(text * sum(1 for _ in cells), self._ramp.pair(upper, lower))

    def divide(self, cuts: Iterable[int]) -> Sequence[Strip]:
        """Parts between cuts; the whole is itself."""
        wanted = list(cuts)
        return [self] if wanted == [self._cell_length] else super().divide(wanted)

    def render(self, console: Console) -> str:
        """What the terminal is sent."""
        if self._render_cache is None:
            uppers, lowers = self._ramp.upper_codes, self._ramp.lower_codes
            sent: list[str] = [Strip(self._before).render(console)]
            upper_now = lower_now = -1
            for upper, lower in zip(self._upper, self._lower, strict=True):
                if upper == lower:
                    sent.append(" " if lower == lower_now else f"\x1b[{lowers[lower]}m ")
                elif lower == lower_now:
                    sent.append("▀" if upper == upper_now else f"\x1b[{uppers[upper]}m▀")
                elif upper == upper_now:
                    sent.append(f"\x1b[{lowers[lower]}m▀")
                else:
                    sent.append(f"\x1b[{uppers[upper]};{lowers[lower]}m▀")
                upper_now, lower_now = upper_now if upper == lower else upper, lower
            sent += ["\x1b[0m", Strip(self._after).render(console)]
            self._render_cache = "".join(sent)
        return self._render_cache
