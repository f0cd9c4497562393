"""Steps worth jumping to in a curve, as the store's view ``events`` defines them (docs/sql.md), for any curve
that is shown. NumPy in, events out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from embryo_tui.raster.axes import Floats

Kind = Literal["onset", "plateau", "dip", "best", "suspect"]
KINDS: tuple[Kind, ...] = ("onset", "plateau", "dip", "best", "suspect")

#: Onset and dip: a tenth of the way; plateau: nine tenths of it.
PART = 0.1
#: A curve whose way is shorter than so many usual moves from point to point goes nowhere.
USUAL = 5.0


@dataclass(frozen=True, order=True)
class Event:
    """Something that happened at a step; ``name``: the curve that it happened in, or how many."""

    step: int
    kind: Kind
    name: str


def of_curve(name: str, steps: npt.NDArray[np.int64], values: Floats) -> list[Event]:
    """The events of one curve, in order of steps. Its *way* runs from its first value to its last."""
    known = np.isfinite(values)
    steps, values = steps[known], values[known]
    if len(values) < 3:
        return []
    way = values[-1] - values[0]
    if abs(way) <= USUAL * float(np.median(np.abs(np.diff(values)))) or way == 0:
        return []
    share = (values - values[0]) / way
    found: list[tuple[int, Kind]] = [(int(np.argmax(share >= PART)), "onset"), (int(share.argmax()), "best")]
    unsettled = np.flatnonzero(share < 1 - PART)
    found.append((int(unsettled[-1]) + 1, "plateau"))
    depth = np.maximum.accumulate(share) - share
    if depth.max() > PART:
        found.append((int(depth.argmax()), "dip"))
    return sorted(Event(int(steps[index]), kind, name) for index, kind in found)


def beyond(events: Sequence[Event], step: int, by: int) -> Event | None:
    """The next event after a step, or the last one before it (``by`` -1); None where there is none."""
    if by > 0:
        return min((event for event in events if event.step > step), default=None)
    return max((event for event in events if event.step < step), default=None)
