"""Names and texts out of a store, fit to be written to a terminal. Knows strings alone."""

from __future__ import annotations

import re

#: They take no cell, and would move the cursor, colour what follows, or fill the clipboard.
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")


def harmless(text: str) -> str:
    """The text without characters that steer a terminal; as wide as before."""
    return text if text.isprintable() else _CONTROL.sub("", text)


def harmless_lines(text: str) -> str:
    """The same of a text of several lines, which it keeps."""
    return "\n".join(map(harmless, text.split("\n")))
