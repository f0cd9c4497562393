"""The write side of contract 1: saved steps as Hugging Face model folders (``docs/checkpoint-store.md``).

A step is there whole or not at all: with its ``COMPLETE.json``, which is written last.
Knows weights by Hugging Face's names, not how they were made.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tpu_train import atomic, places
from tpu_train.names import Floats
from tpu_train.places import Place

SCHEMA_VERSION = 1
COMPLETE = "COMPLETE.json"
WEIGHTS = "model.safetensors"
_STEP = re.compile(r"step-(\d{8,})")


def step_folder(run: Place, step: int) -> Place:
    """``run/step-00000250``."""
    return run / f"step-{step:08d}"


def weights_file(weights: Mapping[str, Floats], dtype: str = "fp32") -> bytes:
    """``model.safetensors`` in fp32 or bf16; the same weights give the same bytes."""
    from safetensors.numpy import save

    if dtype == "fp32":
        return bytes(save(dict(weights), metadata={"format": "pt"}))
    from ml_dtypes import bfloat16

    halved = {name: value.astype(bfloat16) for name, value in weights.items()}
    return bytes(save(halved, metadata={"format": "pt"}))


@dataclass(frozen=True)
class ModelFolder:
    """One model of a step: its folder below the step's (empty: the step's own), weights and ``config.json``.

    ``weights`` go by Hugging Face's names.
    """

    folder: str
    weights: Mapping[str, Floats]
    config: Mapping[str, Any]


def save_step(
    run: Place,
    step: int,
    models: Sequence[ModelFolder],
    tokenizer: Mapping[str, bytes],
    dtype: str = "fp32",
) -> Place:
    """Writes a step, unless the same step with the same files is there already.

    Args:
        run: folder of the run.
        step: updates made so far.
        models: the step's own model, and those in folders below it.
        tokenizer: its files by name, for every model.
        dtype: of the saved weights.

    Returns:
        The step's folder.

    Raises:
        CouldNotFinishError: no space left; nothing of the step is kept.
    """
    files: dict[str, bytes] = {}
    for model in models:
        prefix = f"{model.folder}/" if model.folder else ""
        files[f"{prefix}{WEIGHTS}"] = weights_file(model.weights, dtype)
        files[f"{prefix}config.json"] = atomic.as_json(model.config)
        files |= {f"{prefix}{name}": content for name, content in tokenizer.items()}
    complete = {
        "schema_version": SCHEMA_VERSION,
        "step": step,
        "files": {
            name: {"bytes": len(content), "sha256": atomic.sha256(content)}
            for name, content in sorted(files.items())
        },
    }
    folder = step_folder(run, step)
    if is_complete(folder, complete):
        return folder
    atomic.write_folder(folder, {**files, COMPLETE: atomic.as_json(complete)})
    return folder


def is_complete(folder: Place, expected: Mapping[str, Any]) -> bool:
    """Whether ``folder`` holds exactly the step that ``expected`` describes."""
    try:
        found = json.loads((folder / COMPLETE).read_text("utf-8"))
    except (OSError, ValueError):
        return False
    return bool(found == expected) and all(
        (folder / name).is_file() and places.size(folder / name) == mark["bytes"]
        for name, mark in expected["files"].items()
    )


def saved(run: Place) -> list[int]:
    """The steps of ``run`` that are there, in order."""
    steps = []
    for folder in run.glob("step-*"):
        match = _STEP.fullmatch(folder.name)
        if match and (folder / COMPLETE).is_file():
            steps.append(int(match[1]))
    return sorted(steps)
