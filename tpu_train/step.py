"""One training step as a compiled function: losses, gradients, clip, update. Knows no files.

Everything that a step depends on is its number, its batch, the weights and the moments. The batch is split
over the replicas of a ``tf.distribute`` strategy, over stretches that are computed one after another
(``training.accumulate``), and over shards that are computed side by side; dropout is keyed by the example's
place in the whole batch, so that the split changes nothing but the order of sums.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from tpu_train import optimizers, results
from tpu_train.batches import Batch
from tpu_train.encoder import Dropout
from tpu_train.families.network import Network
from tpu_train.fused import Tensor
from tpu_train.names import Floats
from tpu_train.objectives import divisors, objective
from tpu_train.optimizers import Layout
from tpu_train.recipe import Recipe
from tpu_train.results import Part, StepResult
from tpu_train.schedule import learning_rate

#: The three vectors of a training state.
VECTORS = ("weights", "first_moments", "second_moments")
#: Numbers of the compiled step beside those of the losses: gradient norm, sum of the weights, stopping.
_OWN = 3


class Trainer:
    """Weights, moments and the compiled step that advances them.

    All weights lie in one vector, in the order of the network's table; the encoder sees views of it.
    """

    def __init__(
        self,
        recipe: Recipe,
        network: Network,
        dtype: str,
        shards: int = 1,
        strategy: tf.distribute.Strategy | None = None,
    ) -> None:
        """Makes the variables, all zero: call ``start`` or ``restore`` before ``run``.

        Args:
            recipe: model, losses and optimiser.
            network: its weights and encoders.
            dtype: of the products, ``fp32`` or ``bf16``.
            shards: parts of the batch that are computed side by side, each by one thread: on a CPU that
                keeps cores busier than sharing out every single operation.
            strategy: devices that share the batch; None for one.
        """
        self._recipe, self._table = recipe, network.weights
        self._dtype = tf.bfloat16 if dtype == "bf16" else tf.float32
        self._shards = shards
        self._objective = objective(recipe, network)
        self._losses, self._extras = results.losses(recipe), results.extras(recipe)
        self._strategy = strategy or tf.distribute.get_strategy()
        self._replicas = self._strategy.num_replicas_in_sync
        sizes = [math.prod(weight.shape) for weight in self._table]
        self._layout = Layout.of([weight.google for weight in self._table], sizes, recipe.optimizer)
        with self._strategy.scope():
            self._vectors = {
                name: tf.Variable(
                    tf.zeros(sum(sizes)),
                    name=name,
                    # Every replica has its own, and computes the same update from the summed gradient.
                    synchronization=tf.VariableSynchronization.ON_READ,
                    aggregation=tf.VariableAggregation.ONLY_FIRST_REPLICA,
                )
                for name in VECTORS
            }
        self._compiled = tf.function(self._distributed, autograph=False)

    def run(self, step: int, batch: Batch, stopping: bool = False) -> StepResult:
        """Advances weights and moments from ``step`` to ``step + 1``.

        ``stopping``: this process wants to stop. All that share the step learn it from the result, and stop
        after the same one.
        """
        rate = learning_rate(step, self._recipe.training.steps, self._recipe.optimizer)
        share = len(batch.ids) // self._replicas
        columns = [getattr(batch, name) for name in Batch.__dataclass_fields__]

        def given(context: Any) -> tuple[Any, ...]:
            start = context.replica_id_in_sync_group * share
            return (tf.constant(start, tf.int64), *(column[start : start + share] for column in columns))

        if self._replicas > 1:
            inputs = self._strategy.experimental_distribute_values_from_function(given)
        else:
            inputs = (tf.constant(0, tf.int64), *columns)
        numbers = self._compiled(
            tf.constant(step, tf.int64),
            tf.constant(rate, tf.float32),
            tf.constant(divisors(self._recipe, batch)),
            tf.constant(float(stopping)),
            inputs,
        )
        return self._result(numbers.numpy())

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

    def _result(self, numbers: npt.NDArray[np.float32]) -> StepResult:
        parts, loss = {}, 0.0
        for place, kind in enumerate(self._losses):
            parts[kind.name] = Part(*(float(number) for number in numbers[3 * place : 3 * place + 3]))
            loss += kind.weight * parts[kind.name].loss
        rest = numbers[3 * len(self._losses) : -_OWN]
        further = dict(zip(self._extras, map(float, rest), strict=True))
        return StepResult(loss, parts, further, *(float(number) for number in numbers[-_OWN:]))

    def _distributed(
        self, step: Tensor, rate: Tensor, divided: Tensor, stopping: Tensor, inputs: Any
    ) -> Tensor:
        numbers = self._strategy.run(self._step, args=(step, rate, divided, stopping, *inputs))
        return self._strategy.experimental_local_results(numbers)[0]

    def _step(
        self, step: Tensor, rate: Tensor, divided: Tensor, stopping: Tensor, start: Tensor, *columns: Tensor
    ) -> Tensor:
        """One replica's part of a step; gradients and numbers are summed over the replicas."""
        flat, first, second = (self._vectors[name].read_value() for name in VECTORS)
        gradient, numbers = self._accumulated(flat, step, divided, start, Batch(*columns))
        if self._replicas > 1:
            context = tf.distribute.get_replica_context()
            # An input lies on no device; what is summed has to lie on the replica's.
            told = [gradient, numbers, tf.identity(stopping)]
            gradient, numbers, stopping = context.all_reduce(tf.distribute.ReduceOp.SUM, told)
        settings = self._recipe.optimizer
        gradient, norm = optimizers.clipped(gradient, settings.clip_norm)
        new = optimizers.update(settings, self._layout, flat, gradient, first, second, rate)
        for name, vector in zip(VECTORS, new, strict=True):
            self._vectors[name].assign(vector)
        return tf.concat([numbers, [norm, tf.reduce_sum(tf.abs(new[0])), stopping]], axis=0)

    def _accumulated(
        self, flat: Tensor, step: Tensor, divided: Tensor, start: Tensor, batch: Batch
    ) -> tuple[Tensor, Tensor]:
        """Gradient and numbers of a batch, stretch after stretch in the memory of one."""
        turns = self._recipe.training.accumulate
        if turns == 1:
            return self._gradient(flat, step, divided, start, batch)
        size = batch.ids.shape[0] // turns
        columns = [tf.reshape(column, (turns, size, *column.shape[1:])) for column in vars(batch).values()]

        def add(turn: Tensor, gradient: Tensor, numbers: Tensor) -> tuple[Tensor, Tensor, Tensor]:
            stretch = Batch(*(column[turn] for column in columns))
            place = start + tf.cast(turn * size, tf.int64)
            more, seen = self._gradient(flat, step, divided, place, stretch)
            return turn + 1, gradient + more, numbers + seen

        count = 3 * len(self._losses) + len(self._extras)
        begin = (tf.constant(0), tf.zeros_like(flat), tf.zeros(count))
        _, gradient, numbers = tf.while_loop(
            lambda turn, *_: turn < turns, add, begin, parallel_iterations=1, maximum_iterations=turns
        )
        return gradient, numbers

    def _gradient(
        self, flat: Tensor, step: Tensor, divided: Tensor, start: Tensor, batch: Batch
    ) -> tuple[Tensor, Tensor]:
        """Gradient of the loss over a stretch of the batch, and the numbers that make a ``StepResult``."""
        model, seed = self._recipe.model, self._recipe.training.seed
        with tf.GradientTape() as tape:
            tape.watch(flat)
            views = self._views(flat)
            parts = []
            for first, part in _split(batch, min(self._shards, batch.ids.shape[0])):
                dropout = Dropout(model.hidden_dropout, model.attention_dropout, seed, step, start + first)
                parts.append(self._objective(views, part, self._dtype, dropout))
            numbers = [tf.add_n(list(sums)) for sums in zip(*parts, strict=True)]
            for place in range(len(self._losses)):
                numbers[3 * place] /= divided[place]
            for place in range(3 * len(self._losses), len(numbers)):
                numbers[place] /= divided[-1]
            loss = tf.add_n([kind.weight * numbers[3 * i] for i, kind in enumerate(self._losses)])
        return tape.gradient(loss, flat), tf.stack(numbers)

    def _views(self, flat: Tensor) -> dict[str, Tensor]:
        parts = tf.split(flat, self._layout.sizes)
        return {
            weight.google: tf.reshape(part, weight.shape)
            for weight, part in zip(self._table, parts, strict=True)
        }


def _split(batch: Batch, shards: int) -> Iterator[tuple[int, Batch]]:
    """Parts of a batch, as even as they go, and where in it they begin."""
    examples = batch.ids.shape[0]
    edges = [examples * shard // shards for shard in range(shards + 1)]
    for start, end in itertools.pairwise(edges):
        yield start, Batch(*(column[start:end] for column in vars(batch).values()))
