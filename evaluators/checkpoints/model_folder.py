"""One Hugging Face model among listed files: which of them are weights, tokenizer and configuration.

Shared by all layouts; reads config.json and the head of a weights file, nothing else.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from embryo_store.records import Run
from evaluators.checkpoints.base import (
    CONFIG_FILE,
    TOKENIZER_FILES,
    WEIGHTS_FILE,
    ModelFile,
    SavedStep,
    json_object,
)
from evaluators.checkpoints.trees import Entry, Tree
from evaluators.errors import InputError

#: Names of weights, the preferred first; the second of each pair lists shards.
_WEIGHTS = (
    (WEIGHTS_FILE, "model.safetensors.index.json"),
    ("pytorch_model.bin", "pytorch_model.bin.index.json"),
)
_SHARD = re.compile(r"(?:model|pytorch_model)-(\d+)-of-(\d+)\.(?:safetensors|bin)")
GENERATOR = "generator"


@dataclass(frozen=True)
class Listing:
    """The files of a run: their paths below ``tree``, and the SHA-256 of those that somebody told."""

    tree: Tree
    files: Mapping[str, Entry]
    told: Mapping[str, str] = field(default_factory=dict)

    def get(self, path: str) -> ModelFile | None:
        """The file at ``path``, if there is one."""
        entry = self.files.get(path)
        return ModelFile(self.tree, path, entry, self.told.get(path)) if entry is not None else None

    def below(self, folder: str) -> tuple[str, ...]:
        """The names of the files that lie in ``folder`` itself; '' is the run's own."""
        start = f"{folder}/" if folder else ""
        names = (path.removeprefix(start) for path in self.files if path.startswith(start))
        return tuple(name for name in names if "/" not in name)

    def uri(self, folder: str) -> str:
        """The place of ``folder``."""
        return self.tree.at(folder) if folder else self.tree.uri


def find_model(
    listing: Listing, folder: str, run: str, step: int, *, weights: tuple[ModelFile, ...] | None = None
) -> SavedStep:
    """The model in ``folder``, and its generator. ``weights``: where the layout itself knows them.

    Tokenizer and config.json may lie beside the steps' folders instead, one for all steps.
    """
    problem = None
    config: Mapping[str, Any] = {}
    try:
        config = read_config(listing, folder)
    except InputError as error:
        problem = str(error)
    if weights is None:
        weights, wrong = _find_weights(listing, folder)
        problem = problem or wrong
    tokenizer = _tokenizer(listing, folder)
    generator = None
    if any(name == CONFIG_FILE for name in listing.below(f"{folder}/{GENERATOR}" if folder else GENERATOR)):
        generator = find_model(listing, f"{folder}/{GENERATOR}" if folder else GENERATOR, run, step)
    return SavedStep(
        run=run,
        step=step,
        uri=listing.uri(folder),
        config=config,
        weights=weights,
        tokenizer=tokenizer,
        generator=generator,
        problem=problem,
    )


def read_config(listing: Listing, folder: str) -> Mapping[str, Any]:
    """config.json of ``folder``, else that of the folders above it.

    Raises:
        InputError: there is none, or it is no JSON object.
    """
    for place in _upwards(folder):
        file = listing.get(f"{place}/{CONFIG_FILE}" if place else CONFIG_FILE)
        if file is not None:
            try:
                return json_object(listing.tree.read(file.path), file.uri)
            except OSError as error:
                raise InputError(f"{file.uri} cannot be read: {error}") from error
    raise InputError(
        f"{listing.uri(folder)} has no {CONFIG_FILE}: expected a Hugging Face model; save it again"
    )


def _upwards(folder: str) -> tuple[str, ...]:
    parts = folder.split("/") if folder else []
    return tuple("/".join(parts[:count]) for count in range(len(parts), -1, -1))


def _tokenizer(listing: Listing, folder: str) -> tuple[ModelFile, ...]:
    for place in _upwards(folder):
        start = f"{place}/" if place else ""
        found = [file for name in TOKENIZER_FILES if (file := listing.get(start + name)) is not None]
        if found:
            return tuple(found)
    return ()


def _find_weights(listing: Listing, folder: str) -> tuple[tuple[ModelFile, ...], str | None]:
    """The weights' files, and what is wrong with them."""
    start = f"{folder}/" if folder else ""
    for whole, index in _WEIGHTS:
        file = listing.get(start + whole)
        if file is not None:
            return (file,), None
        if listing.get(start + index) is not None:
            ending = whole.rpartition(".")[2]
            names = sorted(n for n in listing.below(folder) if _SHARD.fullmatch(n) and n.endswith(ending))
            shards = tuple(shard for name in names if (shard := listing.get(start + name)) is not None)
            said = {int(match[2]) for name in names if (match := _SHARD.fullmatch(name))}
            if said != {len(names)}:
                of = " or ".join(map(str, sorted(said))) or "some"
                return shards, f"{listing.uri(folder)} has {len(names)} of {of} shards; copy the step again"
            return shards, None
    return (), f"{listing.uri(folder)} has no {WEIGHTS_FILE} and no pytorch_model.bin; save the step again"


def describe(run: str, saved: SavedStep | None, source: str) -> Run:
    """A run of which only its models tell: family and shape of ``saved``."""
    config = saved.config if saved else {}
    return Run(
        run=run,
        family=str(config.get("model_type") or "unknown"),
        source=source,
        layers=whole(config.get("num_hidden_layers", config.get("n_layers"))),
        heads=whole(config.get("num_attention_heads", config.get("n_heads"))),
        hidden=whole(config.get("hidden_size", config.get("dim"))),
        parameters=count_parameters(saved) if saved else None,
    )


def tensor_shapes(saved: SavedStep) -> Mapping[str, tuple[int, ...]] | None:
    """Name → shape of every tensor, from the heads of safetensors files; None for other formats."""
    found: dict[str, tuple[int, ...]] = {}
    for file in saved.weights:
        if not file.path.endswith(".safetensors"):
            return None
        try:
            length = int.from_bytes(file.tree.read(file.path, 8), "little")
            head = json.loads(file.tree.read(file.path, 8 + min(length, file.entry.size))[8:])
            found |= {name: tuple(t["shape"]) for name, t in head.items() if name != "__metadata__"}
        except (OSError, ValueError, KeyError, TypeError, AttributeError, OverflowError, MemoryError):
            return None
    return found


def count_parameters(saved: SavedStep) -> int | None:
    """The number of parameters, as far as the files' heads tell."""
    shapes = tensor_shapes(saved) if saved.weights else None
    if not shapes:
        return None
    total = 0
    for shape in shapes.values():
        size = 1
        for extent in shape:
            size *= extent
        total += size
    return whole(total)


def whole(value: Any) -> int | None:
    """``value`` if it is a whole number that a store can hold."""
    fits = isinstance(value, int) and not isinstance(value, bool) and abs(value) < 1 << 63
    return value if fits else None
