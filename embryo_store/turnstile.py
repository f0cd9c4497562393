"""Who may open the store now: two ``flock`` sidecar files that let a writer pass before waiting readers.

A writer takes the turn and then the room, both for itself. A reader shares both, and lets the turn go once
inside: while a writer waits for the room to empty it holds the turn, so nobody new enters. Knows no DuckDB.
"""

from __future__ import annotations

import errno
import fcntl
import os
import random
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

FIRST_PAUSE = 0.001
#: To look whether a lock is free costs a microsecond, to look whether a file can be opened a millisecond.
LONGEST_PAUSE = 0.004
#: For so long after a writing no other of this process begins: a writer that never rests would be back before
#: any reader looks whether the way is free.
COURTESY = 1.5 * LONGEST_PAUSE
NO_FLOCK = {errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOSYS}

_left: dict[Path, float] = {}


class OccupiedError(Exception):
    """The deadline passed before the way was free."""


def sidecars(store: Path) -> tuple[Path, Path]:
    """The two files beside ``store`` that are locked: the turn and the room."""
    return store.with_name(store.name + ".turn"), store.with_name(store.name + ".room")


def pauses(longest: float = LONGEST_PAUSE) -> Iterator[float]:
    """Growing waits in seconds, spread at random so that waiters don't march in step."""
    pause = FIRST_PAUSE
    while True:
        yield pause * (0.5 + random.random())
        pause = min(longest, pause * 1.6)


@contextmanager
def pass_for_writing(store: Path, deadline: float) -> Iterator[None]:
    """Holds the store alone. Raises OSError without sidecars, ``OccupiedError`` past ``deadline``."""
    rest = _left.get(store, 0.0) + COURTESY - time.monotonic()
    if rest > 0:
        time.sleep(rest)
    with ExitStack() as held:
        held.callback(lambda: _left.update({store: time.monotonic()}))
        turn, room = (_opened(path, held) for path in sidecars(store))
        _lock(turn, fcntl.LOCK_EX, deadline)
        _lock(room, fcntl.LOCK_EX, deadline)
        yield


@contextmanager
def pass_for_reading(store: Path, deadline: float) -> Iterator[None]:
    """Shares the store with other readers; in a folder that takes no sidecars, goes without."""
    with ExitStack() as held:
        try:
            turn, room = (_opened(path, held) for path in sidecars(store))
        except OSError:
            yield
            return
        _lock(turn, fcntl.LOCK_SH, deadline)
        _lock(room, fcntl.LOCK_SH, deadline)
        fcntl.flock(turn, fcntl.LOCK_UN)
        yield


def _opened(path: Path, held: ExitStack) -> int:
    try:
        file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
    except PermissionError as refused:
        # Another user's sidecar: flock needs no right to write.
        try:
            file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            raise refused from None
    held.callback(os.close, file)
    return file


def _lock(file: int, how: int, deadline: float) -> None:
    for pause in pauses():
        try:
            fcntl.flock(file, how | fcntl.LOCK_NB)
            return
        except BlockingIOError:
            if time.monotonic() + pause > deadline:
                raise OccupiedError from None
        except OSError as error:
            if error.errno in NO_FLOCK:
                return
            raise
        time.sleep(pause)
