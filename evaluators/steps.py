"""Which steps a user chose, and in which order they are evaluated. Knows numbers only."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from evaluators.errors import InputError

_RANGE = re.compile(r"(\d+):(\d+)(?::(\d+))?")


@dataclass(frozen=True)
class Steps:
    """A choice of steps: single ones, or ``first`` to ``last`` (included) by ``stride``; else all."""

    single: tuple[int, ...] = ()
    span: tuple[int, int, int] | None = None

    @classmethod
    def parse_range(cls, text: str) -> Steps:
        """Reads ``A:B`` or ``A:B:C``.

        Raises:
            InputError: the text has another form, or names an empty range.
        """
        match = _RANGE.fullmatch(text.replace("_", "").replace(",", ""))
        if not match:
            raise InputError(
                f"--steps {text}: expected FIRST:LAST:STRIDE in whole steps, such as 0:1000000:5000."
            )
        first, last, stride = int(match[1]), int(match[2]), int(match[3] or 1)
        if stride < 1 or last < first:
            raise InputError(f"--steps {text}: expected FIRST <= LAST and a stride of 1 or more.")
        return cls(span=(first, last, stride))

    def of(self, saved: Sequence[int]) -> tuple[int, ...]:
        """The chosen ones among the ``saved`` steps of a run, ascending; absent ones are skipped."""
        if self.span:
            first, last, stride = self.span
            return tuple(s for s in sorted(saved) if first <= s <= last and (s - first) % stride == 0)
        if self.single:
            return tuple(s for s in sorted(saved) if s in self.single)
        return tuple(sorted(saved))

    def check(self, saved: Mapping[str, Sequence[int]]) -> None:
        """Refuses a choice that no run can meet.

        Raises:
            InputError: a single step that no run has (the nearest are named), or a range that holds none.
        """
        every = {step for steps in saved.values() for step in steps}
        for step in self.single:
            if step not in every:
                near = "; ".join(f"{run} has {nearest(step, steps)}" for run, steps in saved.items())
                raise InputError(f"Step {step:,} was not saved. Nearest: {near}.")
        if self.span and not self.of(tuple(every)):
            first, last, stride = self.span
            have = "; ".join(f"{run} has {_extent(steps)}" for run, steps in saved.items())
            raise InputError(f"--steps {first}:{last}:{stride} meets no saved step: {have}.")


def nearest(step: int, saved: Sequence[int]) -> str:
    """The saved steps on both sides of ``step``, in words."""
    below = max((s for s in saved if s < step), default=None)
    above = min((s for s in saved if s > step), default=None)
    return " and ".join(f"{s:,}" for s in (below, above) if s is not None) or "none"


def _extent(saved: Sequence[int]) -> str:
    return f"{len(saved)} from {min(saved):,} to {max(saved):,}" if saved else "none"


def coarse_to_fine(steps: Sequence[int]) -> tuple[tuple[int, ...], ...]:
    """Sorts ascending ``steps`` into levels: last and first, the middle, the quarters, … each step once.

    A curve over the first levels has its whole width, and every further level fills it in.
    """
    count = len(steps)
    levels: list[tuple[int, ...]] = []
    seen: set[int] = set()
    stride = float(max(count - 1, 1))
    while len(seen) < count:
        marks = {round(k * stride) for k in range(int((count - 1) / stride) + 1)} | {count - 1}
        new = tuple(steps[i] for i in sorted(marks - seen, reverse=True) if i < count)
        if new:
            levels.append(new)
        seen |= marks
        stride = stride / 2 if stride > 1 else 1.0
    return tuple(levels)
