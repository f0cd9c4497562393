"""The schema of a results store: its SQL, its versions, and a new, empty store. Opens no existing file.

Every change of a table, or of what a view answers, raises ``SCHEMA_VERSION`` and brings one file of
``migrations/``, whose number is the version that it leads to. Views are not migrated: they are made anew,
here and whenever a store is rewritten.
"""

from __future__ import annotations

import os
import re
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version
from importlib.resources import files
from pathlib import Path
from typing import Any

import duckdb

#: Raised by one with every file in ``migrations/``.
SCHEMA_VERSION = 2

#: Files that DuckDB 1.5 opens too: its command line is what people have.
STORAGE = {"storage_compatibility_version": "v1.5.0"}

TABLES_SQL = files("embryo_store").joinpath("schema.sql").read_text("utf-8")
VIEWS_SQL = files("embryo_store").joinpath("views.sql").read_text("utf-8")
BASELINES_SQL = files("embryo_store").joinpath("baselines.sql").read_text("utf-8")

#: What leads from the version before to each version.
MIGRATIONS = {
    int(file.name[:4]): file.read_text("utf-8")
    for file in files("embryo_store").joinpath("migrations").iterdir()
    if re.fullmatch(r"\d{4}_\w+\.sql", file.name)
}

#: What makes each table of this schema version, in the order of ``schema.sql``.
TABLE_SQL = {
    statement.split()[2]: statement
    for statement in re.split(r"^(?=CREATE TABLE )", TABLES_SQL, flags=re.MULTILINE)[1:]
}
TABLES = tuple(TABLE_SQL)


def _columns(statement: str) -> dict[str, str]:
    body = re.sub(r"--[^\n]*", "", statement).partition("(")[2].rpartition(")")[0]
    parts = [part.split() for part in re.split(r",(?![^(]*\))", body)]
    return {part[0]: part[1] for part in parts if part[0] not in ("PRIMARY", "UNIQUE")}


#: The columns of each table, and their types.
COLUMNS = {table: _columns(statement) for table, statement in TABLE_SQL.items()}


def tables_of(version: int) -> tuple[str, ...]:
    """The tables that a store of a schema version has."""
    later = [sql for number, sql in MIGRATIONS.items() if number > version]
    added = {name for sql in later for name in re.findall(r"^CREATE TABLE (\w+)", sql, re.MULTILINE)}
    return tuple(table for table in TABLES if table not in added)


def create(path: Path, *, block_size: int | None = None) -> None:
    """Makes an empty store at ``path``, whole or not at all. The caller holds the turnstile.

    Raises OSError and duckdb.Error.
    """
    new = path.with_name(path.name + ".new")
    leftovers = (new, new.with_name(new.name + ".wal"))
    for leftover in leftovers:
        leftover.unlink(missing_ok=True)
    config: dict[str, Any] = (
        dict(STORAGE) if block_size is None else STORAGE | {"default_block_size": block_size}
    )
    try:
        with duckdb.connect(str(new), config=config) as connection:
            connection.execute("BEGIN")
            connection.execute(TABLES_SQL)
            connection.execute(VIEWS_SQL)
            connection.execute(BASELINES_SQL)
            connection.execute(
                "INSERT INTO meta VALUES ('schema_version', ?), ('created_by', ?)",
                [str(SCHEMA_VERSION), f"lm-embryology {_package_version()}"],
            )
            connection.execute("COMMIT")
            connection.execute("CHECKPOINT")
        sync(new)
        new.replace(path)
        sync(path.parent)
    except BaseException:
        for leftover in leftovers:
            with suppress(OSError):
                leftover.unlink(missing_ok=True)
        raise


def sync(path: Path) -> None:
    """Makes sure that what was written to a file or folder is on the disk."""
    file = os.open(path, os.O_RDONLY)
    try:
        os.fsync(file)
    finally:
        os.close(file)


def _package_version() -> str:
    try:
        return version("lm-embryology")
    except PackageNotFoundError:
        return "unknown"
