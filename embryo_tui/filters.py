"""Search and filter: what a text, a glob or a /regular expression/ lets through. Knows strings alone."""

from __future__ import annotations

import re
from collections.abc import Callable
from fnmatch import translate
from functools import lru_cache

Matcher = Callable[[str], bool]


@lru_cache(maxsize=64)
def matcher(wanted: str) -> Matcher:
    """Whether a name is let through: by a part of it, a glob (``*?[``) of the whole, or ``/regex/``.

    Case counts for nothing.

    Raises:
        ValueError: the regular expression is none; the message says where.
    """
    text = wanted.strip()
    if not text:
        return lambda _name: True
    if len(text) > 1 and text.startswith("/") and text.endswith("/"):
        try:
            pattern = re.compile(text[1:-1], re.IGNORECASE)
        except re.error as error:
            raise ValueError(f"no regular expression: {error}") from error
        return lambda name: pattern.search(name) is not None
    if any(mark in text for mark in "*?["):
        whole = re.compile(translate(text.casefold()))
        return lambda name: whole.match(name.casefold()) is not None
    part = text.casefold()
    return lambda name: part in name.casefold()


def lenient(wanted: str) -> Matcher:
    """The same, but one that is no expression (yet: it is being typed) lets everything through."""
    try:
        return matcher(wanted)
    except ValueError:
        return lambda _name: True
