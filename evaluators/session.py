"""One call of ``embryo-eval``: plan, execute, sum up. Loads PyTorch only to compute."""

from __future__ import annotations

import os
import shlex
import time
from argparse import Namespace
from dataclasses import dataclass, replace
from pathlib import Path

from rich.console import Console

import embryo_store
from evaluators.checkpoints import CheckpointSource, open_checkpoints
from evaluators.claims import Claims
from evaluators.corpora.find import DataFolder, look
from evaluators.desk import Desk
from evaluators.errors import InputError
from evaluators.hardware import Dtype, resolve_dtype
from evaluators.plan import Job, Plan, make_plan
from evaluators.progress import Reporter
from evaluators.runner import Outcome, Runner, Workers
from evaluators.settings import Settings
from evaluators.tasks.registry import make_tasks
from evaluators.units import Setup, corpora_of

FAILED = 1
_SHOWN = 10
#: From so many checkpoints on, a fact's or a head's history is read several times slower than it could be.
COMPACT_FROM = 100


@dataclass(frozen=True)
class Prepared:
    """All that was looked at for a plan, and the plan."""

    data: DataFolder
    plan: Plan
    dtype: Dtype


def run(given: Namespace, settings: Settings) -> int:
    """``embryo-eval`` without a subcommand. Returns the exit code.

    Raises:
        EvaluatorError: wrong input; nothing was computed.
        StoreError: the store cannot be read or written.
    """
    out = Console()
    if given.dry_run:
        from evaluators.dry_run import say_plan

        prepared = prepare(settings)
        say_notes(prepared, out)
        say_plan(prepared.plan, settings, out)
        return say_passed_by(prepared.plan)
    embryo_store.ensure_writable(settings.db)
    with Claims(settings.db) as claims:
        if given.watch:
            from evaluators.watch import watch

            return watch(settings, claims, out)
        return evaluate(settings, claims, out)


def evaluate(settings: Settings, claims: Claims, out: Console) -> int:
    """Evaluates what is not done yet, and says how it went."""
    began = time.monotonic()
    prepared = prepare(settings)
    say_notes(prepared, out)
    code = say_passed_by(prepared.plan)
    jobs, todo = prepared.plan.jobs, prepared.plan.todo
    if not todo:
        line = f"Nothing to do: all {len(jobs):,} results stand in {settings.db}."
        out.print(line, markup=False, highlight=False)
        return code
    outcome = execute(prepared, todo, settings, claims)
    checkpoints = len({(job.saved.run, job.saved.step) for job in todo})
    meanwhile = f"; {outcome.elsewhere:,} came from another process" if outcome.elsewhere else ""
    out.print(
        f"Stored {outcome.stored:,} results of {checkpoints:,} checkpoints in {settings.db} "
        f"({time.monotonic() - began:.0f} s; {len(jobs) - len(todo):,} stood before{meanwhile}).",
        markup=False,
        highlight=False,
        soft_wrap=True,
    )
    if checkpoints >= COMPACT_FROM:
        command = f"embryo-eval db compact --db {shlex.quote(str(settings.db))}"
        line = f"`{command}` sorts them: histories of facts and heads open faster then."
        out.print(line, markup=False, highlight=False, soft_wrap=True)
    return say_failures(outcome, out) or code


def execute(prepared: Prepared, todo: tuple[Job, ...], settings: Settings, claims: Claims) -> Outcome:
    """Computes and stores ``todo``, here or wherever the settings say."""
    desk = Desk(settings, prepared.plan.runs, prepared.dtype)
    workers = _workers(settings, Setup(corpora_of(todo), prepared.dtype, settings.threads, Path.cwd()))
    return Runner(desk, workers, claims, Reporter(Console(stderr=True))).run(todo)


def _workers(settings: Settings, setup: Setup) -> Workers:
    if settings.ray is not None:
        from evaluators.run_ray import Cluster

        return Cluster(replace(setup, most_threads=settings.threads or 1), settings.ray)
    from evaluators.run_local import Here, Processes

    if settings.jobs == 1:
        return Here(setup)
    share = max((os.cpu_count() or 1) // settings.jobs, 1)
    return Processes(replace(setup, most_threads=share), settings.jobs)


def prepare(settings: Settings) -> Prepared:
    """Looks at everything that a plan needs, and makes it."""
    # A wrong path is said at once: tasks load PyTorch.
    source, data = source_of(settings), data_of(settings)
    source.runs()
    tasks = make_tasks(settings.tasks, settings.task_options)
    dtype = resolve_dtype(settings.dtype)
    done = embryo_store.done(settings.db)
    return Prepared(data, make_plan(settings, source, data, tasks, done, dtype), dtype)


def source_of(settings: Settings) -> CheckpointSource:
    """Where the checkpoints come from."""
    return open_checkpoints(settings.checkpoints)


def data_of(settings: Settings) -> DataFolder:
    """The corpora that there are.

    Raises:
        InputError: a place that the user named is not there.
    """
    if settings.frequencies is not None and not settings.frequencies.exists():
        raise InputError(
            f"frequencies: {settings.frequencies} does not exist. Name text, a treebank or counts."
        )
    return look(settings.data, settings.data_named_by)


def say_notes(prepared: Prepared, out: Console) -> None:
    """What lies in the data folder unused, and the tasks that are skipped, with the way to their data."""
    err = Console(stderr=True)
    for note in (*prepared.data.notes, *prepared.plan.notes):
        err.print(f"note: {note}", markup=False, highlight=False, soft_wrap=True)
    for name, why in prepared.plan.skipped.items():
        out.print(f"skipped {name}: {why}.", markup=False, highlight=False, soft_wrap=True)


def say_passed_by(plan: Plan, said: set[str] | None = None) -> int:
    """Names the runs that cannot be looked at, but those in ``said``. Returns the exit code they make."""
    err = Console(stderr=True)
    said = set() if said is None else said
    for run, why in plan.passed_by.items():
        line = f"passed by {run}: {why}"
        if line not in said:
            said.add(line)
            err.print(line, markup=False, highlight=False, soft_wrap=True)
    return FAILED if plan.passed_by else 0


def say_failures(outcome: Outcome, out: Console) -> int:
    """Names what failed. Returns the exit code."""
    if not outcome.failures:
        return 0
    out.print(
        f"Failed: {len(outcome.failures):,} (recorded in the store; the same command tries them again)."
    )
    for job, reason in outcome.failures[:_SHOWN]:
        line = f"  {job.saved.run} step {job.saved.step:,} {job.task.name}: {reason}"
        out.print(line, markup=False, highlight=False, soft_wrap=True)
    if len(outcome.failures) > _SHOWN:
        out.print(f"  … and {len(outcome.failures) - _SHOWN:,} more: embryo-eval list", markup=False)
    return FAILED
