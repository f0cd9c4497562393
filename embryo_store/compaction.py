"""Rewrites a store sorted as it is asked, without the gaps that replaced rows leave. Changes no content.

A new file is written beside the old one and takes its name at the end: a rewrite that is cut off leaves the
store as it was.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import duckdb

from embryo_store import schema
from embryo_store.errors import StoreError
from embryo_store.explain import system_explained
from embryo_store.open import SUFFIXES, alone, quoted

#: What the questions narrow down first; tables that are not named keep their order.
ORDER = {
    "evaluations": "run, task, dataset, protocol, seed, step",
    "metrics": "run, task, dataset, protocol, seed, metric, label, layer, head, step",
    "outcomes": "run, task, dataset, protocol, seed, step",
    "train_log": "run, metric, step",
    "vocabularies": "vocab, token_id",
    "words": "dataset, data_hash, word_id",
    "lama": "run, dataset, seed, fact_id, step",
    "attention": "run, dataset, seed, sentence_id, step, layer, head",
    "cloze": "run, text, position, step",
}


def compact(
    path: str | Path, *, memory: str = "2GB", block_size: int | None = None, timeout: float = 60.0
) -> tuple[int, int]:
    """Rewrites the store, and says its size in bytes before and after.

    ``memory``: what the sorting may take; the rest goes to the disk beside the store for as long as it lasts.
    ``block_size`` in bytes: 16,384 makes small stores many times smaller, and large ones slower to read.
    Raises StoreError; nothing is lost by any failure.
    """
    store = Path(os.path.realpath(path))
    new = store.with_name(store.name + ".compact")
    spill = store.with_name(store.name + ".compact.tmp")
    settings = {"memory_limit": memory, "temp_directory": str(spill)}
    try:
        with alone(store, timeout=timeout, beside=lambda: [new], settings=settings) as connection:
            before = store.stat().st_size
            with system_explained(store, "write"):
                _clear(new, spill)
                schema.create(new, block_size=block_size)
            # The log of a killed writer belongs to the old file alone, and must not outlive it.
            connection.execute("CHECKPOINT")
            _rewrite(connection, new)
            with system_explained(store, "write"):
                schema.sync(new)
                # Still connected to the old file, so nobody is in: whoever comes next finds the new one.
                new.replace(store)
                schema.sync(store.parent)
            return before, store.stat().st_size
    finally:
        _clear(new, spill)


def _rewrite(connection: duckdb.DuckDBPyConnection, new: Path) -> None:
    connection.execute(f"ATTACH {quoted(str(new))} AS new")
    for table in schema.TABLES:
        order = f"ORDER BY {ORDER[table]}" if table in ORDER else ""
        connection.execute(f"DELETE FROM new.main.{table}")
        connection.execute(f"INSERT INTO new.main.{table} SELECT * FROM main.{table} {order}")
        counts = [_count(connection, f"{place}.{table}") for place in ("main", "new.main")]
        if counts[0] != counts[1]:
            raise StoreError(f"{table} has {counts[0]} rows, its copy {counts[1]}. Nothing was changed.")
    connection.execute("DETACH new")


def _count(connection: duckdb.DuckDBPyConnection, table: str) -> int:
    (count,) = connection.execute(f"SELECT count(*) FROM {table}").fetchall()[0]
    return int(count)


def _clear(new: Path, spill: Path) -> None:
    leftovers: Sequence[Path] = [new.with_name(new.name + suffix) for suffix in SUFFIXES]
    with suppress(OSError):
        for leftover in leftovers:
            leftover.unlink(missing_ok=True)
    shutil.rmtree(spill, ignore_errors=True)
