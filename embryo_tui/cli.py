"""``embryo-tui``: opens a results store in the terminal, or prints a panel of it as text."""

from __future__ import annotations

import argparse
import gc
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from embryo_tui.screens.registry import SCREENS

if TYPE_CHECKING:
    from embryo_tui.look import Look

#: What can be printed, and what it says.
PANELS = {
    "summary": "runs, and the headline numbers from first to last step",
    "overview": "the run's card, loss, headline curves, and what is evaluated",
    "words": "accuracy per part of speech, and the order of birth",
    "probes": "F1 of the probing tasks by layer, labels and mistakes",
    "downstream": "GLUE score, its tasks, SQuAD",
    "knowledge": "P@1 per relation, facts learned and forgotten",
    "attention": "a statistic of every layer and head",
}


def parser() -> argparse.ArgumentParser:
    """The command line."""
    made = argparse.ArgumentParser(
        prog="embryo-tui",
        description="Scrub through the life of a language model: words, facts and attention at every step.",
        epilog="Exit codes: 0 done, 2 wrong usage or input, 3 could not finish, 130 interrupted.",
    )
    made.add_argument(
        "store", nargs="*", type=Path, help="results store, or several beside one another (./results.duckdb)"
    )
    made.add_argument(
        "--demo", action="store_true", help="open the small sample store that comes with the app"
    )
    made.add_argument("--run", metavar="NAME", help="begin with this run")
    made.add_argument("--step", type=int, metavar="N", help="begin at this step (default: the last)")
    made.add_argument("--screen", choices=[entry.key for entry in SCREENS], help="begin with this screen")
    made.add_argument("--layer", type=int, metavar="L", help="begin with this layer (from 1)")
    made.add_argument("--head", type=int, metavar="H", help="begin with this head (from 1)")
    made.add_argument("--mark", type=int, metavar="N", help="step A, to compare with")
    made.add_argument("--look", type=Path, metavar="FILE", help="begin with a look that W wrote in the app")
    made.add_argument(
        "--set", action="append", default=[], metavar="NAME=VALUE", help="any setting of a look (docs/app.md)"
    )
    made.add_argument(
        "--low-bandwidth", action="store_true", help="send less: fewer colours, small pictures at rest alone"
    )
    panels = "; ".join(f"{name}: {what}" for name, what in PANELS.items())
    made.add_argument(
        "--print", choices=sorted(PANELS), metavar="PANEL", help=f"print as text, and leave. {panels}"
    )
    made.add_argument(
        "--width", type=int, metavar="N", help="columns of printed text (default: the terminal's)"
    )
    made.add_argument("--version", action="store_true", help="print the version, and leave")
    return made


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command; the exit code."""
    # NumPy's linear algebra starts a thread for every core, and they spin: a third of a start's CPU time, for
    # products of three columns.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    options = parser().parse_args(arguments)
    try:
        code = _run(options)
        sys.stdout.flush()
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        # Whoever read has read enough (`| head`). What Python flushes on leaving must not fail again.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    return code


def _run(options: argparse.Namespace) -> int:
    if options.version:
        from importlib.metadata import version

        print(f"embryo-tui {version('lm-embryology')}")
        return 0
    if options.demo and options.store:
        return _fail("--demo opens its own store: leave out either it or the file.", 2)
    if options.demo:
        from embryo_tui.sample import sample

        with sample() as path:
            if path is None:
                return _fail("This installation holds no sample store. Make one: embryo-demo run", 2)
            return _show([path], options, title="sample store", named=("--demo",))
    unique: dict[Path, Path] = {}
    for path in options.store or [Path("results.duckdb")]:
        unique.setdefault(path.resolve(), path)
    stores = list(unique.values())
    return _show(stores, options, title=" + ".join(path.name for path in stores))


def _show(stores: list[Path], options: argparse.Namespace, title: str, named: Sequence[str] = ()) -> int:
    for path in stores:
        problem = _at_once(path)
        if problem:
            return _fail(problem, 2)
    if options.print or not sys.stdout.isatty() or not sys.stdin.isatty():
        return _print(stores, options)
    from embryo_tui.curtain import curtain

    # Nothing that is made while the app is loaded is garbage: looking for it takes a tenth of the start.
    gc.disable()
    with curtain(title, tuple(entry.title for entry in SCREENS)) as lift:
        from embryo_tui.app import EmbryoApp
        from embryo_tui.export.looks import BadLookError

        try:
            app = EmbryoApp(
                stores,
                look_of(options),
                title=title,
                named=named,
                low_bandwidth=options.low_bandwidth,
                began=_collect,
            )
        except BadLookError as error:
            problem = str(error)
        else:
            lift()
            app.run()
    if problem:
        return _fail(problem, 2)
    if app.problem is not None:
        return _fail(app.problem.text, app.problem.code)
    return app.return_code or 0


def _collect() -> None:
    """Looks for garbage from now on, but never again among what is loaded: it stays. What loading left goes
    first, or it would stay, too.
    """
    gc.collect()
    gc.freeze()
    gc.enable()


def _print(stores: list[Path], options: argparse.Namespace) -> int:
    from embryo_tui.export.looks import BadLookError
    from embryo_tui.text.show import show

    try:
        look, said = asked(options)
    except BadLookError as error:
        return _fail(str(error), 2)
    if not options.print:
        return _fail(
            "embryo-tui draws in a terminal, and this is none. For text: embryo-tui FILE --print summary", 2
        )
    return show(stores, options.print, look, said, width=options.width)


def look_of(options: argparse.Namespace) -> Look:
    """The look that the options ask for: the file's, changed by what is said beside it.

    Raises:
        BadLookError: the file or a setting is none.
    """
    return asked(options)[0]


def asked(options: argparse.Namespace) -> tuple[Look, frozenset[str]]:
    """The look that the options ask for, and the names of the settings that they name.

    Raises:
        BadLookError: the file or a setting is none.
    """
    from embryo_tui.export import looks
    from embryo_tui.look import Look

    given = [] if options.look is None else [(looks.read(options.look), str(options.look))]
    given += [(looks.parsed(assignment), f"--set {assignment}") for assignment in options.set]
    said = {name: getattr(options, name) for name in looks.OPTIONS if getattr(options, name) is not None}
    look = Look(step=-1)
    for found, where in (*given, (said, "the command line")):
        look = looks.taken(look, found, where)
    return look, frozenset(name for found, _ in given for name in found).union(said)


def _at_once(path: Path) -> str | None:
    """What is wrong with a file, as far as that can be told before the app starts."""
    try:
        path.stat()
    except FileNotFoundError:
        pass
    except OSError as error:
        return f"{path} can't be read: {error.strerror}. Check the path and its permissions."
    if path.is_dir():
        inside = path / "results.duckdb"
        hint = f" Did you mean {inside}?" if inside.is_file() else ""
        return f"{path} is a folder; expected a results store.{hint}"
    if not path.exists():
        return (
            f"{path} is not there. Expected a results store, as embryo-eval writes it: "
            "embryo-eval --checkpoints checkpoints --db results.duckdb. To look around: embryo-tui --demo"
        )
    return None


def _fail(message: str, code: int) -> int:
    print(f"embryo-tui: {message}", file=sys.stderr)
    return code
