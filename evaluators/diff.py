"""``embryo-eval diff``: which input changed. Between what is stored and what an evaluation would use now;
between two steps of the store; or between two stores.
"""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from rich import box
from rich.table import Table

from embryo_store.evaluating import MadeOf, made_of
from embryo_store.records import Json, Key
from evaluators.console import console
from evaluators.errors import InputError
from evaluators.settings import Settings
from evaluators.tasks.cloze import Cloze

#: Digests are told apart by this much of them.
_SHOWN = 8
Inputs = Mapping[Key, Mapping[str, Json]]


def add_arguments(parser: ArgumentParser) -> None:
    """What is held against what."""
    parser.add_argument(
        "places",
        nargs="*",
        metavar="RUN:STEP",
        help="two stored steps; without them, what is stored is held against what would be evaluated now",
    )
    parser.add_argument("--against", metavar="FILE", help="hold the store against this other one instead")


def run(given: Namespace, settings: Settings) -> int:
    """Prints what changed, by task and input. Returns the exit code.

    Raises:
        InputError: a place is not in the store, or there is nothing to compare with.
        StoreError: a store cannot be read.
    """
    if given.places and given.against:
        raise InputError("diff takes two places RUN:STEP, or --against FILE, not both.")
    stored = made_of(settings.db)
    if not stored:
        raise InputError(
            f"{settings.db} holds no results to compare. Evaluate first, or name another with --db."
        )
    code = 0
    if given.places:
        before, after = _two_places(given.places, stored, settings)
        what = " → ".join(given.places)
    elif given.against:
        before, after = _inputs(made_of(given.against), settings), _inputs(stored, settings)
        if not before:
            raise InputError(f"--against {given.against}: there is no store of results there.")
        what = f"{given.against} → {settings.db}"
    else:
        before, (after, code) = _inputs(stored, settings), _now(settings)
        before = {key: made for key, made in before.items() if key.task != Cloze.name}
        what = f"{settings.db} → now"
    _show(what, before, after)
    return code


def changes(before: Mapping[str, Json], after: Mapping[str, Json]) -> Sequence[tuple[str, str, str]]:
    """The inputs that differ, options one by one: name, before, after."""
    flat = [_flat(inputs) for inputs in (before, after)]
    names = dict.fromkeys([*flat[0], *flat[1]])
    return [
        (name, _short(flat[0].get(name)), _short(flat[1].get(name)))
        for name in names
        if flat[0].get(name) != flat[1].get(name)
    ]


def _now(settings: Settings) -> tuple[Inputs, int]:
    """What an evaluation would use, and the exit code that runs make which cannot be looked at."""
    from evaluators.session import prepare, say_passed_by

    plan = prepare(settings).plan
    code = say_passed_by(plan)
    now = {identity.key: identity.inputs for job in plan.jobs for identity in job.identities.values()}
    return now, code


def _inputs(stored: Mapping[Key, MadeOf], settings: Settings) -> Inputs:
    """What the chosen results were made of."""
    return {
        key: found.inputs
        for key, found in stored.items()
        if (not settings.runs or key.run in settings.runs)
        and (not settings.tasks or key.task in settings.tasks)
        and settings.steps.of([key.step])
    }


def _two_places(
    places: Sequence[str], stored: Mapping[Key, MadeOf], settings: Settings
) -> tuple[Inputs, Inputs]:
    """What two steps have in common, under the keys of the second."""
    if len(places) != 2:
        raise InputError(f"diff: expected two places RUN:STEP, found {len(places)}.")
    first, second = (_at(place, _inputs(stored, settings)) for place in places)
    where = next(iter(second))
    return {replace(key, run=where.run, step=where.step): made for key, made in first.items()}, second


def _at(place: str, inputs: Inputs) -> Inputs:
    run, _, step = place.rpartition(":")
    runs = sorted({key.run for key in inputs})
    if not step.isdecimal() or not (run or len(runs) == 1):
        raise InputError(
            f"diff {place}: expected RUN:STEP, such as {runs[0] if runs else 'albert-base'}:250000."
        )
    found = {key: made for key, made in inputs.items() if (key.run, key.step) == (run or runs[0], int(step))}
    if not found:
        raise InputError(
            f"diff {place}: the store holds no result there. embryo-eval list says what it holds."
        )
    return found


def _flat(inputs: Mapping[str, Json]) -> Mapping[str, Json]:
    options: Any = inputs.get("options") or {}
    return {
        **{k: v for k, v in inputs.items() if k != "options"},
        **{f"option {k}": v for k, v in options.items()},
    }


def _short(value: Json) -> str:
    if value is None:
        return "–"
    text = str(value)
    return text[:_SHOWN] if len(text) == 64 else text


def _show(what: str, before: Inputs, after: Inputs) -> None:
    out = console()
    both = [key for key in before if key in after]
    groups: defaultdict[tuple[str, str, str, str, str, str], list[int]] = defaultdict(list)
    changed = set()
    for key in both:
        for name, old, new in changes(before[key], after[key]):
            changed.add(key)
            groups[key.run, key.task, key.dataset, name, old, new].append(key.step)
    out.print(
        f"{what}: {len(changed):,} of {len(both):,} results changed in what they are made of; "
        f"{len(before) - len(both):,} only before, {len(after) - len(both):,} only after.",
        markup=False,
        highlight=False,
        soft_wrap=True,
    )
    if not groups:
        return
    table = Table(box=box.SIMPLE)
    for column in ("run", "task", "corpus", "steps", "changed", "before", "after"):
        table.add_column(column, overflow="fold")
    for (run, task, dataset, name, old, new), steps in groups.items():
        table.add_row(run, task, dataset, _span(steps), name, old, new)
    out.print(table)


def _span(steps: Sequence[int]) -> str:
    unique = sorted(set(steps))
    return f"{unique[0]:,}" if len(unique) == 1 else f"{len(unique):,}: {unique[0]:,}–{unique[-1]:,}"
