"""The encoder of all families in plain TensorFlow: weights in, every layer's output out.

Weights come as a mapping by Google's names, and ``names.Encoder`` says which is where; the heads are in
``heads``. Nothing here trains, saves or knows of files.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import tensorflow as tf

from tpu_train import draws, fused
from tpu_train.fused import Tensor
from tpu_train.names import Encoder, Layer

#: Added to the scores of padding, as released.
_MASKED = -10000.0


@dataclass(frozen=True)
class Dropout:
    """Dropout keyed by (seed, step, example): the same step always drops the same numbers.

    Attributes:
        hidden: rate after embeddings and sub-layers; 0 draws nothing.
        attention: rate on attention's shares.
        seed: of the run.
        step: a scalar tensor.
        first_example: place in the batch of the first example given to ``encode``; may be a scalar tensor.
        stream: sets the draws of one encoder apart from another's in the same step.
    """

    hidden: float
    attention: float
    seed: int
    step: Tensor
    first_example: Tensor = 0
    stream: int = 0

    def keep(self, place: int, shape: Iterable[int], rate: float, example_size: int) -> Tensor | None:
        """Factors of the ``place``-th dropout, ``example_size`` of them an example; None at rate 0."""
        if rate == 0.0:
            return None
        place += self.stream
        key = tf.constant(draws.fold(draws.fold(self.seed, 0x44524F50), place).view("<u4"))
        first = tf.cast(self.first_example, tf.int64) * example_size
        return fused.dropout_factors(tuple(shape), rate, key, self.step, first)


NO_DROPOUT = Dropout(0.0, 0.0, 0, 0)


def layer_norm(x: Tensor, gamma: Tensor, beta: Tensor, epsilon: float) -> Tensor:
    """LayerNorm over the last axis, in fp32."""
    zero = tf.zeros_like(gamma)
    return fused.add_layer_norm(tf.cast(x, tf.float32), tf.zeros_like(x), zero, gamma, beta, epsilon)


def encode(
    encoder: Encoder,
    weights: Mapping[str, Tensor],
    ids: Tensor,
    token_types: Tensor,
    attention_mask: Tensor,
    dtype: tf.DType = tf.float32,
    dropout: Dropout = NO_DROPOUT,
) -> list[Tensor]:
    """Runs the encoder.

    Args:
        encoder: its shape and the names of its weights.
        weights: by Google's names.
        ids: ``(batch, length)``.
        token_types: ``(batch, length)``.
        attention_mask: ``(batch, length)``, 1 on tokens.
        dtype: of the products; sums, LayerNorm and softmax are fp32.
        dropout: for training.

    Returns:
        ``layers + 1`` tensors of shape ``(batch · length, hidden)``: the embeddings, then each layer.
    """
    batch, length = ids.shape
    x = tf.cast(_embedded(encoder, weights, ids, token_types, dropout), dtype)
    if encoder.mapping is not None:
        bias = tf.cast(weights[f"{encoder.mapping}/bias"], dtype)
        x = tf.nn.bias_add(product(weights, x, encoder.mapping), bias)
    outputs = [x]
    padding = ((1.0 - tf.cast(attention_mask, tf.float32)) * _MASKED)[:, None, None, :]
    for number, names in enumerate(encoder.layers):
        outputs.append(
            _layer(encoder, weights, names, number, outputs[-1], padding, (batch, length), dropout)
        )
    return outputs


def product(weights: Mapping[str, Tensor], x: Tensor, name: str) -> Tensor:
    """``x`` times a dense layer's kernel, in the dtype of ``x``; the bias is left to whoever fuses it."""
    return tf.matmul(x, tf.cast(weights[f"{name}/kernel"], x.dtype))


def _embedded(
    encoder: Encoder, weights: Mapping[str, Tensor], ids: Tensor, token_types: Tensor, dropout: Dropout
) -> Tensor:
    """Word, type and position embeddings, summed and normalised: ``(batch · length, embedding)``."""
    batch, length = ids.shape
    model, prefix = encoder.model, encoder.embeddings
    words = tf.gather(weights[f"{prefix}/word_embeddings"], ids)
    types = tf.one_hot(token_types, model.token_types) @ weights[f"{prefix}/token_type_embeddings"]
    places = weights[f"{prefix}/position_embeddings"][:length]
    x = tf.reshape(words + types + places[None], (batch * length, model.embedding))
    norm = f"{prefix}/LayerNorm"
    x = layer_norm(x, weights[f"{norm}/gamma"], weights[f"{norm}/beta"], model.layer_norm_epsilon)
    keep = dropout.keep(0, x.shape, dropout.hidden, length * model.embedding)
    return x if keep is None else x * keep


def _layer(
    encoder: Encoder,
    weights: Mapping[str, Tensor],
    names: Layer,
    number: int,
    x: Tensor,
    padding: Tensor,
    shape: tuple[int, int],
    dropout: Dropout,
) -> Tensor:
    """One post-norm layer: attention and feed-forward, each added to its input and normalised."""
    model = encoder.model
    example_size = shape[1] * model.hidden

    def added(x: Tensor, y: Tensor, dense: str, norm: str, place: int) -> Tensor:
        return fused.add_layer_norm(
            x,
            product(weights, y, dense),
            weights[f"{dense}/bias"],
            weights[f"{norm}/gamma"],
            weights[f"{norm}/beta"],
            model.layer_norm_epsilon,
            dropout.keep(3 * number + place, x.shape, dropout.hidden, example_size),
        )

    mixed = _attended(encoder, weights, names, number, x, padding, shape, dropout)
    x = added(x, mixed, names.output, names.output_norm, 2)
    wide = product(weights, x, names.inner)
    wide = fused.bias_gelu(wide, weights[f"{names.inner}/bias"], model.activation)
    return added(x, wide, names.outer, names.outer_norm, 3)


def _attended(
    encoder: Encoder,
    weights: Mapping[str, Tensor],
    names: Layer,
    number: int,
    x: Tensor,
    padding: Tensor,
    shape: tuple[int, int],
    dropout: Dropout,
) -> Tensor:
    """Multi-head attention before its output layer: ``(batch · length, hidden)``."""
    batch, length = shape
    model = encoder.model
    heads, size = model.heads, model.hidden // model.heads
    parts = (names.query, names.key, names.value)
    kernel = tf.concat([tf.cast(weights[f"{part}/kernel"], x.dtype) for part in parts], axis=1)
    bias = tf.concat([tf.cast(weights[f"{part}/bias"], x.dtype) for part in parts], axis=0)
    joined = tf.reshape(tf.nn.bias_add(tf.matmul(x, kernel), bias), (batch, length, 3, heads, size))
    query, key, value = tf.unstack(tf.transpose(joined, (2, 0, 3, 1, 4)))
    shares = fused.softmax(tf.matmul(query, key, transpose_b=True), padding, 1.0 / math.sqrt(size))
    keep = dropout.keep(3 * number + 1, shares.shape, dropout.attention, heads * length * length)
    mixed = tf.matmul(shares if keep is None else shares * tf.cast(keep, x.dtype), value)
    return tf.reshape(tf.transpose(mixed, (0, 2, 1, 3)), (batch * length, model.hidden))
