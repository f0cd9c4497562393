"""Matrices as heat maps: two pixels a cell by half blocks, or shades of ink where there is no colour."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from rich.segment import Segment
from rich.style import Style
from textual.strip import Strip

from embryo_tui.raster.map_strip import Levels, MapStrip, sent_codes
from embryo_tui.raster.palette import Ramp

#: Ink without colour: how much for a value above zero, and how much for one below.
INK = " ░▒▓█"
INK_BELOW = " .-=#"


def quantise(values: npt.ArrayLike, low: float, high: float, levels: int) -> Levels:
    """Values as levels 0 … levels-1 of a ramp from ``low`` to ``high``; NaN becomes ``levels``."""
    numbers = np.asarray(values, dtype=np.float64)
    spread = high - low if high > low else 1.0
    with np.errstate(invalid="ignore"):
        scaled = np.clip(np.floor((numbers - low) * (levels / spread)), 0, levels - 1)
    return np.where(np.isnan(numbers), levels, scaled).astype(np.int16)


def resample(matrices: npt.NDArray[np.floating], height: int, width: int) -> npt.NDArray[np.float64]:
    """Matrices ``(…, rows, columns)`` as ``(…, height, width)`` pixels: repeated where they grow; where they
    shrink each pixel takes the value furthest from zero, so that a diagonal one pixel wide is not washed out.
    """
    return _along(_along(np.asarray(matrices, dtype=np.float64), height, -2), width, -1)


def whole_side(size: int, room: int) -> int:
    """The side at which a matrix is drawn: its largest multiple within ``room``, else a whole part of it."""
    if room >= size:
        return size * (room // size)
    return next(
        (size // part for part in range(2, size) if size % part == 0 and size // part <= room), max(1, room)
    )


def _along(matrices: npt.NDArray[np.float64], size: int, axis: int) -> npt.NDArray[np.float64]:
    count = matrices.shape[axis]
    starts = np.arange(size) * count // size
    if size >= count:
        repeated: npt.NDArray[np.float64] = matrices.take(starts, axis=axis)
        return repeated
    highest = np.fmax.reduceat(matrices, starts, axis=axis)
    lowest = np.fmin.reduceat(matrices, starts, axis=axis)
    furthest: npt.NDArray[np.float64] = np.where(np.abs(lowest) > np.abs(highest), lowest, highest)
    return furthest


def half_blocks(
    levels: Levels, ramp: Ramp, before: Sequence[Sequence[Segment]] = (), after: Sequence[Segment] = ()
) -> list[Strip]:
    """Pixels ``(2h, w)`` as h strips of w cells, each between its own text (``before``, a line each) and
    ``after``.
    """
    if levels.shape[0] % 2:
        levels = np.vstack([levels, np.full((1, levels.shape[1]), ramp.levels, dtype=np.int16)])
    names = [*before, *[()] * (len(levels) // 2 - len(before))]
    if ramp.mono:
        shaded = zip(names, _shaded(levels, ramp), strict=True)
        return [Strip([*name, *ink, *after]) for name, ink in shaded]
    uppers, lowers = levels[0::2], levels[1::2]
    rows = zip(names, uppers, lowers, sent_codes(uppers, lowers, ramp), strict=True)
    return [MapStrip(name, upper, lower, codes, ramp, after) for name, upper, lower, codes in rows]


def _shaded(levels: Levels, ramp: Ramp) -> list[Strip]:
    """Half the rows, each cell as much ink as its two pixels are strong; signed ramps keep their sign."""
    pixels = np.where(levels == ramp.levels, np.nan, levels.astype(np.float64))
    pairs = np.stack([pixels[0::2], pixels[1::2]])
    known = np.isfinite(pairs)
    count = known.sum(axis=0)
    mean = np.where(known, pairs, 0.0).sum(axis=0) / np.maximum(count, 1)
    if ramp.signed:
        middle = (ramp.levels - 1) / 2
        strength, below = np.abs(mean - middle) / middle, mean < middle
    else:
        strength, below = mean / (ramp.levels - 1), np.zeros(mean.shape, dtype=np.bool_)
    shade = np.where(count > 0, np.rint(strength * (len(INK) - 1)), 0).astype(int)
    codes = np.where(below, _codes(INK_BELOW)[shade], _codes(INK)[shade]).astype(np.uint32)
    return [Strip([Segment(decode(row), Style.null())], codes.shape[1]) for row in codes]


def _codes(text: str) -> npt.NDArray[np.uint32]:
    return np.array([ord(character) for character in text], dtype=np.uint32)


def decode(codes: npt.NDArray[np.uint32]) -> str:
    """Code points as text."""
    return codes.astype("<u4").tobytes().decode("utf-32-le")
