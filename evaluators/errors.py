"""What can go wrong for reasons that a user can mend. Every message says what was expected, what was found,
where, and what to do next; ``exit_code`` is the command's answer.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from difflib import get_close_matches


class EvaluatorError(Exception):
    """Ends the command with one message and no traceback."""

    exit_code = 3


class InputError(EvaluatorError):
    """Wrong usage or wrong input: nothing was computed."""

    exit_code = 2


class CheckpointError(EvaluatorError):
    """One checkpoint cannot be evaluated: it is recorded as failed, and the others go on."""

    exit_code = 1


def meant(name: str, known: Collection[str]) -> str:
    """Asks whether the nearest of the ``known`` names by spelling was meant; empty where none is near.

    A mapping says how each is spoken of.
    """
    near = get_close_matches(name, known, n=1)
    if not near:
        return ""
    return f" Did you mean {known[near[0]] if isinstance(known, Mapping) else near[0]}?"


def showable(name: str) -> str:
    """A name of a file or folder as it can be printed, whatever it is made of."""
    return name if name.isprintable() else ascii(name)
