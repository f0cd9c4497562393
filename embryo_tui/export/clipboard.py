"""Text on the user's clipboard: by OSC 52, by tmux where it stands between, else in a file."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path

from embryo_tui.export.files import write_new

#: Terminals that pass a longer OSC 52 over without a word.
MOST = 74_000
#: Terminals without OSC 52: the console of Linux, Apple's Terminal, and such as can nothing.
WITHOUT = ("linux", "dumb", "vt100", "vt220")


def takes_osc52(environment: Mapping[str, str]) -> bool:
    """Whether the terminal is likely to know OSC 52; none can be asked."""
    if environment.get("TERM", "dumb") in WITHOUT:
        return False
    return environment.get("TERM_PROGRAM") != "Apple_Terminal"


def copy(text: str, stem: str, suffix: str, osc52: Callable[[str], None], folder: Path) -> str:
    """Puts text where the user can paste it from; says where that is.

    ``osc52`` sends the text to the terminal. Raises OSError where a file is needed and cannot be written.
    """
    if "TMUX" in os.environ and _into_tmux(text):
        return "copied (tmux buffer and clipboard)"
    if "TMUX" not in os.environ and len(text.encode()) <= MOST and takes_osc52(os.environ):
        osc52(text)
        return "copied to the clipboard"
    return f"written to {write_new(folder, stem, suffix, text)}"


def _into_tmux(text: str) -> bool:
    """Into tmux's paste buffer and, by tmux, to the terminal's clipboard: it stops a program's own OSC 52."""
    tmux = shutil.which("tmux")
    if tmux is None:
        return False
    for options in (["-w"], []):
        try:
            done = subprocess.run(
                [tmux, "load-buffer", *options, "-"], input=text.encode(), capture_output=True, timeout=2
            )
        except (OSError, subprocess.TimeoutExpired):
            return False
        if done.returncode == 0:
            return True
    return False
