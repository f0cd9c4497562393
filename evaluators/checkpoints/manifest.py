"""Contract 1 (docs/checkpoint-store.md): RUN/step-N/ with COMPLETE.json written last.

Digests come from COMPLETE.json and are held against sizes here, against the bytes when weights are read.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from embryo_store.records import Run
from evaluators.checkpoints.base import CONFIG_FILE, WEIGHTS_FILE, SavedStep, json_object
from evaluators.checkpoints.model_folder import Listing, describe, find_model, whole
from evaluators.errors import CheckpointError, InputError

MANIFEST = "COMPLETE.json"
RUN_FILE = "run.json"
SCHEMA_VERSION = 1
_STEP = re.compile(r"step-(\d+)")


def is_run(listing: Listing) -> bool:
    """Is there a run.json or a complete step?"""
    return RUN_FILE in listing.files or bool(steps(listing))


def steps(listing: Listing) -> Mapping[int, str]:
    """Step → folder, of the steps whose COMPLETE.json stands."""
    found = {}
    for path in listing.files:
        folder, _, name = path.rpartition("/")
        match = _STEP.fullmatch(folder)
        if name == MANIFEST and match:
            found[int(match[1])] = folder
    return found


def open_step(listing: Listing, folder: str, run: str, step: int) -> SavedStep:
    """One step with its manifest's digests; files that do not meet the manifest are its ``problem``."""
    said, problem = _manifest(listing, folder)
    problem = problem or _first_difference(listing, folder, said)
    told = {f"{folder}/{name}": digest for name, (_, digest) in said.items()}
    files = {path: entry for path, entry in listing.files.items() if path in told}
    mine = Listing(listing.tree, files, told)
    if problem is not None:
        return SavedStep(run, step, listing.uri(folder), {}, (), (), problem=problem)
    saved = find_model(mine, folder, run, step)
    return replace(saved, problem=saved.problem or _changed_since(mine, listing, folder))


def describe_run(listing: Listing, run: str) -> Run:
    """What run.json says, and the shape that the last step's config.json says."""
    told: Mapping[str, Any] = {}
    if RUN_FILE in listing.files:
        where = listing.tree.at(RUN_FILE)
        try:
            told = json_object(listing.tree.read(RUN_FILE), where)
        except OSError as error:
            raise InputError(f"{where} cannot be read: {error}") from error
    recipe = told.get("recipe")
    recipe = recipe if isinstance(recipe, dict) else {}
    there = steps(listing)
    last = open_step(listing, there[max(there)], run, max(there)) if there else None
    corpus = told.get("corpus")
    shape = describe(run, last, listing.tree.uri)
    return replace(
        shape,
        family=str(told.get("family") or shape.family),
        objective=objective if isinstance(objective := told.get("objective"), str) else None,
        total_steps=whole(told.get("total_steps", recipe.get("total_steps", recipe.get("steps")))),
        recipe=recipe,
        corpus=corpus if isinstance(corpus, str) or corpus is None else json.dumps(corpus, sort_keys=True),
    )


def _manifest(listing: Listing, folder: str) -> tuple[dict[str, tuple[int, str]], str | None]:
    """Name → (bytes, SHA-256), and what is wrong with the manifest."""
    path = f"{folder}/{MANIFEST}"
    where = listing.tree.at(path)
    try:
        told = json_object(listing.tree.read(path), where)
        version = told.get("schema_version")
        if version != SCHEMA_VERSION:
            return (
                {},
                f"{where}: schema_version is {version!r}, expected {SCHEMA_VERSION}; update lm-embryology",
            )
        return {name: (int(f["bytes"]), str(f["sha256"])) for name, f in told["files"].items()}, None
    except InputError as error:
        return {}, str(error)
    except OSError as error:
        return {}, f"{where} cannot be read: {error}"
    except (KeyError, TypeError, ValueError, AttributeError):
        return (
            {},
            f'{where}: expected {{"files": {{NAME: {{"bytes": …, "sha256": …}}}}}}; save the step again',
        )


def _first_difference(listing: Listing, folder: str, said: Mapping[str, tuple[int, str]]) -> str | None:
    for name in (CONFIG_FILE, WEIGHTS_FILE):
        if name not in said:
            return f"{listing.uri(folder)}/{MANIFEST} does not list {name}; save the step again"
    for name, (size, _) in said.items():
        entry = listing.files.get(f"{folder}/{name}")
        where = f"{listing.uri(folder)}/{name}"
        if entry is None:
            return f"{where} is missing, {MANIFEST} lists it; copy or save the step again"
        if entry.size != size:
            return (
                f"{where} has {entry.size:,} bytes, {MANIFEST} says {size:,}: cut short or changed; "
                "copy or save the step again"
            )
    return None


def _changed_since(mine: Listing, listing: Listing, folder: str) -> str | None:
    """The manifest is written last: weights younger than it were put there by somebody else."""
    manifest = listing.tree.local(f"{folder}/{MANIFEST}")
    for path, told in mine.told.items():
        file = mine.tree.local(path)
        if not path.endswith(WEIGHTS_FILE) or file is None or manifest is None:
            continue
        try:
            untold = Listing(mine.tree, mine.files).get(path) if _age(file) > _age(manifest) else None
            if untold is not None and untold.digest != told:
                return f"{file} was changed after {MANIFEST} was written; save the step again"
        except (CheckpointError, OSError) as error:
            return str(error)
    return None


def _age(path: Path) -> int:
    return path.stat().st_mtime_ns
