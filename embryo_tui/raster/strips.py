"""Cells as strips: runs of cells that share a style become one segment, and a cursor is painted over them."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from rich.segment import Segment
from rich.style import Style
from textual.strip import Strip

from embryo_tui.raster.curves import Cells
from embryo_tui.raster.heat import decode


def to_strips(cells: Cells, styles: Sequence[Style], blank: Style) -> list[Strip]:
    """One strip a row. Empty cells join the run before them: they show nothing, whatever their colour."""
    height, width = cells.owner.shape
    strips = []
    for row in range(height):
        text, owner = decode(cells.glyph[row]), cells.owner[row]
        owned = np.flatnonzero(owner >= 0)
        if not len(owned):
            strips.append(Strip([Segment(text, blank)], width))
            continue
        nearest = np.maximum.accumulate(np.where(owner >= 0, np.arange(width), owned[0]))
        filled = owner[nearest]
        bounds = [0, *(np.flatnonzero(filled[1:] != filled[:-1]) + 1).tolist(), width]
        strips.append(
            Strip(
                [Segment(text[start:end], styles[filled[start]]) for start, end in pairwise(bounds)],
                width,
            )
        )
    return strips


def paint_column(strip: Strip, column: int, style: Style, glyph: str = "│") -> Strip:
    """The strip with one cell marked: its own character where it has one, else ``glyph``."""
    segments: list[Segment] = []
    at = 0
    for segment in strip:
        end = at + segment.cell_length
        if at <= column < end:
            before, rest = segment.split_cells(column - at)
            cell, after = rest.split_cells(1)
            marked = Segment(glyph if cell.text.isspace() else cell.text, style)
            segments += [part for part in (before, marked, after) if part.text]
        else:
            segments.append(segment)
        at = end
    return Strip(segments, strip.cell_length)
