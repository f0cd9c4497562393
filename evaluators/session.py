"""One call of ``embryo-eval``: plan, execute, sum up. Loads PyTorch only to compute."""

from __future__ import annotations

import time
from collections import Counter, defaultdict

from rich.console import Console

import embryo_store
from evaluators.checkpoints import CheckpointSource, CheckpointStore
from evaluators.corpora.find import DataFolder, look
from evaluators.desk import Desk
from evaluators.hardware import Dtype, resolve_dtype
from evaluators.plan import Plan, make_plan
from evaluators.progress import Reporter
from evaluators.settings import Settings
from evaluators.tasks.registry import make_tasks
from evaluators.units import corpora_of

FAILED = 1
_SHOWN = 10


def evaluate(settings: Settings, *, dry_run: bool) -> int:
    """Evaluates what is not done yet. Returns the exit code.

    Raises:
        EvaluatorError: wrong input; nothing was computed.
        StoreError: the store cannot be read or written.
    """
    began = time.monotonic()
    out, err = Console(), Console(stderr=True)
    if not dry_run:
        embryo_store.ensure_writable(settings.db)
    source, data, plan, dtype = prepare(settings)
    for note in data.notes:
        err.print(f"note: {note}", markup=False, highlight=False, soft_wrap=True)
    for name, why in plan.skipped.items():
        out.print(f"skipped {name}: {why}.", markup=False, highlight=False, soft_wrap=True)
    todo = plan.todo
    if dry_run:
        _say_plan(out, plan)
        return 0
    if not todo:
        out.print(
            f"Nothing to do: all {len(plan.jobs):,} results stand in {settings.db}.",
            markup=False,
            highlight=False,
        )
        return 0
    from evaluators.compute import Computer
    from evaluators.run_local import Here
    from evaluators.runner import Runner

    workers = Here(Computer(corpora_of(todo), dtype, settings.threads))
    outcome = Runner(Desk(settings, source, dtype), workers, Reporter(err)).run(todo)
    checkpoints = len({(job.saved.run, job.saved.step) for job in todo})
    out.print(
        f"Stored {outcome.stored:,} results of {checkpoints:,} checkpoints in {settings.db} "
        f"({time.monotonic() - began:.0f} s; {len(plan.jobs) - len(todo):,} stood before).",
        markup=False,
        highlight=False,
        soft_wrap=True,
    )
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


def prepare(settings: Settings) -> tuple[CheckpointSource, DataFolder, Plan, Dtype]:
    """Looks at everything that a plan needs, and makes it."""
    tasks = make_tasks(settings.tasks, settings.task_options)
    source, data = CheckpointStore(settings.checkpoints), look(settings.data)
    source.runs()
    dtype = resolve_dtype(settings.dtype)
    return (
        source,
        data,
        make_plan(settings, source, data, tasks, embryo_store.done(settings.db), dtype),
        dtype,
    )


def _say_plan(out: Console, plan: Plan) -> None:
    todo = plan.todo
    out.print(f"To evaluate: {len(todo):,} of {len(plan.jobs):,} results.", highlight=False)
    count: Counter[tuple[str, str, str]] = Counter()
    steps: defaultdict[tuple[str, str, str], list[int]] = defaultdict(list)
    for job in todo:
        key = (job.saved.run, job.task.name, job.dataset)
        count[key] += 1
        steps[key].append(job.saved.step)
    for (run, task, dataset), number in count.items():
        mine = steps[run, task, dataset]
        what = f"{task} {dataset}".strip()
        out.print(
            f"  {run}  {what}: {number:,} steps, {min(mine):,} to {max(mine):,}",
            markup=False,
            highlight=False,
        )
