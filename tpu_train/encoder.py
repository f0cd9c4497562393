"""ALBERT's encoder and heads in plain TensorFlow: weights in, every layer's output and the logits out.

Weights come as a mapping by Google's names; nothing here trains, saves or knows of files.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import tensorflow as tf

from tpu_train import draws, fused
from tpu_train.fused import Tensor
from tpu_train.names import group_prefix
from tpu_train.recipe import Model

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
        first_example: place in the batch of the first example given to ``encode``.
    """

    hidden: float
    attention: float
    seed: int
    step: Tensor
    first_example: int = 0

    def keep(self, place: int, shape: Iterable[int], rate: float, example_size: int) -> Tensor | None:
        """Factors of the ``place``-th dropout, ``example_size`` of them an example; None at rate 0."""
        if rate == 0.0:
            return None
        key = tf.constant(draws.fold(draws.fold(self.seed, 0x44524F50), place).view("<u4"))
        first = tf.constant(self.first_example * example_size, tf.int64)
        return fused.dropout_factors(tuple(shape), rate, key, self.step, first)


NO_DROPOUT = Dropout(0.0, 0.0, 0, 0)


def layer_norm(x: Tensor, gamma: Tensor, beta: Tensor, epsilon: float) -> Tensor:
    """LayerNorm over the last axis, in fp32."""
    zero = tf.zeros_like(gamma)
    return fused.add_layer_norm(tf.cast(x, tf.float32), tf.zeros_like(x), zero, gamma, beta, epsilon)


def encode(
    model: Model,
    weights: Mapping[str, Tensor],
    ids: Tensor,
    token_types: Tensor,
    attention_mask: Tensor,
    dtype: tf.DType = tf.float32,
    dropout: Dropout = NO_DROPOUT,
) -> list[Tensor]:
    """Runs the encoder.

    Args:
        model: its shape.
        weights: by Google's names.
        ids: ``(batch, length)``.
        token_types: ``(batch, length)``.
        attention_mask: ``(batch, length)``, 1 on tokens.
        dtype: of the products; sums, LayerNorm and softmax are fp32.
        dropout: for training.

    Returns:
        ``layers + 1`` tensors of shape ``(batch · length, hidden)``: the mapped embeddings, then each layer.
    """
    batch, length = ids.shape
    x = tf.cast(_embedded(model, weights, ids, token_types, dropout), dtype)
    mapping = "bert/encoder/embedding_hidden_mapping_in"
    outputs = [tf.nn.bias_add(_product(weights, x, mapping), tf.cast(weights[f"{mapping}/bias"], dtype))]
    padding = ((1.0 - tf.cast(attention_mask, tf.float32)) * _MASKED)[:, None, None, :]
    for layer in range(model.layers):
        group = group_prefix(layer * model.groups // model.layers)
        outputs.append(_layer(model, weights, group, layer, outputs[-1], padding, (batch, length), dropout))
    return outputs


def _product(weights: Mapping[str, Tensor], x: Tensor, name: str) -> Tensor:
    """``x`` times a dense layer's kernel, in the dtype of ``x``; the bias is left to whoever fuses it."""
    return tf.matmul(x, tf.cast(weights[f"{name}/kernel"], x.dtype))


def _embedded(
    model: Model, weights: Mapping[str, Tensor], ids: Tensor, token_types: Tensor, dropout: Dropout
) -> Tensor:
    """Word, type and position embeddings, summed and normalised: ``(batch · length, embedding)``."""
    batch, length = ids.shape
    words = tf.gather(weights["bert/embeddings/word_embeddings"], ids)
    types = tf.one_hot(token_types, model.token_types) @ weights["bert/embeddings/token_type_embeddings"]
    places = weights["bert/embeddings/position_embeddings"][:length]
    x = tf.reshape(words + types + places[None], (batch * length, model.embedding))
    norm = "bert/embeddings/LayerNorm"
    x = layer_norm(x, weights[f"{norm}/gamma"], weights[f"{norm}/beta"], model.layer_norm_epsilon)
    keep = dropout.keep(0, x.shape, dropout.hidden, length * model.embedding)
    return x if keep is None else x * keep


def _layer(
    model: Model,
    weights: Mapping[str, Tensor],
    group: str,
    layer: int,
    x: Tensor,
    padding: Tensor,
    shape: tuple[int, int],
    dropout: Dropout,
) -> Tensor:
    """One post-norm layer: attention and feed-forward, each added to its input and normalised."""
    example_size = shape[1] * model.hidden

    def added(x: Tensor, y: Tensor, dense: str, norm: str, place: int) -> Tensor:
        return fused.add_layer_norm(
            x,
            _product(weights, y, f"{group}/{dense}"),
            weights[f"{group}/{dense}/bias"],
            weights[f"{group}/{norm}/gamma"],
            weights[f"{group}/{norm}/beta"],
            model.layer_norm_epsilon,
            dropout.keep(3 * layer + place, x.shape, dropout.hidden, example_size),
        )

    mixed = _attended(model, weights, group, layer, x, padding, shape, dropout)
    x = added(x, mixed, "attention_1/output/dense", "LayerNorm", 2)
    inner = "ffn_1/intermediate/dense"
    wide = _product(weights, x, f"{group}/{inner}")
    wide = fused.bias_gelu(wide, weights[f"{group}/{inner}/bias"], model.activation)
    return added(x, wide, "ffn_1/intermediate/output/dense", "LayerNorm_1", 3)


def _attended(
    model: Model,
    weights: Mapping[str, Tensor],
    group: str,
    layer: int,
    x: Tensor,
    padding: Tensor,
    shape: tuple[int, int],
    dropout: Dropout,
) -> Tensor:
    """Multi-head attention before its output layer: ``(batch · length, hidden)``."""
    batch, length = shape
    heads, size = model.heads, model.hidden // model.heads
    parts = [f"{group}/attention_1/self/{part}" for part in ("query", "key", "value")]
    kernel = tf.concat([tf.cast(weights[f"{part}/kernel"], x.dtype) for part in parts], axis=1)
    bias = tf.concat([tf.cast(weights[f"{part}/bias"], x.dtype) for part in parts], axis=0)
    joined = tf.reshape(tf.nn.bias_add(tf.matmul(x, kernel), bias), (batch, length, 3, heads, size))
    query, key, value = tf.unstack(tf.transpose(joined, (2, 0, 3, 1, 4)))
    shares = fused.softmax(tf.matmul(query, key, transpose_b=True), padding, 1.0 / math.sqrt(size))
    keep = dropout.keep(3 * layer + 1, shares.shape, dropout.attention, heads * length * length)
    mixed = tf.matmul(shares if keep is None else shares * tf.cast(keep, x.dtype), value)
    return tf.reshape(tf.transpose(mixed, (0, 2, 1, 3)), (batch * length, model.hidden))


def word_logits(model: Model, weights: Mapping[str, Tensor], states: Tensor) -> Tensor:
    """The MLM head: states ``(n, hidden)`` to logits ``(n, vocabulary)`` in fp32, decoder tied."""
    dtype = states.dtype
    name = "cls/predictions/transform"
    x = _product(weights, states, f"{name}/dense")
    x = fused.bias_gelu(x, weights[f"{name}/dense/bias"], model.activation)
    x = layer_norm(
        x, weights[f"{name}/LayerNorm/gamma"], weights[f"{name}/LayerNorm/beta"], model.layer_norm_epsilon
    )
    table = tf.cast(weights["bert/embeddings/word_embeddings"], dtype)
    logits = tf.matmul(tf.cast(x, dtype), table, transpose_b=True)
    return tf.cast(logits, tf.float32) + weights["cls/predictions/output_bias"]


def order_logits(weights: Mapping[str, Tensor], states: Tensor, batch: int, length: int) -> Tensor:
    """The SOP head: the last layer ``(batch · length, hidden)`` to logits ``(batch, 2)`` in fp32."""
    pooled = _product(weights, tf.gather(states, tf.range(batch) * length), "bert/pooler/dense")
    pooled = tf.tanh(tf.cast(pooled, tf.float32) + weights["bert/pooler/dense/bias"])
    kernel = weights["cls/seq_relationship/output_weights"]
    return tf.matmul(pooled, kernel, transpose_b=True) + weights["cls/seq_relationship/output_bias"]
