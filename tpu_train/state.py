"""The resumable state of a run: weights, moments and counters, kept rolling in ``state/``.

A state is a safetensors file and, written after it, a JSON file with its digest; the newest pair that fits
together counts. Nothing an evaluator reads.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from tpu_train import atomic
from tpu_train.names import Floats
from tpu_train.places import Place

#: So many states are kept: the newest, and one before it.
_KEPT = 2


@dataclass(frozen=True)
class Progress:
    """Where a run stands, apart from its weights.

    Attributes:
        step: updates made.
        tokens: tokens seen, padding left out.
        seconds: spent training, all processes together.
        interval: sums since the last line of the log, by name.
    """

    step: int = 0
    tokens: int = 0
    seconds: float = 0.0
    interval: Mapping[str, float] = field(default_factory=dict)


def save(folder: Place, progress: Progress, arrays: Mapping[str, Floats]) -> None:
    """Writes a state and removes all but the newest two.

    Raises:
        CouldNotFinishError: no space left; the older states are still there.
    """
    from safetensors.numpy import save as serialise

    content = serialise(dict(arrays))
    name = f"state-{progress.step:08d}"
    atomic.write_bytes(folder / f"{name}.safetensors", content)
    atomic.write_json(folder / f"{name}.json", {**asdict(progress), "sha256": atomic.sha256(content)})
    for old in _newest_first(folder)[_KEPT:]:
        old.unlink()
        old.with_suffix(".safetensors").unlink(missing_ok=True)
    described = {path.stem for path in folder.glob("state-*.json")}
    for data in folder.glob("state-*.safetensors"):
        if data.stem not in described:
            data.unlink()


def load(folder: Place) -> tuple[Progress, dict[str, Any]] | None:
    """The newest state whose file has the digest that was noted; None if there is none."""
    from safetensors.numpy import load as deserialise

    for path in _newest_first(folder):
        try:
            about = json.loads(path.read_text("utf-8"))
            content = path.with_suffix(".safetensors").read_bytes()
        except (OSError, ValueError):
            continue
        if atomic.sha256(content) == about.pop("sha256"):
            return Progress(**about), deserialise(content)
    return None


def _newest_first(folder: Place) -> list[Place]:
    return sorted(folder.glob("state-*.json"), reverse=True)
