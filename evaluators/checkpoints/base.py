"""What every layout of checkpoints offers. Knows neither tasks nor PyTorch; planning asks it for digests,
and never makes it read weights.
"""

from __future__ import annotations

import hashlib
import json
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from embryo_store.records import Checkpoint, Run
from evaluators.errors import InputError

#: Files that decide how text becomes ids, wherever a layout keeps them.
TOKENIZER_FILES = (
    "added_tokens.json",
    "merges.txt",
    "sentencepiece.bpe.model",
    "special_tokens_map.json",
    "spiece.model",
    "tokenizer.json",
    "tokenizer_config.json",
    "vocab.json",
    "vocab.txt",
)
WEIGHTS_FILE = "model.safetensors"
CONFIG_FILE = "config.json"

#: Entries of config.json that say who wrote the file, not how the model computes.
_CONFIG_REMARKS = frozenset({"transformers_version", "_name_or_path", "dtype", "torch_dtype"})


@dataclass(frozen=True)
class SavedStep:
    """One saved step: a Hugging Face model folder with the digests of what decides its results.

    ``problem`` says why the step cannot be loaded, as far as that shows without reading weights.
    """

    run: str
    step: int
    folder: Path
    weights_hash: str
    tokenizer_hash: str
    config_hash: str
    bytes: int
    config: Mapping[str, Any]
    problem: str | None = None

    def record(self) -> Checkpoint:
        """This step as the results store keeps it."""
        return Checkpoint(
            run=self.run,
            step=self.step,
            uri=str(self.folder),
            weights_hash=self.weights_hash,
            vocab=self.tokenizer_hash,
            bytes=self.bytes,
        )


class CheckpointSource(ABC):
    """Runs and their saved steps, in one layout. Whatever raises here raises ``InputError``."""

    @abstractmethod
    def runs(self) -> tuple[str, ...]:
        """The runs' names, sorted; at least one."""

    @abstractmethod
    def steps(self, run: str) -> tuple[int, ...]:
        """The complete steps of ``run``, ascending."""

    @abstractmethod
    def describe(self, run: str) -> Run:
        """What was trained, as far as the layout tells."""

    @abstractmethod
    def open(self, run: str, step: int) -> SavedStep:
        """One step, checked as far as that goes without reading weights."""

    @abstractmethod
    def train_log(self, run: str) -> Path | None:
        """The run's training log (JSON lines), where there is one."""


def canonical_digest(value: Any) -> str:
    """SHA-256 of ``value`` as canonical JSON: sorted keys, no spaces."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()


def config_digest(config: Mapping[str, Any]) -> str:
    """Digest of the entries of config.json that decide what the model computes."""
    return canonical_digest({key: value for key, value in config.items() if key not in _CONFIG_REMARKS})


def pick(names: Sequence[str], wanted: Sequence[str], where: Path) -> tuple[str, ...]:
    """Those of ``names`` that are ``wanted``; all where nothing is.

    Raises:
        InputError: a wanted run is not there.
    """
    for name in wanted:
        if name not in names:
            raise InputError(f"No run {name!r} in {where}. There are: {', '.join(names)}.")
    return tuple(name for name in names if not wanted or name in wanted)
