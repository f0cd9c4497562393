"""What every task is: data (a frozen dataclass whose fields are its options) and a few functions.

Most look at a model (``ModelTask``). ``prepare`` turns a corpus into the inputs of a forward pass, once for a
tokenizer; ``start`` opens a collector for one checkpoint; the collector sees the pass batch by batch and says
what it found. A task loads no model, tokenises through ``Vocabulary`` alone, and never meets the store.
"""

from __future__ import annotations

import dataclasses
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import TYPE_CHECKING, ClassVar, Literal

from embryo_store.records import Dataset, Json, Metric, Payload
from evaluators.batches import Batch, Ints, Stream
from evaluators.checkpoints import SavedStep
from evaluators.checkpoints.base import Needs
from evaluators.corpora.base import Corpus

if TYPE_CHECKING:
    import torch

    from evaluators.vocabulary import Vocabulary

Kind = Literal["words", "facts", "sentences", "edges", "asked", "log"]


class Cost(IntEnum):
    """How dear a task is at one checkpoint; the cheap are evaluated first."""

    LOG = 0
    PASS = 1
    FIT = 2
    SWEEP = 3


@dataclass(frozen=True)
class Pass:
    """What the model made of one batch.

    ``hidden``: the last layer's states (rows, length, width). ``attentions``: a tensor (rows, heads, length,
    length) a layer, empty where the stream has none. ``head``: hidden states (n, width) → logits over the
    vocabulary (n, vocabulary) in fp32. ``layers``: the states of every layer, embeddings first; empty where
    the stream has none. ``detect``: hidden states (n, width) → logits (n,) of a piece having been replaced.
    ``chosen``: ``hidden`` is (n, width), the states of the stream's places and no others.
    """

    hidden: torch.Tensor
    attentions: Sequence[torch.Tensor]
    head: Callable[[torch.Tensor], torch.Tensor]
    layers: Sequence[torch.Tensor] = ()
    detect: Callable[[torch.Tensor], torch.Tensor] | None = None
    chosen: bool = False

    def at(self, row: Ints, column: Ints) -> torch.Tensor:
        """The last layer's states (n, width) of the stream's places, which these are, or of any pieces."""
        return self.hidden if self.chosen else self.hidden[row, column]


@dataclass(frozen=True)
class Finding:
    """What a task found at one checkpoint under one protocol."""

    metrics: Sequence[Metric]
    payloads: Sequence[Payload] = ()


class Collector(ABC):
    """Gathers one task's results at one checkpoint."""

    @abstractmethod
    def see(self, index: int, batch: Batch, seen: Pass) -> None:
        """Takes what it needs of batch number ``index`` of the stream."""

    def follow(self) -> Sequence[Batch]:
        """What the discriminator shall read after this pass (tasks that need a pair)."""
        return ()

    def see_again(self, index: int, batch: Batch, seen: Pass) -> None:
        """Takes what it needs of batch number ``index`` of what followed."""
        raise NotImplementedError

    @abstractmethod
    def findings(self) -> Mapping[str, Finding]:
        """What was found, by protocol."""


class Prepared(ABC):
    """A task on one corpus under one tokenizer: everything that no checkpoint changes."""

    stream: Stream

    @abstractmethod
    def start(self) -> Collector:
        """A collector for one checkpoint."""

    @abstractmethod
    def dataset(self) -> Dataset:
        """The corpus as the store keeps it."""

    def notes(self) -> Sequence[str]:
        """What was cut or left out, in sentences for the user."""
        return ()


@dataclass(frozen=True)
class Task(ABC):
    """One kind of measurement. A subclass's fields are its options, and part of a result's identity."""

    #: What users and the store call it.
    name: ClassVar[str]
    #: Raised when the meaning of a stored number changes: every result is then evaluated again.
    version: ClassVar[int]
    summary: ClassVar[str]
    #: The kind of corpus it reads.
    reads: ClassVar[Kind]
    cost: ClassVar[Cost]

    def options(self) -> Mapping[str, Json]:
        """The options that decide what is measured, as the store keeps them."""
        told = dataclasses.asdict(self)
        return {name: list(value) if isinstance(value, tuple) else value for name, value in told.items()}

    @property
    def drawn_by(self) -> int:
        """The seed of the task's own random draws; 0 where it draws nothing."""
        return 0


@dataclass(frozen=True)
class ModelTask(Task):
    """A task that looks at what a model makes of a corpus."""

    #: Which part of a checkpoint serves it.
    needs: ClassVar[Needs] = "encoder"

    @property
    def also(self) -> tuple[Kind, ...]:
        """Kinds of corpora that its options make it read beside ``reads``."""
        return ()

    def suits(self, saved: SavedStep) -> bool:
        """Can a checkpoint of this kind be judged at all?"""
        return True

    def protocols(self, corpus: Corpus) -> tuple[str, ...]:
        """The protocols under which ``corpus`` can be judged."""
        return ("paper",)

    def beside(self, corpus: Corpus) -> Mapping[str, Json]:
        """What decides the numbers beside the corpus's data, the weights and the options."""
        return {}

    @abstractmethod
    def prepare(self, corpus: Corpus, vocabulary: Vocabulary, limit: int) -> Prepared:
        """Makes the inputs. ``limit``: the longest row that the model reads, special pieces included."""
