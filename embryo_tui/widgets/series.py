"""Curves as a plot takes them: series of numbers, and the frame in which they are drawn. Knows no widget."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import numpy.typing as npt

from embryo_tui.events import Event
from embryo_tui.raster.axes import Axis, Floats, Rise, Smoothing
from embryo_tui.raster.curves import Pattern
from embryo_tui.steps import position

Steps = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Series:
    """A curve: ``x`` ascending steps, ``y`` values (NaN breaks the line); ``tint`` indexes the palette.

    ``name`` is what the legend says, ``label`` what the curve is switched on and off by (the same curve of
    several runs has one). ``low`` and ``high``: a band around it, such as the spread over seeds.
    ``peak``: × stands at its highest point. ``shade``: its place in an order, from 0 to 1, for a colour that
    says so.
    """

    name: str
    x: Steps
    y: Floats
    tint: int
    pattern: Pattern = "solid"
    hidden: bool = False
    label: str = ""
    run: str = ""
    low: Floats | None = None
    high: Floats | None = None
    peak: bool = False
    shade: float | None = None

    @property
    def switch(self) -> str:
        """What the curve is switched on and off by."""
        return self.label or self.name

    def at(self, step: int) -> tuple[int, float] | None:
        """The step and value that stand for ``step``: the nearest earlier ones that are known."""
        steps, values = self._known
        index = position(steps, step)
        return None if index is None else (int(steps[index]), float(values[index]))

    @cached_property
    def best(self) -> tuple[int, float] | None:
        """The step and value of the highest point."""
        steps, values = self._known
        if not len(steps):
            return None
        index = int(values.argmax())
        return int(steps[index]), float(values[index])

    @cached_property
    def _known(self) -> tuple[Steps, Floats]:
        known = np.isfinite(self.y)
        return self.x[known], self.y[known]


@dataclass(frozen=True)
class Level:
    """A value drawn as a horizontal line, such as a published model's."""

    name: str
    value: float
    tint: int


@dataclass(frozen=True)
class Frame:
    """How series are drawn: the axis of steps, smoothing. ``shares``: values are parts of 1, drawn from 0.
    ``since``: they are differences from this step.
    """

    across: Axis
    smoothing: Smoothing = "off"
    shares: bool = False
    legend: bool = True
    rise: Rise = "natural"
    events: tuple[Event, ...] = field(default=(), compare=False)
    levels: tuple[Level, ...] = ()
    since: int | None = None
