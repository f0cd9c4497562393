"""LAMB and AdamW as released with ALBERT, BERT and ELECTRA: no bias correction of the moments.

``keras.optimizers`` correct the bias and treat excluded weights otherwise; over a run that is another
optimiser. All weights lie one after another in one vector, which makes an update a handful of operations;
``Layout`` says which stretch is which weight. Knows nothing of where gradients come from.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import tensorflow as tf

from tpu_train import fused
from tpu_train.fused import Tensor
from tpu_train.recipe import Optimizer


@dataclass(frozen=True)
class Layout:
    """The weights in their vector. ``decayed[i]``: weight ``i`` takes part in decay and trust ratio."""

    sizes: tuple[int, ...]
    decayed: tuple[bool, ...]

    @classmethod
    def of(cls, names: Sequence[str], sizes: Sequence[int], settings: Optimizer) -> Layout:
        """The layout of weights by Google's names; those that match ``no_decay`` are left out of it."""
        decayed = (not any(pattern in name for pattern in settings.no_decay) for name in names)
        return cls(tuple(sizes), tuple(decayed))


def clipped(gradient: Tensor, limit: float) -> tuple[Tensor, Tensor]:
    """The gradient scaled so that its norm is at most ``limit``, and its norm before."""
    norm = tf.sqrt(tf.reduce_sum(gradient * gradient))
    return gradient * (limit / tf.maximum(norm, limit)), norm


def update(
    settings: Optimizer,
    layout: Layout,
    weights: Tensor,
    gradient: Tensor,
    first: Tensor,
    second: Tensor,
    rate: Tensor,
) -> tuple[Tensor, Tensor, Tensor]:
    """One update of all weights; every tensor is a vector, ``rate`` a scalar.

    LAMB (You et al. 2020, as in google-research/albert ``lamb_optimizer.py``): the decay is added to the
    Adam direction before each weight's trust ratio ``|w| / |direction|`` is taken; excluded weights get
    neither. AdamW (google-research/bert ``optimization.py``): the same direction, without the ratio.

    Returns:
        The new weights and moments.
    """
    numbers = (settings.beta1, settings.beta2, settings.epsilon)
    decay = np.where(layout.decayed, settings.weight_decay, 0.0).astype(np.float32)
    decays = tf.constant(np.repeat(decay, layout.sizes))
    if settings.name == "adamw":
        return tuple(_adamw(numbers, weights, gradient, first, second, decays, rate))
    direction, first, second = _direction(numbers, weights, gradient, first, second, decays)
    change = rate * direction
    ratios = _trust_ratios(layout, weights, direction)
    change *= tf.gather(ratios, np.repeat(np.arange(len(layout.sizes), dtype=np.int32), layout.sizes))
    return weights - change, first, second


@fused.compiled
def _direction(
    numbers: tuple[float, float, float],
    weights: Tensor,
    gradient: Tensor,
    first: Tensor,
    second: Tensor,
    decays: Tensor,
) -> tuple[Tensor, Tensor, Tensor]:
    """Adam's direction with the decay in it, and the new moments: one pass over memory."""
    beta1, beta2, epsilon = numbers
    first = beta1 * first + (1.0 - beta1) * gradient
    second = beta2 * second + (1.0 - beta2) * gradient * gradient
    return first / (tf.sqrt(second) + epsilon) + decays * weights, first, second


@fused.compiled
def _adamw(
    numbers: tuple[float, float, float],
    weights: Tensor,
    gradient: Tensor,
    first: Tensor,
    second: Tensor,
    decays: Tensor,
    rate: Tensor,
) -> tuple[Tensor, Tensor, Tensor]:
    direction, first, second = _direction(numbers, weights, gradient, first, second, decays)
    return weights - rate * direction, first, second


def _trust_ratios(layout: Layout, weights: Tensor, direction: Tensor) -> Tensor:
    """``|w| / |direction|`` of each decayed weight; 1 where either is 0, and for all others."""
    ratios = []
    parts = zip(
        tf.split(weights, layout.sizes), tf.split(direction, layout.sizes), layout.decayed, strict=True
    )
    for weight, step, decayed in parts:
        if not decayed:
            ratios.append(tf.constant(1.0))
            continue
        size, length = tf.norm(weight), tf.norm(step)
        usable = tf.logical_and(size > 0.0, length > 0.0)
        ratios.append(tf.where(usable, size / tf.where(usable, length, 1.0), 1.0))
    return tf.stack(ratios)
