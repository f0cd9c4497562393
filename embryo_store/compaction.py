"""Rewrites a store sorted as it is asked, without the gaps that replaced rows leave. Changes no result.

A new file is written beside the old one and takes its name at the end: a rewrite that is cut off leaves the
store as it was.
"""

from __future__ import annotations

import os
import re
import shutil
import stat
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

import duckdb

from embryo_store import schema
from embryo_store.engine import SUFFIXES, quoted, transaction
from embryo_store.errors import MergeConflict, NothingFound, StoreError
from embryo_store.explain import system_explained
from embryo_store.naming import refuse_no_names
from embryo_store.open import alone, located
from embryo_store.taking_in import RUN_TABLES, renamed
from embryo_store.write import fold_in

#: How rows lie; tables that are not named keep their order.
ORDER = {
    "evaluations": "run, task, dataset, protocol, seed, step",
    "metrics": "task, dataset, protocol, seed, metric, label, layer, head, step",
    "outcomes": "run, task, dataset, protocol, seed, step",
    "train_log": "run, metric, step",
    "vocabularies": "vocab, token_id",
    "words": "dataset, data_hash, word_id",
    "lama": "dataset, seed, fact_id, step",
    "attention": "dataset, seed, sentence_id, layer, head, step",
    "cloze": "run, text, position, step",
}

#: Half of the questions ask everything of one step, half ask one thing of every step: where so many steps of
#: a run lie together, sorted by thing, neither has to read more than a few row groups. Maps are read a block
#: of 256 KiB at a time, and 16 of them fill a part of one.
STRETCH = {"metrics": 128, "lama": 128, "attention": 16}

#: What our own schema holds besides its tables.
OURS = {
    *schema.TABLES,
    *re.findall(r"^CREATE OR REPLACE (?:VIEW|MACRO) (\w+)", schema.VIEWS_SQL, re.MULTILINE),
}

OWN_SQL = """
SELECT 'the table', table_name FROM duckdb_tables() WHERE NOT internal AND database_name = current_database()
UNION ALL
SELECT 'the view', view_name FROM duckdb_views() WHERE NOT internal AND database_name = current_database()
UNION ALL
SELECT 'the macro', function_name FROM duckdb_functions()
WHERE NOT internal AND database_name = current_database()
UNION ALL
SELECT 'the sequence', sequence_name FROM duckdb_sequences() WHERE database_name = current_database()
UNION ALL
SELECT 'the index', index_name FROM duckdb_indexes() WHERE database_name = current_database()
UNION ALL
SELECT 'the type', type_name FROM duckdb_types() WHERE NOT internal AND database_name = current_database()
"""


def compact(
    path: str | Path, *, memory: str = "2GB", block_size: int | None = None, timeout: float = 60.0
) -> tuple[int, int]:
    """Rewrites the store, and says its size in bytes before and after.

    ``memory``: what the sorting may take; the rest goes to the disk beside the store for as long as it lasts.
    ``block_size`` in bytes: 16,384 makes small stores many times smaller, and large ones slower to read.
    Raises StoreError; nothing is lost by any failure.
    """
    return _rewritten(path, {}, memory=memory, block_size=block_size, timeout=timeout)


def rename(path: str | Path, old: str, new: str, *, memory: str = "2GB", timeout: float = 60.0) -> None:
    """Gives a run another name wherever it stands. Compacts the store on the way: the name is in every row.

    Raises NothingFound without a run ``old``, MergeConflict where there is a run ``new``, BadName, and
    StoreError.
    """
    refuse_no_names([new])
    _rewritten(path, {old: new}, memory=memory, block_size=None, timeout=timeout)


def _rewritten(
    path: str | Path, names: Mapping[str, str], *, memory: str, block_size: int | None, timeout: float
) -> tuple[int, int]:
    store = located(path)
    new = store.with_name(store.name + ".compact")
    spill = store.with_name(store.name + ".compact.tmp")
    settings = {"memory_limit": memory, "temp_directory": str(spill)}
    fold_in(store, timeout=timeout)
    with alone(store, timeout=timeout, beside=lambda: [new], settings=settings) as connection:
        seen = store.stat()
        _refuse_names(connection, store, names)
        _refuse_what_would_be_lost(connection, store)
        # Inside alone: two that waited for each other would clear away one another's work.
        try:
            with system_explained(store, "write"):
                _clear(new, spill)
                schema.create(new, block_size=block_size)
            # The log of a killed writer belongs to the old file alone, and must not outlive it.
            connection.execute("CHECKPOINT")
            _rewrite(connection, new, names)
            with system_explained(store, "write"):
                _own_as(seen, new)
                schema.sync(new)
                # Still connected to the old file, so nobody is in: whoever comes next finds the new one.
                new.replace(store)
                schema.sync(store.parent)
            return seen.st_size, store.stat().st_size
        finally:
            with suppress(duckdb.Error):
                connection.execute("DETACH DATABASE IF EXISTS new")
            _clear(new, spill)


def _own_as(seen: os.stat_result, new: Path) -> None:
    """Whoever could read and write the store can still; only root may give a file to its owner."""
    with suppress(PermissionError):
        os.chown(new, seen.st_uid, seen.st_gid)
    new.chmod(stat.S_IMODE(seen.st_mode))


def _refuse_names(connection: duckdb.DuckDBPyConnection, store: Path, names: Mapping[str, str]) -> None:
    known = {name for (name,) in connection.execute("SELECT run FROM runs").fetchall()}
    for old, new in names.items():
        if old not in known:
            raise NothingFound(
                f"{store} has no run {old!r}. It has {', '.join(sorted(known)) or 'none'}; name one of these."
            )
        if new in known:
            raise MergeConflict(
                f"{store} has a run {new!r} already. Choose another name, or drop that run first."
            )


def _refuse_what_would_be_lost(connection: duckdb.DuckDBPyConnection, store: Path) -> None:
    """A rewritten store holds the documented tables and views: what a user added is not thrown away."""
    own = [f"{kind} {name}" for kind, name in connection.execute(OWN_SQL).fetchall() if name not in OURS]
    if own:
        raise StoreError(
            f"{store} holds more than Embryo put there ({', '.join(sorted(own)[:5])}), which a rewritten "
            "store would lack. Nothing was changed. Keep it elsewhere and drop it here, then try again."
        )


def _rewrite(connection: duckdb.DuckDBPyConnection, new: Path, names: Mapping[str, str]) -> None:
    columns = renamed(names)
    connection.execute(f"ATTACH {quoted(str(new))} AS new")
    with transaction(connection):
        for table in schema.TABLES:
            what = columns if table in RUN_TABLES else "*"
            order = f"ORDER BY {ORDER[table]}" if table in ORDER else ""
            connection.execute(f"DELETE FROM new.main.{table}")
            # A stretch at a time: what is sorted at once fits into the memory, however long the runs are.
            for place in _stretches(connection, table):
                rows = f"SELECT {what} FROM main.{table} {place} {order}"
                connection.execute(f"INSERT INTO new.main.{table} {rows}")
            counts = [_count(connection, f"{place}.{table}") for place in ("main", "new.main")]
            if counts[0] != counts[1]:
                raise StoreError(f"{table} has {counts[0]} rows, its copy {counts[1]}. Nothing was changed.")
    connection.execute("DETACH new")


def _stretches(connection: duckdb.DuckDBPyConnection, table: str) -> list[str]:
    """Conditions that hold for all rows of a table, each for one run's next steps."""
    if table not in STRETCH:
        return [""]
    found = connection.execute(
        f"SELECT run, list(DISTINCT step ORDER BY step) FROM main.{table} GROUP BY run ORDER BY run"
    ).fetchall()
    return [
        f"WHERE run = {quoted(run)} AND step BETWEEN {some[0]} AND {some[-1]}"
        for run, steps in found
        for some in (steps[first : first + STRETCH[table]] for first in range(0, len(steps), STRETCH[table]))
    ]


def _count(connection: duckdb.DuckDBPyConnection, table: str) -> int:
    (count,) = connection.execute(f"SELECT count(*) FROM {table}").fetchall()[0]
    return int(count)


def _clear(new: Path, spill: Path) -> None:
    leftovers: Sequence[Path] = [new.with_name(new.name + suffix) for suffix in SUFFIXES]
    with suppress(OSError):
        for leftover in leftovers:
            leftover.unlink(missing_ok=True)
    shutil.rmtree(spill, ignore_errors=True)
