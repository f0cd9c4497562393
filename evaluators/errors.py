"""What can go wrong for reasons that a user can mend. Every message says what was expected, what was found,
where, and what to do next; ``exit_code`` is the command's answer.
"""

from __future__ import annotations


class EvaluatorError(Exception):
    """Ends the command with one message and no traceback."""

    exit_code = 3


class InputError(EvaluatorError):
    """Wrong usage or wrong input: nothing was computed."""

    exit_code = 2


class CheckpointError(EvaluatorError):
    """One checkpoint cannot be evaluated: it is recorded as failed, and the others go on."""

    exit_code = 1
