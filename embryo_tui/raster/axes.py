"""Where values stand on an axis, and which ticks name it: linear, log and symlog, since step 0 exists."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Scale = Literal["linear", "log", "symlog"]
SCALES: tuple[Scale, ...] = ("linear", "log", "symlog")


@dataclass(frozen=True)
class Axis:
    """An interval of values on a scale. ``unit`` is where symlog turns from linear to logarithmic."""

    scale: Scale
    low: float
    high: float
    unit: float = 1.0

    def warp(self, values: npt.ArrayLike) -> Floats:
        """Values on the scale's own measure; NaN where the scale has no place for them (log of 0)."""
        numbers = np.asarray(values, dtype=np.float64)
        if self.scale == "linear":
            return numbers
        if self.scale == "symlog":
            return np.sign(numbers) * np.log10(1.0 + np.abs(numbers) / self.unit)
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.where(numbers > 0, np.log10(np.where(numbers > 0, numbers, 1.0)), np.nan)

    def place(self, values: npt.ArrayLike) -> Floats:
        """Values as parts of the axis: 0 at ``low``, 1 at ``high``."""
        low, high = (float(end) for end in self.warp([self.low, self.high]))
        spread = high - low
        return (self.warp(values) - low) / (spread if spread > 0 else 1.0)

    def value(self, part: float) -> float:
        """The value at a part of the axis: ``place`` backwards."""
        low, high = (float(end) for end in self.warp([self.low, self.high]))
        warped = low + part * (high - low)
        if self.scale == "linear":
            return warped
        if self.scale == "log":
            return float(10.0**warped)
        return float(np.sign(warped) * self.unit * (10.0 ** abs(warped) - 1.0))

    def ticks(self, room: int) -> list[tuple[float, str]]:
        """At most ``room`` round values within the axis with their short names, ascending."""
        if self.high <= self.low:
            return [(self.low, short(self.low))]
        if self.scale == "linear":
            return [(value, short(value)) for value in _round_values(self.low, self.high, max(2, room))]
        top = int(np.floor(np.log10(self.high)))
        bottom = int(np.floor(np.log10(max(self.low, self.unit if self.scale == "symlog" else self.low))))
        decades = list(range(bottom, top + 1))
        factors = (1, 2, 5) if 3 * len(decades) <= room else (1, 3) if 2 * len(decades) <= room else (1,)
        stride = max(1, -(-len(decades) // max(1, room - 1)))
        values = [factor * 10.0**decade for decade in decades[::stride] for factor in factors]
        if self.scale == "symlog" and self.low <= 0:
            values.insert(0, 0.0)
        return [(value, short(value)) for value in values if self.low <= value <= self.high]


def step_axis(steps: npt.ArrayLike, scale: Scale) -> Axis:
    """The axis that holds all ``steps``; log leaves step 0 out."""
    numbers = np.unique(np.asarray(steps, dtype=np.float64))
    positive = numbers[numbers > 0]
    if not len(numbers):
        return Axis("linear", 0.0, 1.0)
    first = float(positive[0]) if len(positive) else 1.0
    low = first if scale == "log" else float(numbers[0])
    return Axis(scale, low, max(float(numbers[-1]), low), unit=first)


def natural_scale(steps: npt.ArrayLike) -> Scale:
    """Symlog where most saved steps are early ones (a log-spaced schedule), else linear."""
    numbers = np.unique(np.asarray(steps, dtype=np.float64))
    if len(numbers) > 4 and np.median(numbers) < 0.3 * numbers[-1]:
        return "symlog"
    return "linear"


def value_axis(values: npt.ArrayLike, *, unit_interval: bool = False) -> Axis:
    """The axis of measured values: 0 to a round number above the largest where they are shares
    (``unit_interval``), else just around them.
    """
    numbers = np.asarray(values, dtype=np.float64).ravel()
    numbers = numbers[np.isfinite(numbers)]
    if not len(numbers):
        return Axis("linear", 0.0, 1.0)
    low, high = float(numbers.min()), float(numbers.max())
    if unit_interval and low >= 0:
        ceilings = (0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.8, 1.0, 1.2, 1.5, 2.0)
        return Axis("linear", 0.0, next((top for top in ceilings if high <= top * 1.001), high))
    if high == low:
        return Axis("linear", low - 0.5, high + 0.5)
    margin = 0.04 * (high - low)
    return Axis("linear", low - margin if low != 0 else 0.0, high + margin)


def smooth(values: npt.ArrayLike, window: int = 3) -> Floats:
    """The mean of ``window`` neighbouring points (figure 2b of the paper), fewer at the ends; NaN stays."""
    numbers = np.asarray(values, dtype=np.float64)
    if window < 2 or len(numbers) < 2:
        return numbers
    known = np.isfinite(numbers)
    kernel = np.ones(window)
    total = np.convolve(np.where(known, numbers, 0.0), kernel, mode="same")
    count = np.convolve(known.astype(float), kernel, mode="same")
    return np.where(known, total / np.maximum(count, 1.0), np.nan)


def short(value: float) -> str:
    """A number in at most five characters where that is possible: 0, 0.25, 500, 2.5k, 1M."""
    size = abs(value)
    for limit, mark in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if size >= limit:
            return f"{value / limit:.4g}{mark}"
    return f"{value:.3g}"


def _round_values(low: float, high: float, room: int) -> list[float]:
    """Multiples of 1, 2 or 5 times a power of ten within an interval: at most ``room``, at least two."""
    power = 10.0 ** np.floor(np.log10((high - low) / max(1, room - 1)))
    found: list[float] = []
    for factor in (0.5, 1, 2, 5, 10, 20):
        step = factor * power
        first, last = np.ceil(low / step - 1e-9), np.floor(high / step + 1e-9)
        coarser = [float(round(index * step, 12)) + 0.0 for index in np.arange(first, last + 1)]
        if found and (len(coarser) < 2 or len(found) <= room):
            break
        found = coarser
    return found
