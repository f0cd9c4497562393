"""Where tables are printed: as wide as the terminal, and unshortened where there is none (a pipe, a file)."""

from __future__ import annotations

import sys

from rich.console import Console

#: Columns where no terminal sets a limit: names of runs and corpora stay whole for scripts and logs.
UNLIMITED = 240


def console() -> Console:
    """Standard output."""
    return Console(width=None if sys.stdout.isatty() else UNLIMITED)
