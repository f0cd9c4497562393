"""Who computes what, where several commands evaluate into one store: each claims a unit before it computes.

A claim is a lock on one byte of a file beside the store (POSIX record locks, which a killed process loses by
itself). It saves double work and guards nothing: where a file system knows no locks all claims are granted,
and the later of two equal results replaces the earlier.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from evaluators.units import Unit

#: The byte that everybody shares who evaluates: who can have it alone is alone.
_PRESENCE = 1 << 60


@dataclass
class Claims:
    """The claims of this process on the units of one store."""

    store: Path
    _file: int | None = None
    _held: set[int] = field(default_factory=set)
    _in_company: bool = False

    def __enter__(self) -> Claims:
        """Opens the file and makes itself known; in a folder that takes no file, goes without."""
        with suppress(OSError):
            self._file = os.open(f"{self.store}.claims", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
            fcntl.lockf(self._file, fcntl.LOCK_SH, 1, _PRESENCE)
        return self

    def __exit__(self, *error: object) -> None:
        """Lets everything go."""
        if self._file is not None:
            os.close(self._file)

    def in_company(self) -> bool:
        """Has anybody else evaluated into the store while this process does?"""
        if not self._in_company and self._file is not None:
            try:
                fcntl.lockf(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, _PRESENCE)
                fcntl.lockf(self._file, fcntl.LOCK_SH, 1, _PRESENCE)
            except OSError:
                self._in_company = True
        return self._in_company

    def claim(self, unit: Unit) -> bool:
        """Is the unit ours to compute?"""
        place = _place(unit)
        if self._file is None or place in self._held:
            return True
        try:
            fcntl.lockf(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, place)
        except (BlockingIOError, PermissionError):
            self._in_company = True
            return False
        except OSError:
            return True
        self._held.add(place)
        return True

    def release(self, unit: Unit) -> None:
        """Lets a unit go once its results are stored."""
        place = _place(unit)
        if self._file is not None and place in self._held:
            self._held.discard(place)
            fcntl.lockf(self._file, fcntl.LOCK_UN, 1, place)


def _place(unit: Unit) -> int:
    """The byte that stands for a checkpoint and its tasks of one cost."""
    first = unit.asks[0]
    name = f"{first.saved.run}\0{first.saved.step}\0{int(first.task.cost)}"
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:7], "big") >> 2
