"""Drives a program through a real pseudo-terminal: what it sends, when, and what it costs."""

from __future__ import annotations

import fcntl
import os
import pty
import select
import signal
import statistics
import struct
import termios
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

COLUMNS, ROWS = 160, 45
UP, DOWN, RIGHT, LEFT = (b"\x1b[" + letter for letter in (b"A", b"B", b"C", b"D"))
#: What an application asks whether frames may be sent whole, what is answered, and how such a frame begins.
ASKED, ANSWER, FRAME = b"\x1b[?2026$p", b"\x1b[?2026;2$y", b"\x1b[?2026h"
HELD, RATE = 90, 30
#: Bytes of a screen full of panels: what a program sends before is a greeting.
WHOLE = 2000


@dataclass
class Terminal:
    """A program in a pseudo-terminal of 160 x 45."""

    pid: int
    file: int
    frames: int = 0

    @classmethod
    def open(cls, command: Sequence[str]) -> Terminal:
        pid, file = pty.fork()
        if pid == 0:
            os.environ.update(TERM="xterm-256color", COLORTERM="truecolor")
            # As installed: with its modules compiled once, not at every start.
            os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
            try:
                os.execvp(command[0], list(command))
            finally:
                os._exit(127)
        fcntl.ioctl(file, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, COLUMNS, 0, 0))
        return cls(pid, file)

    def drain(self, quiet: float, limit: float = 10.0) -> tuple[int, float | None]:
        """Reads until nothing has come for ``quiet`` seconds: bytes, and when the last came."""
        begun, count, last = time.perf_counter(), 0, None
        while time.perf_counter() - begun < limit:
            if not select.select([self.file], [], [], quiet if count else limit)[0]:
                break
            count, last = count + self.read(), time.perf_counter()
        return count, last

    def until(self, count: int) -> None:
        """Reads until so many bytes have come."""
        while count > 0 and select.select([self.file], [], [], 20.0)[0]:
            count -= self.read()

    def read(self) -> int:
        try:
            chunk = os.read(self.file, 65536)
        except OSError as error:
            raise SystemExit("the program ended") from error
        if ASKED in chunk:
            os.write(self.file, ANSWER)
        self.frames += chunk.count(FRAME)
        return len(chunk)

    def press(self, key: bytes) -> None:
        os.write(self.file, key)

    def hold(self, back: bytes, forth: bytes) -> tuple[int, float]:
        """Keys held for 3 s at 30 Hz, half the time each way: frames, and ms until the last after release."""
        before, begun = self.frames, time.perf_counter()
        for place in range(HELD):
            self.press(back if place < HELD // 2 else forth)
            while (left := begun + (place + 1) / RATE - time.perf_counter()) > 0:
                if select.select([self.file], [], [], left)[0]:
                    self.read()
        released = time.perf_counter()
        _, last = self.drain(0.3, 0.6)
        return self.frames - before, max(0.0, ((last or released) - released) * 1e3)

    def family(self) -> list[int]:
        """The program and what it started."""
        found, new = [], [self.pid]
        while new:
            pid = new.pop()
            found.append(pid)
            children = Path(f"/proc/{pid}/task/{pid}/children")
            new += [int(child) for child in children.read_text().split()] if children.exists() else []
        return found

    def cpu(self) -> float:
        total = 0.0
        for pid in self.family():
            fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
            total += (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
        return total

    def memory(self) -> float:
        pages = sum(int(Path(f"/proc/{pid}/statm").read_text().split()[1]) for pid in self.family())
        return pages * os.sysconf("SC_PAGE_SIZE") / 1e6

    def close(self) -> None:
        for pid in reversed(self.family()):
            os.kill(pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)
        os.close(self.file)


def measure(
    command: Sequence[str], count: int, *, back: bytes = LEFT, forth: bytes = RIGHT
) -> dict[str, float]:
    """Start, ``count`` single steps back, keys held for 3 s: 100 steps have room for both."""
    begun = time.perf_counter()
    terminal = Terminal.open(command)
    try:
        terminal.until(1)
        picture = time.perf_counter() - begun
        terminal.until(WHOLE)
        first = time.perf_counter() - begun
        _, last = terminal.drain(1.5, 20)
        whole = (last or begun) - begun
        for _ in range(4):
            terminal.press(back)
            terminal.drain(0.3, 2)
        latencies, sizes, before = [], [], terminal.cpu()
        for _ in range(count):
            pressed = time.perf_counter()
            terminal.press(back)
            size, last = terminal.drain(0.09, 2)
            if last is not None:
                latencies.append((last - pressed) * 1e3)
                sizes.append(size)
        used = (terminal.cpu() - before) / count * 1e3
        frames, settled = terminal.hold(back, forth)
        return {
            "first picture s": picture,
            "first frame s": first,
            "all panels s": whole,
            "median ms": statistics.median(latencies or [float("nan")]),
            "p95 ms": float(np.percentile(latencies or [float("nan")], 95)),
            "CPU ms": used,
            "kB a step": statistics.median(sizes or [0]) / 1e3,
            "frames shown %": min(100.0, 100 * frames / HELD),
            "settled ms": settled,
            "memory MB": terminal.memory(),
        }
    finally:
        terminal.close()
