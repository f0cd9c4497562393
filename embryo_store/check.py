"""Whether a store holds together: every block read, every row where it belongs. Changes nothing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import duckdb

from embryo_store import schema
from embryo_store.open import located, reading
from embryo_store.spool import waiting
from embryo_store.upkeep import LONG

#: What must not be there: how many there are of it, and what they are.
CONTRADICTIONS: Mapping[str, str] = {
    "checkpoints of runs that the store does not know":
        "FROM checkpoints ANTI JOIN runs USING (run)",
    "evaluations of checkpoints that the store does not know":
        "FROM evaluations ANTI JOIN checkpoints USING (run, step)",
    "evaluations that stand twice under one identity":
        "FROM (FROM evaluations SELECT 1 GROUP BY run, step, task, dataset, protocol, seed "
        "HAVING count(*) > 1)",
    "failed evaluations that have numbers":
        "FROM metrics SEMI JOIN (FROM evaluations WHERE status = 'failed') AS e "
        "USING (run, step, task, dataset, protocol, seed)",
    "numbers without an evaluation that made them":
        "FROM metrics ANTI JOIN evaluations USING (run, step, task, dataset, protocol, seed)",
    "numbers that stand twice":
        # By their digest: the names themselves would take gigabytes.
        "FROM (FROM metrics SELECT 1 GROUP BY hash(run, step, task, dataset, protocol, seed, metric, label, "
        "layer, head) HAVING count(*) > 1)",
    "outcomes without an evaluation that made them":
        "FROM outcomes ANTI JOIN evaluations USING (run, step, task, dataset, protocol, seed)",
    "outcomes with fewer bits than words":
        "FROM outcomes WHERE octet_length(bits) <> ceil(n / 8)",
    "answers to facts without an evaluation that made them":
        "FROM (SELECT DISTINCT run, step, dataset, seed FROM lama) ANTI JOIN "
        "(FROM evaluations WHERE task = 'lama') AS e USING (run, step, dataset, seed)",
    "answers to facts that the store does not know":
        "FROM (SELECT DISTINCT fact_id FROM lama) ANTI JOIN facts USING (fact_id)",
    "facts that a step answers twice":
        # One bit a fact: sets of them would take gigabytes.
        "FROM (FROM lama SELECT 1 GROUP BY run, step, dataset, seed "
        "HAVING count(*) > bit_count(bitstring_agg(fact_id, {first_fact}, {last_fact})))",
    "attention maps without an evaluation that made them":
        "FROM (SELECT DISTINCT run, step, dataset, seed FROM attention) ANTI JOIN "
        "(FROM evaluations WHERE task = 'attention') AS e USING (run, step, dataset, seed)",
    "attention maps of another size than they say":
        "FROM attention WHERE octet_length(map) <> size::INTEGER * size",
    "sentences answered without an evaluation that asked them":
        "FROM cloze ANTI JOIN (SELECT run, step, dataset AS text FROM evaluations WHERE task = 'cloze') AS e "
        "USING (run, step, text)",
    "checkpoints whose vocabulary is not stored, with answers that need it":
        "FROM checkpoints ANTI JOIN vocabularies USING (vocab) WHERE (run, step) IN (SELECT (run, step) FROM "
        "evaluations WHERE task IN ('lama', 'cloze') AND status = 'done')",
}  # fmt: skip


@dataclass(frozen=True)
class Health:
    """What a store holds, and what is wrong with it. ``rows``: by table, each of which was read whole."""

    schema_version: int
    bytes: int
    rows: Mapping[str, int]
    waiting: int
    problems: tuple[str, ...]


def check(path: str | Path, *, timeout: float = 60.0) -> Health:
    """Reads all of the store, and says what it found. Raises StoreError where it cannot be read at all."""
    store = located(path)
    with reading(store, timeout=timeout, query_seconds=LONG) as connection:
        (version,) = connection.execute("SELECT value FROM meta WHERE key = 'schema_version'").fetchall()[0]
        rows = {table: _read_whole(connection, table) for table in schema.TABLES}
        first, last = connection.execute(
            "SELECT coalesce(min(fact_id), 1), coalesce(max(fact_id), 1) FROM lama"
        ).fetchall()[0]
        problems = [
            f"{count:,} {what}"
            for what, query in CONTRADICTIONS.items()
            if (count := _count(connection, query.format(first_fact=first, last_fact=last)))
        ]
        return Health(int(version), store.stat().st_size, rows, len(waiting(store)), tuple(problems))


def _read_whole(connection: duckdb.DuckDBPyConnection, table: str) -> int:
    """Counts rows in a way that needs every column of every row, and so every block's checksum."""
    count, _ = connection.execute(f"SELECT count(*), bit_xor(hash(line)) FROM {table} AS line").fetchall()[0]
    return int(count)


def _count(connection: duckdb.DuckDBPyConnection, query: str) -> int:
    (count,) = connection.execute(f"SELECT count(*) {query}").fetchall()[0]
    return int(count)
