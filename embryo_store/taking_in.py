"""Takes the rows of one store into another. Facts keep their meaning: ``fact_id`` is translated."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path

import duckdb

from embryo_store import schema
from embryo_store.engine import quoted

MERGE_SQL = files("embryo_store").joinpath("taking_in.sql").read_text("utf-8")

#: Tables whose rows name a run.
RUN_TABLES = {
    "runs", "checkpoints", "evaluations", "metrics", "outcomes", "train_log", "lama", "attention", "cloze",
}  # fmt: skip

#: What failed there tells nothing against what was done here.
NOT_DONE_HERE = """
WHERE o.status = 'done' OR NOT EXISTS (
    FROM main.evaluations AS e WHERE e.status = 'done'
    AND (e.run, e.step, e.task, e.dataset, e.protocol, e.seed)
      = (o.run, o.step, o.task, o.dataset, o.protocol, o.seed))
"""


def take_in(connection: duckdb.DuckDBPyConnection, other: Path, *, alias: str) -> None:
    """Takes everything of the store ``other`` in, over what stood under the same keys."""
    attach(connection, other, alias, {}, over_done=True)
    connection.execute(MERGE_SQL)


def renamed(names: Mapping[str, str]) -> str:
    """What to select of a table that names runs, so that they bear their new names."""
    cases = " ".join(f"WHEN {quoted(old)} THEN {quoted(new)}" for old, new in names.items())
    return f"* REPLACE (CASE run {cases} ELSE run END AS run)" if names else "*"


def attach(
    connection: duckdb.DuckDBPyConnection,
    other: Path,
    alias: str,
    rename: Mapping[str, str],
    *,
    over_done: bool,
) -> None:
    """Makes the tables of ``other`` known to ``connection`` as the temporary views ``other_…``.

    ``over_done``: its failures, too, where the same was done here.
    """
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
        rows = f"SELECT {columns} FROM {source}"
        if table == "evaluations" and not over_done:
            rows = f"SELECT o.* FROM ({rows}) AS o {NOT_DONE_HERE}"
        connection.execute(f"CREATE OR REPLACE TEMP VIEW other_{table} AS {rows}")
