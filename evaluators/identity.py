"""What makes a result: everything that decides its numbers, and the digest by which it is known again.

Times, host and device are no part of it: two runs of the same inputs are one result.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from embryo_store.records import Json, Key
from evaluators.checkpoints import SavedStep
from evaluators.checkpoints.base import canonical_digest
from evaluators.hardware import Dtype
from evaluators.tasks.base import Task


@dataclass(frozen=True)
class Identity:
    """A result's key, its inputs, and their digest."""

    key: Key
    inputs: Mapping[str, Json]
    inputs_hash: str


def identify(
    saved: SavedStep, task: Task, *, dataset: str, data_hash: str, protocol: str, seed: int, dtype: Dtype
) -> Identity:
    """The identity of one result of a task that looks at a model."""
    inputs: dict[str, Json] = {
        "weights": saved.weights_hash,
        "config": saved.config_hash,
        "tokenizer": saved.tokenizer_hash,
        "data": data_hash,
        "task": task.name,
        "version": task.version,
        "protocol": protocol,
        "seed": seed,
        "dtype": dtype,
        "options": dict(task.options()),
    }
    return _identity(Key(saved.run, saved.step, task.name, dataset, protocol, seed), inputs)


def identify_log(saved: SavedStep, task: Task, data_hash: str) -> Identity:
    """The identity of a slice of a training log, which no weights decide."""
    inputs: dict[str, Json] = {"data": data_hash, "task": task.name, "version": task.version}
    return _identity(Key(saved.run, saved.step, task.name), inputs)


def _identity(key: Key, inputs: Mapping[str, Json]) -> Identity:
    return Identity(key, inputs, canonical_digest(inputs))
