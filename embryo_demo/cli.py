"""The command ``embryo-demo``: reads the options, names the errors. Knows no stage from the inside."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from importlib.metadata import version
from importlib.resources import as_file, files
from pathlib import Path

from embryo_demo.tour import StageError, run
from embryo_demo.world import Places, Size, write_world

DESCRIPTION = """\
A small world of our own: text, annotated sentences and true facts about countries, written in the standard
formats from a grammar and a table. Nothing is downloaded."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command; returns its exit code: 0 done, 2 wrong usage, 3 could not finish, 130 interrupted."""
    options = _parser().parse_args(arguments)
    size = Size(sentences=options.sentences, heldout=options.heldout)
    try:
        if options.command == "write":
            write_world(options.out, options.seed, size)
            print(f"World of seed {options.seed} written: {Places(options.out).manifest} says what it holds.")
            return 0
        with as_file(files("embryo_demo").joinpath("demo.toml")) as usual:
            return run(options.out, options.seed, size, options.recipe or usual)
    except StageError as stopped:
        print(f"embryo-demo: {stopped}", file=sys.stderr)
        return stopped.code
    except OSError as error:
        print(f"embryo-demo: cannot write {options.out}: {error}.", file=sys.stderr)
        return 3
    except KeyboardInterrupt:
        print("embryo-demo: interrupted; the same command goes on from here.", file=sys.stderr)
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="embryo-demo", description=DESCRIPTION)
    parser.add_argument("--version", action="version", version=f"%(prog)s {version('lm-embryology')}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    defaults = Size()
    for name, help_ in (
        ("write", "write the world, and stop"),
        (
            "run",
            "write the world, train on it, evaluate every checkpoint, open the app; goes on where it stopped",
        ),
    ):
        command = commands.add_parser(name, help=help_, description=help_)
        command.add_argument("--out", type=Path, default=Path("demo"), help="folder (default: demo)")
        if name == "run":
            command.add_argument(
                "--recipe", type=_file, help="train by this recipe (default: the demo's own)"
            )
        command.add_argument(
            "--seed", type=_count, default=0, help="another seed, another world (default: 0)"
        )
        command.add_argument(
            "--sentences",
            type=_positive,
            default=defaults.sentences,
            help=f"sentences of training text (default: {defaults.sentences})",
        )
        command.add_argument(
            "--heldout",
            type=_positive,
            default=defaults.heldout,
            help=f"annotated sentences that are kept out of it (default: {defaults.heldout})",
        )
    return parser


def _count(text: str) -> int:
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"expected a whole number from 0, found {text!r}")
    return int(text)


def _file(text: str) -> Path:
    if not Path(text).is_file():
        raise argparse.ArgumentTypeError(f"expected a recipe file, found none at {text!r}")
    return Path(text)


def _positive(text: str) -> int:
    if not text.isdecimal() or int(text) == 0:
        raise argparse.ArgumentTypeError(f"expected a whole number above 0, found {text!r}")
    return int(text)
