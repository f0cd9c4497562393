"""``embryo-eval --watch``: evaluates what a training run saves, as it saves it."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence

from rich.console import Console

from embryo_store.records import Key
from evaluators.checkpoints import CheckpointSource
from evaluators.checkpoints.base import list_runs
from evaluators.claims import Claims
from evaluators.errors import InputError
from evaluators.plan import Job
from evaluators.session import (
    FAILED,
    Prepared,
    data_of,
    execute,
    prepare,
    say_notes,
    say_passed_by,
    source_of,
)
from evaluators.settings import Settings
from evaluators.tasks.registry import make_tasks

#: Seconds between two looks.
EVERY = 5.0


def watch(settings: Settings, claims: Claims, out: Console) -> int:
    """Looks again and again, until every run has reached the last step that its recipe asks for, or Ctrl-C.

    A failed result is tried again only when its inputs have changed. Returns the exit code.
    """
    # What was mistyped is said now, and not when the first run has come.
    data_of(settings)
    make_tasks(settings.tasks, settings.task_options)
    failed: dict[Key, str] = {}
    passed_by: set[str] = set()
    has_begun = False
    said = ""
    seen: Mapping[str, Sequence[int]] = {}
    while True:
        began = time.monotonic()
        source = source_of(settings)
        steps, why = _saved(source, settings)
        if not why and steps == seen:
            # Nothing new was saved: corpora and digests need not be looked at again.
            time.sleep(EVERY)
            continue
        if not why:
            seen = steps
            prepared = prepare(settings)
            if not has_begun:
                has_begun = True
                say_notes(prepared, out)
            say_passed_by(prepared.plan, passed_by)
            todo = tuple(job for job in prepared.plan.todo if not _failed_before(job, failed))
            if todo:
                _execute(prepared, todo, settings, claims, out, failed)
                seen = {}
                continue
            unfinished = _unfinished(source, steps.keys() - prepared.plan.passed_by.keys())
            if not unfinished:
                _say(out, f"All runs are complete and evaluated: {len(prepared.plan.jobs):,} results.")
                return FAILED if prepared.plan.todo or prepared.plan.passed_by else 0
            why = f"Waiting for the next checkpoint of {', '.join(unfinished)} (Ctrl-C ends)."
        if why != said:
            said = why
            _say(out, why)
        time.sleep(max(EVERY - (time.monotonic() - began), 0.5))


def _saved(source: CheckpointSource, settings: Settings) -> tuple[Mapping[str, Sequence[int]], str]:
    """The steps that each run has saved, and why there is nothing to plan yet (empty where there is)."""
    try:
        steps = list_runs(source, settings.runs, settings.checkpoints).steps
    except InputError as error:
        return {}, f"Waiting for a run (Ctrl-C ends): {error}"
    if any(settings.steps.of(saved) for saved in steps.values()):
        return steps, ""
    return steps, f"Waiting for the first checkpoint of {', '.join(steps)} (Ctrl-C ends)."


def _execute(
    prepared: Prepared,
    todo: tuple[Job, ...],
    settings: Settings,
    claims: Claims,
    out: Console,
    failed: dict[Key, str],
) -> None:
    outcome = execute(prepared, todo, settings, claims)
    steps = sorted({job.saved.step for job in todo})
    which = f"step {steps[0]:,}" if len(steps) == 1 else f"steps {steps[0]:,} to {steps[-1]:,}"
    _say(out, f"Stored {outcome.stored:,} results of {which}.")
    for job, reason in outcome.failures:
        _say(out, f"  failed {job.saved.run} step {job.saved.step:,} {job.task.name}: {reason}")
        failed.update((each.key, each.inputs_hash) for each in job.identities.values())


def _unfinished(source: CheckpointSource, runs: Iterable[str]) -> list[str]:
    """The ``runs`` that will save further steps, as far as they tell; one that does not tell never ends."""
    found = []
    for run in sorted(runs):
        total = source.describe(run).total_steps
        if total is None or max(source.steps(run), default=-1) < total:
            found.append(run)
    return found


def _failed_before(job: Job, failed: dict[Key, str]) -> bool:
    return all(failed.get(each.key) == each.inputs_hash for each in job.identities.values())


def _say(out: Console, line: str) -> None:
    out.print(line, markup=False, highlight=False, soft_wrap=True)
