"""What the terminal shows while the app's parts are loaded: its name, its store, its screens.

Loading Textual and NumPy takes longer than a reader should look at nothing. Knows the terminal; imports
nothing that takes time.
"""

from __future__ import annotations

import os
import sys
import termios
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from shutil import get_terminal_size

ENTER, LEAVE = "\x1b[?1049h\x1b[?25l\x1b[H\x1b[2J", "\x1b[?25h\x1b[?1049l"
BOLD, DIM, PLAIN = "\x1b[1m", "\x1b[2m", "\x1b[0m"


@contextmanager
def curtain(store: str, screens: tuple[str, ...]) -> Iterator[Callable[[], None]]:
    """Draws at once, and keeps what is typed silent and for the app. Gives what the app calls when it begins:
    from then on leaving the screen is its business; whatever fails earlier leaves the terminal as it was.

    ``store``: what is opened; ``screens``: the screens' titles in the order of their keys.
    """
    before = termios.tcgetattr(sys.stdin.fileno())
    silent = [*before]
    silent[3] = before[3] & ~termios.ECHO
    termios.tcsetattr(sys.stdin.fileno(), termios.TCSANOW, silent)
    _write(ENTER + drawn(store, screens, *get_terminal_size()))
    there = True

    def lift() -> None:
        nonlocal there
        there = False

    try:
        yield lift
    finally:
        # Left twice, some terminals put the cursor where it was first: over what the app said as it ended.
        if there:
            _write(LEAVE)
        termios.tcsetattr(sys.stdin.fileno(), termios.TCSANOW, before)


def drawn(store: str, screens: tuple[str, ...], columns: int, lines: int) -> str:
    """The first line and the last, cut to the terminal."""
    tabs = "   ".join(f"{number} {title}" for number, title in enumerate(screens, 1))
    name = "".join(letter if letter.isprintable() else "?" for letter in store)
    top = f" {tabs}"[: columns - 1]
    gap = columns - 2 - len(top) - len(name)
    said = f" reading {name} …"[: columns - 1]
    head = f"{top}{' ' * gap}{name}" if gap > 2 else top
    return f"{BOLD}{head}{PLAIN}\x1b[{lines};1H{DIM}{said}{PLAIN}"


def _write(text: str) -> None:
    os.write(sys.stdout.fileno(), text.encode())
