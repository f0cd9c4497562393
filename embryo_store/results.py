"""Rows of one evaluation: its numbers, and the answers, outcomes and maps behind them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

import duckdb
import numpy as np
import numpy.typing as npt

from embryo_store.insert import Column, insert
from embryo_store.naming import refuse_no_names
from embryo_store.records import (
    AttentionMaps,
    ClozeAnswers,
    Commit,
    Evaluation,
    Key,
    LamaAnswers,
    Outcomes,
    Payload,
    TrainLog,
)
from embryo_store.reference import as_json, fact_ids

#: Predictions kept a fact.
TOP = 10

#: Decimals of a stored log-probability: DuckDB packs such floats three times tighter (docs/sql.md).
LOGP_DECIMALS = 3

#: The task that a table's rows belong to. Tables without a protocol hold what its protocols share.
OWNER: Mapping[type[Payload], str] = {
    LamaAnswers: "lama",
    AttentionMaps: "attention",
    TrainLog: "train-log",
    ClozeAnswers: "cloze",
}

#: The columns of a key, by their names in the records too.
IDENTITY = ("run", "step", "task", "dataset", "protocol", "seed")

#: The tables that hold the rows of one key alone.
OWN_TABLES = ("metrics", "outcomes", "evaluations")

KEYS_SQL = """
SELECT run, step, task, dataset, protocol, seed, status FROM evaluations WHERE run = ? AND step = ?
"""


def check(commit: Commit) -> None:
    """Raises ValueError where the records of a commit contradict one another, BadName for its run's name."""
    where = (commit.run.run, commit.checkpoint.step)
    refuse_no_names([commit.run.run])
    if commit.checkpoint.run != commit.run.run:
        raise ValueError(
            f"The checkpoint is of run {commit.checkpoint.run!r}, the commit of {commit.run.run!r}."
        )
    keys = [evaluation.key for evaluation in commit.evaluations]
    if len(set(keys)) < len(keys):
        raise ValueError(f"One commit holds two evaluations under one key: {keys}")
    shared = [
        (kind, evaluation.key.dataset, evaluation.key.seed)
        for evaluation in commit.evaluations
        for kind in {type(payload) for payload in evaluation.payloads} & OWNER.keys()
    ]
    if len(set(shared)) < len(shared):
        raise ValueError("Two protocols of one task bring the same payload; they share it, so one brings it.")
    for evaluation in commit.evaluations:
        key = evaluation.key
        if (key.run, key.step) != where:
            raise ValueError(f"An evaluation of {key.run!r} step {key.step} in a commit of {where}.")
        if evaluation.status == "failed" and (evaluation.metrics or evaluation.payloads):
            raise ValueError(f"A failed evaluation holds results: {key}")
        for payload in evaluation.payloads:
            owner = OWNER.get(type(payload), key.task)
            if owner != key.task:
                raise ValueError(
                    f"{type(payload).__name__} belongs to the task {owner!r}, not to {key.task!r}."
                )
            _check_shape(payload)


@dataclass(frozen=True)
class Rows:
    """What is appended to a table: ``columns``, and the same ``constants`` in every row."""

    table: str
    constants: Mapping[str, Any]
    columns: Mapping[str, Column]


def prepared(commit: Commit) -> tuple[Rows, ...]:
    """The rows of a commit, as far as they can be made while others still use the store."""
    return (
        _made_of(commit.evaluations),
        _metrics(commit.evaluations),
        *(
            _payload(evaluation.key, payload)
            for evaluation in commit.evaluations
            for payload in evaluation.payloads
            # Answers to facts wait for the facts' numbers.
            if not isinstance(payload, LamaAnswers)
        ),
    )


def write_evaluations(connection: duckdb.DuckDBPyConnection, commit: Commit, rows: Sequence[Rows]) -> None:
    """Writes a commit's evaluations, ``prepared`` as ``rows``, in the place of those under the same keys."""
    where = [commit.checkpoint.run, commit.checkpoint.step]
    stored = {Key(*row[:6]): row[6] for row in connection.execute(KEYS_SQL, where).fetchall()}
    _make_way(connection, commit.evaluations, stored)
    for each in rows:
        insert(connection, each.table, each.constants, each.columns)
    for evaluation in commit.evaluations:
        for payload in evaluation.payloads:
            if isinstance(payload, LamaAnswers):
                _write_lama(connection, evaluation.key, payload)


def _make_way(
    connection: duckdb.DuckDBPyConnection, evaluations: Sequence[Evaluation], stored: Mapping[Key, str]
) -> None:
    """Removes what the evaluations replace: rows under their keys, and rows that a task's protocols share."""
    new = {evaluation.key: evaluation.status for evaluation in evaluations}
    still_done = {_without_protocol(key) for key, status in {**stored, **new}.items() if status == "done"}
    were_stored = {_without_protocol(key) for key in stored}
    for evaluation in evaluations:
        key = evaluation.key
        if key in stored:
            for table in OWN_TABLES:
                _delete(connection, table, _identity(key))
        if _without_protocol(key) in were_stored:
            brought = {type(payload) for payload in evaluation.payloads}
            for kind, task in OWNER.items():
                orphaned = _without_protocol(key) not in still_done
                if task == key.task and (orphaned or kind in brought):
                    _remove_payload(connection, kind, key)


def _without_protocol(key: Key) -> Key:
    return replace(key, protocol="")


def _check_shape(payload: Payload) -> None:
    match payload:
        case Outcomes(correct):
            fits = correct.ndim == 1 and correct.dtype == np.bool_
        case TrainLog(step, metric, value):
            fits = len(step) == len(metric) == len(value)
        case LamaAnswers(facts):
            n = len(facts.relation)
            flat = (payload.gold_rank, payload.gold_logp, payload.gold_rank_common, payload.gold_logp_common)
            fits = (
                len(facts.subject) == len(facts.object) == len(facts.uuid) == n
                and all(column is None or column.shape == (n,) for column in flat)
                and payload.tokens.shape == payload.logps.shape == (n, TOP)
                and all(0 <= row < n for row in payload.echo)
            )
        case AttentionMaps(_, maps):
            fits = maps.ndim == 4 and maps.shape[2] == maps.shape[3]
        case ClozeAnswers(tokens, logps):
            fits = tokens.shape == logps.shape == (len(tokens), TOP)
    if not fits:
        raise ValueError(
            f"{type(payload).__name__} has columns that don't fit one another (records.py says how)."
        )


def _identity(key: Key) -> dict[str, Any]:
    return {name: getattr(key, name) for name in IDENTITY}


def _delete(connection: duckdb.DuckDBPyConnection, table: str, where: Mapping[str, Any]) -> None:
    condition = " AND ".join(f"{name} = ?" for name in where)
    connection.execute(f"DELETE FROM {table} WHERE {condition}", list(where.values()))


def _remove_payload(connection: duckdb.DuckDBPyConnection, kind: type[Payload], key: Key) -> None:
    shared = {"run": key.run, "step": key.step, "dataset": key.dataset, "seed": key.seed}
    if kind is LamaAnswers:
        _delete(connection, "lama", shared)
    elif kind is AttentionMaps:
        _delete(connection, "attention", shared)
    elif kind is TrainLog:
        _delete(connection, "train_log", {"run": key.run, "checkpoint": key.step})
    elif kind is ClozeAnswers:
        _delete(connection, "cloze", {"run": key.run, "step": key.step, "text": key.dataset})


def _made_of(evaluations: Sequence[Evaluation]) -> Rows:
    columns: dict[str, Column] = {
        **_identities([evaluation.key for evaluation in evaluations]),
        "data_hash": [evaluation.data_hash for evaluation in evaluations],
        "inputs_hash": [evaluation.inputs_hash for evaluation in evaluations],
        "inputs": [as_json(evaluation.inputs) for evaluation in evaluations],
        "status": [evaluation.status for evaluation in evaluations],
        "error": [evaluation.error for evaluation in evaluations],
        "started": [_utc(evaluation.started) for evaluation in evaluations],
        "finished": [_utc(evaluation.finished) for evaluation in evaluations],
        "host": [evaluation.host for evaluation in evaluations],
        "device": [evaluation.device for evaluation in evaluations],
        "dtype": [evaluation.dtype for evaluation in evaluations],
        "versions": [as_json(evaluation.versions) for evaluation in evaluations],
    }
    return Rows("evaluations", {}, columns)


def _identities(keys: Sequence[Key]) -> dict[str, Column]:
    return {name: [getattr(key, name) for key in keys] for name in IDENTITY}


def _utc(moment: datetime) -> datetime:
    """The store's times are UTC and say so nowhere else: a naive time is taken for UTC."""
    return moment if moment.tzinfo is None else moment.astimezone(UTC).replace(tzinfo=None)


def _metrics(evaluations: Sequence[Evaluation]) -> Rows:
    metrics = [metric for evaluation in evaluations for metric in evaluation.metrics]
    counts = [len(evaluation.metrics) for evaluation in evaluations]
    identities = _identities([evaluation.key for evaluation in evaluations])
    columns: dict[str, Column] = {
        name: np.repeat(np.array(values, dtype=object), counts) for name, values in identities.items()
    }
    columns["metric"] = [metric.metric for metric in metrics]
    columns["label"] = [metric.label for metric in metrics]
    for name in ("value", "layer", "head", "n", "stderr", "low", "high"):
        # What is None or not a number is NULL: SQL's averages leave it out. Counts are exact as doubles.
        columns[name] = np.array([getattr(metric, name) for metric in metrics], dtype=np.float64)
    return Rows("metrics", {}, columns)


def _payload(key: Key, payload: Outcomes | TrainLog | AttentionMaps | ClozeAnswers) -> Rows:
    match payload:
        case Outcomes(correct):
            bits: dict[str, Column] = {"n": [len(correct)], "bits": [np.packbits(correct).tobytes()]}
            return Rows("outcomes", _identity(key), bits)
        case TrainLog(step, metric, value):
            columns: dict[str, Column] = {"step": step, "metric": metric, "value": value}
            return Rows("train_log", {"run": key.run, "checkpoint": key.step}, columns)
        case AttentionMaps():
            return _attention(key, payload)
        case ClozeAnswers(tokens, logps):
            constants = {"run": key.run, "step": key.step, "text": key.dataset}
            masks = np.arange(1, len(tokens) + 1)
            answers: dict[str, Column] = {"position": masks, "tokens": tokens, "logps": _rounded(logps)}
            return Rows("cloze", constants, answers)


def _write_lama(connection: duckdb.DuckDBPyConnection, key: Key, answers: LamaAnswers) -> None:
    numbers = fact_ids(connection, answers.facts)
    order = np.argsort(numbers, kind="stable")
    constants: dict[str, Any] = {"run": key.run, "step": key.step, "dataset": key.dataset, "seed": key.seed}
    columns: dict[str, Column] = {
        "fact_id": numbers[order],
        "gold_rank": answers.gold_rank[order],
        "gold_logp": _rounded(answers.gold_logp[order]),
        "tokens": answers.tokens[order],
        "logps": _rounded(answers.logps[order]),
    }
    if answers.gold_rank_common is not None:
        ranks = answers.gold_rank_common[order]
        # DuckDB reads NaN as NULL, and whole numbers of this size are exact as doubles.
        columns["gold_rank_common"] = np.where(ranks > 0, ranks, np.nan)
    if answers.gold_logp_common is not None:
        columns["gold_logp_common"] = _rounded(answers.gold_logp_common[order])
    if answers.echo:
        columns["echo"] = [answers.echo.get(int(row)) for row in order]
    insert(connection, "lama", constants, columns)


def _rounded(logps: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    return np.round(logps, LOGP_DECIMALS)


def _attention(key: Key, attention: AttentionMaps) -> Rows:
    layers, heads, size, _ = attention.maps.shape
    stored = np.rint(255 * np.sqrt(np.clip(attention.maps, 0, 1))).astype(np.uint8)
    constants = {
        "run": key.run,
        "step": key.step,
        "dataset": key.dataset,
        "seed": key.seed,
        "sentence_id": attention.sentence_id,
        "size": size,
    }
    columns: dict[str, Column] = {
        "layer": np.repeat(np.arange(1, layers + 1), heads),
        "head": np.tile(np.arange(1, heads + 1), layers),
        "map": [head.tobytes() for head in stored.reshape(layers * heads, -1)],
    }
    return Rows("attention", constants, columns)
