"""What was found out about files and need not be found out again: digests of files that no manifest tells of,
by place, size and time of change; listings of the Hub's commits.

One line a fact, appended: several processes may write at once. It is a convenience: a folder that cannot be
written costs time, a damaged line is passed by.
"""

from __future__ import annotations

import contextlib
import json
import os
from pathlib import Path


def cache_file() -> Path:
    """``embryo/checkpoints.jsonl`` in the user's cache folder (``XDG_CACHE_HOME``)."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "embryo" / "checkpoints.jsonl"


class _Remembered:
    """What a file of lines tells, read on from where it ended when it has grown."""

    def __init__(self) -> None:
        self.path = Path()
        self.size = 0
        self.known: dict[tuple[str, str], str] = {}

    def look(self) -> dict[tuple[str, str], str]:
        path = cache_file()
        if path != self.path:
            self.path, self.size, self.known = path, 0, {}
        with contextlib.suppress(OSError):
            size = path.stat().st_size
            if size != self.size:
                if size < self.size:
                    self.size = 0
                with path.open("rb") as handle:
                    handle.seek(self.size)
                    *lines, rest = handle.read().split(b"\n")
                self.size = size - len(rest)
                for line in lines:
                    with contextlib.suppress(ValueError, TypeError):
                        place, stamp, found = json.loads(line)
                        self.known[str(place), str(stamp)] = str(found)
        return self.known


_REMEMBERED = _Remembered()


def recall(place: str, stamp: str) -> str | None:
    """What was found at ``place``, as long as its ``stamp`` is this one."""
    return _REMEMBERED.look().get((place, stamp)) if stamp else None


def remember(place: str, stamp: str, found: str) -> None:
    """Keeps what was found, where the cache folder can be written."""
    if not stamp or recall(place, stamp) == found:
        return
    line = json.dumps([place, stamp, found]) + "\n"
    with contextlib.suppress(OSError):
        path = cache_file()
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("ab", buffering=0) as handle:
            handle.write(line.encode())
