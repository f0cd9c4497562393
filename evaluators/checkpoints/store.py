"""Contract 1 as it lies on disk (docs/checkpoint-store.md): RUN/step-N/ with COMPLETE.json written last.

Digests come from COMPLETE.json and are held against sizes here, against the bytes when weights are read.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from embryo_store.records import Run
from evaluators.checkpoints.base import (
    CONFIG_FILE,
    TOKENIZER_FILES,
    WEIGHTS_FILE,
    CheckpointSource,
    SavedStep,
    canonical_digest,
    config_digest,
)
from evaluators.errors import InputError

MANIFEST = "COMPLETE.json"
SCHEMA_VERSION = 1
_STEP = re.compile(r"step-(\d+)")


@dataclass(frozen=True)
class CheckpointStore(CheckpointSource):
    """The runs under ``root``. A folder is a run when it holds run.json or a complete step."""

    root: Path

    def runs(self) -> tuple[str, ...]:
        """The runs' names, sorted.

        Raises:
            InputError: there is no such folder, or it holds no run.
        """
        hint = "Name the folder with --checkpoints, or train one with embryo-train --out checkpoints/NAME."
        if not self.root.is_dir():
            what = "is not a folder" if self.root.exists() else "does not exist"
            raise InputError(f"The checkpoint folder {self.root} {what}. {hint}")
        names = sorted(p.name for p in self.root.iterdir() if p.is_dir() and self._is_run(p))
        if not names:
            if self._is_run(self.root):
                raise InputError(
                    f"{self.root} is a run itself. Name the folder above it: --checkpoints {self.root.parent}"
                )
            raise InputError(f"{self.root} holds no run: expected {self.root}/RUN/step-N/{MANIFEST}. {hint}")
        return tuple(names)

    def steps(self, run: str) -> tuple[int, ...]:
        """The steps of ``run`` whose COMPLETE.json stands, ascending."""
        return tuple(sorted(self._folders(run)))

    def describe(self, run: str) -> Run:
        """What run.json says, and the shape that the last step's config.json says."""
        folder = self.root / run
        told = _json_object(folder / "run.json") if (folder / "run.json").exists() else {}
        recipe = told.get("recipe")
        recipe = recipe if isinstance(recipe, dict) else {}
        config: Mapping[str, Any] = {}
        parameters = None
        folders = self._folders(run)
        if folders:
            last = folders[max(folders)]
            config = _json_object(last / CONFIG_FILE) if (last / CONFIG_FILE).exists() else {}
            parameters = _count_parameters(last / WEIGHTS_FILE)
        corpus = told.get("corpus")
        return Run(
            run=run,
            family=str(told.get("family") or config.get("model_type") or "unknown"),
            source=str(folder),
            objective=told.get("objective"),
            total_steps=_whole(told.get("total_steps", recipe.get("total_steps", recipe.get("steps")))),
            layers=_whole(config.get("num_hidden_layers")),
            heads=_whole(config.get("num_attention_heads")),
            hidden=_whole(config.get("hidden_size")),
            parameters=parameters,
            recipe=recipe,
            corpus=corpus
            if isinstance(corpus, str) or corpus is None
            else json.dumps(corpus, sort_keys=True),
        )

    def open(self, run: str, step: int) -> SavedStep:
        """One step with its manifest's digests; files that do not meet the manifest are its ``problem``.

        Raises:
            InputError: the step was not saved.
        """
        folder = self._folders(run).get(step)
        if folder is None:
            raise InputError(f"{self.root / run} has no complete step {step:,}.")
        files, problem = _manifest(folder / MANIFEST)
        problem = problem or _first_difference(folder, files)
        config: Mapping[str, Any] = {}
        if problem is None:
            try:
                config = _json_object(folder / CONFIG_FILE)
            except InputError as error:
                problem = str(error)
        weights = folder / WEIGHTS_FILE
        weights_hash = files.get(WEIGHTS_FILE, (0, ""))[1]
        if problem is None and weights.stat().st_mtime_ns > (folder / MANIFEST).stat().st_mtime_ns:
            # The manifest is written last: weights younger than it were put there by somebody else.
            found = _file_digest(weights)
            if found != weights_hash:
                problem, weights_hash = (
                    f"{weights} was changed after {MANIFEST} was written; save the step again",
                    found,
                )
        return SavedStep(
            run=run,
            step=step,
            folder=folder,
            weights_hash=weights_hash,
            tokenizer_hash=canonical_digest({n: files[n][1] for n in TOKENIZER_FILES if n in files}),
            config_hash=config_digest(config),
            bytes=sum(size for size, _ in files.values()),
            config=config,
            problem=problem,
        )

    def train_log(self, run: str) -> Path | None:
        """The run's train_log.jsonl."""
        path = self.root / run / "train_log.jsonl"
        return path if path.exists() else None

    def _is_run(self, folder: Path) -> bool:
        return (folder / "run.json").exists() or any(True for _ in folder.glob(f"step-*/{MANIFEST}"))

    def _folders(self, run: str) -> dict[int, Path]:
        found = {}
        for folder in (self.root / run).iterdir():
            match = _STEP.fullmatch(folder.name)
            if match and (folder / MANIFEST).exists():
                found[int(match[1])] = folder
        return found


def _manifest(path: Path) -> tuple[dict[str, tuple[int, str]], str | None]:
    """Name → (bytes, SHA-256), and what is wrong with the manifest."""
    try:
        told = _json_object(path)
        version = told.get("schema_version")
        if version != SCHEMA_VERSION:
            return (
                {},
                f"{path}: schema_version is {version!r}, expected {SCHEMA_VERSION}; update lm-embryology",
            )
        return {name: (int(f["bytes"]), str(f["sha256"])) for name, f in told["files"].items()}, None
    except InputError as error:
        return {}, str(error)
    except (KeyError, TypeError, ValueError, AttributeError):
        return {}, f'{path}: expected {{"files": {{NAME: {{"bytes": …, "sha256": …}}}}}}; save the step again'


def _first_difference(folder: Path, files: Mapping[str, tuple[int, str]]) -> str | None:
    for name in (CONFIG_FILE, WEIGHTS_FILE):
        if name not in files:
            return f"{folder / MANIFEST} does not list {name}; save the step again"
    for name, (size, _) in files.items():
        path = folder / name
        if not path.is_file():
            return f"{path} is missing, {MANIFEST} lists it; copy or save the step again"
        found = path.stat().st_size
        if found != size:
            return (
                f"{path} has {found:,} bytes, {MANIFEST} says {size:,}: cut short or changed; "
                "copy or save the step again"
            )
    return None


def _json_object(path: Path) -> dict[str, Any]:
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, json.JSONDecodeError) as error:
        raise InputError(f"{path} cannot be read as JSON: {error}") from error
    if not isinstance(value, dict):
        raise InputError(f"{path}: expected a JSON object, found {type(value).__name__}")
    return value


def _count_parameters(weights: Path) -> int | None:
    """Parameters from the header of a safetensors file (8 bytes of length, then JSON)."""
    try:
        with weights.open("rb") as handle:
            header = json.loads(handle.read(int.from_bytes(handle.read(8), "little")))
        total = 0
        for name, tensor in header.items():
            if name != "__metadata__":
                size = 1
                for extent in tensor["shape"]:
                    size *= extent
                total += size
        return total
    except (OSError, ValueError, KeyError, TypeError, AttributeError, OverflowError, MemoryError):
        return None


def _file_digest(path: Path) -> str:
    with path.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


def _whole(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None
