"""Whether an open file may be trusted to mean what it says: the tables it should have, and no impostors.

A DuckDB file can hold macros under the names of built-in functions and views under the names of tables.
Knows nothing of locks or of what is asked afterwards.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import duckdb

from embryo_store.errors import HostileStore, NewerSchema, NotAStore
from embryo_store.schema import COLUMNS, SCHEMA_VERSION, tables_of

#: Qualified, and without an operator or function in them, so that no macro of the file can answer.
FUNCTIONS_SQL = "SELECT function_name, internal FROM system.main.duckdb_functions()"
TABLES_SQL = "SELECT schema_name, table_name, temporary FROM system.main.duckdb_tables()"
VIEWS_SQL = "SELECT schema_name, view_name, internal FROM system.main.duckdb_views()"

COLUMNS_SQL = "SELECT schema_name, table_name, column_name, data_type FROM system.main.duckdb_columns()"

Stamp = tuple[int, ...]
_vetted: dict[Path, tuple[Stamp, int]] = {}


def check(connection: duckdb.DuckDBPyConnection, store: Path) -> int:
    """Refuses what is no store of a schema that this version knows, and what bears false names.

    Says which schema version the store has.

    Looked at once for every state of the file, as listing the functions costs more than most queries.
    Raises NotAStore, NewerSchema, HostileStore.
    """
    stamp = _stamp(store)
    known, version = _vetted.get(store, ((), 0))
    if known == stamp:
        return version
    _refuse_shadows(connection, store)
    version = _known_version(connection, store)
    _vetted[store] = (stamp, version)
    return version


def trust(store: Path) -> None:
    """Takes the file as it lies for good: this process alone has written to it since it was looked at."""
    _vetted[store] = (_stamp(store), SCHEMA_VERSION)


def _stamp(store: Path) -> Stamp:
    numbers: list[int] = []
    for path in (store, store.with_name(store.name + ".wal")):
        try:
            seen = path.stat()
        except FileNotFoundError:
            numbers.append(0)
        else:
            numbers += [seen.st_dev, seen.st_ino, seen.st_size, seen.st_mtime_ns, seen.st_ctime_ns]
    return tuple(numbers)


def _refuse_shadows(connection: duckdb.DuckDBPyConnection, store: Path) -> None:
    own: set[str] = set()
    built_in: set[str] = set()
    for name, internal in connection.execute(FUNCTIONS_SQL).fetchall():
        (built_in if internal else own).add(name.lower())
    false_names = sorted(own & built_in)
    if false_names:
        raise HostileStore(
            f"{store} redefines what DuckDB's own functions do ({', '.join(false_names[:5])}), so its "
            "answers can't be trusted. Ask whoever made the file for one without these macros."
        )


def _known_version(connection: duckdb.DuckDBPyConnection, store: Path) -> int:
    tables = {
        name
        for schema, name, temporary in _rows(connection, TABLES_SQL)
        if schema == "main" and not temporary
    }
    views = {
        name for schema, name, internal in _rows(connection, VIEWS_SQL) if schema == "main" and not internal
    }
    _refuse_impostors(store, views, ["meta"])
    if "meta" not in tables:
        raise NotAStore(
            f"{store} is a DuckDB file, but no results store: it has no table `meta`. "
            "Expected a file as `embryo-eval` writes it; name another path."
        )
    found = _schema_version(connection, store)
    if found > SCHEMA_VERSION:
        raise NewerSchema(
            f"{store} has schema version {found}; this version of Embryo knows versions up to "
            f"{SCHEMA_VERSION}. Update Embryo (pip install --upgrade lm-embryology), or name another store."
        )
    expected = tables_of(found)
    _refuse_impostors(store, views, expected)
    absent = sorted(set(expected) - tables)
    if absent:
        raise NotAStore(
            f"{store} says schema version {found}, but lacks the tables {', '.join(absent)}. "
            "Restore it from a copy, or name another store."
        )
    _refuse_other_columns(connection, store, expected)
    return found


def _refuse_other_columns(
    connection: duckdb.DuckDBPyConnection, store: Path, expected: Sequence[str]
) -> None:
    """No version so far has changed a column of a table; a user's own columns are welcome."""
    found = {
        (table, column): kind
        for schema, table, column, kind in _rows(connection, COLUMNS_SQL)
        if schema == "main"
    }
    for table in expected:
        for column, kind in COLUMNS[table].items():
            there = found.get((table, column))
            if there != kind:
                raise NotAStore(
                    f"{store}: the table {table} should have a column {column} of type {kind}, and has "
                    f"{'none' if there is None else f'one of type {there}'}. Restore it from a copy, or name "
                    "another store."
                )


def _refuse_impostors(store: Path, views: set[str], expected: Sequence[str]) -> None:
    impostors = sorted(views.intersection(expected))
    if impostors:
        raise HostileStore(
            f"{store} has views in the place of tables ({', '.join(impostors)}), so its answers can't be "
            "trusted. Ask whoever made the file for the tables themselves."
        )


def _schema_version(connection: duckdb.DuckDBPyConnection, store: Path) -> int:
    rows = dict(_rows(connection, "SELECT key, value FROM main.meta LIMIT 1000"))
    found = rows.get("schema_version")
    if not isinstance(found, str) or not found.isdecimal() or not 1 <= int(found) < 2**31:
        raise NotAStore(
            f"{store} is a DuckDB file, but no results store: its table `meta` names no schema version. "
            "Expected a file as `embryo-eval` writes it; name another path."
        )
    return int(found)


def _rows(connection: duckdb.DuckDBPyConnection, sql: str) -> list[tuple[Any, ...]]:
    return connection.execute(sql).fetchall()
