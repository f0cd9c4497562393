"""The schema of a results store: its SQL, its version, and a new, empty store. Opens no existing file."""

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
SCHEMA_VERSION = 1

#: Files that DuckDB 1.5 opens too: its command line is what people have.
STORAGE = {"storage_compatibility_version": "v1.5.0"}

TABLES_SQL = files("embryo_store").joinpath("schema.sql").read_text("utf-8")
VIEWS_SQL = files("embryo_store").joinpath("views.sql").read_text("utf-8")

#: The tables of this schema version, in the order of ``schema.sql``.
TABLES = tuple(re.findall(r"^CREATE TABLE (\w+)", TABLES_SQL, re.MULTILINE))


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
