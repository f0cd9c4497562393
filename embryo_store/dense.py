"""Columns of rows as whole arrays, by step, layer and head.

A file may be foreign, and half evaluated anew: what does not fit the rest is left out, and nothing is made as
large as a file may claim.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from embryo_store.answers import Floats, Ints
from embryo_store.errors import DamagedStore, QueryTooLong

#: Bytes that one answer may take.
LARGEST = 2**30


def ints(values: Any) -> Ints:
    """Whole numbers. Raises DamagedStore where they are none."""
    try:
        return np.asarray(values, dtype=np.int64)
    except (TypeError, ValueError, OverflowError) as error:
        raise _otherwise(error) from error


def floats(values: Any) -> Floats:
    """Numbers, NaN where they are NULL. Raises DamagedStore where they are none."""
    try:
        return np.ma.filled(np.ma.asarray(values, dtype=np.float64), np.nan)
    except (TypeError, ValueError, OverflowError) as error:
        raise _otherwise(error) from error


def by_head(layer: Any, head: Any, size: Any, maps: Any) -> npt.NDArray[np.uint8]:
    """Maps as ``(layers, heads, size, size)``; a head without one of the largest size stays empty."""
    layer, head, size, maps = _fitting(layer, head, size, maps)
    side = int(size.max(initial=0))
    shape = (int(layer.max(initial=0)), int(head.max(initial=0)), side, side)
    found = np.zeros(_bounded(shape, 1), dtype=np.uint8)
    whole = size == side
    found[layer[whole] - 1, head[whole] - 1] = _joined(maps[whole], side)
    return found


def film(step: Any, size: Any, maps: Any) -> tuple[Ints, npt.NDArray[np.uint8]]:
    """The steps of one head, and its maps as ``(steps, size, size)``: those as large as the last one."""
    one = np.ones(len(step), dtype=np.int64)
    kept, _, size, maps = _fitting(np.arange(1, len(step) + 1), one, size, maps)
    side = int(size[-1]) if len(size) else 0
    whole = size == side
    return ints(step)[kept[whole] - 1], _joined(maps[whole], side)


def statistic(step: Any, layer: Any, head: Any, value: Any) -> tuple[Ints, Floats]:
    """The steps, and a number as ``(steps, layers, heads)``: NaN where there is none."""
    known = ~(np.ma.getmaskarray(layer) | np.ma.getmaskarray(head))
    layer, head = ints(np.ma.getdata(layer)), ints(np.ma.getdata(head))
    known &= (layer > 0) & (head > 0)
    steps, place = np.unique(ints(step)[known], return_inverse=True)
    layer, head = layer[known], head[known]
    shape = (len(steps), int(layer.max(initial=0)), int(head.max(initial=0)))
    found = np.full(_bounded(shape, 8), np.nan)
    found[place, layer - 1, head - 1] = floats(value)[known]
    return steps, found


def _fitting(layer: Any, head: Any, size: Any, maps: Any) -> tuple[Ints, Ints, Ints, npt.NDArray[Any]]:
    """Rows of layers and heads that can be, and whose map has the size that it says."""
    layer, head, size = ints(layer), ints(head), ints(size)
    maps = np.ma.getdata(maps)
    lengths = np.array([-1 if each is None else len(each) for each in maps.tolist()], dtype=np.int64)
    fits = (layer > 0) & (head > 0) & (lengths == size * size)
    return layer[fits], head[fits], size[fits], maps[fits]


def _joined(maps: npt.NDArray[Any], side: int) -> npt.NDArray[np.uint8]:
    return np.frombuffer(b"".join(maps.tolist()), dtype=np.uint8).reshape(len(maps), side, side)


def _bounded(shape: tuple[int, ...], bytes_each: int) -> tuple[int, ...]:
    if math.prod(shape) * bytes_each > LARGEST:
        raise QueryTooLong(
            f"An answer of {' x '.join(map(str, shape))} numbers needs more memory than allowed "
            f"({LARGEST >> 30} GB). No model has so many heads: the store is damaged, or not what it seems."
        )
    return shape


def _otherwise(error: Exception) -> DamagedStore:
    return DamagedStore(
        f"The store is damaged: a column of numbers holds something else ({error}). Restore it from a copy."
    )
