"""Merges two stores that people evaluated apart from one another: nothing of either is lost or mixed up."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from pathlib import Path

import duckdb

from embryo_store.errors import MergeConflict, NothingFound
from embryo_store.explain import engine_explained
from embryo_store.naming import refuse_no_names
from embryo_store.open import located, reading, writing
from embryo_store.taking_in import MERGE_SQL, attach
from embryo_store.write import fold_in

#: A run may have trained on since it was evaluated, and its card differ; but then some weights are the same.
CONFLICTS_SQL = """
SELECT o.run, o.step, o.task || ' (' || o.dataset || ', ' || o.protocol || ')'
FROM other_evaluations AS o JOIN evaluations AS e USING (run, step, task, dataset, protocol, seed)
WHERE o.inputs_hash <> e.inputs_hash
UNION ALL
SELECT o.run, o.step, 'weights'
FROM other_checkpoints AS o JOIN checkpoints AS c USING (run, step)
WHERE o.weights_hash <> c.weights_hash
UNION ALL
SELECT o.run, NULL, 'model or recipe'
FROM other_runs AS o JOIN runs AS r USING (run)
WHERE (o.family <> r.family OR o.layers <> r.layers OR o.heads <> r.heads OR o.hidden <> r.hidden
       OR o.parameters <> r.parameters OR o.recipe <> r.recipe)
  AND NOT EXISTS (FROM other_checkpoints JOIN checkpoints USING (run, step, weights_hash) WHERE run = o.run)
ORDER BY ALL LIMIT 5
"""


def merge(
    path: str | Path, other: str | Path, *, rename: Mapping[str, str] | None = None, timeout: float = 60.0
) -> None:
    """Takes everything of the store ``other`` into the one at ``path``, in one transaction.

    ``rename``: new names for runs of ``other``. What waits beside either store is folded into it first.
    Raises MergeConflict where a result of both stores was made of different inputs, or where two runs would
    bear one name, NothingFound for a run that ``other`` lacks, StoreError as ``read`` and ``commit`` do.
    """
    store, there = located(path), located(other)
    names = rename or {}
    if there == store or (there.exists() and store.exists() and there.samefile(store)):
        raise MergeConflict(f"{path} and {other} are the same store. Name another one to take in.")
    refuse_no_names(names.values())
    fold_in(there, timeout=timeout)
    with reading(there, timeout=timeout, query_seconds=timeout) as connection:
        # Looked at, and so found to be a store of this schema that bears no false names.
        _refuse_renaming(connection, there, names)
    fold_in(store, timeout=timeout)
    with writing(store, timeout=timeout, create=True, beside=lambda: [there]) as connection:
        with engine_explained(there, "read"):
            attach(connection, there, "other", names, over_done=False)
        conflicts = connection.execute(CONFLICTS_SQL).fetchall()
        if conflicts:
            found = "; ".join(
                f"{run} {what}" if step is None else f"{run} step {step} {what}"
                for run, step, what in conflicts
            )
            raise MergeConflict(
                f"{there} and {path} hold different results under the same names: {found}. "
                "Rename the run on the way in (merge --rename OLD=NEW), or drop it from one of the two first."
            )
        connection.execute(MERGE_SQL)


def _refuse_renaming(connection: duckdb.DuckDBPyConnection, there: Path, names: Mapping[str, str]) -> None:
    known = {run for (run,) in connection.execute("SELECT run FROM runs").fetchall()}
    if unknown := sorted(names.keys() - known):
        raise NothingFound(
            f"{there} has no run {', '.join(map(repr, unknown))} to rename. "
            f"It has {', '.join(map(repr, sorted(known))) or 'none'}; name one of these."
        )
    count = Counter(names.get(run, run) for run in known)
    if twice := sorted(name for name, runs in count.items() if runs > 1):
        raise MergeConflict(
            f"Several runs of {there} would be called {', '.join(map(repr, twice))}, and become one. "
            "Give each a name of its own (merge --rename OLD=NEW)."
        )
