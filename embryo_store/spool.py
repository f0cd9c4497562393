"""Commits that found no way in wait in a folder beside the store, and are folded in by the next writer.

Each waits in a small store of its own, written whole, under a name that sorts by time. An evaluation is never
lost to somebody who keeps the file open.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import duckdb

from embryo_store import schema, taking_in
from embryo_store.explain import engine_explained
from embryo_store.open import writing

#: Small blocks: a waiting commit takes some hundred kilobytes instead of ten megabytes.
BLOCK_SIZE = 16_384


def waiting(store: Path) -> list[Path]:
    """The commits that wait, oldest first."""
    return sorted(_folder(store).glob("*.duckdb"))


@contextmanager
def aside(store: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """A connection to write to in place of ``store``. Raises OSError, StoreError."""
    _folder(store).mkdir(exist_ok=True)
    place = _folder(store) / f"{time.time_ns():020d}-{os.getpid()}.duckdb"
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


def fold(store: Path, *, timeout: float) -> None:
    """Takes all that waits into the store, in one transaction. Raises StoreError."""
    places: list[Path] = []

    def see() -> list[Path]:
        places[:] = waiting(store)
        return places

    def clear() -> None:
        for place in places:
            place.unlink()
        with suppress(OSError):
            _folder(store).rmdir()

    with writing(store, timeout=timeout, create=True, beside=see, then=clear) as connection:
        for number, place in enumerate(places):
            taking_in.take_in(connection, place, alias=f"waiting_{number}")


def _folder(store: Path) -> Path:
    return store.with_name(store.name + ".spool")
