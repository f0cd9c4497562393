"""The training log (figure 2a): the lines that lead up to a checkpoint, from the saved step before it.

Needs no model. A resumed training may have written a step twice: its last line counts.
"""

from __future__ import annotations

import json
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from embryo_store.records import TrainLog
from evaluators.checkpoints.base import canonical_digest
from evaluators.errors import InputError
from evaluators.tasks.base import Cost, Task


@dataclass(frozen=True)
class TrainingLog(Task):
    """Every number of the log, by step and name. It needs no model."""

    name = "train-log"
    version = 1
    summary = "The training log: loss and its parts, accuracy, learning rate, by step."
    reads = "log"
    cost = Cost.LOG


@dataclass(frozen=True)
class LogSlice:
    """The numbers between the saved step before a checkpoint and the checkpoint, ready to be stored."""

    log: TrainLog
    data_hash: str


def read_log(path: Path) -> dict[int, dict[str, float]]:
    """Step → its numbers. A last line without its end is still being written, and is passed by.

    Raises:
        InputError: another line is no JSON object with a whole ``step``; file and line are named.
    """
    try:
        lines = path.read_text(encoding="utf-8").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path} cannot be read: {error}") from error
    found: dict[int, dict[str, float]] = {}
    for number, line in enumerate(lines[:-1], start=1):
        if not line.strip():
            continue
        try:
            told = json.loads(line)
        except json.JSONDecodeError:
            told = None
        step = told.get("step") if isinstance(told, dict) else None
        if not isinstance(step, int) or isinstance(step, bool):
            raise InputError(
                f'{path}, line {number}: expected a JSON object with a whole "step", found {line[:60]!r}.'
            )
        found[step] = {
            key: float(value)
            for key, value in told.items()
            if key != "step" and isinstance(value, int | float) and not isinstance(value, bool)
        }
    return dict(sorted(found.items()))


def cut_log(lines: dict[int, dict[str, float]], saved: Sequence[int]) -> dict[int, LogSlice]:
    """Gives every line (ascending) to the first of the ``saved`` steps (ascending) at or after it."""
    slices = {}
    steps = list(lines)
    first = 0
    for checkpoint in saved:
        end = bisect_right(steps, checkpoint)
        rows = [
            (step, metric, value)
            for step in steps[first:end]
            for metric, value in sorted(lines[step].items())
        ]
        log = TrainLog(
            step=np.array([row[0] for row in rows], dtype=np.int64),
            metric=[row[1] for row in rows],
            value=np.array([row[2] for row in rows], dtype=np.float64),
        )
        slices[checkpoint] = LogSlice(log, canonical_digest([[s, m, repr(v)] for s, m, v in rows]))
        first = end
    return slices
