"""The tour: write the world, train on it, evaluate every checkpoint, open the app. Each stage is a command.

Stages run as subprocesses, as a user would run them; what is done is noted in ``stages.json`` and not done
again. Knows the commands' options, and nothing of what is inside them.
"""

from __future__ import annotations

import hashlib
import json
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from embryo_demo.world import Places, Size, finished, identity, write_world

RUN = "albert-demo"

#: What the evaluators answer when some evaluations failed; the others are there to be looked at.
SOME_FAILED = 1
INTERRUPTED = 130


class StageError(Exception):
    """The tour cannot go on; ``code`` is the exit code."""

    def __init__(self, message: str, code: int) -> None:
        """``message`` says what happened and what to do."""
        super().__init__(message)
        self.code = code


@dataclass(frozen=True)
class Folder:
    """Where the tour keeps things, besides the world itself."""

    root: Path

    @property
    def checkpoints(self) -> Path:
        """Contract 1: one folder a run."""
        return self.root / "checkpoints"

    @property
    def results(self) -> Path:
        """Contract 2: the results store."""
        return self.root / "results.duckdb"

    @property
    def notes(self) -> Path:
        """Which stages are done, and how long each took."""
        return self.root / "stages.json"


def run(root: Path, seed: int, size: Size, recipe: Path) -> int:
    """Runs the stages that are not done yet, then opens the app, or prints a summary where no terminal is.

    ``recipe`` is a file in the trainer's recipe format.

    Raises:
        StageError: a command failed, or another world lies in ``root``.
    """
    places, folder = Places(root), Folder(root)
    _refuse_another_world(places, seed, size)
    made_of = json.dumps(identity(seed, size)) + recipe.read_text("utf-8")
    notes = _Notes(folder.notes, hashlib.sha256(made_of.encode()).hexdigest())
    code = _do(_stages(places, folder, recipe, seed, size), notes)
    if sys.stdout.isatty():
        code = _command("-m", "embryo_tui", folder.results) or code
    else:
        code = _command("-m", "embryo_tui", folder.results, "--print", "summary") or code
        print(f"\nText, sentences and facts: {places.text}, {places.data}; see {places.manifest}")
        print(f"Checkpoints: {folder.checkpoints / RUN}")
        print(f"Results: {folder.results} (open it with: embryo-tui {shlex.quote(str(folder.results))})")
        print(f"Time: {notes.summary()}")
    return code


@dataclass(frozen=True)
class Stage:
    """A stage: its name, what it says to the user, what it leaves behind, the work (returns an exit code)."""

    name: str
    says: str
    product: Path
    work: Callable[[], int]


def _stages(places: Places, folder: Folder, recipe: Path, seed: int, size: Size) -> tuple[Stage, ...]:
    def write() -> int:
        if not finished(places.root, seed, size):
            write_world(places.root, seed, size)
        return 0

    def train() -> int:
        out = folder.checkpoints / RUN
        return _command("-m", "tpu_train", "--recipe", recipe, "--corpus", places.text, "--out", out)

    def evaluate() -> int:
        return _command(
            *("-m", "evaluators", "--checkpoints", folder.checkpoints),
            *("--data", places.data, "--db", folder.results),
        )

    return (
        Stage("world", "Writing a small world: text, annotated sentences, facts", places.manifest, write),
        Stage("train", "Training an ALBERT on it, from nothing", folder.checkpoints / RUN, train),
        Stage("evaluate", "Evaluating every checkpoint", folder.results, evaluate),
    )


def _do(stages: tuple[Stage, ...], notes: _Notes) -> int:
    worst = 0
    for number, stage in enumerate(stages, 1):
        if notes.done(stage.name) and stage.product.exists():
            continue
        print(f"[{number}/{len(stages)}] {stage.says} …", flush=True)
        begun = time.monotonic()
        code = stage.work()
        if code not in (0, SOME_FAILED) or (code == SOME_FAILED and stage.name != "evaluate"):
            raise StageError(f"stage {stage.name!r} ended with exit code {code}; see its message above", code)
        seconds = time.monotonic() - begun
        print(f"[{number}/{len(stages)}] done in {seconds:.0f} s", flush=True)
        worst = max(worst, code)
        if code == 0:
            notes.note(stage.name, seconds)
    return worst


def _refuse_another_world(places: Places, seed: int, size: Size) -> None:
    if places.manifest.is_file() and not finished(places.root, seed, size):
        found = json.loads(places.manifest.read_text("utf-8"))["world"]
        raise StageError(
            f"{places.root} holds another world ({found}), expected {identity(seed, size)}: "
            "choose another folder with --out, or delete this one.",
            2,
        )


def _command(*arguments: str | Path) -> int:
    """Runs one of the commands with this interpreter; an interrupt is the command's to end on.

    A terminal's Ctrl-C reaches both; SIGTERM reaches this process alone, and is handed on.
    """
    sys.stdout.flush()
    with subprocess.Popen([sys.executable, *map(str, arguments)]) as process:
        before = signal.signal(signal.SIGTERM, lambda *_: process.terminate())
        try:
            code = process.wait()
        except KeyboardInterrupt:
            process.wait()
            raise
        finally:
            signal.signal(signal.SIGTERM, before)
    if code in (INTERRUPTED, -signal.SIGINT, -signal.SIGTERM):
        raise KeyboardInterrupt
    return code if code >= 0 else 128 - code


class _Notes:
    """What ``stages.json`` remembers; notes about another world or recipe count for nothing."""

    def __init__(self, path: Path, made_of: str) -> None:
        self._path = path
        self._made_of = made_of
        self._seconds: dict[str, float] = {}
        if path.is_file():
            found: dict[str, Any] = json.loads(path.read_text("utf-8"))
            if found["made_of"] == made_of:
                self._seconds = found["seconds"]

    def done(self, stage: str) -> bool:
        return stage in self._seconds

    def note(self, stage: str, seconds: float) -> None:
        self._seconds[stage] = round(seconds, 1)
        beside = self._path.with_name(self._path.name + ".part")
        beside.write_text(json.dumps({"made_of": self._made_of, "seconds": self._seconds}), "utf-8")
        beside.replace(self._path)

    def summary(self) -> str:
        each = ", ".join(f"{stage} {seconds:.0f} s" for stage, seconds in self._seconds.items())
        return f"{each}; together {sum(self._seconds.values()):.0f} s"
