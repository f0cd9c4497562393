"""The command ``embryo-eval``: options in, exit code out; what went wrong becomes one message."""

from __future__ import annotations

import argparse
import contextlib
import re
import signal
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from difflib import get_close_matches
from importlib import import_module
from importlib.metadata import version

from evaluators.errors import EvaluatorError, InputError
from evaluators.settings import Settings, settle
from evaluators.steps import Steps

INTERRUPTED = 130
#: The tasks that --max-targets bounds.
PROBES = ("probe-pos", "probe-const", "probe-srl", "probe-coref")
#: What the extra [eval] brings: the base install has the command, and not these.
BROUGHT = frozenset(
    {"fsspec", "huggingface_hub", "safetensors", "spacy", "tokenizers", "torch", "transformers"}
)
#: Name → module and what it does. A module has ``run(given, settings) -> exit code``, and where it takes
#: arguments of its own ``add_arguments(parser)``; it is imported when it is asked for.
COMMANDS: Mapping[str, tuple[str, str]] = {
    "list": ("evaluators.listing", "what is done and what is missing"),
    "doctor": ("evaluators.doctor", "what would fail, before much is computed"),
    "diff": ("evaluators.diff", "which input changed since results were stored, or between two of them"),
    "data": ("evaluators.data", "get the open corpora"),
    "cloze": ("evaluators.cloze", "one sentence with a [MASK] through the steps"),
    "db": (
        "evaluators.db_command",
        "look after a results store: check, compact, merge, drop, rename, export",
    ),
}

_EPILOG = """\
Options that are not given come from embryo.toml in the working folder (checkpoints, data, db, frequencies;
[eval] dtype, threads, jobs, run, task; [task.NAME] options of a task), else from the defaults.
What is done is skipped; what was interrupted goes on.
Exit codes: 0 done, 1 some evaluations failed, 2 wrong usage or input, 3 could not finish, 130 interrupted."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command and returns its exit code."""
    arguments = sys.argv[1:] if arguments is None else list(arguments)
    parser = _parser(arguments)
    _refuse_unknown_options(parser, arguments)
    given = parser.parse_args(arguments)
    try:
        with _ended_as_interrupted():
            return _dispatch(given)
    except KeyboardInterrupt:
        print(
            "\nInterrupted. What was committed stays; the same command goes on from there.", file=sys.stderr
        )
        return INTERRUPTED
    except EvaluatorError as error:
        print(f"embryo-eval: {error}", file=sys.stderr)
        return error.exit_code
    except ModuleNotFoundError as error:
        if error.name is None or error.name.partition(".")[0] not in BROUGHT:
            raise
        print(
            f"embryo-eval: the package {error.name} is not installed. To evaluate takes the extra [eval], "
            "which the base install leaves out: pip install 'lm-embryology[eval]', in a checkout "
            "pip install '.[eval]'.",
            file=sys.stderr,
        )
        return InputError.exit_code


@contextlib.contextmanager
def _ended_as_interrupted() -> Iterator[None]:
    """A scheduler's SIGTERM ends the command as Ctrl-C does: workers are stopped, and what stands is said."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _dispatch(given: argparse.Namespace) -> int:
    module = COMMANDS[given.command][0] if given.command else "evaluators.session"
    if given.list_tasks:
        from evaluators.listing import list_tasks

        return list_tasks()
    settings = _settings(given)
    from embryo_store.errors import StoreError

    try:
        code: int = import_module(module).run(given, settings)
    except StoreError as error:
        print(f"embryo-eval: {error}", file=sys.stderr)
        return error.exit_code
    return code


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
        jobs=given.jobs,
        ray=given.ray,
        frequencies=given.frequencies,
    )
    if given.max_targets is None:
        return settings
    tables = {name: dict(table) for name, table in settings.task_options.items()}
    for name in PROBES:
        tables.setdefault(name, {})["max_targets"] = given.max_targets
    return replace(settings, task_options=tables)


def _parser(arguments: Sequence[str]) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="embryo-eval",
        description="Evaluate the checkpoints of language models and store the results.",
        epilog=_EPILOG,
        allow_abbrev=False,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"embryo-eval {version('lm-embryology')}")
    _add_choice(parser)
    _add_manner(parser)
    # A subcommand takes the same options; those that it is not given are left as they stand before it.
    shared = argparse.ArgumentParser(add_help=False, argument_default=argparse.SUPPRESS)
    _add_choice(shared)
    commands = parser.add_subparsers(dest="command", metavar="COMMAND")
    for name, (module, what) in COMMANDS.items():
        command = commands.add_parser(name, help=what, description=what, parents=[shared], allow_abbrev=False)
        if name in arguments and hasattr(chosen := import_module(module), "add_arguments"):
            chosen.add_arguments(command)
    return parser


def _refuse_unknown_options(parser: argparse.ArgumentParser, arguments: Sequence[str]) -> None:
    """Names a mistyped option; argparse would take the option's value for a command, and blame that."""
    if any(word in COMMANDS for word in arguments):
        return
    known = re.findall(r"--[a-z-]+", parser.format_help())
    for word in arguments:
        name = word.partition("=")[0]
        if name.startswith("--") and name not in known:
            near = get_close_matches(name, known, 1)
            parser.error(f"unknown option {name}" + (f"; did you mean {near[0]}?" if near else ""))


def _add_choice(parser: argparse.ArgumentParser) -> None:
    """What is looked at, and where it lies."""
    parser.add_argument(
        "--checkpoints",
        metavar="PLACE",
        help="folder of runs, gs:// or s3:// URL, hub:ORG/NAME (checkpoints/)",
    )
    parser.add_argument("--data", metavar="DIR", help="folder of corpora, one folder each (data/)")
    parser.add_argument("--db", metavar="FILE", help="results store (results.duckdb)")
    parser.add_argument("--run", metavar="NAME", action="append", help="only this run; may be repeated")
    chosen = parser.add_mutually_exclusive_group()
    chosen.add_argument(
        "--step", metavar="N", type=int, action="append", help="only this step; may be repeated"
    )
    chosen.add_argument(
        "--steps", metavar="A:B:C", help="every C-th step from A to B, both included; absent ones are skipped"
    )
    parser.add_argument("--task", metavar="T", action="append", help="only this task; may be repeated")
    parser.add_argument(
        "--max-targets",
        metavar="N",
        type=int,
        help="probes: targets of each task and split; 0 is all (20000)",
    )
    parser.add_argument(
        "--frequencies",
        metavar="PLACE",
        help="text, treebank or counts by which words are ranked (each corpus by its own)",
    )
    parser.add_argument(
        "--dtype",
        choices=("fp32", "bf16", "auto"),
        help="auto: bf16 where the GPU, or else the processor, has it",
    )
    parser.add_argument("--threads", type=int, metavar="N", help="threads of PyTorch (by the model's width)")


def _add_manner(parser: argparse.ArgumentParser) -> None:
    """How it is evaluated."""
    where = parser.add_mutually_exclusive_group()
    where.add_argument("--jobs", type=int, metavar="N", help="compute in N processes on this machine (1)")
    where.add_argument("--ray", metavar="ADDRESS", help="compute on a Ray cluster; auto: one that is near")
    parser.add_argument("--watch", action="store_true", help="follow the runs and evaluate what they save")
    parser.add_argument(
        "--dry-run", action="store_true", help="say what would be evaluated and what it costs, and stop"
    )
    parser.add_argument(
        "--list-tasks", action="store_true", help="name the tasks and what they need, and stop"
    )
