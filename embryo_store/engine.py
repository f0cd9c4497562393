"""DuckDB engines that hold no file of their own: a store is attached to one, and detached again.

Starting an engine takes four times as long as attaching a file, so the one that reads a store is kept for the
next reading of it; nothing of the file is kept. Read by several threads at once, a file is opened once: the
first descriptor that is closed would drop the locks of them all (POSIX).
"""

from __future__ import annotations

import os
import secrets
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import duckdb

from embryo_store import schema

#: The name under which a store is attached.
NAME = "results"

#: A foreign file is a foreign program: no network, no extensions, no memory without end.
CONFINED: Mapping[str, Any] = {
    "autoload_known_extensions": False,
    "autoinstall_known_extensions": False,
    "allow_community_extensions": False,
    "allow_unsigned_extensions": False,
    "allow_persistent_secrets": False,
    "python_enable_replacements": False,
    "temp_directory": "",
    "threads": min(4, os.cpu_count() or 1),
}
#: What a query needed is given back within seconds, else a program that reads now and then holds 90 MB of it.
READING_MEMORY = {"memory_limit": "1GB", "allocator_background_threads": True}
WRITING = {"memory_limit": "2GB", "allowed_configs": ["max_vacuum_tasks"]}

#: Every commit leaves row groups of its own behind. To merge them is to write earlier rows anew, up to 40 MB
#: of outcomes and 80 of attention maps: one commit in so many does it, drawn by lot, as the writing process
#: may have written this one alone. Never merged, six hundred commits make curves four times slower, and the
#: numbers' share of the file nine times larger.
MERGED_EVERY = 32
MERGES = 100

#: What DuckDB may put beside a file that is attached.
SUFFIXES = ("", ".wal", ".wal.checkpoint", ".wal.recovery")

#: Rows that a commit's tables are cut into: an unfinished row group is written anew by every commit, and one
#: of DuckDB's own size (122,880) takes a third of a second. The paper's facts at a step just fill one.
ROW_GROUP = 20_480

#: Engines that are kept for reading.
KEPT = 4


def quoted(text: str) -> str:
    """A SQL literal, for statements that take no parameters."""
    return "'" + text.replace("'", "''") + "'"


@contextmanager
def written(
    store: Path, *, beside: Sequence[Path] = (), settings: Mapping[str, Any]
) -> Iterator[duckdb.DuckDBPyConnection]:
    """A connection to write ``store``; ``beside``: files that may be attached too.

    The engine that wrote it alone, with no ``settings`` of its own, is kept for the next time.
    """
    usual = not beside and not settings
    engine = _idle_writers.pop(store, None) if usual else None
    if engine is None:
        engine = _started(WRITING | schema.STORAGE | dict(settings), [store, *beside])
    try:
        if usual:
            merges = 0 if secrets.randbelow(MERGED_EVERY) else MERGES
            engine.execute(f"SET max_vacuum_tasks = {merges}")
        engine.execute(f"ATTACH {quoted(str(store))} AS {NAME} (TYPE duckdb, ROW_GROUP_SIZE {ROW_GROUP})")
        # What is temporary goes with the cursor.
        with engine.cursor() as connection:
            connection.execute(f"USE {NAME}")
            yield connection
    except BaseException:
        engine.close()
        raise
    if usual and _let_go(engine):
        _idle_writers.clear()
        _idle_writers[store] = engine
    else:
        engine.close()


def _let_go(engine: duckdb.DuckDBPyConnection) -> bool:
    """Detaches the store; whether that went well. What was committed is safe if not: it stays in the log."""
    try:
        engine.execute(f"DETACH {NAME}")
    except duckdb.Error:
        return False
    return True


@contextmanager
def read_once(store: Path, *, beside: Sequence[Path] = ()) -> Iterator[duckdb.DuckDBPyConnection]:
    """An engine for this block alone, with ``store`` to read; ``beside``: files that may be written."""
    with _started(READING_MEMORY, [store, *beside]) as engine:
        engine.execute(_ATTACH_TO_READ.format(path=quoted(str(store))))
        engine.execute(f"USE {NAME}")
        yield engine


@contextmanager
def read(store: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """A connection of the engine that is kept for ``store``, for reading."""
    engine = _taken(store)
    try:
        engine.enter()
    except BaseException:
        _given_back(store, engine)
        raise
    try:
        with engine.connection.cursor() as connection:
            connection.execute(f"USE {NAME}")
            yield connection
    finally:
        engine.leave()
        _given_back(store, engine)


@contextmanager
def transaction(connection: duckdb.DuckDBPyConnection) -> Iterator[None]:
    """All of the block, or nothing of it."""
    connection.execute("BEGIN")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        # A failed COMMIT has rolled back already, and a broken engine has nothing left to keep.
        with suppress(duckdb.Error):
            connection.execute("ROLLBACK")
        raise


_ATTACH_TO_READ = f"ATTACH {{path}} AS {NAME} (TYPE duckdb, READ_ONLY)"

#: The databases and tables that an engine holds: one, its own, and none.
_LEFT = """
SELECT (SELECT count(*) FROM duckdb_databases() WHERE NOT internal), (SELECT count(*) FROM duckdb_tables())
"""


class _Engine:
    """An engine that may open one store, and how many are reading in it."""

    def __init__(self, store: Path) -> None:
        self.connection = _started(READING_MEMORY, [store])
        self.attach = _ATTACH_TO_READ.format(path=quoted(str(store)))
        self.users = 0
        self.sound = True
        self._readers = 0
        self._lock = threading.Lock()

    def enter(self) -> None:
        """Attaches the store, unless somebody is reading it already. Raises duckdb.Error."""
        with self._lock:
            if not self._readers:
                try:
                    self.connection.execute(self.attach)
                except (duckdb.Error, UnicodeDecodeError):
                    self.sound = False
                    raise
            self._readers += 1

    def leave(self) -> None:
        with self._lock:
            self._readers -= 1
            if not self._readers:
                # A damaged file breaks its engine, free SQL may bend it: the next reader gets another.
                try:
                    self.connection.execute(f"DETACH {NAME}")
                    self.sound = self.connection.execute(_LEFT).fetchall() == [(1, 0)]
                except duckdb.Error:
                    self.sound = False


#: The engine of the last commit: an evaluation writes one store.
_idle_writers: dict[Path, duckdb.DuckDBPyConnection] = {}

_kept: dict[Path, _Engine] = {}
_guard = threading.Lock()


def _taken(store: Path) -> _Engine:
    with _guard:
        engine = _kept.pop(store, None) or _Engine(store)
        _kept[store] = engine
        engine.users += 1
        return engine


def _given_back(store: Path, engine: _Engine) -> None:
    with _guard:
        engine.users -= 1
        if not engine.sound and _kept.get(store) is engine:
            del _kept[store]
        idle = [path for path, kept in _kept.items() if not kept.users]
        for path in idle[: max(0, len(_kept) - KEPT)]:
            _kept.pop(path).connection.close()
        if not engine.sound and not engine.users:
            with suppress(duckdb.Error):
                engine.connection.close()


def _started(settings: Mapping[str, Any], files: Sequence[Path]) -> duckdb.DuckDBPyConnection:
    """A new engine that can open ``files`` and nothing else, whatever it is asked."""
    connection = duckdb.connect(":memory:", config={**CONFINED, **settings})
    allowed = ", ".join(quoted(str(file) + suffix) for file in files for suffix in SUFFIXES)
    connection.execute(f"SET allowed_paths = [{allowed}]")
    # A progress bar would be drawn over whatever the terminal shows.
    connection.execute(
        "SET enable_external_access = false; SET enable_progress_bar = false; SET lock_configuration = true"
    )
    return connection


def _forget_after_fork() -> None:
    """An engine's threads stay behind in the parent: the child neither uses nor closes what it inherited."""
    global _kept, _idle_writers, _guard
    _inherited.append((_kept, _idle_writers))
    _kept, _idle_writers, _guard = {}, {}, threading.Lock()


_inherited: list[object] = []
os.register_at_fork(after_in_child=_forget_after_fork)
