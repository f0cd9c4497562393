"""What makes a result: everything that decides its numbers, and the digest by which it is known again.

Times, host and device are no part of it: two runs of the same inputs are one result.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

from embryo_store.records import Json, Key
from evaluators.checkpoints import SavedStep
from evaluators.checkpoints.base import canonical_digest
from evaluators.corpora.base import Corpus
from evaluators.hardware import Dtype
from evaluators.tasks.base import ModelTask, Task


@dataclass(frozen=True)
class Identity:
    """A result's key, its inputs, and their digest. Digests of weights that nobody tells are taken when they
    are first asked for: a result that was never stored need not be compared.
    """

    key: Key
    saved: SavedStep | None
    others: Mapping[str, Json]
    beside: SavedStep | None = None

    @cached_property
    def inputs(self) -> Mapping[str, Json]:
        """Everything that decides the numbers."""
        if self.saved is None:
            return self.others
        return {
            "weights": self.saved.weights_hash,
            "config": self.saved.config_hash,
            "tokenizer": self.saved.tokenizer_hash,
            **({"generator": self.beside.weights_hash} if self.beside else {}),
            **self.others,
        }

    @cached_property
    def inputs_hash(self) -> str:
        """The digest of the inputs."""
        return canonical_digest(self.inputs)


def identify(saved: SavedStep, task: ModelTask, corpus: Corpus, *, protocol: str, dtype: Dtype) -> Identity:
    """The identity of one result of a task that looks at a model."""
    others: dict[str, Json] = {
        "data": corpus.data_hash,
        **task.beside(corpus),
        "task": task.name,
        "version": task.version,
        "protocol": protocol,
        "seed": task.drawn_by,
        "dtype": dtype,
        "options": dict(task.options()),
    }
    key = Key(saved.run, saved.step, task.name, corpus.name, protocol, task.drawn_by)
    return Identity(key, saved.serving(task.needs), others, saved.generator if task.needs == "pair" else None)


def identify_log(saved: SavedStep, task: Task, data_hash: str) -> Identity:
    """The identity of a slice of a training log, which no weights decide."""
    others: dict[str, Json] = {"data": data_hash, "task": task.name, "version": task.version}
    return Identity(Key(saved.run, saved.step, task.name), None, others)
