"""What DuckDB and the operating system say about a store, in words that a user can act on."""

from __future__ import annotations

import errno
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

import duckdb

from embryo_store.errors import (
    BadQuery,
    DamagedStore,
    NewerSchema,
    NotAStore,
    NotReadable,
    NotWritable,
    QueryTooLong,
    StoreError,
    StoreFull,
    StoreLocked,
    StoreMissing,
)
from embryo_store.turnstile import OccupiedError

#: What DuckDB's RuntimeError, and its Error, say where a signal's handler raised while a query ran.
INTERRUPTED = ("Query interrupted", "KeyboardInterrupt: ")

DISK_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}

Purpose = Literal["read", "write"]


@contextmanager
def engine_explained(store: Path, purpose: Purpose) -> Iterator[None]:
    """Turns DuckDB's errors into StoreErrors, and what it makes of Ctrl-C into KeyboardInterrupt again."""
    try:
        yield
    except (duckdb.Error, RuntimeError) as error:
        # A reading has a time limit, which stops queries as well; it tells the two apart before.
        stopped = purpose == "write" and isinstance(error, duckdb.InterruptException)
        if stopped or str(error).startswith(INTERRUPTED):
            raise KeyboardInterrupt from error
        if not isinstance(error, duckdb.Error):
            raise
        raise explained(error, store, purpose) from error
    except UnicodeDecodeError as error:
        # DuckDB quotes in its message what it read, and what it read was damaged.
        raise DamagedStore(
            f"{store} is damaged: it holds bytes that are no text. Restore it from a copy, or move it away "
            "and evaluate again."
        ) from error


@contextmanager
def system_explained(store: Path, purpose: Purpose) -> Iterator[None]:
    """Turns what the turnstile and the file system say into StoreErrors."""
    try:
        yield
    except OccupiedError:
        raise StoreLocked(
            f"{store} stayed busy: other Embryo processes held {store.name}.room beside it. "
            "Wait for them to finish, or stop them, and run the same command again."
        ) from None
    except OSError as error:
        raise _explained_os(error, store, purpose) from error


def is_lock(error: Exception) -> bool:
    """Whether somebody else has the file open."""
    text = str(error)
    return "Could not set lock" in text or "Unique file handle conflict" in text


def missing(store: Path) -> str:
    """The message where a store is read that does not exist."""
    return (
        f"There is no results store at {store}. "
        f"Name another one, or fill it with `embryo-eval --db {store.name}`."
    )


def other_format(store: Path) -> str:
    """The message where a file is no DuckDB file."""
    return f"{store} is not a DuckDB file. Expected a store as `embryo-eval` writes it; name another path."


def _explained_os(error: OSError, store: Path, purpose: Purpose) -> StoreError:
    if error.errno in DISK_FULL:
        return StoreFull(_full(store))
    if purpose == "read":
        return NotReadable(f"{store} can't be read: {error.strerror}. Check the path and its permissions.")
    if error.errno == errno.ENOENT:
        return NotWritable(f"The folder {store.parent} does not exist. Make it, or name another store.")
    return NotWritable(
        f"{store} can't be written: {error.strerror} ({error.filename}). The store and its folder must be "
        "writable, as lock files lie beside it. Name another store, or change the permissions."
    )


def _full(store: Path) -> str:
    return (
        f"No room left on the disk for {store}. Nothing of what was being written was kept, all that "
        "stood before is whole. Make room, then run the same command again."
    )


def explained(error: duckdb.Error, store: Path, purpose: Purpose) -> StoreError:
    """The StoreError for what DuckDB said."""
    text = str(error)
    for pattern, kind, message in EXPLANATIONS:
        found = re.search(pattern, text, re.IGNORECASE)
        if found:
            return kind(message.format(store=store, holder=_holder(text), found=text.split("\n")[0]))
    if re.search(r"not a valid DuckDB database file|Is a directory|Extension .* not found", text):
        return NotAStore(other_format(store))
    if "Permission denied" in text or "Read-only file system" in text:
        if purpose == "read":
            return NotReadable(f"{store} may not be read by this user. Change its permissions, or copy it.")
        return NotWritable(
            f"{store} may not be written by this user, or lies on a read-only disk. "
            "Name another store, or change the permissions."
        )
    if isinstance(error, duckdb.InterruptException):
        return QueryTooLong(
            f"A query on {store} took longer than allowed, and was stopped. Ask for less, or give it longer."
        )
    if isinstance(error, duckdb.OutOfMemoryException):
        said = text.splitlines()[0]
        if purpose == "write":
            return QueryTooLong(
                f"To write {store} took more memory than allowed, and was stopped. Nothing was changed. "
                f"Allow it more (`embryo-eval db compact --memory`). ({said})"
            )
        return QueryTooLong(f"A query on {store} needed more memory than allowed. Ask for less. ({said})")
    if isinstance(error, duckdb.InternalError | duckdb.SerializationException) or "FATAL" in text:
        return DamagedStore(f"{store} is damaged: {text.splitlines()[0]} Restore it from a copy.")
    return BadQuery(f"DuckDB refused, for {store}: {text}")


def _holder(text: str) -> str:
    found = re.search(r"held in (\S+) \(PID (\d+)\)", text)
    return f"{found[1]} (process {found[2]})" if found else "another program"


EXPLANATIONS: tuple[tuple[str, type[StoreError], str], ...] = (
    (
        r"Could not set lock|Unique file handle conflict",
        StoreLocked,
        "{store} is kept open by {holder}. Close it there (a `duckdb` session, a notebook), "
        "then run the same command again.",
    ),
    (
        r"No space left on device|File too large|Disk quota exceeded",
        StoreFull,
        "No room left on the disk for {store}. Nothing of what was being written was kept, all that "
        "stood before is whole. Make room, then run the same command again.",
    ),
    (
        r"database does not exist",
        StoreMissing,
        "There is no results store at {store}. Name another one, or fill it with `embryo-eval`.",
    ),
    (
        r"with version number|newer version of DuckDB|storage version",
        NewerSchema,
        "{store} was written by a DuckDB that this one can't read: {found} Update Embryo, then try again.",
    ),
    (
        r"Corrupt database file|Could not read enough bytes|checksum|Failed to deserialize|invalidated",
        DamagedStore,
        "{store} is damaged: {found} Restore it from a copy, or move it away and evaluate again.",
    ),
)
