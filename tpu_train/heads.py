"""What stands on an encoder while it is pretrained: words, pairs of segments, replaced tokens.

States of the last layer in, logits in fp32 out.
"""

from __future__ import annotations

from collections.abc import Mapping

import tensorflow as tf

from tpu_train import fused
from tpu_train.encoder import layer_norm, product
from tpu_train.families.network import WordHead
from tpu_train.fused import Tensor
from tpu_train.names import Encoder

_REAL = "discriminator_predictions"


def word_logits(encoder: Encoder, head: WordHead, weights: Mapping[str, Tensor], states: Tensor) -> Tensor:
    """The MLM head: states ``(n, hidden)`` to logits ``(n, vocabulary)``, decoder tied."""
    model, dtype = encoder.model, states.dtype
    x = product(weights, states, head.dense)
    x = fused.bias_gelu(x, weights[f"{head.dense}/bias"], model.activation)
    gamma, beta = weights[f"{head.norm}/gamma"], weights[f"{head.norm}/beta"]
    x = layer_norm(x, gamma, beta, model.layer_norm_epsilon)
    table = tf.cast(weights[f"{encoder.embeddings}/word_embeddings"], dtype)
    logits = tf.matmul(tf.cast(x, dtype), table, transpose_b=True)
    return tf.cast(logits, tf.float32) + weights[head.bias]


def pair_logits(weights: Mapping[str, Tensor], states: Tensor, batch: int, length: int) -> Tensor:
    """The SOP or NSP head: the last layer ``(batch · length, hidden)`` to logits ``(batch, 2)``."""
    pooled = product(weights, tf.gather(states, tf.range(batch) * length), "bert/pooler/dense")
    pooled = tf.tanh(tf.cast(pooled, tf.float32) + weights["bert/pooler/dense/bias"])
    kernel = weights["cls/seq_relationship/output_weights"]
    return tf.matmul(pooled, kernel, transpose_b=True) + weights["cls/seq_relationship/output_bias"]


def replaced_logits(encoder: Encoder, weights: Mapping[str, Tensor], states: Tensor) -> Tensor:
    """ELECTRA's head: states ``(n, hidden)`` to logits ``(n,)``, above 0 where a token seems made up."""
    x = product(weights, states, f"{_REAL}/dense")
    x = fused.bias_gelu(x, weights[f"{_REAL}/dense/bias"], encoder.model.activation)
    logits = tf.cast(product(weights, x, f"{_REAL}/dense_1"), tf.float32)
    return tf.reshape(logits, [-1]) + weights[f"{_REAL}/dense_1/bias"]
