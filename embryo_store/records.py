"""What is written into a results store: frozen records, made by whoever evaluates.

Knows nothing of DuckDB; ``embryo_store.write`` turns these records into rows.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal, TypeAlias

import numpy as np
import numpy.typing as npt

Json: TypeAlias = bool | int | float | str | Sequence["Json"] | Mapping[str, "Json"] | None

#: The label of a number that covers its whole dataset.
ALL = "all"


@dataclass(frozen=True)
class Run:
    """A pretraining run, as the checkpoint source describes it."""

    run: str
    family: str
    source: str
    objective: str | None = None
    total_steps: int | None = None
    layers: int | None = None
    heads: int | None = None
    hidden: int | None = None
    parameters: int | None = None
    recipe: Mapping[str, Json] = field(default_factory=dict)
    corpus: str | None = None


@dataclass(frozen=True)
class Checkpoint:
    """One saved step of a run. ``vocab`` is the digest of its tokenizer."""

    run: str
    step: int
    uri: str
    weights_hash: str
    vocab: str
    bytes: int


@dataclass(frozen=True)
class Key:
    """The identity of a result: written again, it replaces what stood under the same key."""

    run: str
    step: int
    task: str
    dataset: str = ""
    protocol: str = "paper"
    seed: int = 0


@dataclass(frozen=True)
class Metric:
    """One number. ``layer`` 0 is the embeddings, heads count from 1."""

    metric: str
    value: float
    label: str = ALL
    layer: int | None = None
    head: int | None = None
    n: int | None = None
    stderr: float | None = None
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True)
class Outcomes:
    """Right or wrong, one value a word of the dataset, in the order of ``Words``."""

    correct: npt.NDArray[np.bool_]


@dataclass(frozen=True)
class TrainLog:
    """Lines of a training log that lead up to a checkpoint: three columns of equal length."""

    step: npt.NDArray[np.int64]
    metric: Sequence[str]
    value: npt.NDArray[np.float64]


@dataclass(frozen=True)
class Facts:
    """Facts by what identifies them; columns of equal length."""

    relation: Sequence[str]
    subject: Sequence[str]
    object: Sequence[str]
    uuid: Sequence[str | None]


@dataclass(frozen=True)
class LamaAnswers:
    """Answers to ``facts``, row by row. Ranks count from 1; log-probabilities are natural.

    Shapes: ``(n,)``, and ``(n, 10)`` for ``tokens`` and ``logps``. The ``_common`` columns are None
    where no common vocabulary was given; a fact whose object it lacks has rank 0 and log-probability NaN
    there. ``echo`` maps a row to the argmax of every piece (table 9).
    """

    facts: Facts
    gold_rank: npt.NDArray[np.int64]
    gold_logp: npt.NDArray[np.float32]
    gold_rank_common: npt.NDArray[np.int64] | None
    gold_logp_common: npt.NDArray[np.float32] | None
    tokens: npt.NDArray[np.int64]
    logps: npt.NDArray[np.float32]
    echo: Mapping[int, Sequence[int]] = field(default_factory=dict)


@dataclass(frozen=True)
class AttentionMaps:
    """Attention of every head for one sentence (``sentence_id`` 0: the dataset's average).

    ``maps`` has the shape ``(layers, heads, size, size)``, probabilities by query row.
    """

    sentence_id: int
    maps: npt.NDArray[np.float32]


@dataclass(frozen=True)
class ClozeAnswers:
    """What a model would put in the place of each mask of a sentence, best first.

    The sentence is the dataset of the evaluation that this belongs to (task ``cloze``). Shapes
    ``(masks, 10)``: a row a mask in reading order; log-probabilities are natural.
    """

    tokens: npt.NDArray[np.int64]
    logps: npt.NDArray[np.float32]


Payload: TypeAlias = Outcomes | TrainLog | LamaAnswers | AttentionMaps | ClozeAnswers


@dataclass(frozen=True)
class Evaluation:
    """What one task found at one checkpoint under one protocol, and what made it."""

    key: Key
    inputs_hash: str
    inputs: Mapping[str, Json]
    started: datetime
    finished: datetime
    host: str
    device: str
    dtype: str
    versions: Mapping[str, str]
    data_hash: str = ""
    status: Literal["done", "failed"] = "done"
    error: str | None = None
    metrics: Sequence[Metric] = ()
    payloads: Sequence[Payload] = ()


@dataclass(frozen=True)
class Words:
    """The words of a dataset in reading order; columns of equal length. ``rank`` counts from 1."""

    sentence_id: npt.NDArray[np.int64]
    position: npt.NDArray[np.int64]
    form: Sequence[str]
    tag: Sequence[str]
    rank: npt.NDArray[np.int64]


@dataclass(frozen=True)
class Relation:
    """A relation and its cloze template, with ``[X]`` and ``[Y]``."""

    relation: str
    template: str
    type: str | None = None
    name: str | None = None


@dataclass(frozen=True)
class Sentence:
    """A sentence whose attention is stored, and its word pieces under the vocabulary ``vocab``."""

    vocab: str
    sentence_id: int
    text: str
    pieces: Sequence[str]


@dataclass(frozen=True)
class Dataset:
    """A dataset as it was read. ``report`` says what was counted and what was left out, and why."""

    dataset: str
    data_hash: str
    kind: Literal["words", "facts", "sentences", "edges"]
    uri: str
    items: int
    sentences: int | None = None
    report: Mapping[str, Json] = field(default_factory=dict)
    words: Words | None = None
    relations: Sequence[Relation] = ()
    attention_sentences: Sequence[Sentence] = ()


@dataclass(frozen=True)
class Vocabulary:
    """The tokens of a tokenizer, in the order of their ids."""

    vocab: str
    tokens: Sequence[str]


@dataclass(frozen=True)
class Commit:
    """Everything one task found at one checkpoint: written whole, or not at all.

    ``dataset`` and ``vocabulary`` are written where the store lacks them, and left alone where it has them.
    """

    run: Run
    checkpoint: Checkpoint
    evaluations: Sequence[Evaluation]
    dataset: Dataset | None = None
    vocabulary: Vocabulary | None = None
