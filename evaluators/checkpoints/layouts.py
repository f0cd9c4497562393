"""Layouts of others, read in place. They have no COMPLETE.json: what loads counts.

Step folders: RUN/checkpoint-N, RUN/step_N or RUN/step-N, each a Hugging Face model. Numbered weights (the
paper's): RUN/pytorch_model_N.bin or RUN/model_N.safetensors beside one config.json and one vocabulary.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from evaluators.checkpoints.base import SavedStep
from evaluators.checkpoints.model_folder import Listing, find_model

_STEP_NAME = re.compile(r"(?:.*[-_.])?(?:step|checkpoint|ckpt)[-_]?(\d+)([kKmM]?)", re.DOTALL)
_NUMBERED = re.compile(r"(?:pytorch_)?model[-_](?:step[-_])?(\d+)\.(?:bin|safetensors)")
_THOUSANDS = {"": 1, "k": 1_000, "m": 1_000_000}


def step_of(name: str) -> int | None:
    """The step that a folder's or revision's name tells: step1000, checkpoint-500, …-step_20k."""
    match = _STEP_NAME.fullmatch(name)
    return int(match[1]) * _THOUSANDS[match[2].lower()] if match else None


def step_folders(names: Iterable[str]) -> Mapping[int, str]:
    """Step → folder among ``names``."""
    return {step: name for name in sorted(names) if (step := step_of(name)) is not None}


def numbered_weights(names: Iterable[str]) -> Mapping[int, str]:
    """Step → weights file among ``names``."""
    return {int(match[1]): name for name in sorted(names) if (match := _NUMBERED.fullmatch(name))}


def steps(listing: Listing) -> Mapping[int, str]:
    """Step → its folder, or its weights file, in a run."""
    folders = {path.split("/", 1)[0] for path in listing.files if "/" in path}
    return {**numbered_weights(listing.below("")), **step_folders(folders)}


def open_step(listing: Listing, place: str, run: str, step: int) -> SavedStep:
    """The step that lies at ``place``: a folder, or a weights file of the run's own folder."""
    file = listing.get(place)
    if file is None:
        return find_model(listing, place, run, step)
    return find_model(listing, "", run, step, weights=(file,))
