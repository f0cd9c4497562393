"""What an evaluator asks of the store: what results cost, what they were made of, what was answered."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

from embryo_store.errors import DamagedStore, StoreMissing
from embryo_store.open import reading
from embryo_store.records import Json, Key

#: Bytes of a row after compression, as seen on stores of a thousand steps. A map's are beside the map itself.
ROW_BYTES = {"metric": 12, "lama": 46, "attention": 20, "log": 8, "evaluation": 200}

#: Seconds and bytes of a result, by run, task and dataset: the mean over its last 20 steps. Protocols of one
#: computation carry the same times, and count once.
COSTS_SQL = f"""
WITH made AS (
    SELECT run, step, task, dataset, seed, min(started) AS started, max(finished) AS finished,
           count(*) AS protocols
    FROM evaluations WHERE status = 'done' GROUP BY ALL
), recent AS (
    SELECT * FROM made
    QUALIFY row_number() OVER (PARTITION BY run, task, dataset, seed ORDER BY step DESC) <= 20
), parts AS (
    SELECT run, step, task, dataset, seed, protocols * {ROW_BYTES["evaluation"]} AS bytes FROM recent
    UNION ALL
    SELECT run, step, task, dataset, seed, {ROW_BYTES["metric"]} * count(*)
    FROM metrics SEMI JOIN recent USING (run, step, task, dataset, seed) GROUP BY ALL
    UNION ALL
    SELECT run, step, task, dataset, seed, sum(n) // 8 FROM outcomes
    SEMI JOIN recent USING (run, step, task, dataset, seed) GROUP BY ALL
    UNION ALL
    SELECT run, step, 'lama', dataset, seed, {ROW_BYTES["lama"]} * count(*) FROM lama
    SEMI JOIN (SELECT * FROM recent WHERE task = 'lama') USING (run, step, dataset, seed) GROUP BY ALL
    UNION ALL
    SELECT run, step, 'attention', dataset, seed,
           sum(size::BIGINT * size + {ROW_BYTES["attention"]}) FROM attention
    SEMI JOIN (SELECT * FROM recent WHERE task = 'attention') USING (run, step, dataset, seed) GROUP BY ALL
    UNION ALL
    SELECT run, checkpoint, 'train-log', '', 0, {ROW_BYTES["log"]} * count(*) FROM train_log GROUP BY ALL
), sizes AS (
    SELECT run, step, task, dataset, seed, sum(bytes) AS bytes FROM parts GROUP BY ALL
)
SELECT run, task, dataset, layers, hidden, count(*),
       avg(epoch(finished) - epoch(started)), avg(bytes)
FROM recent JOIN sizes USING (run, step, task, dataset, seed) JOIN runs USING (run)
GROUP BY run, task, dataset, layers, hidden ORDER BY ALL
"""

MADE_OF_SQL = """
SELECT run, step, task, dataset, protocol, seed, inputs, inputs_hash, status, finished, versions
FROM evaluations ORDER BY run, step, task, dataset, protocol, seed
"""

CLOZE_SQL = """
SELECT run, step, position, list(struct_pack(token, probability := exp(logp)) ORDER BY place)
FROM cloze_top WHERE text = ? AND place <= ? GROUP BY run, step, position ORDER BY ALL
"""


@dataclass(frozen=True)
class ResultCost:
    """The mean cost of a result of ``task`` on ``dataset`` at one step of ``run``: seconds to compute, bytes
    in the store. ``layers`` and ``hidden`` are the model's, where they are known; ``results`` were counted.
    """

    run: str
    task: str
    dataset: str
    layers: int | None
    hidden: int | None
    results: int
    seconds: float
    bytes: float


@dataclass(frozen=True)
class MadeOf:
    """What a stored result was made of, and when; ``versions`` of libraries are no part of its identity."""

    inputs: Mapping[str, Json]
    inputs_hash: str
    status: Literal["done", "failed"]
    finished: datetime
    versions: Mapping[str, str]


@dataclass(frozen=True)
class ClozeAnswer:
    """What a checkpoint put in the place of a mask (counted from 1): tokens and probabilities, best first."""

    run: str
    step: int
    mask: int
    answers: tuple[tuple[str | None, float], ...]


def costs(path: str | Path, *, timeout: float = 60.0) -> tuple[ResultCost, ...]:
    """What stored results cost; empty where there is no store yet. Raises StoreError."""
    return tuple(ResultCost(*row) for row in _rows(path, COSTS_SQL, timeout))


def made_of(path: str | Path, *, timeout: float = 60.0) -> Mapping[Key, MadeOf]:
    """The inputs of every stored result; empty where there is no store yet. Raises StoreError."""
    return {
        Key(*row[:6]): MadeOf(_read(row[6]), row[7], row[8], row[9], _read(row[10]))
        for row in _rows(path, MADE_OF_SQL, timeout)
    }


def cloze_answers(path: str | Path, text: str, *, top: int, timeout: float = 60.0) -> tuple[ClozeAnswer, ...]:
    """The ``top`` answers to a sentence at every step that was asked, by run, step and mask."""
    return tuple(
        ClozeAnswer(run, step, mask, tuple((each["token"], each["probability"]) for each in found))
        for run, step, mask, found in _rows(path, CLOZE_SQL, timeout, text, top)
    )


def _read(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise DamagedStore(
            f"The store is damaged: what a result was made of is no JSON ({error}). Restore it from a copy."
        ) from error


def _rows(path: str | Path, query: str, timeout: float, *values: object) -> Sequence[tuple[Any, ...]]:
    try:
        with reading(path, timeout=timeout, query_seconds=timeout) as connection:
            return connection.execute(query, values).fetchall()
    except StoreMissing:
        return []
