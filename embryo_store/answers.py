"""Answers from a results store: frozen records of NumPy arrays, made by ``embryo_store.query``.

Knows no DuckDB and no SQL; the app and notebooks hold these for as long as they like.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

#: How words are grouped: every tag, table 3's groups, table 4's verb forms, function against content words.
Grouping = Literal["tag", "group", "form", "class"]


@dataclass(frozen=True)
class RunCard:
    """A run and the steps at which it was saved (ascending)."""

    run: str
    family: str
    objective: str | None
    total_steps: int | None
    layers: int | None
    heads: int | None
    hidden: int | None
    parameters: int | None
    recipe: Mapping[str, Any]
    corpus: str | None
    source: str
    steps: Ints


@dataclass(frozen=True)
class Coverage:
    """What is evaluated: ``done`` and ``failed`` of ``checkpoints`` saved steps of a run."""

    run: str
    task: str
    dataset: str
    protocol: str
    seed: int
    done: int
    failed: int
    checkpoints: int
    last_step: int | None


@dataclass(frozen=True)
class Curve:
    """One metric over the steps of one run: arrays of equal length, steps ascending, NaN where undefined."""

    run: str
    task: str
    dataset: str
    protocol: str
    seed: int
    metric: str
    label: str
    layer: int | None
    head: int | None
    step: Ints
    value: Floats
    stderr: Floats
    n: int | None


@dataclass(frozen=True)
class Birth:
    """When a curve first reaches ``fraction`` of its final value (None: it never does), and the
    interval of saved steps in which that happened: ``after`` < birth <= ``step``.
    """

    run: str
    label: str
    step: int | None
    after: int | None
    final: float
    fraction: float
    n: int | None


@dataclass(frozen=True)
class RelationCard:
    """A relation, its template, and how many of its facts the store holds answers to."""

    dataset: str
    relation: str
    template: str
    type: str | None
    name: str | None
    facts: int


@dataclass(frozen=True)
class FactsAtStep:
    """The facts of a relation at one step, row by row. ``tokens`` and ``logps``: (n, k), best first."""

    run: str
    step: int
    relation: str
    fact_id: Ints
    subject: tuple[str, ...]
    object: tuple[str, ...]
    gold_rank: Ints
    gold_logp: Floats
    tokens: tuple[tuple[str, ...], ...]
    logps: Floats


@dataclass(frozen=True)
class Biography:
    """One fact over all steps of a run. ``tokens``: (steps, k) words, best first; ``echo`` as in table 9."""

    run: str
    fact_id: int
    relation: str
    template: str
    subject: str
    object: str
    step: Ints
    gold_rank: Ints
    gold_logp: Floats
    tokens: tuple[tuple[str, ...], ...]
    logps: Floats
    echo: tuple[str | None, ...]


@dataclass(frozen=True)
class LedgerEntry:
    """A fact whose answer turned between two steps: learned (wrong to right) or forgotten."""

    fact_id: int
    relation: str
    subject: str
    object: str
    change: Literal["learned", "forgotten"]
    answer_a: str
    answer_b: str


@dataclass(frozen=True)
class FactDynamics:
    """How a fact's answers behaved over a run (docs/sql.md defines the kinds)."""

    fact_id: int
    subject: str
    object: str
    kind: Literal["static", "learned", "forgotten", "oscillating", "never learned"]
    first_right: int | None
    right: int
    steps: int


@dataclass(frozen=True)
class AttentionSentence:
    """A sentence whose attention is stored; ``sentence_id`` 0 is the average over the dataset."""

    dataset: str
    sentence_id: int
    text: str
    pieces: tuple[str, ...]


@dataclass(frozen=True)
class AttentionAt:
    """Attention probabilities of one sentence at one step: ``(layers, heads, size, size)``, float32."""

    run: str
    step: int
    sentence_id: int
    maps: npt.NDArray[np.float32]


@dataclass(frozen=True)
class HeadFilm:
    """One head over the steps: ``maps`` (steps, size, size) as stored bytes, round(255 * sqrt(p))."""

    run: str
    sentence_id: int
    layer: int
    head: int
    step: Ints
    maps: npt.NDArray[np.uint8]


@dataclass(frozen=True)
class HeadStatistic:
    """One statistic of every head at every step: ``value`` (steps, layers, heads), NaN where missing."""

    run: str
    metric: str
    step: Ints
    value: Floats


@dataclass(frozen=True)
class Table:
    """The answer to a free SQL query, row by row; ``truncated`` where there were more rows than asked for."""

    columns: tuple[str, ...]
    rows: tuple[tuple[Any, ...], ...]
    truncated: bool = False
