"""The command in forked processes, where the libraries are loaded already."""

import io
import os
import resource
import signal
import sys
import time
from pathlib import Path

import embryo_store
from evaluators.cli import main


def start(*arguments: str, room: int | None = None, shown: str = "shown.txt") -> int:
    """Starts ``embryo-eval``; what it prints goes to the file ``shown``. Returns the process's id."""
    child = os.fork()
    if child:
        return child
    try:
        sys.stdout = sys.stderr = io.TextIOWrapper(io.FileIO(shown, "w"))
        signal.signal(signal.SIGINT, signal.default_int_handler)
        if room is not None:
            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
            resource.setrlimit(resource.RLIMIT_FSIZE, (room, room))
        code = main(arguments)
        sys.stdout.flush()
    except BaseException:
        code = 99
        raise
    finally:
        os._exit(code)


def finish(child: int) -> int:
    """Waits for a process; its exit code, negative where a signal ended it."""
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def stored(db: Path) -> int:
    return len(embryo_store.done(db)) if db.exists() else 0


def is_over(child: int) -> bool:
    return os.waitid(os.P_PID, child, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None


def wait_for(results: int, child: int, db: Path, *, rest: float = 0.0) -> None:
    """Returns once ``child`` has stored so many results, or has ended. To look costs what ``child`` needs:
    where it has long to go, rest ``rest`` times as long as a look took.
    """
    while not is_over(child):
        began = time.monotonic()
        if stored(db) >= results:
            return
        time.sleep(max(0.01, rest * (time.monotonic() - began)))


def descendants(process: int, deep: int = 9) -> list[int]:
    """The processes that ``process`` started, and those that they started, ``deep`` generations."""
    parents = {}
    for entry in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = entry.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if fields[0] != "Z":
            parents[int(entry.parent.name)] = int(fields[1])
    found, level = [], [process]
    for _ in range(deep):
        level = [child for child, parent in parents.items() if parent in level]
        found += level
    return found
