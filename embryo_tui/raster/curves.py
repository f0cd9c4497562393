"""Curves as braille: every cell holds 2 × 4 dots. NumPy in, cells out; no styles, no widgets."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Dots = npt.NDArray[np.bool_]

#: How a line is broken, so that runs are told apart without colour.
Pattern = Literal["solid", "dashed", "dotted"]
PATTERNS: tuple[Pattern, ...] = ("solid", "dashed", "dotted")

BRAILLE = 0x2800
_BITS = np.array([[0x01, 0x08], [0x02, 0x10], [0x04, 0x20], [0x40, 0x80]], dtype=np.uint8)
_PERIODS: dict[Pattern, tuple[int, int]] = {"dashed": (6, 4), "dotted": (4, 2)}


@dataclass(frozen=True)
class Cells:
    """Characters (code points, 32 where empty) and the series that owns each cell (-1: none); ``(h, w)``."""

    glyph: npt.NDArray[np.uint32]
    owner: npt.NDArray[np.int16]


def trace(x: Floats, y: Floats, width: int, height: int) -> Dots:
    """The dots of a line through points given as parts of the plot: ``(height, width)``, top row first.

    ``x`` ascends from 0 (left) to 1 (right), ``y`` from 0 (bottom) to 1 (top). Each pixel column is filled
    from the lowest to the highest value that the line takes in it, so the line has no holes, and no
    extreme is lost however many points fall into one column. What is not finite breaks it.
    """
    keep = np.isfinite(x)
    x, y = x[keep], np.where(np.isfinite(y), y, np.nan)[keep]
    rows = np.arange(height)[:, None]
    if not len(x):
        return np.zeros((height, width), dtype=np.bool_)
    across = x * (width - 1) + 0.5
    down = (1.0 - y) * (height - 1)
    low, high = np.full(width, np.inf), np.full(width, -np.inf)
    column = np.floor(across).astype(int)
    inside = (column >= 0) & (column < width)
    np.fmin.at(low, column[inside], down[inside])
    np.fmax.at(high, column[inside], down[inside])
    if len(x) > 1:
        edges = np.arange(width + 1, dtype=np.float64)
        right = np.clip(np.searchsorted(across, edges), 1, len(across) - 1)
        gap = across[right] - across[right - 1]
        part = (edges - across[right - 1]) / np.where(gap > 0, gap, 1.0)
        crossing = down[right - 1] * (1.0 - part) + down[right] * part
        crossing[(edges < across[0]) | (edges > across[-1])] = np.nan
        # A line that begins just where a column ends is not in it.
        begun = np.where(edges > across[0], crossing, np.nan)
        low = np.fmin(low, np.fmin(crossing[:-1], begun[1:]))
        high = np.fmax(high, np.fmax(crossing[:-1], begun[1:]))
    with np.errstate(invalid="ignore"):
        dots: Dots = (rows >= np.rint(low)) & (rows <= np.rint(high))
    return dots


def broken(dots: Dots, pattern: Pattern) -> Dots:
    """The same line with gaps."""
    if pattern == "solid":
        return dots
    period, drawn = _PERIODS[pattern]
    return dots & (np.arange(dots.shape[1]) % period < drawn)


def pack(dots: Dots) -> npt.NDArray[np.uint8]:
    """Dots ``(4h, 2w)`` as braille patterns ``(h, w)``."""
    height, width = dots.shape
    blocks = dots.reshape(height // 4, 4, width // 2, 2).astype(np.uint8)
    patterns: npt.NDArray[np.uint8] = np.einsum("hawb,ab->hw", blocks, _BITS)
    return patterns


def compose(layers: Sequence[npt.NDArray[np.uint8]], shape: tuple[int, int]) -> Cells:
    """Lays patterns over one another: dots add up, a cell's colour is that of the last series in it."""
    union = np.zeros(shape, dtype=np.uint8)
    owner = np.full(shape, -1, dtype=np.int16)
    for index, codes in enumerate(layers):
        union |= codes
        owner[codes > 0] = index
    glyph = np.where(union == 0, 32, union.astype(np.uint32) + BRAILLE).astype(np.uint32)
    return Cells(glyph, owner)
