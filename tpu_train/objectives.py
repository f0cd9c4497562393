"""The losses of the families over a part of a batch: summed, not yet divided, with their right answers.

What a sum is divided by follows from the whole batch and is known before (``divisors``), so that parts,
replicas and accumulated stretches of a batch simply add up.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Mapping
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from tpu_train import draws, fused, heads
from tpu_train.batches import Batch
from tpu_train.encoder import Dropout, encode
from tpu_train.families.network import Network
from tpu_train.fused import Tensor
from tpu_train.recipe import Recipe
from tpu_train.results import losses

#: Weights by Google's names, a part of a batch, the dtype of products, dropout; the numbers of ``columns``.
Objective: TypeAlias = Callable[[Mapping[str, Tensor], Batch, "tf.DType", Dropout], list[Tensor]]

#: Sets the generator's dropout apart from the discriminator's.
_GENERATOR = 1 << 16


def objective(recipe: Recipe, network: Network) -> Objective:
    """The recipe's losses: three numbers each (summed loss, right answers, answers), then the extras.

    Extras are sums over the part's tokens, to be divided as the last loss is.
    """
    if recipe.objective == "mlm+rtd":
        return lambda *given: _replaced_tokens(recipe, network, *given)
    return lambda *given: _words_and_pairs(network, *given)


def divisors(recipe: Recipe, batch: Batch) -> npt.NDArray[np.float32]:
    """What each loss is divided by: predictions, and pairs or tokens, of the whole batch."""
    second = batch.attention_mask.sum() if recipe.objective == "mlm+rtd" else len(batch.ids)
    counts = np.array([batch.weights.sum(), second], dtype=np.float32)
    epsilons = np.array([loss.epsilon for loss in losses(recipe)], dtype=np.float32)
    return counts + epsilons


def _words_and_pairs(
    network: Network, weights: Mapping[str, Tensor], part: Batch, dtype: tf.DType, dropout: Dropout
) -> list[Tensor]:
    """ALBERT's and BERT's: masked words, and whether two segments are in order or follow one another."""
    inputs = (part.ids, part.token_types, part.attention_mask)
    states = encode(network.encoder, weights, *inputs, dtype, dropout)[-1]
    examples, length = part.ids.shape
    picked = tf.gather(states, _places(part))
    words = heads.word_logits(network.encoder, network.words, weights, picked)
    pairs = heads.pair_logits(weights, states, examples, length)
    pair_losses = tf.nn.sparse_softmax_cross_entropy_with_logits(part.order_labels, pairs)
    right = tf.argmax(pairs, axis=1, output_type=tf.int32) == part.order_labels
    return [
        *_words(part, words),
        tf.reduce_sum(pair_losses),
        tf.reduce_sum(tf.cast(right, tf.float32)),
        tf.constant(float(examples)),
    ]


def _replaced_tokens(
    recipe: Recipe,
    network: Network,
    weights: Mapping[str, Tensor],
    part: Batch,
    dtype: tf.DType,
    dropout: Dropout,
) -> list[Tensor]:
    """ELECTRA's: the generator's masked words, and which tokens of its filled-in text are not the text's.

    The discriminator sees a guess at every masked position, those that the input kept included; no gradient
    flows through the guesses (Clark et al. 2020, section 2; google-research/electra, ``run_pretraining.py``).
    """
    assert network.generator is not None
    settings = recipe.electra
    inputs = (part.token_types, part.attention_mask)
    stream = dataclasses.replace(dropout, stream=_GENERATOR)
    states = encode(network.generator, weights, part.ids, *inputs, dtype, stream)[-1]
    words = heads.word_logits(network.generator, network.words, weights, tf.gather(states, _places(part)))
    guesses = _sampled(tf.stop_gradient(words) / settings.temperature, part, dropout)
    text, filled = _put(part, tf.reshape(part.labels, [-1])), _put(part, guesses)
    fake = filled != text if settings.right_guess_is_real else _put(part, -tf.ones_like(guesses)) < 0

    states = encode(network.encoder, weights, filled, *inputs, dtype, dropout)[-1]
    logits = heads.replaced_logits(network.encoder, weights, states)
    fake, real = tf.reshape(fake, [-1]), tf.reshape(tf.cast(part.attention_mask, tf.float32), [-1])
    token_losses = tf.nn.sigmoid_cross_entropy_with_logits(tf.cast(fake, tf.float32), logits)
    right = tf.cast((logits > 0.0) == fake, tf.float32)
    count = tf.reduce_sum(real)
    return [
        *_words(part, words),
        tf.reduce_sum(token_losses * real),
        tf.reduce_sum(right * real),
        count,
        _area(logits, fake, real) * count,
    ]


def _places(part: Batch) -> Tensor:
    """Rows of the states at which words are predicted: ``(examples · predictions,)``."""
    examples, length = part.ids.shape
    return tf.reshape(part.positions + tf.range(examples)[:, None] * length, [-1])


def _words(part: Batch, logits: Tensor) -> list[Tensor]:
    """Summed loss, right answers and number of the predicted words."""
    wanted, weight = tf.reshape(part.labels, [-1]), tf.reshape(part.weights, [-1])
    word_losses = tf.nn.sparse_softmax_cross_entropy_with_logits(wanted, logits)
    right = tf.cast(tf.argmax(logits, axis=1, output_type=tf.int32) == wanted, tf.float32)
    return [tf.reduce_sum(word_losses * weight), tf.reduce_sum(right * weight), tf.reduce_sum(weight)]


def _sampled(logits: Tensor, part: Batch, dropout: Dropout) -> Tensor:
    """A piece for each row of ``logits`` with the probability of its softmax, keyed as dropout is.

    The release adds Gumbel noise and takes the largest; going along the cumulated probabilities draws from
    the same distribution with one random number a row instead of one a piece.
    """
    key = tf.constant(draws.fold(dropout.seed, 0x53414D50).view("<u4"))
    first = tf.cast(dropout.first_example, tf.int64) * part.positions.shape[1]
    rows, size = logits.shape
    # First which stretch of the vocabulary, then which piece of it: TensorFlow cumulates slowly on a CPU.
    width = math.isqrt(size)
    padding = [[0, 0], [0, -size % width]]
    shares = tf.reshape(tf.pad(tf.nn.softmax(logits), padding), (rows, -1, width))
    stretches = tf.cumsum(tf.reduce_sum(shares, axis=2), axis=1)
    draw = fused.uniform(rows, key, dropout.step, first)[:, None] * stretches[:, -1:]
    stretch = _reached(stretches, draw)
    before = tf.gather(tf.pad(stretches, [[0, 0], [1, 0]]), stretch, batch_dims=1)
    within = tf.cumsum(tf.gather(shares, stretch, batch_dims=1), axis=1)
    return tf.minimum(stretch * width + _reached(within, draw - before[:, None]), size - 1)


def _reached(cumulated: Tensor, draw: Tensor) -> Tensor:
    """For each row the first place whose cumulated value is above the row's draw."""
    below = tf.reduce_sum(tf.cast(cumulated <= draw, tf.int32), axis=1)
    return tf.minimum(below, cumulated.shape[1] - 1)


def _put(part: Batch, values: Tensor) -> Tensor:
    """The input with ``values`` at its masked positions; one drawn twice gets their mean, as released."""
    examples, length = part.ids.shape
    used = tf.cast(tf.reshape(part.weights, [-1]), tf.int32)
    places = _places(part)[:, None]
    sums = tf.scatter_nd(places, values * used, [examples * length])
    counts = tf.scatter_nd(places, used, [examples * length])
    put = tf.where(counts > 0, sums // tf.maximum(counts, 1), tf.reshape(part.ids, [-1]))
    return tf.reshape(put, (examples, length))


def _area(logits: Tensor, fake: Tensor, real: Tensor) -> Tensor:
    """Area under the ROC curve over all tokens but padding, from the ranks of the fakes; ties by place."""
    used = real > 0.0
    order = tf.argsort(tf.where(used, logits, float("inf")), stable=True)
    ranked = tf.gather(tf.cast(fake & used, tf.float32), order)
    fakes = tf.reduce_sum(ranked)
    ranks = tf.reduce_sum(ranked * tf.range(1, ranked.shape[0] + 1, dtype=tf.float32))
    pairs = fakes * (tf.reduce_sum(real) - fakes)
    return tf.math.divide_no_nan(ranks - fakes * (fakes + 1.0) / 2.0, pairs)
