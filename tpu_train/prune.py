"""``embryo-train prune``: thins a run's saved steps by a schedule. Removes nothing that the schedule names.

A step stops existing with its ``COMPLETE.json`` and only then loses its files, so that a reader, or a prune
that was killed, never sees half of one.
"""

from __future__ import annotations

from dataclasses import dataclass

from tpu_train import atomic, places, store
from tpu_train import run as runs
from tpu_train.errors import InputError
from tpu_train.places import Place
from tpu_train.recipe import Save
from tpu_train.schedule import saved_steps


@dataclass(frozen=True)
class Thinned:
    """What is there after pruning, what went, and how many bytes that was."""

    kept: tuple[int, ...]
    removed: tuple[int, ...]
    bytes: int


def prune(run: Place, keep: Save, dry: bool) -> Thinned:
    """Removes the steps of ``run`` that ``keep`` does not name; the last one always stays.

    Args:
        run: its folder.
        keep: the schedule of steps to keep.
        dry: only say what would go.

    Raises:
        InputError: no run there, or none of its steps is in the schedule.
        CouldNotFinishError: the run is being trained.
    """
    if runs.read(run) is None:
        raise InputError(f"{run} holds no run: expected {runs.RUN} there.")
    there = store.saved(run)
    if not there:
        raise InputError(f"{run} has no saved step yet.")
    wanted = {*saved_steps(keep, there[-1]), there[-1]}
    removed = tuple(step for step in there if step not in wanted)
    kept = tuple(step for step in there if step in wanted)
    folders = [store.step_folder(run, step) for step in removed]
    if dry:
        size = sum(places.size(path) for folder in folders for path in places.files_below(folder))
    else:
        with runs.locked(run):
            size = sum(atomic.remove_folder(folder, store.COMPLETE) for folder in folders)
    return Thinned(kept, removed, size)
