"""A run's folder: ``run.json``, the vocabulary and the tokens it was made with, and the lock on it.

Decides whether a command goes on with a run or must be refused. Knows no TensorFlow.
"""

from __future__ import annotations

import fcntl
import json
import platform
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

from tpu_train import atomic, places
from tpu_train import recipe as recipes
from tpu_train.errors import CouldNotFinishError, InputError
from tpu_train.families.network import Network
from tpu_train.names import parameters
from tpu_train.places import Bucket, Place
from tpu_train.recipe import Recipe
from tpu_train.store import SCHEMA_VERSION
from tpu_train.text.corpus import Manifest
from tpu_train.tokens import Tokens
from tpu_train.vocabulary import Vocabulary

RUN = "run.json"
STATE = "state"


@dataclass(frozen=True)
class Split:
    """What shares a batch: a kind of device, how many (0: all there are), threads of a CPU, processes."""

    device: str
    replicas: int
    threads: int
    workers: int = 1

    @property
    def told(self) -> str:
        """In words."""
        workers = f" in {self.workers} workers" if self.workers > 1 else ""
        return f"{self.replicas or 'all'} × {self.device}{workers}, {self.threads} threads"


def read(run: Place) -> dict[str, Any] | None:
    """``run.json``, or None where there is none.

    Raises:
        InputError: not JSON, or written by a newer version.
    """
    path = run / RUN
    if not path.is_file():
        return None
    try:
        about: dict[str, Any] = json.loads(path.read_text("utf-8"))
        version = about["schema_version"]
    except (ValueError, KeyError):
        raise InputError(
            f"{path} is not a run's description. Move {run} away, or choose another --out."
        ) from None
    if version > SCHEMA_VERSION:
        raise InputError(
            f"{path} has schema version {version}, this embryo-train knows {SCHEMA_VERSION}. "
            "Update lm-embryology."
        )
    return about


def refuse_changes(
    run: Place, about: dict[str, Any], recipe: Recipe | None, corpus: str | None, vocabulary: str | None
) -> None:
    """Holds what a command asks for against what the run was begun with; None asks for nothing.

    Args:
        run: its folder.
        about: its ``run.json``.
        recipe: the recipe asked for.
        corpus: digest of the text asked for.
        vocabulary: digest of the vocabulary asked for.

    Raises:
        InputError: they differ; the message names where.
    """
    differ = recipes.differences(recipes.from_json(about["recipe"], str(run / RUN)), recipe) if recipe else []
    for name, digest in (("corpus", corpus), ("vocabulary", vocabulary)):
        if digest and digest != about[name]["digest"]:
            differ.append(f"{name}: digest {about[name]['digest'][:12]}… → {digest[:12]}…")
    if differ:
        raise InputError(
            f"{run} was begun otherwise; going on would mix two runs:\n  "
            + "\n  ".join(differ)
            + "\nGive the same recipe and corpus again, or another --out; or delete the folder to begin anew."
        )


def describe(
    name: str,
    recipe: Recipe,
    manifest: Manifest,
    sources: Sequence[str],
    tokens: Tokens,
    vocabulary: Vocabulary,
    network: Network,
    dtype: str,
    split: Split,
) -> dict[str, Any]:
    """The content of ``run.json``."""
    return {
        "schema_version": SCHEMA_VERSION,
        "name": name,
        "family": recipe.family,
        "objective": recipe.objective,
        "total_steps": recipe.training.steps,
        "layers": recipe.model.layers,
        "heads": recipe.model.heads,
        "hidden": recipe.model.hidden,
        "parameters": parameters(network.saved[0].weights),
        "seed": recipe.training.seed,
        "compute_dtype": dtype,
        "threads": split.threads,
        "device": split.device,
        "replicas": split.replicas,
        "workers": split.workers,
        "recipe": recipes.to_json(recipe),
        "corpus": {
            "digest": manifest.digest,
            "sources": list(sources),
            "files": len(manifest.files),
            "bytes": manifest.bytes,
            **tokens.counts(),
            "unigram_entropy": tokens.unigram_entropy,
        },
        "vocabulary": {"digest": vocabulary.digest, "size": len(vocabulary.pieces)},
        "versions": versions(),
        "git": git_commit(),
    }


_PACKAGES = ("lm-embryology", "tensorflow", "numpy", "tokenizers", "safetensors")


def versions() -> dict[str, str]:
    """Python's and the packages' that decide what a run becomes."""
    return {
        "python": platform.python_version(),
        **{package: metadata.version(package) for package in _PACKAGES},
    }


def git_commit() -> str | None:
    """The commit of this code, where it runs from a checkout."""
    try:
        shown = subprocess.run(
            ["git", "-C", str(Path(__file__).parent), "rev-parse", "HEAD"],
            capture_output=True,
            text=True,
            timeout=10,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return shown.stdout.strip() if shown.returncode == 0 else None


def work_folder(run: Place, worker: int = 0) -> Path:
    """Where the text's tokens and the lock of a run lie: tokens are mapped into memory, so on a disk.

    For a run in a bucket that is a folder of this machine's cache; what the run needs to go on elsewhere is
    copied to the bucket's ``state/``, too (``prepare.publish``). So it is for a worker that is not the chief.
    """
    if worker:
        return places.cache(run, f"-worker-{worker}")
    return places.cache(run) if isinstance(run, Bucket) else run / STATE


@contextmanager
def locked(run: Place, worker: int = 0) -> Iterator[None]:
    """Holds the run, so that two trainers never write one; a worker that is not the chief, its own folder.

    A bucket knows no locks: there, those of this machine alone keep out of one another's way.

    Raises:
        CouldNotFinishError: another process holds it.
        InputError: the folder cannot be made or written, or is somebody else's.
    """
    if not worker:
        _refuse_foreign(run)
    folder = work_folder(run, worker)
    written = {folder} if worker else {run, run / STATE, folder}
    try:
        with atomic.explained_when_full(folder):
            for place in written:
                place.mkdir(parents=True, exist_ok=True)
        file = (folder / "lock").open("w")
    except OSError as error:
        raise InputError(f"Cannot write to {run} ({error.strerror}). Choose another --out.") from None
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise CouldNotFinishError(
                f"Another embryo-train is training {run}. Wait for it, or choose another --out."
            ) from None
        for place in written:
            atomic.remove_partial(place)
        yield


def _refuse_foreign(run: Place) -> None:
    """A folder that holds other things is hardly meant: ``checkpoints`` instead of ``checkpoints/albert``."""
    if not run.is_dir():
        return
    names = sorted(path.name for path in run.iterdir())
    foreign = [name for name in names if name not in (STATE, "lost+found") and not name.startswith(".")]
    if foreign and RUN not in names:
        raise InputError(
            f"{run} holds {', '.join(foreign[:3])}{' …' if len(foreign) > 3 else ''}, and no run. "
            f"Choose a folder of the run's own as --out, such as {run / 'albert'}."
        )
