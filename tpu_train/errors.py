"""What ends a command early: a message for the user and an exit code. Knows nothing else."""

from __future__ import annotations


class TrainError(Exception):
    """One clear message: what was expected, what was found, where, and what to do next."""

    exit_code = 2


class InputError(TrainError):
    """Wrong usage or input; nothing was written."""


class CouldNotFinishError(TrainError):
    """The run stopped for a reason outside the input (disk full, locked, loss not finite); it can go on."""

    exit_code = 3


class InterruptedTrainingError(TrainError):
    """Ctrl-C or SIGTERM: the state was saved, the same command goes on."""

    exit_code = 130
