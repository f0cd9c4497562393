"""Which dataset stands for a task where several were evaluated. Knows coverage alone."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from embryo_store.query import Coverage


def by_use(coverage: Iterable[Coverage], tasks: Iterable[str]) -> tuple[str, ...]:
    """The datasets of some tasks, the most evaluated first."""
    wanted, done = set(tasks), dict[str, int]()
    for entry in coverage:
        if entry.task in wanted and entry.done:
            done[entry.dataset] = done.get(entry.dataset, 0) + entry.done
    return tuple(sorted(done, key=lambda dataset: (-done[dataset], dataset)))


def main_dataset(coverage: Iterable[Coverage], task: str) -> str | None:
    """The dataset whose numbers stand for a task: the most evaluated one."""
    return next(iter(by_use(coverage, (task,))), None)
