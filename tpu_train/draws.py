"""Counter-based random numbers and keyed permutations: any draw can be repeated from its key alone.

A 64-bit key is folded from integers (seed, step, example …); number ``i`` of its stream is SplitMix64's
output function applied to ``key + (i + 1) * golden``. Everything is vectorised over arrays of keys.
Knows nothing of text.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Keys = npt.NDArray[np.uint64]

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_FIRST = np.uint64(0xBF58476D1CE4E5B9)
_SECOND = np.uint64(0x94D049BB133111EB)


def _mix(state: Keys) -> Keys:
    state = (state ^ (state >> np.uint64(30))) * _FIRST
    state = (state ^ (state >> np.uint64(27))) * _SECOND
    return state ^ (state >> np.uint64(31))


def fold(key: Keys | int, value: npt.NDArray[np.int64] | int) -> Keys:
    """A new key from a key and an integer (arrays broadcast)."""
    keys = np.atleast_1d(np.asarray(key, dtype=np.uint64))
    values = np.atleast_1d(np.asarray(value)).astype(np.uint64)
    return _mix(_mix(keys + _GOLDEN) + values * _GOLDEN + np.uint64(1))


def bits(keys: Keys, count: int) -> Keys:
    """``count`` numbers of 64 random bits for each key: shape ``(len(keys), count)``."""
    counters = np.arange(1, count + 1, dtype=np.uint64) * _GOLDEN
    return _mix(keys[:, None] + counters[None, :])


def uniform(keys: Keys, count: int) -> npt.NDArray[np.float64]:
    """``count`` numbers in [0, 1) for each key: shape ``(len(keys), count)``."""
    return (bits(keys, count) >> np.uint64(11)).astype(np.float64) * 2.0**-53


def one(keys: Keys) -> npt.NDArray[np.float64]:
    """One number in [0, 1) for each key."""
    return uniform(keys, 1)[:, 0]


def permuted(index: npt.NDArray[np.int64], size: int, key: Keys) -> npt.NDArray[np.int64]:
    """Where a keyed permutation of ``0 … size - 1`` sends each ``index``, without a table.

    A six-round Feistel network over the next even number of bits, walked until the value falls below
    ``size`` (Black and Rogaway 2002). ``key`` is one key, or one for each index.
    """
    half = np.uint64(max(1, (max(size - 1, 1).bit_length() + 1) // 2))
    low = np.uint64((1 << int(half)) - 1)
    value = index.astype(np.uint64)
    keys = np.broadcast_to(key, value.shape)
    outside = np.ones(value.shape, dtype=bool)
    while outside.any():
        left, right = value[outside] >> half, value[outside] & low
        for turn in range(6):
            scrambled = _mix(fold(keys[outside], turn) + right * _GOLDEN) & low
            left, right = right, left ^ scrambled
        value[outside] = (left << half) | right
        outside = value >= np.uint64(size)
    return value.astype(np.int64)
