"""``embryo-eval --dry-run``: what would be evaluated, and what that costs in time and bytes."""

from __future__ import annotations

from collections import defaultdict

from rich import box
from rich.console import Console
from rich.filesize import decimal
from rich.table import Table

from embryo_store.evaluating import costs
from evaluators.estimate import Basis, estimate
from evaluators.plan import Job, Plan
from evaluators.settings import Settings

_SAYS: dict[Basis, str] = {
    "store": "results",
    "scaled": "size",
    "formula": "formula",
}


#: Columns that a name of a run or a task has for itself, where it needs them.
WHOLE = 16


def say_plan(plan: Plan, settings: Settings, out: Console) -> None:
    """Prints the plan by run, task and corpus, in the order of evaluation."""
    todo = plan.todo
    groups: defaultdict[tuple[str, str, str], list[Job]] = defaultdict(list)
    for job in todo:
        groups[job.saved.run, job.task.name, job.dataset].append(job)
    known = costs(settings.db) if todo else ()
    table = Table(box=box.SIMPLE)
    for place, column in enumerate(("run", "task", "corpus")):
        # Short names stay whole: they are typed after --run and --task.
        longest = max((len(group[place]) for group in groups), default=0)
        whole = 0 if column == "corpus" else min(WHOLE, longest)
        table.add_column(column, overflow="fold", min_width=whole)
    for column in ("steps", "time", "bytes"):
        table.add_column(column, justify="right")
    table.add_column("by")
    seconds = size = 0.0
    for (run, task, dataset), jobs in groups.items():
        cost = estimate(jobs, known)
        seconds, size = seconds + cost.seconds, size + cost.bytes
        steps = {job.saved.step for job in jobs}
        table.add_row(
            run,
            task,
            dataset,
            f"{len(steps):,}",
            duration(cost.seconds),
            decimal(round(cost.bytes)),
            _SAYS[cost.basis],
        )
    workers = settings.jobs if settings.ray is None else 1
    among = f" among {workers} processes" if workers > 1 else " of one worker" if settings.ray else ""
    total = f", about {duration(seconds / workers)}{among} and {decimal(round(size))}" if todo else ""
    out.print(f"To evaluate: {len(todo):,} of {len(plan.jobs):,} results{total}.", highlight=False)
    if not todo:
        return
    out.print(table)
    out.print(
        "Estimated by: results – this run's earlier ones; size – those of another run, scaled; formula – "
        "encoder's products at this processor's speed. Bytes are those of the results themselves: a store "
        "that grew by small commits takes many times as much, until `embryo-eval db compact`.",
        highlight=False,
    )


def duration(seconds: float) -> str:
    """Seconds in the unit that fits, with two figures at least."""
    if seconds < 100:
        return f"{seconds:.1f} s" if seconds < 10 else f"{seconds:.0f} s"
    if seconds < 6_000:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3_600:.0f} h" if seconds < 360_000 else f"{seconds / 86_400:.0f} days"
