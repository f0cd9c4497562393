"""Several processes that train one run, each on its own machine: ``TF_CONFIG`` says which of them this is.

Every worker makes the same batches and takes its own part of them. The chief alone reads and writes the run;
what the others need of it travels as sums, in which everybody else's part is zero. Knows no files.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from tpu_train.errors import CouldNotFinishError, InputError

_VARIABLE = "TF_CONFIG"
_ROLES = ("chief", "worker")


@dataclass(frozen=True)
class Cluster:
    """How many workers there are, and which of them this process is; 0 is the chief."""

    workers: int = 1
    worker: int = 0

    @property
    def chief(self) -> bool:
        """Whether this process reads and writes the run."""
        return self.worker == 0


ALONE = Cluster()


def of_environment(environment: Mapping[str, str] = os.environ) -> Cluster:
    """The cluster that ``TF_CONFIG`` describes; a process alone where it is not set.

    Raises:
        InputError: not JSON of the form that TensorFlow documents, or roles that training has no use for.
    """
    text = environment.get(_VARIABLE, "")
    if not text.strip():
        return ALONE
    example = '{"cluster": {"worker": ["host1:2222", "host2:2222"]}, "task": {"type": "worker", "index": 0}}'
    try:
        told = json.loads(text)
        members = {role: list(addresses) for role, addresses in told["cluster"].items()}
        if not all(isinstance(address, str) for addresses in members.values() for address in addresses):
            raise TypeError("addresses are text")
        role, index = str(told["task"]["type"]), int(told["task"]["index"])
    except (ValueError, KeyError, TypeError, AttributeError):
        raise InputError(f"{_VARIABLE} is not as expected: {example}; found {text}.") from None
    if not set(members) <= set(_ROLES) or role not in members or not 0 <= index < len(members[role]):
        raise InputError(
            f"{_VARIABLE} names the task {role} {index} of {', '.join(members)}: expected a chief or worker "
            f"that its cluster lists, such as {example}."
        )
    chiefs = len(members.get("chief", ()))
    place = index if role == "chief" else chiefs + index
    return Cluster(sum(map(len, members.values())), place)


@contextmanager
def lost_worker_told(cluster: Cluster, step: int) -> Iterator[None]:
    """Turns what TensorFlow says when another worker does not answer into a message.

    Raises:
        CouldNotFinishError: another worker is gone.
    """
    if cluster.workers == 1:
        yield
        return
    import tensorflow as tf

    try:
        yield
    except (tf.errors.UnavailableError, tf.errors.AbortedError, tf.errors.CancelledError) as error:
        raise CouldNotFinishError(
            f"Another worker of {_VARIABLE} is gone after step {step:,} ({error.message}). Start all workers "
            "again with their commands: they go on from the chief's last state."
        ) from None


class Workers:
    """The workers of a strategy, to agree with and to take values from. Alone, everything is as given."""

    def __init__(self, cluster: Cluster, strategy: Any) -> None:
        """``strategy`` is the cluster's, and stays unused where there is one worker."""
        self._cluster, self._strategy = cluster, strategy

    def from_chief(self, values: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """The chief's ``values``, at every worker, to the bit; others give zeros of that shape."""
        return self._summed(values if self._cluster.chief else np.zeros_like(values))

    def agree(self, digest: str, what: str) -> None:
        """Makes sure that all workers have the same hexadecimal ``digest``.

        Raises:
            CouldNotFinishError: they do not; every worker says so.
        """
        own = np.frombuffer(bytes.fromhex(digest), np.uint8).astype(np.float64)
        sums = self._summed(np.stack([own, own * own]))
        if (self._cluster.workers * sums[1] != sums[0] ** 2).any():
            raise CouldNotFinishError(
                f"The workers of {_VARIABLE} differ in {what}. Start all of them with the same command, "
                "on the same text and the same kind of machine."
            )

    def _summed(self, values: npt.NDArray[Any]) -> npt.NDArray[Any]:
        if self._cluster.workers == 1:
            return values
        import tensorflow as tf

        strategy = self._strategy
        replicas = strategy.num_replicas_in_sync // self._cluster.workers

        def given(context: Any) -> Any:
            first = context.replica_id_in_sync_group % replicas == 0
            return tf.constant(values if first else np.zeros_like(values))

        def added(value: Any) -> Any:
            # An input lies on no device; what is summed has to lie on the replica's.
            context = tf.distribute.get_replica_context()
            return context.all_reduce(tf.distribute.ReduceOp.SUM, tf.identity(value))

        inputs = strategy.experimental_distribute_values_from_function(given)
        summed = tf.function(lambda value: strategy.run(added, args=(value,)), autograph=False)(inputs)
        result: npt.NDArray[Any] = strategy.experimental_local_results(summed)[0].numpy()
        return result
