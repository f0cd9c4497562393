"""What of a run is to be printed: the look at it, and which settings were asked for by name."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from embryo_tui.filters import Matcher, matcher
from embryo_tui.look import Look
from embryo_tui.raster.axes import Axis, natural_scale, step_axis
from embryo_tui.screens.names import change, count, to_run
from embryo_tui.steps import position

if TYPE_CHECKING:
    from embryo_store.query import Curve, RunCard


@dataclass(frozen=True)
class Page:
    """One run's part of what is printed, ``width`` columns wide. ``look.step`` is one of the run's steps.

    ``said``: the settings of the look that somebody asked for. A layer that nobody chose is every layer.
    """

    card: RunCard
    look: Look
    said: frozenset[str]
    width: int

    @property
    def run(self) -> str:
        """The run's name."""
        return self.card.run

    @property
    def step(self) -> int:
        """The step at which it stands."""
        return self.look.step

    @property
    def mark(self) -> int | None:
        """Step A, to compare with."""
        return self.look.mark

    @property
    def wanted(self) -> Matcher:
        """What the filter lets through."""
        return matcher(self.look.filter)

    @property
    def across(self) -> Axis:
        """The axis of steps."""
        steps = self.card.steps
        return step_axis(steps, self.look.scale or natural_scale(steps), self.look.window)

    def asked(self, setting: str) -> Any:
        """A setting's value, where it was asked for; else None."""
        return getattr(self.look, setting) if setting in self.said else None

    def here(self, curve: Curve) -> float | None:
        """A curve's value at the step."""
        return at(curve, self.step)

    def since(self, curve: Curve) -> float | None:
        """How far a curve has come from A to the step; None without A, or without a value at one of them."""
        after, before = self.here(curve), None if self.mark is None else at(curve, self.mark)
        return None if after is None or before is None else after - before

    def compared(self, values: float | None) -> list[str]:
        """The cell of a change since A; no cell without A."""
        return [] if self.mark is None else [change(values)]

    @property
    def heads(self) -> list[str]:
        """The heads of columns that stand at the step, and of the change since A."""
        return [f"at {count(self.step)}", *([] if self.mark is None else [f"since {count(self.mark)}"])]

    def nothing(self, what: str, found: Sequence[str]) -> str:
        """What is said where something was asked for that is not there."""
        return f"  no {what}. There is: {', '.join(found)}"


def at(curve: Curve, step: int) -> float | None:
    """The value at a step, or at the nearest earlier one that is known."""
    known = np.isfinite(curve.value)
    index = position(curve.step[known], step)
    return None if index is None else float(curve.value[known][index])


def missing(task: str) -> str:
    """What an empty part says: what would fill it."""
    return f"  nothing stored. Fill it: {to_run(task)}"


def joined(*parts: str) -> str:
    """Parts with a line between them; empty ones leave none."""
    return "\n\n".join(part for part in parts if part)
