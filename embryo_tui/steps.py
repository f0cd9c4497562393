"""The step cursor's arithmetic: which steps there are, where a move leads, what is shown for a step."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from embryo_store.query import Ints, RunCard

EMPTY: Ints = np.zeros(0, dtype=np.int64)


def union(cards: Iterable[RunCard], runs: Iterable[str]) -> Ints:
    """The saved steps of the chosen runs, ascending, each once."""
    chosen = set(runs)
    found = [card.steps for card in cards if card.run in chosen]
    return np.unique(np.concatenate(found)).astype(np.int64) if found else EMPTY


def position(steps: Ints, step: int) -> int | None:
    """The index of the last step at or before ``step``; None where all are later."""
    index = int(steps.searchsorted(step, side="right")) - 1
    return index if index >= 0 else None


def at_or_before(steps: Ints, step: int) -> int | None:
    """The step whose result stands in for ``step``: the nearest earlier one."""
    index = position(steps, step)
    return None if index is None else int(steps[index])


def settle(steps: Ints, step: int) -> int:
    """The saved step that the cursor takes for a wanted one: the nearest of all, the earlier in a tie."""
    if not len(steps):
        return step
    return int(steps[np.abs(steps - step).argmin()])


def move(steps: Ints, step: int, by: int) -> int:
    """The step ``by`` places further along, held at both ends."""
    if not len(steps):
        return step
    index = position(steps, step)
    start = index if index is not None else -1 if by > 0 else 0
    return int(steps[min(max(start + by, 0), len(steps) - 1)])


def around(steps: Ints, step: int, before: int, after: int) -> list[int]:
    """The steps about a cursor, nearest first and those ahead before those behind: what to prefetch."""
    here = position(steps, step) or 0
    order = sorted(
        (
            index
            for index in range(here - before, here + after + 1)
            if 0 <= index < len(steps) and index != here
        ),
        key=lambda index: (abs(index - here), index < here),
    )
    return [int(steps[index]) for index in order]
