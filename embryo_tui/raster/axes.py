"""Where values stand on an axis, and which ticks name it: linear, log and symlog, since step 0 exists."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Scale = Literal["linear", "log", "symlog"]
SCALES: tuple[Scale, ...] = ("linear", "log", "symlog")

#: How values are drawn: shares from 0, just around what is seen, or on a logarithmic measure.
Rise = Literal["natural", "fitted", "log", "symlog"]
RISES: tuple[Rise, ...] = ("natural", "fitted", "log", "symlog")
#: What is drawn over the raw line: nothing, the paper's mean of 3 points, a debiased moving average.
Smoothing = Literal["off", "mean", "ema"]
SMOOTHINGS: tuple[Smoothing, ...] = ("off", "mean", "ema")
#: Values closer together are one: numbers have no room for ticks between them.
TINY = 1e-12
#: How much of the moving average one point keeps.
EMA_WEIGHT = 0.8


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
        values = (
            [] if self.scale == "linear" else [v for v in self._decades(room) if self.low <= v <= self.high]
        )
        if len(values) < 2:
            values = _round_values(self.low, self.high, max(2, room))
        return [(value, short(value)) for value in values]

    def _decades(self, room: int) -> list[float]:
        """Powers of ten, with values between them where there is room; below zero as above it."""
        size = max(abs(self.low), abs(self.high))
        least = self.unit if self.scale == "symlog" else self.low
        top, bottom = int(np.floor(np.log10(size))), int(np.floor(np.log10(max(least, size * 1e-12))))
        decades = list(range(bottom, top + 1))
        room = room if self.low >= 0 else room // 2
        factors = (1, 2, 5) if 3 * len(decades) <= room else (1, 3) if 2 * len(decades) <= room else (1,)
        stride = max(1, -(-len(decades) // max(1, room - 1)))
        values = [factor * 10.0**decade for decade in decades[::stride] for factor in factors]
        if self.scale == "log":
            return values
        return [*(-value for value in reversed(values)), 0.0, *values]

    def zoomed(self, part: float, factor: float) -> Axis:
        """The axis with what stands at ``part`` left in its place, and ``factor`` times as wide."""
        return self._between(part - part * factor, part + (1.0 - part) * factor)

    def panned(self, by: float) -> Axis:
        """The axis moved on by a part of its width."""
        return self._between(by, 1.0 + by)

    def _between(self, start: float, end: float) -> Axis:
        return Axis(self.scale, self.value(start), self.value(end), self.unit)


def step_axis(steps: npt.ArrayLike, scale: Scale, window: tuple[float, float] | None = None) -> Axis:
    """The axis that holds all ``steps``, or those within ``window``; log leaves step 0 out."""
    numbers = np.asarray(steps, dtype=np.float64)
    if not len(numbers):
        # NumPy's unique loads its masked arrays: a tenth of the time to the first frame, for no steps at all.
        return Axis("linear", 0.0, 1.0)
    numbers = np.unique(numbers)
    positive = numbers[numbers > 0]
    first = float(positive[0]) if len(positive) else 1.0
    low = first if scale == "log" else float(numbers[0])
    high = max(float(numbers[-1]), low)
    if window is not None and max(low, window[0]) < min(high, window[1]):
        low, high = max(low, window[0]), min(high, window[1])
    return Axis(scale, low, high, unit=first)


def natural_scale(steps: npt.ArrayLike) -> Scale:
    """Symlog where most saved steps are early ones (a log-spaced schedule), else linear."""
    numbers = np.sort(np.asarray(steps, dtype=np.float64))
    if len(numbers) > 4 and np.median(numbers) < 0.3 * numbers[-1]:
        return "symlog"
    return "linear"


def value_axis(values: npt.ArrayLike, *, unit_interval: bool = False, rise: Rise = "natural") -> Axis:
    """The axis of measured values: 0 to a round number above the largest where they are shares
    (``unit_interval``), else just around them; logarithmic where ``rise`` asks for it and they allow it.
    """
    numbers = np.asarray(values, dtype=np.float64).ravel()
    numbers = numbers[np.isfinite(numbers)]
    if not len(numbers):
        return Axis("linear", 0.0, 1.0)
    low, high = float(numbers.min()), float(numbers.max())
    flat = high - low < TINY * max(1.0, abs(low), abs(high))
    positive = numbers[numbers > 0]
    if rise == "log" and len(positive) and positive.min() < positive.max():
        return Axis("log", float(positive.min()), high)
    if rise == "symlog" and not flat:
        return Axis("symlog", min(low, 0.0), max(high, 0.0), unit=max(abs(low), abs(high)) / 1000)
    if rise != "fitted" and unit_interval and low >= 0:
        ceilings = (0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.8, 1.0, 1.2, 1.5, 2.0)
        return Axis("linear", 0.0, next((top for top in ceilings if high <= top * 1.001), high))
    if flat:
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


def ema(values: npt.ArrayLike, weight: float = EMA_WEIGHT) -> Floats:
    """The exponential moving average over points, rid of its bias towards 0 at the start; NaN stays."""
    numbers = np.asarray(values, dtype=np.float64)
    found, total, share = np.full(len(numbers), np.nan), 0.0, 0.0
    for index, value in enumerate(numbers.tolist()):
        if np.isfinite(value):
            total = weight * total + (1.0 - weight) * value
            share = weight * share + (1.0 - weight)
            found[index] = total / share
    return found


def smoothed(values: npt.ArrayLike, how: Smoothing) -> Floats:
    """Values as they are drawn. All points count, whatever is in sight: zooming changes no value."""
    if how == "mean":
        return smooth(values)
    return ema(values) if how == "ema" else np.asarray(values, dtype=np.float64)


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
