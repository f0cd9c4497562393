"""The command ``embryo-eval``: options in, exit code out; what went wrong becomes one message."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import replace
from importlib.metadata import version

from evaluators.errors import EvaluatorError
from evaluators.settings import Settings, settle
from evaluators.steps import Steps

INTERRUPTED = 130
#: The tasks that --max-targets bounds.
PROBES = ("probe-pos", "probe-const", "probe-srl", "probe-coref")

_EPILOG = """\
Options that are not given come from embryo.toml in the working folder (checkpoints, data, db;
[eval] dtype, threads, run, task; [task.NAME] options of a task), else from the defaults.
What is done is skipped; what was interrupted goes on.
Exit codes: 0 done, 1 some evaluations failed, 2 wrong usage or input, 3 could not finish, 130 interrupted."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command and returns its exit code."""
    given = _parser().parse_args(arguments)
    try:
        return _dispatch(given)
    except KeyboardInterrupt:
        print(
            "\nInterrupted. What was committed stays; the same command goes on from there.", file=sys.stderr
        )
        return INTERRUPTED
    except EvaluatorError as error:
        print(f"embryo-eval: {error}", file=sys.stderr)
        return error.exit_code


def _dispatch(given: argparse.Namespace) -> int:
    if given.list_tasks:
        from evaluators.listing import list_tasks

        return list_tasks()
    settings = _settings(given)
    from embryo_store.errors import StoreError
    from evaluators import listing, session

    try:
        if given.action == "list":
            return listing.list_results(settings)
        return session.evaluate(settings, dry_run=given.dry_run)
    except StoreError as error:
        print(f"embryo-eval: {error}", file=sys.stderr)
        return error.exit_code


def _settings(given: argparse.Namespace) -> Settings:
    steps = None
    if given.steps is not None:
        steps = Steps.parse_range(given.steps)
    elif given.step:
        steps = Steps(single=tuple(sorted(set(given.step))))
    settings = settle(
        checkpoints=given.checkpoints,
        data=given.data,
        db=given.db,
        runs=given.run,
        steps=steps,
        tasks=given.task,
        dtype=given.dtype,
        threads=given.threads,
    )
    if given.max_targets is None:
        return settings
    tables = {name: dict(table) for name, table in settings.task_options.items()}
    for name in PROBES:
        tables.setdefault(name, {})["max_targets"] = given.max_targets
    return replace(settings, task_options=tables)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="embryo-eval",
        description="Evaluate the checkpoints of language models and store the results.",
        epilog=_EPILOG,
        allow_abbrev=False,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"embryo-eval {version('lm-embryology')}")
    parser.add_argument(
        "action",
        nargs="?",
        choices=("list",),
        help="list: show what is done and what is missing, and evaluate nothing",
    )
    parser.add_argument("--checkpoints", metavar="DIR", help="folder of runs (checkpoints/)")
    parser.add_argument("--data", metavar="DIR", help="folder of corpora, one folder each (data/)")
    parser.add_argument("--db", metavar="FILE", help="results store (results.duckdb)")
    parser.add_argument(
        "--run", metavar="NAME", action="append", default=[], help="only this run; may be repeated"
    )
    chosen = parser.add_mutually_exclusive_group()
    chosen.add_argument(
        "--step", metavar="N", type=int, action="append", help="only this step; may be repeated"
    )
    chosen.add_argument(
        "--steps", metavar="A:B:C", help="every C-th step from A to B, both included; absent ones are skipped"
    )
    parser.add_argument(
        "--task", metavar="T", action="append", default=[], help="only this task; may be repeated"
    )
    parser.add_argument(
        "--max-targets",
        metavar="N",
        type=int,
        help="probes: targets of each task and split; 0 is all (20000)",
    )
    parser.add_argument(
        "--dtype", choices=("fp32", "bf16", "auto"), help="auto: bf16 where the processor has AMX"
    )
    parser.add_argument("--threads", type=int, metavar="N", help="threads of PyTorch (by the model's width)")
    parser.add_argument("--dry-run", action="store_true", help="say what would be evaluated, and stop")
    parser.add_argument(
        "--list-tasks", action="store_true", help="name the tasks and what they need, and stop"
    )
    return parser
