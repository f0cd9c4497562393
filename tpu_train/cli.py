"""``embryo-train``: the command line. Reads options, calls, and turns errors into messages and exit codes.

Imports nothing heavy until a command runs, so that ``--help`` and ``--version`` answer at once.
"""

from __future__ import annotations

import argparse
import os
import sys
import tomllib
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path
from typing import Any, cast

from tpu_train.errors import CouldNotFinishError, InputError, TrainError
from tpu_train.places import place

_SETTINGS = "embryo.toml"
#: All that may stand in it outside of tables or head one; all but the last are for embryo-eval to check.
_SHARED = ("checkpoints", "data", "db", "frequencies", "eval", "task", "train")
_DEVICES = ("cpu", "gpu", "tpu")
_KINDS: dict[str, tuple[type, ...]] = {
    "recipe": (str,),
    "corpus": (str, list),
    "out": (str,),
    "vocabulary": (str,),
    "seed": (int,),
    "steps": (int,),
    "threads": (int,),
    "device": (str,),
    "replicas": (int,),
    "state_every": (int, float),
    "tensorboard": (bool,),
    "quiet": (bool,),
}
#: What the extras [train] and [tpu] bring: the base install has the command, and not these.
_BROUGHT = frozenset({"mwparserfromhell", "safetensors", "tensorflow", "tokenizers", "zstandard"})
_TOLD = {str: "text in quotes", list: "a list of such", int: "a whole number", float: "a number"}
_EXAMPLES = """\
examples:
  embryo-train --recipe albert-tiny --corpus text/ --out checkpoints/albert-tiny
  embryo-train --out checkpoints/albert-tiny      goes on with a run that was stopped
  embryo-train text --corpus enwiki-…-pages-articles.xml.bz2 books/ --out text/
  embryo-train explain albert-base                where a recipe's numbers come from
  embryo-train plan albert-base                   which steps will be saved, and how large they are

Options may also stand in embryo.toml in the working folder, in a table [train].
Exit codes: 0 done; 2 wrong usage or input; 3 could not finish; 130 interrupted.
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Runs a command and returns its exit code."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    try:
        command = arguments[0] if arguments and arguments[0] in _COMMANDS else "train"
        rest = arguments[1:] if arguments and arguments[0] in _COMMANDS else arguments
        return int(_COMMANDS[command](rest))
    except TrainError as error:
        print(f"embryo-train: {error}", file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        print("embryo-train: interrupted; the same command goes on.", file=sys.stderr)
        return 130
    except ModuleNotFoundError as error:
        if error.name is None or error.name.partition(".")[0] not in _BROUGHT:
            raise
        print(
            f"embryo-train: the package {error.name} is not installed. To train takes the extra [train] (on "
            "a TPU [tpu]), which the base install leaves out: pip install 'lm-embryology[train]', in a "
            "checkout pip install '.[train]'.",
            file=sys.stderr,
        )
        return InputError.exit_code
    except BrokenPipeError:
        # Whoever read the output has seen enough (… | head); nothing is left to be flushed on the way out.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except OSError as error:
        # Files that come, go, or may not be read while they are used; where more is known, it is said there.
        about = f"{error.filename}: " if error.filename is not None else ""
        print(f"embryo-train: {about}{error.strerror or error}.", file=sys.stderr)
        return CouldNotFinishError.exit_code


def settings(folder: Path) -> dict[str, Any]:
    """The table ``[train]`` of ``embryo.toml`` in ``folder``; empty where there is none.

    Raises:
        InputError: not TOML, an unknown key, or a value of another type.
    """
    from tpu_train.tables import unknown_key

    path = folder / _SETTINGS
    if not path.is_file():
        return {}
    try:
        told = tomllib.loads(path.read_text("utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InputError(f"{path} is not valid TOML: {error}.") from None
    for key in told:
        if key not in _SHARED:
            raise unknown_key(key, _SHARED, str(path))
    table: Any = told.get("train", {})
    if not isinstance(table, dict):
        raise InputError(f"{path}: train is {table!r}; expected a table [train].")
    for key, value in table.items():
        if key not in _KINDS:
            raise unknown_key(key, _KINDS, f"{path} [train]")
        # In Python, true is a whole number.
        fits = isinstance(value, _KINDS[key]) and isinstance(value, bool) == (_KINDS[key] == (bool,))
        if not fits or (isinstance(value, list) and not all(isinstance(item, str) for item in value)):
            expected = " or ".join(_TOLD.get(kind, "true or false") for kind in _KINDS[key])
            raise InputError(f"{path} [train]: {key} is {value!r}; expected {expected}.")
    return cast("dict[str, Any]", table)


def _parser(name: str, about: str) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog=name, description=about, epilog=_EXAMPLES, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--version", action="version", version=f"%(prog)s {metadata.version('lm-embryology')}"
    )
    return parser


def _add_recipe_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--seed", type=int, help="seed of everything random (default: the recipe's)")
    parser.add_argument("--steps", type=int, help="length of the run in updates (default: the recipe's)")
    parser.add_argument(
        "--save", metavar="SCHEDULE", help='steps to save, e.g. "0 1 2 4, every 1k to 20k, every 5k to 1M"'
    )
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="TABLE.KEY=VALUE",
        help="any value of the recipe as TOML, e.g. --set optimizer.learning_rate=1e-3; repeatable",
    )


def _overrides(options: argparse.Namespace) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for item in options.set:
        key, equals, value = item.partition("=")
        if not equals:
            raise InputError(f"--set {item}: expected TABLE.KEY=VALUE.")
        try:
            found[key.strip()] = tomllib.loads(f"value = {value}")["value"]
        except tomllib.TOMLDecodeError:
            found[key.strip()] = value.strip()
    if options.seed is not None:
        found["training.seed"] = options.seed
    if options.steps is not None:
        found["training.steps"] = options.steps
    if options.save is not None:
        from dataclasses import asdict

        from tpu_train.schedule import save_of

        asked = asdict(save_of(options.save))
        found |= {"save.steps": asked["steps"], "save.pieces": asked["pieces"]}
    return found


def _train(arguments: Sequence[str]) -> int:
    parser = _parser(
        "embryo-train",
        "Pretrain a language model and keep its checkpoints; the same command resumes. "
        "Other commands: text, explain, plan, batch, import-tf1, prune (each has --help).",
    )
    parser.add_argument("--recipe", help="a recipe's name, or a TOML file")
    parser.add_argument("--corpus", nargs="+", help="folders of text files, or files")
    parser.add_argument("--out", help="the run's folder, e.g. checkpoints/albert-tiny")
    parser.add_argument("--vocabulary", metavar="DIR", help="take the tokenizer of this folder, train none")
    parser.add_argument("--threads", type=int, help="default: all cores, or what the run began with")
    parser.add_argument(
        "--device",
        choices=_DEVICES,
        help="what computes (default: cpu, or what the run began with)",
    )
    parser.add_argument(
        "--replicas",
        type=int,
        help="how many CPUs (logical) or GPUs share a batch (default: 1 CPU, all GPUs)",
    )
    parser.add_argument(
        "--state-every",
        type=float,
        metavar="SECONDS",
        help="how often the resumable state is saved: what a kill costs at most (default: 30)",
    )
    parser.add_argument(
        "--tensorboard", action="store_true", default=None, help="also write the log as TensorBoard's events/"
    )
    parser.add_argument("--quiet", action="store_true", default=None, help="no progress")
    _add_recipe_options(parser)
    options = parser.parse_args(arguments)
    for key, value in settings(Path.cwd()).items():
        if getattr(options, key) is None:
            setattr(options, key, [value] if key == "corpus" and isinstance(value, str) else value)
    if options.out is None:
        raise InputError("Where to? Say --out, e.g. --out checkpoints/albert-tiny.")
    if options.threads is not None and options.threads < 1:
        raise InputError(f"--threads {options.threads}: expected 1 or more.")
    if options.device not in (None, *_DEVICES):
        raise InputError(f"--device {options.device}: expected one of {', '.join(_DEVICES)}.")
    if options.state_every is not None and not options.state_every >= 0:
        raise InputError(f"--state-every {options.state_every:g}: expected 0 or more seconds.")
    if options.replicas is not None and options.replicas < 0:
        raise InputError(f"--replicas {options.replicas}: expected 1 or more (0: all GPUs).")

    from tpu_train import recipe
    from tpu_train.progress import Display
    from tpu_train.train import STATE_EVERY, Request, train

    overrides = _overrides(options)
    asked = recipe.load(options.recipe, overrides) if options.recipe else None
    if overrides and asked is None:
        raise InputError("--seed, --steps, --save and --set change a recipe: say --recipe, too.")
    request = Request(
        place(options.out),
        asked,
        [Path(source) for source in options.corpus or ()],
        Path(options.vocabulary) if options.vocabulary else None,
        options.threads,
        STATE_EVERY if options.state_every is None else options.state_every,
        options.device,
        options.replicas,
        bool(options.tensorboard),
    )
    with Display(bool(options.quiet)) as display:
        train(request, display)
        display.say(f"Done: {request.out}")
    return 0


def _explain(arguments: Sequence[str]) -> int:
    parser = _parser("embryo-train explain", "Where a recipe's numbers come from.")
    parser.add_argument("recipe", help="a recipe's name, or a TOML file")
    parser.add_argument(
        "--corpus-bytes", type=float, default=16e9, help="size of the text (default: the paper's 16 GB)"
    )
    _add_recipe_options(parser)
    options = parser.parse_args(arguments)
    if not options.corpus_bytes > 0:
        raise InputError(f"--corpus-bytes {options.corpus_bytes:g}: expected a number above 0.")

    from tpu_train import explain, recipe

    print(explain.explain(recipe.load(options.recipe, _overrides(options)), options.corpus_bytes))
    return 0


def _plan(arguments: Sequence[str]) -> int:
    parser = _parser(
        "embryo-train plan", "Which steps a recipe saves, how large they are, how long it takes."
    )
    parser.add_argument("recipe", help="a recipe's name, or a TOML file")
    parser.add_argument("--measure", action="store_true", help="time some steps on this machine")
    parser.add_argument("--threads", type=int, help="default: all cores")
    _add_recipe_options(parser)
    options = parser.parse_args(arguments)

    from tpu_train import explain, hardware, recipe

    loaded = recipe.load(options.recipe, _overrides(options))
    seconds = explain.measured(loaded, options.threads or hardware.cores()) if options.measure else None
    print(explain.plan(loaded, seconds))
    return 0


def _batch(arguments: Sequence[str]) -> int:
    parser = _parser("embryo-train batch", "The very batch that a run saw at a step, as JSON lines.")
    parser.add_argument("--out", required=True, help="the run's folder")
    parser.add_argument("--step", type=int, required=True, help="the update from STEP to STEP + 1")
    options = parser.parse_args(arguments)

    from tpu_train.replay import replayed

    for line in replayed(place(options.out), options.step):
        print(line)
    return 0


def _text(arguments: Sequence[str]) -> int:
    parser = _parser(
        "embryo-train text",
        "Dumps, archives and books into a folder of plain text: markup removed, split into sentences, every "
        "document once. The same command goes on where it was stopped.",
    )
    parser.add_argument("--corpus", nargs="+", required=True, help="dumps, archives, folders, text files")
    parser.add_argument("--out", required=True, help="the folder, to be given as --corpus to training")
    parser.add_argument("--processes", type=int, help="default: all cores")
    parser.add_argument("--quiet", action="store_true", help="no progress")
    options = parser.parse_args(arguments)
    if options.processes is not None and options.processes < 1:
        raise InputError(f"--processes {options.processes}: expected 1 or more.")

    from tpu_train.hardware import cores
    from tpu_train.progress import Display
    from tpu_train.text.build import build

    with Display(options.quiet) as display:
        counts = build(
            [Path(source) for source in options.corpus],
            Path(options.out),
            options.processes or cores(),
            lambda done, total, told: display.show("Reading text", done, total, told),
        )
        display.say(
            f"{options.out}: {counts.documents:,} documents, {counts.sentences:,} sentences, "
            f"{counts.words:,} words, {counts.characters / 1e6:,.1f} million characters; left out: "
            f"{counts.duplicates:,} duplicates, {counts.empty:,} without text."
        )
    return 0


def _import(arguments: Sequence[str]) -> int:
    parser = _parser(
        "embryo-train import-tf1",
        "TensorFlow 1 checkpoints of google-research's ALBERT, BERT or ELECTRA as the steps of a run.",
    )
    parser.add_argument("source", help="a folder of model.ckpt-N, or one checkpoint's prefix")
    parser.add_argument("--out", required=True, help="the run's folder")
    parser.add_argument(
        "--vocabulary", metavar="DIR", help="vocab.txt, *.model or tokenizer.json (default: source)"
    )
    parser.add_argument("--config", metavar="FILE", help="the released *_config.json (default: the source's)")
    options = parser.parse_args(arguments)

    from tpu_train.import_tf1 import import_tf1

    given = Path(options.vocabulary) if options.vocabulary else None
    config = Path(options.config) if options.config else None
    steps = import_tf1(Path(options.source), place(options.out), given, config)
    print(f"{options.out}: {len(steps)} steps, {steps[0]:,} to {steps[-1]:,}")
    return 0


def _prune(arguments: Sequence[str]) -> int:
    parser = _parser("embryo-train prune", "Thins a run's saved steps by a schedule; the last one stays.")
    parser.add_argument("--out", required=True, help="the run's folder")
    parser.add_argument(
        "--keep", required=True, metavar="SCHEDULE", help='e.g. "0 1 2 4, every 10k to 100k, every 50k to 1M"'
    )
    parser.add_argument("--dry-run", action="store_true", help="only say what would go")
    options = parser.parse_args(arguments)

    from tpu_train.prune import prune
    from tpu_train.schedule import save_of

    thinned = prune(place(options.out), save_of(options.keep), options.dry_run)
    told = "would go" if options.dry_run else "removed"
    print(
        f"{options.out}: {len(thinned.removed)} steps {told} ({thinned.bytes / 1e6:,.1f} MB), "
        f"{len(thinned.kept)} kept"
    )
    return 0


_COMMANDS = {
    "train": _train,
    "text": _text,
    "explain": _explain,
    "plan": _plan,
    "batch": _batch,
    "import-tf1": _import,
    "prune": _prune,
}
