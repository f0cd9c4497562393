"""What every layout of checkpoints offers. Knows neither tasks nor PyTorch; planning asks it for digests,
and never makes it read weights whose digest is told or remembered.
"""

from __future__ import annotations

import hashlib
import json
from abc import ABC, abstractmethod
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

from embryo_store.naming import is_name
from embryo_store.records import Checkpoint, Run
from evaluators.checkpoints.memory import recall, remember
from evaluators.checkpoints.trees import Entry, Tree
from evaluators.errors import CheckpointError, EvaluatorError, InputError, meant, showable

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

#: Stands for the digest of files that cannot be read.
UNREADABLE = "unreadable"

#: What a task needs of a checkpoint: states and attentions, the head over the vocabulary, or ELECTRA's
#: generator and discriminator together.
Needs = Literal["encoder", "head", "pair"]

#: Entries of config.json that say who wrote the file, not how the model computes.
_CONFIG_REMARKS = frozenset({"transformers_version", "_name_or_path", "dtype", "torch_dtype"})


@dataclass(frozen=True)
class ModelFile:
    """A file of a saved step: where it lies, how large it is, and the SHA-256 that a manifest ``told``."""

    tree: Tree
    path: str
    entry: Entry
    told: str | None = None

    @property
    def uri(self) -> str:
        """Its place, as a user would write it."""
        return self.tree.at(self.path)

    @property
    def name(self) -> str:
        """Its name without folders."""
        return self.path.rpartition("/")[2]

    @cached_property
    def digest(self) -> str:
        """The SHA-256 of its content: told, remembered, or taken now.

        Raises:
            CheckpointError: it has to be read, and cannot be.
        """
        known = self.told or recall(*self._place)
        return known or hashlib.sha256(self.read()).hexdigest()

    def read(self) -> bytes:
        """The content, held against the digest that is known.

        Raises:
            CheckpointError: it cannot be read, or is not what the manifest tells of.
        """
        try:
            data = self.tree.read(self.path)
            if not self.told and self.entry.stamp and self.tree.stamp(self.path) != self.entry.stamp:
                raise CheckpointError(
                    f"{self.uri} was changed since it was looked at. Run the command again."
                )
        except OSError as error:
            raise CheckpointError(f"{self.uri} cannot be read: {error}") from error
        found = hashlib.sha256(data).hexdigest()
        known = self.told or self.__dict__.get("digest")
        if known and found != known:
            raise CheckpointError(
                f"{self.uri} is damaged: its SHA-256 starts {found[:12]}, it was said to start {known[:12]}. "
                "Copy or save the step again."
            )
        remember(*self._place, found)
        return data

    @property
    def _place(self) -> tuple[str, str]:
        return self.tree.lasting(self.path), self.entry.stamp


@dataclass(frozen=True)
class SavedStep:
    """One saved step: a Hugging Face model, wherever its files lie, with the digests of what decides its
    results. ``weights``: one file, or its shards. ``generator``: ELECTRA's, saved beside its discriminator.

    ``problem`` says why the step cannot be loaded, as far as that shows without reading weights.
    """

    run: str
    step: int
    uri: str
    config: Mapping[str, Any]
    weights: tuple[ModelFile, ...]
    tokenizer: tuple[ModelFile, ...]
    generator: SavedStep | None = None
    problem: str | None = None

    @cached_property
    def weights_hash(self) -> str:
        """The digest of the weights; it may have to read them where nobody tells it, and is
        ``UNREADABLE`` where that fails: a failure has inputs, too.
        """
        try:
            return _together(self.weights)
        except CheckpointError:
            return UNREADABLE

    @cached_property
    def tokenizer_hash(self) -> str:
        """The digest of the tokenizer's files by their names; ``UNREADABLE`` as above."""
        try:
            return canonical_digest({file.name: file.digest for file in self.tokenizer})
        except CheckpointError:
            return UNREADABLE

    @cached_property
    def config_hash(self) -> str:
        """The digest of the entries of config.json that decide what the model computes."""
        return canonical_digest({k: v for k, v in self.config.items() if k not in _CONFIG_REMARKS})

    @property
    def bytes(self) -> int:
        """The size of weights and tokenizer, the generator's among them."""
        mine = sum(file.entry.size for file in (*self.weights, *self.tokenizer))
        return mine + (self.generator.bytes if self.generator else 0)

    @property
    def architecture(self) -> str:
        """The class that config.json names; empty where it names none."""
        named = self.config.get("architectures")
        return str(named[0]) if isinstance(named, list) and named else ""

    def serving(self, needs: Needs) -> SavedStep:
        """The model that serves a task: the head over the vocabulary is ELECTRA's generator's."""
        return self.generator if needs == "head" and self.generator is not None else self

    def record(self) -> Checkpoint:
        """This step as the results store keeps it."""
        return Checkpoint(
            run=self.run,
            step=self.step,
            uri=self.uri,
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
        """The complete steps of ``run`` as they are now, ascending."""

    @abstractmethod
    def describe(self, run: str) -> Run:
        """What was trained, as far as the layout tells."""

    @abstractmethod
    def open(self, run: str, step: int) -> SavedStep:
        """One step, checked as far as that goes without reading weights."""

    @abstractmethod
    def train_log(self, run: str) -> Path | None:
        """The run's training log (JSON lines), where there is one on this machine."""


def canonical_digest(value: Any) -> str:
    """SHA-256 of ``value`` as canonical JSON: sorted keys, no spaces."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()


def _together(files: Sequence[ModelFile]) -> str:
    """The digest of one file, or of several with their names; empty of none."""
    if len(files) <= 1:
        return files[0].digest if files else ""
    return canonical_digest({file.name: file.digest for file in files})


def json_object(data: bytes, where: str) -> dict[str, Any]:
    """The JSON object that ``data`` holds.

    Raises:
        InputError: it holds anything else.
    """
    try:
        value = json.loads(data)
    except (UnicodeDecodeError, json.JSONDecodeError) as error:
        raise InputError(f"{where} cannot be read as JSON: {error}") from error
    if not isinstance(value, dict):
        raise InputError(f"{where}: expected a JSON object, found {type(value).__name__}")
    return value


def pick(names: Sequence[str], wanted: Sequence[str], where: str | Path) -> tuple[str, ...]:
    """Those of ``names`` that are ``wanted``; all where nothing is.

    Raises:
        InputError: a wanted run is not there.
    """
    for name in wanted:
        if name not in names:
            shown = [each for each in names if is_name(each)]
            raise InputError(
                f"No run {name!r} in {where}.{meant(name, shown)} There are: {', '.join(shown) or 'none'}."
            )
    return tuple(name for name in names if not wanted or name in wanted)


@dataclass(frozen=True)
class Listed:
    """The chosen runs as they are now: their saved ``steps``, and why the others are ``passed_by``."""

    steps: Mapping[str, tuple[int, ...]]
    passed_by: Mapping[str, str]


def list_runs(source: CheckpointSource, wanted: Sequence[str], where: str | Path) -> Listed:
    """Lists the ``wanted`` runs (all where nothing is wanted); one that cannot be listed stops no other.

    Raises:
        InputError: a wanted run is not there, or none can be listed.
    """
    steps: dict[str, tuple[int, ...]] = {}
    passed_by: dict[str, str] = {}
    for run in pick(source.runs(), wanted, where):
        try:
            steps[run] = source.steps(run)
        except EvaluatorError as error:
            passed_by[showable(run)] = str(error)
    refuse_none_left(steps, passed_by)
    return Listed(steps, passed_by)


def refuse_none_left(left: Collection[str], passed_by: Mapping[str, str]) -> None:
    """Raises InputError where every run was passed by: the first one's reason."""
    if passed_by and not left:
        others = f" So it is with {len(passed_by) - 1} more runs." if len(passed_by) > 1 else ""
        raise InputError(next(iter(passed_by.values())) + others)
