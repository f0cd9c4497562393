"""What there is: tasks, and what the store holds of the checkpoints. Computes and writes nothing."""

from __future__ import annotations

from argparse import Namespace
from collections import Counter

from rich import box
from rich.table import Table

import embryo_store
from evaluators.console import console
from evaluators.settings import Settings

_NEEDS = {
    "words": "a treebank (CoNLL-U)",
    "facts": "relations.jsonl and TREx/",
    "sentences": "nothing (sentences are built in)",
    "edges": "CoNLL-2012, PropBank, GUM or JSON lines, in splits",
    "log": "train_log.jsonl",
}


def list_tasks() -> int:
    """Prints every task, what it measures and what it reads."""
    from evaluators.tasks.registry import make_tasks

    table = Table(box=box.SIMPLE)
    for column in ("task", "measures", "needs"):
        table.add_column(column)
    for task in make_tasks((), {}):
        table.add_row(task.name, task.summary, _NEEDS[task.reads])
    console().print(table)
    return 0


def run(given: Namespace, settings: Settings) -> int:
    """``embryo-eval list``: what is done, out of date, failed and missing, by run, task and corpus."""
    from evaluators.session import prepare, say_passed_by

    plan = prepare(settings).plan
    code = say_passed_by(plan)
    stored = embryo_store.done(settings.db)
    counts: Counter[tuple[str, str, str, str]] = Counter()
    rows: dict[tuple[str, str, str], None] = {}
    for job in plan.jobs:
        where = (job.saved.run, job.task.name, job.dataset)
        rows[where] = None
        held = [stored.get(identity.key) for identity in job.identities.values()]
        if job.is_done:
            state = "done"
        elif any(found is not None and found.status == "failed" for found in held):
            state = "failed"
        else:
            state = "out of date" if any(found is not None for found in held) else "missing"
        counts[(*where, state)] += 1
    table = Table(box=box.SIMPLE)
    for column in ("run", "task", "corpus"):
        table.add_column(column)
    states = ("done", "out of date", "failed", "missing")
    for column in states:
        table.add_column(column, justify="right")
    for where in sorted(rows):
        table.add_row(*where, *(f"{counts[(*where, state)] or ''}" for state in states))
    out = console()
    out.print(table)
    for name, why in plan.skipped.items():
        out.print(f"skipped {name}: {why}.", markup=False, highlight=False, soft_wrap=True)
    return code
