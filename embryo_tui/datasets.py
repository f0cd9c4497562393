"""Which dataset stands for a task where several were evaluated. Knows coverage alone."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
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


def folded(coverage: Iterable[Coverage]) -> tuple[Coverage, ...]:
    """Coverage with one entry a run for all sentences that were asked (``cloze``): its dataset says how many
    they are, its numbers are their sums.
    """
    found: list[Coverage] = []
    asked: dict[str, list[Coverage]] = {}
    for entry in coverage:
        if entry.task != "cloze":
            found.append(entry)
        elif entry.run in asked:
            asked[entry.run].append(entry)
        else:
            asked[entry.run] = [entry]
            found.append(entry)
    return tuple(_sum(asked[entry.run]) if entry.task == "cloze" else entry for entry in found)


def _sum(entries: Sequence[Coverage]) -> Coverage:
    return replace(
        entries[0],
        dataset=f"{len(entries)} sentence{'s' if len(entries) > 1 else ''}",
        done=sum(entry.done for entry in entries),
        failed=sum(entry.failed for entry in entries),
        checkpoints=sum(entry.checkpoints for entry in entries),
        last_step=max((entry.last_step for entry in entries if entry.last_step is not None), default=None),
    )
