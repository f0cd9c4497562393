"""The write side of contract 1: saved steps as Hugging Face model folders (``docs/checkpoint-store.md``).

A step is written under another name, ``COMPLETE.json`` last, and renamed: it is there whole or not at all.
Knows weights by Hugging Face's names, not how they were made.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tpu_train import atomic
from tpu_train.names import Floats
from tpu_train.recipe import Recipe

SCHEMA_VERSION = 1
COMPLETE = "COMPLETE.json"
WEIGHTS = "model.safetensors"
_STEP = re.compile(r"step-(\d{8,})")
_ACTIVATION = {"gelu_tanh": "gelu_new", "gelu_erf": "gelu"}


def step_folder(run: Path, step: int) -> Path:
    """``run/step-00000250``."""
    return run / f"step-{step:08d}"


def model_config(recipe: Recipe) -> dict[str, Any]:
    """``config.json``: the model as transformers' ``AlbertConfig`` describes it."""
    model = recipe.model
    return {
        "architectures": ["AlbertForPreTraining"],
        "model_type": "albert",
        "vocab_size": recipe.vocabulary.size,
        "embedding_size": model.embedding,
        "hidden_size": model.hidden,
        "num_hidden_layers": model.layers,
        "num_hidden_groups": model.groups,
        "inner_group_num": 1,
        "num_attention_heads": model.heads,
        "intermediate_size": model.ffn,
        "hidden_act": _ACTIVATION[model.activation],
        "hidden_dropout_prob": model.hidden_dropout,
        "attention_probs_dropout_prob": model.attention_dropout,
        "classifier_dropout_prob": 0.1,
        "max_position_embeddings": model.positions,
        "type_vocab_size": model.token_types,
        "initializer_range": model.initializer_range,
        "layer_norm_eps": model.layer_norm_epsilon,
        "pad_token_id": 0,
        "bos_token_id": 2,
        "eos_token_id": 3,
        "tie_word_embeddings": True,
        "dtype": "float32",
    }


def weights_file(weights: Mapping[str, Floats]) -> bytes:
    """``model.safetensors``; the same weights give the same bytes."""
    from safetensors.numpy import save

    return bytes(save(dict(weights), metadata={"format": "pt"}))


def save_step(
    run: Path,
    step: int,
    weights: Mapping[str, Floats],
    config: Mapping[str, Any],
    tokenizer: Mapping[str, bytes],
) -> Path:
    """Writes a step, unless the same step with the same files is there already.

    Args:
        run: folder of the run.
        step: updates made so far.
        weights: by Hugging Face's names.
        config: ``config.json``.
        tokenizer: its files by name.

    Returns:
        The step's folder.

    Raises:
        CouldNotFinishError: no space left; nothing of the step is kept.
    """
    files = {WEIGHTS: weights_file(weights), "config.json": atomic.as_json(config), **tokenizer}
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


def is_complete(folder: Path, expected: Mapping[str, Any]) -> bool:
    """Whether ``folder`` holds exactly the step that ``expected`` describes."""
    try:
        found = json.loads((folder / COMPLETE).read_text("utf-8"))
    except (OSError, ValueError):
        return False
    return bool(found == expected) and all(
        (folder / name).is_file() and (folder / name).stat().st_size == mark["bytes"]
        for name, mark in expected["files"].items()
    )


def saved(run: Path) -> list[int]:
    """The steps of ``run`` that are there, in order."""
    steps = []
    for folder in run.glob("step-*"):
        match = _STEP.fullmatch(folder.name)
        if match and (folder / COMPLETE).is_file():
            steps.append(int(match[1]))
    return sorted(steps)
