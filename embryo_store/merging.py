"""Takes one store into another. Both keep their facts' meaning: ``fact_id`` is translated on the way."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path

import duckdb

from embryo_store import schema
from embryo_store.engine import quoted
from embryo_store.errors import MergeConflict
from embryo_store.naming import refuse_no_names
from embryo_store.open import reading, writing

MERGE_SQL = files("embryo_store").joinpath("merging.sql").read_text("utf-8")

#: Tables whose rows name a run.
RUN_TABLES = {
    "runs", "checkpoints", "evaluations", "metrics", "outcomes", "train_log", "lama", "attention", "cloze",
}  # fmt: skip

CONFLICTS_SQL = """
SELECT o.run, o.step, o.task || ' (' || o.dataset || ', ' || o.protocol || ')'
FROM other_evaluations AS o JOIN evaluations AS e USING (run, step, task, dataset, protocol, seed)
WHERE o.inputs_hash <> e.inputs_hash
UNION ALL
SELECT o.run, o.step, 'weights'
FROM other_checkpoints AS o JOIN checkpoints AS c USING (run, step)
WHERE o.weights_hash <> c.weights_hash
ORDER BY ALL LIMIT 5
"""


def merge(
    path: str | Path, other: str | Path, *, rename: Mapping[str, str] | None = None, timeout: float = 60.0
) -> None:
    """Takes everything of the store ``other`` into the one at ``path``, in one transaction.

    ``rename``: new names for runs of ``other``. Raises MergeConflict where a result of both stores was made
    of different inputs, StoreError as ``read`` and ``commit`` do.
    """
    there = Path(other).resolve()
    if there == Path(path).resolve():
        raise MergeConflict(f"{path} and {other} are the same store. Name another one to take in.")
    refuse_no_names((rename or {}).values())
    with reading(there, timeout=timeout, query_seconds=timeout):
        # Looked at, and so found to be a store of this schema that bears no false names.
        pass
    with writing(path, timeout=timeout, create=True, beside=lambda: [there]) as connection:
        _attach(connection, there, "other", rename or {})
        conflicts = connection.execute(CONFLICTS_SQL).fetchall()
        if conflicts:
            found = "; ".join(f"{run} step {step} {what}" for run, step, what in conflicts)
            raise MergeConflict(
                f"{there} and {path} hold different results under the same names: {found}. "
                "Rename the run on the way in (merge --rename OLD=NEW), or drop it from one of the two first."
            )
        connection.execute(MERGE_SQL)


def take_in(connection: duckdb.DuckDBPyConnection, other: Path, *, alias: str) -> None:
    """Takes everything of the store ``other`` in, over what stood under the same keys."""
    _attach(connection, other, alias, {})
    connection.execute(MERGE_SQL)


def renamed(names: Mapping[str, str]) -> str:
    """What to select of a table that names runs, so that they bear their new names."""
    cases = " ".join(f"WHEN {quoted(old)} THEN {quoted(new)}" for old, new in names.items())
    return f"* REPLACE (CASE run {cases} ELSE run END AS run)" if names else "*"


def _attach(
    connection: duckdb.DuckDBPyConnection, other: Path, alias: str, rename: Mapping[str, str]
) -> None:
    """Makes the tables of ``other`` known to ``connection`` as the temporary views ``other_…``."""
    connection.execute(f"ATTACH {quoted(str(other))} AS {alias} (READ_ONLY)")
    columns_of_runs = renamed(rename)
    (found,) = connection.execute(
        f"SELECT value::INTEGER FROM {alias}.main.meta WHERE key = 'schema_version'"
    ).fetchall()[0]
    there = schema.tables_of(found)
    for table in schema.TABLES:
        columns = columns_of_runs if table in RUN_TABLES else "*"
        # What the other store's schema does not know yet is empty in it.
        source = f"{alias}.main.{table}" if table in there else f"main.{table} WHERE FALSE"
        connection.execute(f"CREATE OR REPLACE TEMP VIEW other_{table} AS SELECT {columns} FROM {source}")
