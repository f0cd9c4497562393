"""One training step as a compiled function: losses, gradients, clip, update. Knows no files.

Everything that a step depends on is its number, its batch, the weights and the moments.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from tpu_train import encoder, optimizers
from tpu_train.batches import Batch
from tpu_train.encoder import Dropout
from tpu_train.fused import Tensor
from tpu_train.names import Floats, Weight
from tpu_train.optimizers import Layout
from tpu_train.recipe import Recipe
from tpu_train.results import StepResult
from tpu_train.schedule import learning_rate

#: The three vectors of a training state.
VECTORS = ("weights", "first_moments", "second_moments")
#: Added to the number of predictions before dividing by it, as released.
_NO_PREDICTION = 1e-5


class Trainer:
    """Weights, moments and the compiled step that advances them.

    All weights lie in one vector, in the order of the name table; the encoder sees views of it.
    """

    def __init__(self, recipe: Recipe, table: tuple[Weight, ...], dtype: str, shards: int = 1) -> None:
        """Makes the variables, all zero: call ``start`` or ``restore`` before ``run``.

        Args:
            recipe: model, losses and optimiser.
            table: the weights.
            dtype: of the products, ``fp32`` or ``bf16``.
            shards: parts of the batch that are computed side by side, each by one thread: on a CPU that
                keeps cores busier than sharing out every single operation.
        """
        self._recipe, self._table = recipe, table
        self._dtype = tf.bfloat16 if dtype == "bf16" else tf.float32
        self._shards = min(shards, recipe.training.batch)
        sizes = [math.prod(weight.shape) for weight in table]
        self._layout = Layout.of([weight.google for weight in table], sizes, recipe.optimizer)
        self._vectors = {name: tf.Variable(tf.zeros(sum(sizes)), name=name) for name in VECTORS}
        self._compiled = tf.function(self._step, autograph=False)

    def run(self, step: int, batch: Batch) -> StepResult:
        """Advances weights and moments from ``step`` to ``step + 1``."""
        training = self._recipe.training
        rate = learning_rate(step, training.steps, self._recipe.optimizer)
        numbers = self._compiled(
            tf.constant(step, tf.int64),
            tf.constant(rate, tf.float32),
            *(getattr(batch, name) for name in Batch.__dataclass_fields__),
        )
        return StepResult(*(float(number) for number in numbers.numpy()))

    def read(self) -> dict[str, Floats]:
        """The weights, by Google's names."""
        parts = np.split(self._vectors["weights"].numpy(), np.cumsum(self._layout.sizes)[:-1])
        return {
            weight.google: part.reshape(weight.shape) for weight, part in zip(self._table, parts, strict=True)
        }

    def state(self) -> dict[str, Floats]:
        """Weights and moments as vectors, by the names in ``VECTORS``."""
        return {name: vector.numpy() for name, vector in self._vectors.items()}

    def restore(self, state: Mapping[str, npt.NDArray[Any]]) -> None:
        """Takes weights and moments as ``state`` gave them."""
        for name, vector in self._vectors.items():
            vector.assign(state[name])

    def start(self, values: Mapping[str, npt.NDArray[Any]]) -> None:
        """Takes initial weights by Google's names; moments stay zero."""
        flat = np.concatenate([values[weight.google].ravel() for weight in self._table])
        self._vectors["weights"].assign(flat)

    def _views(self, flat: Tensor) -> dict[str, Tensor]:
        parts = tf.split(flat, self._layout.sizes)
        return {
            weight.google: tf.reshape(part, weight.shape)
            for weight, part in zip(self._table, parts, strict=True)
        }

    def _step(self, step: Tensor, rate: Tensor, *columns: Tensor) -> Tensor:
        batch = Batch(*columns)
        flat, first, second = (self._vectors[name].read_value() for name in VECTORS)
        with tf.GradientTape() as tape:
            tape.watch(flat)
            views = self._views(flat)
            parts = [self._sums(views, part, start, step) for start, part in _split(batch, self._shards)]
            mlm, sop, right, count, order_right = (tf.add_n(list(sums)) for sums in zip(*parts, strict=True))
            examples = float(batch.ids.shape[0])
            mlm /= count + _NO_PREDICTION
            sop /= examples
            loss = mlm + sop
        settings = self._recipe.optimizer
        gradient, norm = optimizers.clipped(tape.gradient(loss, flat), settings.clip_norm)
        new = optimizers.update(settings, self._layout, flat, gradient, first, second, rate)
        for name, vector in zip(VECTORS, new, strict=True):
            self._vectors[name].assign(vector)
        total = tf.reduce_sum(tf.abs(new[0]))
        return tf.stack([mlm, sop, right, count, order_right, tf.constant(examples), norm, total])

    def _sums(self, views: Mapping[str, Tensor], part: Batch, start: int, step: Tensor) -> tuple[Tensor, ...]:
        """Losses and right answers of a part of the batch, summed, not yet divided."""
        model, training = self._recipe.model, self._recipe.training
        examples, length = part.ids.shape
        dropout = Dropout(model.hidden_dropout, model.attention_dropout, training.seed, step, start)
        layers = encoder.encode(
            model, views, part.ids, part.token_types, part.attention_mask, self._dtype, dropout
        )
        places = tf.reshape(part.positions + tf.range(examples)[:, None] * length, [-1])
        words = encoder.word_logits(model, views, tf.gather(layers[-1], places))
        order = encoder.order_logits(views, layers[-1], examples, length)
        wanted, weight = tf.reshape(part.labels, [-1]), tf.reshape(part.weights, [-1])
        word_losses = tf.nn.sparse_softmax_cross_entropy_with_logits(wanted, words)
        order_losses = tf.nn.sparse_softmax_cross_entropy_with_logits(part.order_labels, order)
        words_right = tf.cast(tf.argmax(words, axis=1, output_type=tf.int32) == wanted, tf.float32)
        order_right = tf.argmax(order, axis=1, output_type=tf.int32) == part.order_labels
        return (
            tf.reduce_sum(word_losses * weight),
            tf.reduce_sum(order_losses),
            tf.reduce_sum(words_right * weight),
            tf.reduce_sum(weight),
            tf.reduce_sum(tf.cast(order_right, tf.float32)),
        )


def _split(batch: Batch, shards: int) -> Iterator[tuple[int, Batch]]:
    """Parts of a batch, as even as they go, and where in it they begin."""
    examples = batch.ids.shape[0]
    edges = [examples * shard // shards for shard in range(shards + 1)]
    for start, end in itertools.pairwise(edges):
        yield start, Batch(*(getattr(batch, name)[start:end] for name in Batch.__dataclass_fields__))
