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
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext, suppress
from pathlib import Path
from types import MappingProxyType
from typing import Any

import duckdb

from embryo_store import engine, schema, versions, vet
from embryo_store.errors import NotAStore, NotReadable, StoreMissing
from embryo_store.explain import (
    Purpose,
    engine_explained,
    is_lock,
    missing,
    other_format,
    system_explained,
)
from embryo_store.turnstile import pass_for_reading, pass_for_writing, pauses, sidecars

#: Seconds between two attempts to open a file that a program keeps open which knows no turnstile; at most.
LONGEST_PAUSE = 0.02

#: Seconds between two attempts to stop a query that is past its time.
INTERRUPT_EVERY = 0.05


def located(path: str | Path) -> Path:
    """Where a path leads, whether something is there or not. Raises NotReadable where that can't be told."""
    try:
        os.fspath(path).encode()
        place = Path(os.path.realpath(path))
        place.exists()
    except (OSError, ValueError) as error:
        reason = (isinstance(error, OSError) and error.strerror) or "no file can bear such a name"
        raise NotReadable(f"{path} can't be used: {reason}. Check the path and its permissions.") from error
    return place


@contextmanager
def reading(
    path: str | Path,
    *,
    timeout: float,
    query_seconds: float,
    turnstile: bool = True,
    beside: Callable[[], Sequence[Path]] = tuple,
) -> Iterator[duckdb.DuckDBPyConnection]:
    """A read-only connection for as long as the block lasts; its queries together get ``query_seconds``.

    ``beside``: the files that may be written next to it, and nothing else. Without ``turnstile``: for a file
    that only one process knows. Raises StoreError of the kind that fits.
    """
    store = located(path)
    deadline = time.monotonic() + timeout

    def opened() -> AbstractContextManager[duckdb.DuckDBPyConnection]:
        # An engine is kept for stores that are likely to be read again.
        files = beside()
        return engine.read_once(store, beside=files) if files or not turnstile else engine.read(store)

    with _no_locks_left_by(store), engine_explained(store, "read"), ExitStack() as held:
        with system_explained(store, "read"):
            _refuse_no_file(store, create=False)
            connection = held.enter_context(_connected(store, deadline, "read", opened, turnstile=turnstile))
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
    store = located(path)
    deadline = time.monotonic() + timeout

    def opened() -> AbstractContextManager[duckdb.DuckDBPyConnection]:
        return engine.written(store, beside=beside(), settings=settings)

    with _no_locks_left_by(store), engine_explained(store, "write"), ExitStack() as held:
        with system_explained(store, "write"):
            _refuse_no_file(store, create=create)
            connected = _connected(store, deadline, "write", opened, turnstile=turnstile, create=create)
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
        with engine.transaction(connection):
            yield connection
        then()


def ensure_folder(path: str | Path, *, timeout: float) -> None:
    """Raises the StoreError that making a store at ``path`` would raise. Leaves the lock files behind."""
    store = located(path)
    with system_explained(store, "write"), pass_for_writing(store, time.monotonic() + timeout):
        _refuse_orphaned_log(store)


@contextmanager
def _connected(
    store: Path,
    deadline: float,
    purpose: Purpose,
    opened: Callable[[], AbstractContextManager[duckdb.DuckDBPyConnection]],
    *,
    turnstile: bool,
    create: bool = False,
) -> Iterator[duckdb.DuckDBPyConnection]:
    """One connection, inside the turnstile; tries again while a program that knows no turnstile is inside."""
    for pause in pauses(LONGEST_PAUSE):
        with _pass(store, deadline, purpose) if turnstile else nullcontext(), ExitStack() as held:
            if create and not store.exists():
                _refuse_orphaned_log(store)
                schema.create(store)
            try:
                connection = held.enter_context(opened())
            except duckdb.Error as error:
                if not is_lock(error) or time.monotonic() + pause > deadline:
                    raise
            else:
                yield connection
                held.close()
                if purpose == "write":
                    vet.trust(store)
                return
        # Outside the turnstile: a client that keeps the file open must not keep readers waiting as well.
        time.sleep(pause)


@contextmanager
def _no_locks_left_by(store: Path) -> Iterator[None]:
    """Takes lock files away again that were made beside a file which turned out to be no store."""
    new = [file for file in sidecars(store) if not file.exists()]
    try:
        yield
    except NotAStore:
        # Whoever else came to lock them meanwhile is told the same.
        for file in new:
            with suppress(OSError):
                file.unlink(missing_ok=True)
        raise


def _pass(store: Path, deadline: float, purpose: Purpose) -> AbstractContextManager[None]:
    return pass_for_writing(store, deadline) if purpose == "write" else pass_for_reading(store, deadline)


@contextmanager
def _stopped_after(connection: duckdb.DuckDBPyConnection, seconds: float) -> Iterator[None]:
    done, fired = threading.Event(), threading.Event()

    def watch() -> None:
        wait = seconds
        while not done.wait(wait):
            fired.set()
            connection.interrupt()
            wait = INTERRUPT_EVERY

    watcher = threading.Thread(target=watch, name="embryo-store-query-timer", daemon=True)
    watcher.start()
    try:
        yield
    except duckdb.InterruptException as error:
        if not fired.is_set():
            # DuckDB took Ctrl-C for its own.
            raise KeyboardInterrupt from error
        raise
    finally:
        done.set()
        watcher.join()


def _refuse_no_file(store: Path, *, create: bool) -> None:
    """DuckDB makes an empty file where there is none, writes to devices, and waits for a pipe's other end."""
    if not store.exists():
        if not create:
            raise StoreMissing(missing(store))
    elif not store.is_file():
        raise NotAStore(other_format(store))


def _refuse_orphaned_log(store: Path) -> None:
    log = store.with_name(store.name + ".wal")
    if log.exists():
        raise NotAStore(
            f"{log} is the write-ahead log of a store that is gone ({store} is missing). "
            "Put the store back beside it, or move the log away to start a new store."
        )
