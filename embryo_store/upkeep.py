"""What is done to a whole store by hand: migrated, thinned, exported."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from embryo_store import schema
from embryo_store.conditions import where
from embryo_store.engine import quoted
from embryo_store.errors import NothingFound, NotWritable
from embryo_store.explain import engine_explained, system_explained
from embryo_store.open import alone, located, reading, writing
from embryo_store.results import IDENTITY
from embryo_store.write import fold_in

#: Seconds that a question over all of a store may take.
LONG = 3600.0

#: What of a dropped evaluation lies where; its rows go with it.
DROP_SQL = """
DELETE FROM metrics AS t USING dropped AS d WHERE {same};
DELETE FROM outcomes AS t USING dropped AS d WHERE {same};
DELETE FROM lama AS t USING dropped AS d
WHERE d.task = 'lama' AND (t.run, t.step, t.dataset, t.seed) = (d.run, d.step, d.dataset, d.seed);
DELETE FROM attention AS t USING dropped AS d
WHERE d.task = 'attention' AND (t.run, t.step, t.dataset, t.seed) = (d.run, d.step, d.dataset, d.seed);
DELETE FROM train_log AS t USING dropped AS d
WHERE d.task = 'train-log' AND (t.run, t.checkpoint) = (d.run, d.step);
DELETE FROM cloze AS t USING dropped AS d
WHERE d.task = 'cloze' AND (t.run, t.step, t.text) = (d.run, d.step, d.dataset);
DELETE FROM evaluations AS t USING dropped AS d WHERE {same};
""".format(same=" AND ".join(f"t.{name} = d.{name}" for name in IDENTITY))


def migrate(path: str | Path, *, timeout: float = 60.0) -> tuple[int, int]:
    """Migrates the store where it is of an earlier schema version; says its version before and after.

    Raises StoreError; a failure leaves the store as it was.
    """
    with reading(path, timeout=timeout, query_seconds=timeout) as connection:
        (found,) = connection.execute("SELECT value FROM meta WHERE key = 'schema_version'").fetchall()[0]
    with alone(path, timeout=timeout):
        return int(found), schema.SCHEMA_VERSION


def drop(
    path: str | Path,
    *,
    runs: Sequence[str] = (),
    steps: Sequence[int] = (),
    tasks: Sequence[str] = (),
    timeout: float = 60.0,
) -> int:
    """Removes the results that fit all of what is given, in one transaction; says how many evaluations.

    Without ``tasks`` the checkpoints go too and, without ``steps`` as well, the runs. The file keeps its size
    until it is compacted. Raises NothingFound where nothing fits (nothing given fits nothing), StoreError.
    """
    if not (runs or steps or tasks):
        raise NothingFound("Nothing is named that should be dropped: name a run, a step or a task.")
    fold_in(path, timeout=timeout)
    of_run, run_values = where({"run": runs or None})
    of_step, step_values = where({"step": steps or None})
    of_task, task_values = where({"task": tasks or None})
    place, values = f"{of_run} AND {of_step}", [*run_values, *step_values]
    with writing(path, timeout=timeout) as connection:
        connection.execute(
            f"CREATE TEMP TABLE dropped AS FROM evaluations WHERE {place} AND {of_task}",
            [*values, *task_values],
        )
        (count,) = connection.execute("SELECT count(*) FROM dropped").fetchall()[0]
        gone = int(count)
        saved = 0
        connection.execute(DROP_SQL)
        if not tasks:
            saved += _deleted(connection, f"DELETE FROM checkpoints WHERE {place}", values)
            if not steps:
                saved += _deleted(connection, f"DELETE FROM runs WHERE {of_run}", run_values)
        if not gone + saved:
            raise NothingFound(
                f"{path} holds no results of {_said(runs, steps, tasks)}. Nothing was changed; "
                "`embryo-eval list` says what there is."
            )
    return gone


def export(path: str | Path, folder: str | Path, *, timeout: float = 60.0) -> tuple[Path, ...]:
    """Writes every table as a Parquet file of its own into a new ``folder``; all of them, or nothing.

    Raises NotWritable where the folder exists already, StoreError.
    """
    there = located(folder)
    part = there.with_name(there.name + ".part")
    if there.exists():
        raise NotWritable(f"{there} exists already. Expected the name of a folder to make; choose another.")
    fold_in(path, timeout=timeout)
    files = [part / f"{table}.parquet" for table in schema.TABLES]
    with system_explained(part, "write"):
        _clear(part, files)
        part.mkdir()
    try:
        with reading(path, timeout=timeout, query_seconds=LONG, beside=lambda: files) as connection:
            for table, file in zip(schema.TABLES, files, strict=True):
                with engine_explained(part, "write"):
                    connection.execute(
                        f"COPY {table} TO {quoted(str(file))} (FORMAT parquet, COMPRESSION zstd)"
                    )
        with system_explained(part, "write"):
            for file in files:
                schema.sync(file)
            part.rename(there)
            schema.sync(there.parent)
    finally:
        shutil.rmtree(part, ignore_errors=True)
    return tuple(there / file.name for file in files)


def _clear(part: Path, files: Sequence[Path]) -> None:
    """Removes what a killed export left, and nothing that is somebody else's. Raises NotWritable, OSError."""
    if part.is_dir():
        if not {*part.iterdir()} <= {*files}:
            raise NotWritable(
                f"{part} exists already, and holds other things. Choose another name to export to."
            )
        shutil.rmtree(part)


def _deleted(connection: Any, sql: str, values: Sequence[Any]) -> int:
    (count,) = connection.execute(sql, list(values)).fetchall()[0]
    return int(count)


def _said(runs: Sequence[str], steps: Sequence[int], tasks: Sequence[str]) -> str:
    parts = [f"run {', '.join(runs)}"] if runs else []
    parts += [f"step {', '.join(map(str, steps))}"] if steps else []
    parts += [f"task {', '.join(tasks)}"] if tasks else []
    return ", ".join(parts)
