"""Initial weights, keyed by (seed, name): truncated normal, zeros, ones, or sinusoidal positions."""

from __future__ import annotations

import math
import zlib

import numpy as np

from tpu_train import draws
from tpu_train.names import Floats, Weight
from tpu_train.recipe import Model

#: Draws beyond so many standard deviations are drawn again (``tf.truncated_normal_initializer``).
_CUT = 2.0


def truncated_normal(count: int, key: draws.Keys, spread: float) -> Floats:
    """``count`` draws from a normal distribution of standard deviation ``spread``, cut at two of them."""
    values = np.empty(count)
    missing = np.arange(count)
    turn = 0
    while len(missing):
        radius, angle = (
            draws.uniform(draws.fold(draws.fold(key, turn), half), len(missing))[0] for half in (0, 1)
        )
        values[missing] = np.sqrt(-2.0 * np.log1p(-radius)) * np.cos(2.0 * math.pi * angle)
        missing = missing[np.abs(values[missing]) > _CUT]
        turn += 1
    return (values * spread).astype(np.float32)


def sinusoidal(positions: int, width: int, spread: float) -> Floats:
    """Sines and cosines of Vaswani et al. (2017), section 3.5, scaled to the root mean square ``spread``."""
    rate = 10000.0 ** (-2.0 * np.arange((width + 1) // 2) / width)
    angle = np.arange(positions)[:, None] * rate[None, :]
    waves = np.stack([np.sin(angle), np.cos(angle)], axis=2).reshape(positions, -1)[:, :width]
    return (waves * spread * math.sqrt(2.0)).astype(np.float32)


def weights(table: tuple[Weight, ...], model: Model, seed: int) -> dict[str, Floats]:
    """The weights of step 0, by Google's names."""
    values: dict[str, Floats] = {}
    for weight in table:
        spread = model.initializer_range
        if weight.init == "ones":
            values[weight.google] = np.ones(weight.shape, np.float32)
        elif weight.init == "zeros":
            values[weight.google] = np.zeros(weight.shape, np.float32)
        elif weight.init == "positions" and model.position_init == "sinusoidal":
            values[weight.google] = sinusoidal(weight.shape[0], weight.shape[1], spread)
        else:
            key = draws.fold(draws.fold(seed, 0x494E4954), zlib.crc32(weight.google.encode()))
            drawn = truncated_normal(math.prod(weight.shape), key, spread)
            values[weight.google] = drawn.reshape(weight.shape)
    return values
