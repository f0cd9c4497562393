"""Stores of earlier schema versions: migrated where they are written, read as they are elsewhere."""

from __future__ import annotations

import re

import duckdb

from embryo_store import schema
from embryo_store.engine import transaction


def bring_up(connection: duckdb.DuckDBPyConnection, found: int) -> None:
    """Migrates the connected store from version ``found`` to this one, whole or not at all."""
    with transaction(connection):
        for version in range(found + 1, schema.SCHEMA_VERSION + 1):
            connection.execute(schema.MIGRATIONS[version])
        connection.execute(schema.VIEWS_SQL)
        connection.execute(schema.BASELINES_SQL)
        connection.execute(
            "UPDATE meta SET value = ? WHERE key = 'schema_version'", [str(schema.SCHEMA_VERSION)]
        )


def lend(connection: duckdb.DuckDBPyConnection, found: int) -> None:
    """Lets a read-only connection to a store of version ``found`` answer as one of this version would.

    What the store lacks lies in the connection's own temporary tables and views, which go before the file's.
    """
    lacking = set(schema.TABLES) - set(schema.tables_of(found))
    for table in lacking:
        connection.execute(schema.TABLE_SQL[table].replace("CREATE TABLE", "CREATE TEMP TABLE", 1))
    if "baselines" in lacking:
        connection.execute(schema.BASELINES_SQL)
    temporary = re.sub(r"^CREATE OR REPLACE", "CREATE OR REPLACE TEMP", schema.VIEWS_SQL, flags=re.MULTILINE)
    connection.execute(temporary)
