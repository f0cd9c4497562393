"""Writes what was evaluated: one transaction for one checkpoint's task.

What a store holds is a function of the commits, in their order, alone: two stores fed alike hold the same.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import duckdb

from embryo_store import reference, results
from embryo_store.errors import StoreLocked, StoreMissing
from embryo_store.open import ensure_folder, located, reading, writing
from embryo_store.records import Commit, Key
from embryo_store.spool import aside, fold, waiter_blamed, waiting

#: Seconds that a commit waits for a store that made one before it wait in vain.
QUEUED_TIMEOUT = 1.0

DONE_SQL = """
SELECT run, step, task, dataset, protocol, seed, inputs_hash, data_hash, status
FROM evaluations WHERE coalesce(run = $run AND step = $step, true)
ORDER BY run, step, task, dataset, protocol, seed
"""


@dataclass(frozen=True)
class Done:
    """What the store holds of an evaluation: the digests of what made it, and how it ended."""

    inputs_hash: str
    data_hash: str
    status: Literal["done", "failed"]


def commit(path: str | Path, commit: Commit, *, timeout: float = 60.0, spool: bool = True) -> None:
    """Writes everything of ``commit``, or nothing. Makes the store where there is none.

    An evaluation replaces what stood under the same key. ``timeout``: seconds to wait for readers and other
    writers; where somebody keeps the file open longer, the commit is kept beside it, and the next writer
    folds it in (``spool``; see ``fold_in``). Raises StoreError (full, newer, BadName …), ValueError
    where the records contradict one another.
    """
    commit_all(path, [commit], timeout=timeout, spool=spool)


def commit_all(
    path: str | Path, commits: Sequence[Commit], *, timeout: float = 60.0, spool: bool = True
) -> None:
    """Writes all ``commits`` in one transaction, or nothing: faster than one by one. Else as ``commit``."""
    for each in commits:
        results.check(each)
    ready = [(each, results.prepared(each)) for each in commits]
    store = located(path)
    queued = bool(waiting(store))
    try:
        # Behind others that wait already there is no reason to wait for long once more.
        patience = min(timeout, QUEUED_TIMEOUT) if queued else timeout
        if queued:
            fold(store, timeout=patience)
        with writing(store, timeout=patience, create=True) as connection:
            _write(connection, ready)
    except StoreLocked as locked:
        if not spool:
            raise
        try:
            with aside(store) as connection:
                _write(connection, ready)
        except OSError:
            raise locked from None


def _write(
    connection: duckdb.DuckDBPyConnection, ready: Sequence[tuple[Commit, Sequence[results.Rows]]]
) -> None:
    for commit, rows in ready:
        reference.write_run(connection, commit.run)
        reference.write_checkpoint(connection, commit.checkpoint)
        if commit.vocabulary is not None:
            reference.write_vocabulary(connection, commit.vocabulary)
        if commit.dataset is not None:
            reference.write_dataset(connection, commit.dataset)
        results.write_evaluations(connection, commit, rows)


def done(
    path: str | Path, *, checkpoint: tuple[str, int] | None = None, timeout: float = 60.0
) -> Mapping[Key, Done]:
    """Everything that was evaluated, failures included; empty where there is no store yet.

    ``checkpoint``: only what was evaluated at that run and step.
    Raises StoreError where there is a file that can't be used.
    """
    store = located(path)
    rows: list[tuple[Any, ...]] = []
    # Those that wait are looked at first: one that is folded in meanwhile is found in the store then.
    for place in waiting(store):
        with waiter_blamed(place, store):
            rows += _done_in(place, checkpoint, timeout, turnstile=False)
    rows = [*_done_in(store, checkpoint, timeout, turnstile=True), *rows]
    return {Key(*row[:6]): Done(*row[6:]) for row in rows}


def _done_in(
    store: Path, checkpoint: tuple[str, int] | None, timeout: float, *, turnstile: bool
) -> list[tuple[Any, ...]]:
    run, step = checkpoint or (None, None)
    try:
        with reading(store, timeout=timeout, query_seconds=timeout, turnstile=turnstile) as connection:
            return connection.execute(DONE_SQL, {"run": run, "step": step}).fetchall()
    except StoreMissing:
        return []


def fold_in(path: str | Path, *, timeout: float = 60.0) -> int:
    """Takes in the commits that wait beside the store, and says how many they were.

    Raises StoreLocked where the store is still kept open: they go on waiting, and lose nothing by it.
    """
    store = located(path)
    count = len(waiting(store))
    if count:
        try:
            fold(store, timeout=timeout)
        except StoreLocked as locked:
            raise StoreLocked(
                f"{locked} Until then {count} finished results wait in {store.name}.spool beside it; "
                "the next embryo-eval takes them in."
            ) from None
    return count


def ensure_writable(path: str | Path, *, timeout: float = 60.0) -> None:
    """Raises the StoreError that ``commit`` would raise, before anything is computed. Makes no store."""
    if not located(path).exists():
        ensure_folder(path, timeout=timeout)
    else:
        with writing(path, timeout=timeout, create=False):
            return
