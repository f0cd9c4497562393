"""Commits that found no way in wait in a folder beside the store, and are folded in by the next writer.

Each waits in a small store of its own, written whole, under a name that sorts by time. An evaluation is never
lost to somebody who keeps the file open.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import duckdb

from embryo_store import schema, taking_in
from embryo_store.errors import DamagedStore, StoreError
from embryo_store.explain import engine_explained
from embryo_store.open import reading, writing

#: Seconds that a look over a waiting commit may take; it takes some hundredths.
LOOK_SECONDS = 60.0

#: Seconds after which nobody is still writing a commit aside; it takes some tenths.
ABANDONED = 3600.0

_NAME = re.compile(r"\d{20}-\d+\.duckdb")

#: Small blocks: a waiting commit takes some hundred kilobytes instead of ten megabytes.
BLOCK_SIZE = 16_384


def waiting(store: Path) -> list[Path]:
    """The commits that wait, oldest first."""
    return sorted(path for path in _folder(store).glob("*.duckdb") if _NAME.fullmatch(path.name))


@contextmanager
def aside(store: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """A connection to write to in place of ``store``. Raises OSError, StoreError."""
    _folder(store).mkdir(exist_ok=True)
    # Behind what waits already, even where the clock was set back.
    last = max((int(earlier.name.partition("-")[0]) for earlier in waiting(store)), default=0)
    place = _folder(store) / f"{max(time.time_ns(), last + 1):020d}-{os.getpid()}.duckdb"
    part = place.with_suffix(".part")
    try:
        with engine_explained(part, "write"):
            schema.create(part, block_size=BLOCK_SIZE)
        with writing(part, timeout=0, turnstile=False) as connection:
            yield connection
        part.replace(place)
    except BaseException:
        for left in (part, part.with_name(part.name + ".wal")):
            with suppress(OSError):
                left.unlink(missing_ok=True)
        raise


@contextmanager
def waiter_blamed(place: Path, store: Path) -> Iterator[None]:
    """Says of an error with a waiting commit that the store itself has none."""
    try:
        yield
    except StoreError as error:
        raise type(error)(
            f"{error} It waits to be taken into {store}; move it away to go on without what it holds."
        ) from error


def fold(store: Path, *, timeout: float) -> None:
    """Takes all that waits into the store, in one transaction. Raises StoreError."""
    places: list[Path] = []
    sound: set[Path] = set()

    def see() -> list[Path]:
        places[:] = waiting(store)
        for place in places:
            # Looked over as any other file, before it is believed: once, however often it is tried to get in.
            if place not in sound:
                looked = reading(place, timeout=timeout, query_seconds=LOOK_SECONDS, turnstile=False)
                with waiter_blamed(place, store), looked:
                    sound.add(place)
        return places

    def clear() -> None:
        for place in places:
            place.unlink()
        with suppress(OSError):
            _clear_leftovers(_folder(store))
            _folder(store).rmdir()

    try:
        with writing(store, timeout=timeout, create=True, beside=see, then=clear) as connection:
            for number, place in enumerate(places):
                taking_in.take_in(connection, place, alias=f"waiting_{number}")
    except DamagedStore as error:
        for place in places:
            if str(place) in str(error):
                with waiter_blamed(place, store):
                    raise DamagedStore(f"{place} is damaged.") from error
        raise


def _clear_leftovers(folder: Path) -> None:
    """Removes what writers that were killed left half-written."""
    for left in folder.glob("*.part*"):
        if time.time() - left.stat().st_mtime > ABANDONED:
            left.unlink()


def _folder(store: Path) -> Path:
    return store.with_name(store.name + ".spool")
