"""Where something happens in a curve: onset, plateau, dip, and checkpoints that look wrong in many curves.

NumPy in, events out. All thresholds are parts of a curve's own range, so losses and shares are one case.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from embryo_tui.raster.axes import Floats, smooth

Kind = Literal["onset", "plateau", "dip", "suspect"]
KINDS: tuple[Kind, ...] = ("onset", "plateau", "dip", "suspect")

#: Points that a curve needs before anything is said of it.
FEWEST = 5
#: Onset: this part of the way from the first value to the furthest.
ONSET = 0.1
#: Plateau: from here on nothing leaves this part of the range around the last values …
PLATEAU = 0.05
#: … and it holds for at least this part of the points.
PLATEAU_LENGTH = 0.2
#: Dip: a fall by this part of the range, half of which is made good later.
DIP = 0.12
#: Suspect: a point this part of the range, and this many usual deviations, off its neighbours on both sides …
SPIKE, DEVIATIONS = 0.1, 8.0
#: … in this part of all curves that have the step.
AGREEMENT = 0.5


@dataclass(frozen=True, order=True)
class Event:
    """Something that happened at a step; ``name``: the curve that it happened in, or how many."""

    step: int
    kind: Kind
    name: str


def of_curve(name: str, steps: npt.NDArray[np.int64], values: Floats) -> list[Event]:
    """Onset, plateau and dips of one curve, in order of steps."""
    known = np.isfinite(values)
    steps, values = steps[known], values[known]
    if len(values) < FEWEST:
        return []
    line = smooth(values)
    span = float(line.max() - line.min())
    noise = float(np.median(np.abs(values - line)))
    if span <= 1e-9 or span < 4 * noise:
        return []
    # Falling curves (losses) are looked at upside down.
    rising = line if abs(line.max() - line[0]) >= abs(line.min() - line[0]) else -line
    found = [Event(int(steps[int(np.argmax(rising - rising[0] >= ONSET * span))]), "onset", name)]
    last = float(np.median(rising[-max(2, len(rising) // 20) :]))
    outside = np.flatnonzero(np.abs(rising - last) > max(PLATEAU * span, 3 * noise))
    start = int(outside[-1]) + 1 if len(outside) else 0
    if 0 < start <= (1 - PLATEAU_LENGTH) * len(rising):
        found.append(Event(int(steps[start]), "plateau", name))
    found += [Event(int(steps[index]), "dip", name) for index in _dips(rising, max(DIP * span, 6 * noise))]
    return sorted(found)


def suspects(curves: Iterable[tuple[npt.NDArray[np.int64], Floats]]) -> list[Event]:
    """Steps at which many curves leave their course for one point: most often a wrong checkpoint file."""
    total: dict[int, int] = {}
    off: dict[int, int] = {}
    for steps, values in curves:
        known = np.isfinite(values)
        x, y = steps[known], values[known]
        if len(y) < FEWEST:
            continue
        spiked = _spikes(y)
        for step, spike in zip(x[1:-1].tolist(), spiked[1:-1].tolist(), strict=True):
            total[step] = total.get(step, 0) + 1
            off[step] = off.get(step, 0) + spike
    return [
        Event(step, "suspect", f"{count} of {total[step]} curves")
        for step, count in sorted(off.items())
        if count >= max(1, AGREEMENT * total[step])
    ]


def _spikes(values: Floats) -> npt.NDArray[np.bool_]:
    """Points that lie beyond both neighbours by much more than is usual here."""
    middle = (values[:-2] + values[2:]) / 2
    step = np.abs(values[2:] - values[:-2])
    away = np.abs(values[1:-1] - middle)
    usual = 1.4826 * float(np.median(away))
    span = float(values.max() - values.min())
    spiked = (away > SPIKE * span) & (away > DEVIATIONS * usual) & (away > 1.5 * step)
    return np.concatenate([[False], spiked, [False]])


def _dips(rising: Floats, depth: float) -> list[int]:
    """Lowest points of falls by ``depth`` at least, half of which is made good before the end."""
    found: list[int] = []
    top = rising[0]
    lowest: int | None = None
    for index, value in enumerate(rising.tolist()):
        if lowest is None:
            top = max(top, value)
            if value <= top - depth:
                lowest = index
        elif value < rising[lowest]:
            lowest = index
        elif value >= rising[lowest] + (top - rising[lowest]) / 2:
            found.append(lowest)
            lowest, top = None, value
    return found


def beyond(events: Sequence[Event], step: int, by: int) -> Event | None:
    """The next event after a step, or the last one before it (``by`` -1); None where there is none."""
    if by > 0:
        return min((event for event in events if event.step > step), default=None)
    return max((event for event in events if event.step < step), default=None)
