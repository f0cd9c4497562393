"""The element-wise parts of a transformer layer, each compiled by XLA into one pass over memory, with its
own gradient; products stay outside, with oneDNN.

On a CPU, TensorFlow spends as long on the loose operations of GELU, LayerNorm and softmax as on the matrix
products between them. All functions compute in fp32 and return the dtype they were given.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, TypeAlias

import tensorflow as tf

Tensor: TypeAlias = Any

_TANH = math.sqrt(2.0 / math.pi)
_CUBE = 0.044715


def compiled(function: Callable[..., Any]) -> Callable[..., Any]:
    """Compiles a function of tensors by XLA; Python numbers count as constants."""
    made: Callable[..., Any] = tf.function(function, jit_compile=True, autograph=False)
    return made


#: ``tf.custom_gradient``, for the type checker.
_with_gradient: Callable[[Callable[..., Any]], Callable[..., Any]] = tf.custom_gradient


def _fp32(x: Tensor) -> Tensor:
    return tf.cast(x, tf.float32)


@compiled
def _gelu_tanh(x: Tensor, bias: Tensor) -> Tensor:
    # x·sigmoid(2u) is 0.5·x·(1 + tanh u), with one exponential instead of a tanh.
    z = _fp32(x) + bias
    return tf.cast(z * tf.sigmoid(2.0 * _TANH * (z + _CUBE * z * z * z)), x.dtype)


@compiled
def _gelu_tanh_gradient(x: Tensor, bias: Tensor, upstream: Tensor) -> tuple[Tensor, Tensor]:
    z = _fp32(x) + bias
    gate = tf.sigmoid(2.0 * _TANH * (z + _CUBE * z * z * z))
    slope = gate + z * gate * (1.0 - gate) * (2.0 * _TANH) * (1.0 + 3.0 * _CUBE * z * z)
    down = _fp32(upstream) * slope
    return tf.cast(down, x.dtype), tf.reduce_sum(down, axis=0)


@compiled
def _gelu_erf(x: Tensor, bias: Tensor) -> Tensor:
    z = _fp32(x) + bias
    return tf.cast(0.5 * z * (1.0 + tf.math.erf(z * math.sqrt(0.5))), x.dtype)


@compiled
def _gelu_erf_gradient(x: Tensor, bias: Tensor, upstream: Tensor) -> tuple[Tensor, Tensor]:
    z = _fp32(x) + bias
    density = tf.exp(-0.5 * z * z) / math.sqrt(2.0 * math.pi)
    down = _fp32(upstream) * (0.5 * (1.0 + tf.math.erf(z * math.sqrt(0.5))) + z * density)
    return tf.cast(down, x.dtype), tf.reduce_sum(down, axis=0)


@_with_gradient
def _bias_gelu_tanh(x: Tensor, bias: Tensor) -> tuple[Tensor, Callable[[Tensor], Any]]:
    return _gelu_tanh(x, bias), lambda upstream: _gelu_tanh_gradient(x, bias, upstream)


@_with_gradient
def _bias_gelu_erf(x: Tensor, bias: Tensor) -> tuple[Tensor, Callable[[Tensor], Any]]:
    return _gelu_erf(x, bias), lambda upstream: _gelu_erf_gradient(x, bias, upstream)


def bias_gelu(x: Tensor, bias: Tensor, activation: str) -> Tensor:
    """``gelu(x + bias)`` for ``x`` of shape ``(rows, width)``; ``activation`` gelu_tanh or gelu_erf."""
    return (_bias_gelu_tanh if activation == "gelu_tanh" else _bias_gelu_erf)(x, bias)


@compiled
def _norm(
    x: Tensor, y: Tensor, bias: Tensor, keep: Tensor | None, gamma: Tensor, beta: Tensor, epsilon: float
) -> tuple[Tensor, Tensor, Tensor]:
    update = _fp32(y) + bias
    z = _fp32(x) + (update if keep is None else update * keep)
    centred = z - tf.reduce_mean(z, axis=-1, keepdims=True)
    rate = tf.math.rsqrt(tf.reduce_mean(centred * centred, axis=-1, keepdims=True) + epsilon)
    normal = centred * rate
    return tf.cast(normal * gamma + beta, x.dtype), tf.cast(normal, x.dtype), rate


@compiled
def _norm_gradient(
    normal: Tensor, rate: Tensor, keep: Tensor | None, gamma: Tensor, upstream: Tensor
) -> tuple[Tensor, ...]:
    up, scaled = _fp32(upstream), _fp32(normal)
    inner = up * gamma
    down = rate * (
        inner
        - tf.reduce_mean(inner, axis=-1, keepdims=True)
        - scaled * tf.reduce_mean(inner * scaled, axis=-1, keepdims=True)
    )
    update = down if keep is None else down * keep
    return (
        tf.cast(down, normal.dtype),
        tf.cast(update, normal.dtype),
        tf.reduce_sum(update, axis=0),
        tf.reduce_sum(up * scaled, axis=0),
        tf.reduce_sum(up, axis=0),
    )


def add_layer_norm(
    x: Tensor,
    y: Tensor,
    bias: Tensor,
    gamma: Tensor,
    beta: Tensor,
    epsilon: float,
    keep: Tensor | None = None,
) -> Tensor:
    """``LayerNorm(x + keep · (y + bias))`` over rows: the residual connection of a post-norm layer.

    Args:
        x: ``(rows, width)``, what is passed by.
        y: ``(rows, width)``, what is added, before its bias.
        bias: ``(width,)``.
        gamma: ``(width,)``.
        beta: ``(width,)``.
        epsilon: added to the variance.
        keep: dropout's factors (0, or 1/(1 - p)), ``(rows, width)``; None without dropout.
    """

    @_with_gradient
    def apply(
        x: Tensor, y: Tensor, bias: Tensor, gamma: Tensor, beta: Tensor
    ) -> tuple[Tensor, Callable[[Tensor], Any]]:
        out, normal, rate = _norm(x, y, bias, keep, gamma, beta, epsilon)
        return out, lambda upstream: _norm_gradient(normal, rate, keep, gamma, upstream)

    return apply(x, y, bias, gamma, beta)


@compiled
def _softmax(scores: Tensor, bias: Tensor, scale: float) -> Tensor:
    return tf.cast(tf.nn.softmax(_fp32(scores) * scale + bias), scores.dtype)


@compiled
def _softmax_gradient(shares: Tensor, upstream: Tensor, scale: float) -> Tensor:
    p, up = _fp32(shares), _fp32(upstream)
    return tf.cast(scale * p * (up - tf.reduce_sum(p * up, axis=-1, keepdims=True)), shares.dtype)


def softmax(scores: Tensor, bias: Tensor, scale: float) -> Tensor:
    """``softmax(scale · scores + bias)`` over the last axis; ``bias`` broadcasts and has no gradient."""

    @_with_gradient
    def apply(scores: Tensor) -> tuple[Tensor, Callable[[Tensor], Any]]:
        shares = _softmax(scores, bias, scale)
        return shares, lambda upstream: _softmax_gradient(shares, upstream, scale)

    return apply(scores)


def _scrambled(x: Tensor) -> Tensor:
    """MurmurHash3's finaliser: every bit of a 32-bit number changes every other with even odds."""
    for shift, factor in ((16, 0x85EBCA6B), (13, 0xC2B2AE35)):
        x = tf.bitwise.bitwise_xor(x, tf.bitwise.right_shift(x, tf.constant(shift, tf.uint32)))
        x *= tf.constant(factor, tf.uint32)
    return tf.bitwise.bitwise_xor(x, tf.bitwise.right_shift(x, tf.constant(16, tf.uint32)))


def _draws(count: int, key: Tensor, step: Tensor, first: Tensor) -> Tensor:
    """32 random bits for each of ``count`` numbers: they follow from (key, step, first + number) alone."""
    number = tf.range(count, dtype=tf.int64) + first
    seed = _scrambled(tf.cast(step, tf.uint32) + key[0])
    return _scrambled(_scrambled(tf.cast(number, tf.uint32) + seed) + key[1])


@compiled
def dropout_factors(shape: tuple[int, ...], rate: float, key: Tensor, step: Tensor, first: Tensor) -> Tensor:
    """Dropout's factors: 0 with probability ``rate``, else 1/(1 - rate); fp32, of ``shape``.

    A factor follows from (key, step, its number counted from ``first``) alone, so that a part of a batch
    draws what the whole batch would have drawn there. ``key`` is two 32-bit numbers.
    """
    kept = _draws(math.prod(shape), key, step, first) >= tf.constant(
        min(int(rate * 2**32), 2**32 - 1), tf.uint32
    )
    return tf.reshape(tf.cast(kept, tf.float32) * (1.0 / (1.0 - rate)), shape)


@compiled
def uniform(count: int, key: Tensor, step: Tensor, first: Tensor) -> Tensor:
    """``count`` numbers in [0, 1), keyed as ``dropout_factors`` are."""
    bits = tf.bitwise.right_shift(_draws(count, key, step, first), tf.constant(8, tf.uint32))
    return tf.cast(bits, tf.float32) * 2.0**-24
