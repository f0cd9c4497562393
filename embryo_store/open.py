"""Short connections to a store: the turnstile, retries, and a locked-down engine.

The one module that connects to an existing file. It knows nothing of what is read or written. Never read or
copy the file with Python while this process is connected to it: closing such a file silently drops the locks
that DuckDB holds (POSIX). ``os.stat`` is safe.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from pathlib import Path
from types import MappingProxyType
from typing import Any

import duckdb

from embryo_store import schema, versions, vet
from embryo_store.errors import NotAStore, StoreMissing
from embryo_store.explain import (
    Purpose,
    engine_explained,
    is_lock,
    missing,
    other_format,
    system_explained,
)
from embryo_store.turnstile import pass_for_reading, pass_for_writing, pauses

#: A foreign file is a foreign program: no network, no extensions, no memory without end.
CONFINED: dict[str, Any] = {
    "autoload_known_extensions": False,
    "autoinstall_known_extensions": False,
    "allow_community_extensions": False,
    "allow_unsigned_extensions": False,
    "allow_persistent_secrets": False,
    "python_enable_replacements": False,
    "temp_directory": "",
    "threads": min(4, os.cpu_count() or 1),
}
#: Nor any other file.
LOCKED_DOWN: dict[str, Any] = CONFINED | {"enable_external_access": False}

READING_MEMORY = {"memory_limit": "1GB"}
WRITING_MEMORY = {"memory_limit": "2GB"}

#: A progress bar would be drawn over whatever the terminal shows. No setting changes any more after this.
SETTLED = "SET enable_progress_bar = false; SET lock_configuration = true"

#: What DuckDB may put beside a file that is attached.
SUFFIXES = ("", ".wal", ".wal.checkpoint", ".wal.recovery")

#: Seconds between two attempts to stop a query that is past its time.
INTERRUPT_EVERY = 0.05


@contextmanager
def reading(
    path: str | Path, *, timeout: float, query_seconds: float, turnstile: bool = True
) -> Iterator[duckdb.DuckDBPyConnection]:
    """A read-only connection for as long as the block lasts; its queries together get ``query_seconds``.

    Without ``turnstile``: for a file that only one process knows. Raises StoreError of the kind that fits.
    """
    store = Path(os.path.realpath(path))
    deadline = time.monotonic() + timeout
    with engine_explained(store, "read"), ExitStack() as held:
        with system_explained(store, "read"):
            if not store.exists():
                raise StoreMissing(missing(store))
            connection = held.enter_context(
                _connected(store, deadline, "read", READING_MEMORY, turnstile=turnstile)
            )
        held.enter_context(_stopped_after(connection, query_seconds))
        found = vet.check(connection, store)
        if found < schema.SCHEMA_VERSION:
            versions.lend(connection, found)
        yield connection


@contextmanager
def alone(
    path: str | Path,
    *,
    timeout: float,
    create: bool = False,
    turnstile: bool = True,
    beside: Callable[[], Sequence[Path]] = tuple,
    settings: Mapping[str, Any] = MappingProxyType({}),
) -> Iterator[duckdb.DuckDBPyConnection]:
    """The only connection to the store while the block lasts, outside any transaction.

    A store of an earlier schema version is migrated first.
    ``beside``, asked once nobody else is in: the files that may be attached. Raises StoreError.
    """
    store = Path(os.path.realpath(path))
    deadline = time.monotonic() + timeout
    config = WRITING_MEMORY | schema.STORAGE | dict(settings)
    with engine_explained(store, "write"), ExitStack() as held:
        with system_explained(store, "write"):
            connected = _connected(
                store, deadline, "write", config, turnstile=turnstile, create=create, beside=beside
            )
            connection = held.enter_context(connected)
        found = vet.check(connection, store)
        if found < schema.SCHEMA_VERSION:
            versions.bring_up(connection, found)
        yield connection


@contextmanager
def writing(
    path: str | Path,
    *,
    timeout: float,
    create: bool = False,
    turnstile: bool = True,
    beside: Callable[[], Sequence[Path]] = tuple,
    then: Callable[[], None] = lambda: None,
) -> Iterator[duckdb.DuckDBPyConnection]:
    """As ``alone``, and inside one transaction: committed at the block's end, rolled back by an exception.

    ``then`` is done after the commit, before anybody else gets in.
    """
    with alone(path, timeout=timeout, create=create, turnstile=turnstile, beside=beside) as connection:
        connection.execute("BEGIN")
        try:
            yield connection
            connection.execute("COMMIT")
        except BaseException:
            _roll_back(connection)
            raise
        then()


def confine(connection: duckdb.DuckDBPyConnection, files: Sequence[Path]) -> None:
    """Lets ``connection`` open ``files``, nothing else, from now on."""
    allowed = ", ".join(quoted(str(file) + suffix) for file in files for suffix in SUFFIXES)
    connection.execute(f"SET allowed_paths = [{allowed}]")
    connection.execute("SET enable_external_access = false")


def quoted(text: str) -> str:
    """A SQL literal, for statements that take no parameters."""
    return "'" + text.replace("'", "''") + "'"


def ensure_folder(path: str | Path, *, timeout: float) -> None:
    """Raises the StoreError that making a store at ``path`` would raise. Leaves the lock files behind."""
    store = Path(os.path.realpath(path))
    with system_explained(store, "write"), pass_for_writing(store, time.monotonic() + timeout):
        _refuse_orphaned_log(store)


@contextmanager
def _connected(
    store: Path,
    deadline: float,
    purpose: Purpose,
    settings: Mapping[str, Any],
    *,
    turnstile: bool,
    create: bool = False,
    beside: Callable[[], Sequence[Path]] = tuple,
) -> Iterator[duckdb.DuckDBPyConnection]:
    """One connection, inside the turnstile; tries again while a program that knows no turnstile is inside."""
    write = purpose == "write"
    for pause in pauses():
        with _pass(store, deadline, purpose) if turnstile else nullcontext():
            if create and not store.exists():
                _refuse_orphaned_log(store)
                schema.create(store)
            files = beside()
            # Paths can be allowed on an open connection alone, so the lid goes on just after it.
            config = (CONFINED if files else LOCKED_DOWN) | dict(settings)
            try:
                connection = duckdb.connect(str(store), read_only=not write, config=config)
            except (duckdb.IOException, duckdb.ConnectionException) as error:
                if not is_lock(error) or time.monotonic() + pause > deadline:
                    raise
            except duckdb.PermissionException:
                # DuckDB knows the format, of SQLite for one, and would load an extension for it.
                raise NotAStore(other_format(store)) from None
            else:
                with connection:
                    if files:
                        confine(connection, files)
                    connection.execute(SETTLED)
                    yield connection
                if write:
                    vet.trust(store)
                return
        # Outside the turnstile: a client that keeps the file open must not keep readers waiting as well.
        time.sleep(pause)


def _pass(store: Path, deadline: float, purpose: Purpose) -> AbstractContextManager[None]:
    return pass_for_writing(store, deadline) if purpose == "write" else pass_for_reading(store, deadline)


@contextmanager
def _stopped_after(connection: duckdb.DuckDBPyConnection, seconds: float) -> Iterator[None]:
    done = threading.Event()

    def watch() -> None:
        wait = seconds
        while not done.wait(wait):
            connection.interrupt()
            wait = INTERRUPT_EVERY

    watcher = threading.Thread(target=watch, name="embryo-store-query-timer", daemon=True)
    watcher.start()
    try:
        yield
    finally:
        done.set()
        watcher.join()


def _roll_back(connection: duckdb.DuckDBPyConnection) -> None:
    try:
        connection.execute("ROLLBACK")
    except duckdb.Error:
        # A failed COMMIT has rolled back already, and a broken engine has nothing left to keep.
        return


def _refuse_orphaned_log(store: Path) -> None:
    log = store.with_name(store.name + ".wal")
    if log.exists():
        raise NotAStore(
            f"{log} is the write-ahead log of a store that is gone ({store} is missing). "
            "Put the store back beside it, or move the log away to start a new store."
        )
