"""A checkpoint's tokenizer: loaded once, held against the model, and turned into ids, word by word.

The one place that tokenises. Knows no weights and no task.
"""

from __future__ import annotations

import json
import tempfile
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from embryo_store.records import Vocabulary as VocabularyRecord
from evaluators.checkpoints import SavedStep
from evaluators.checkpoints.base import CONFIG_FILE
from evaluators.errors import CheckpointError

#: Sizes that embedding matrices are commonly rounded up to a multiple of.
_ROUNDINGS = (1, 8, 16, 32, 64, 128)
_MARKERS = "▁Ġ#"


@dataclass
class Vocabulary:
    """Text to ids under one tokenizer.

    ``digest`` is the tokenizer's, and joins the store's vocabularies. ``longest``: the longest row that
    the tokenizer was made for (very large where it does not say).
    """

    digest: str
    tokens: tuple[str, ...]
    cls: int
    sep: int
    mask: int
    unknown: int | None
    lower_cases: bool
    longest: int
    _backend: Any
    _cache: dict[str, tuple[int, ...]] = field(default_factory=dict)

    def pieces(self, text: str) -> tuple[int, ...]:
        """The ids of ``text`` on its own, without special pieces."""
        return self.many([text])[0]

    def many(self, texts: Sequence[str]) -> list[tuple[int, ...]]:
        """The ids of every text on its own; each text is tokenised once in the life of this object."""
        new = [text for text in dict.fromkeys(texts) if text not in self._cache]
        if new:
            for text, encoded in zip(
                new, self._backend.encode_batch(new, add_special_tokens=False), strict=True
            ):
                self._cache[text] = tuple(encoded.ids)
        return [self._cache[text] for text in texts]

    def strings(self, ids: Sequence[int]) -> tuple[str, ...]:
        """The tokens of ``ids``."""
        return tuple(self.tokens[i] for i in ids)

    def punctuation(self) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
        """For every id: does it consist of punctuation (Unicode category P) alone, its word marker apart?"""
        special = {self.cls, self.sep, self.mask, self.unknown}
        return np.array(
            [i not in special and _is_punctuation(t) for i, t in enumerate(self.tokens)], dtype=np.bool_
        )

    def record(self) -> VocabularyRecord:
        """This vocabulary as the store keeps it."""
        return VocabularyRecord(vocab=self.digest, tokens=self.tokens)


def load_vocabulary(saved: SavedStep) -> Vocabulary:
    """Loads the tokenizer that lies beside a model, and refuses one that does not fit it.

    Raises:
        CheckpointError: it is missing or unreadable, not of the model's size, or lacks a special piece.
    """
    from transformers import AutoTokenizer

    where = saved.uri
    if not saved.tokenizer:
        raise CheckpointError(
            f"{where} has no tokenizer: expected tokenizer.json, vocab.txt or spiece.model there, or in the "
            "run's own folder. Put the one there that the model was trained with."
        )
    with tempfile.TemporaryDirectory(prefix="embryo-tokenizer-") as folder:
        for file in saved.tokenizer:
            Path(folder, file.name).write_bytes(file.read())
        config = {key: value for key, value in saved.config.items() if key != "auto_map"}
        Path(folder, CONFIG_FILE).write_text(json.dumps(config), encoding="utf-8")
        try:
            tokenizer = AutoTokenizer.from_pretrained(
                folder, local_files_only=True, use_fast=True, trust_remote_code=False
            )
        except Exception as error:  # the library raises whatever it meets in the files
            raise CheckpointError(f"{where}: the tokenizer cannot be loaded: {_first_line(error)}") from error
    size, model_size = len(tokenizer), saved.config.get("vocab_size")
    if not isinstance(model_size, int) or not any(-(-size // m) * m == model_size for m in _ROUNDINGS):
        raise CheckpointError(
            f"{where}: the tokenizer has {size:,} tokens, the model's vocab_size is {model_size}. "
            "They do not belong together: put the tokenizer there that the model was trained with."
        )
    special = {name: getattr(tokenizer, f"{name}_token_id") for name in ("cls", "sep", "mask", "unk")}
    for name in ("cls", "sep", "mask"):
        if special[name] is None:
            raise CheckpointError(
                f"{where}: the tokenizer names no {name}_token, which masked prediction needs: "
                "add it to tokenizer_config.json."
            )
    if not hasattr(tokenizer, "backend_tokenizer"):
        raise CheckpointError(
            f"{where}: expected a tokenizer.json (a fast tokenizer); found {type(tokenizer).__name__}."
        )
    backend = _after_a_space(tokenizer.backend_tokenizer)
    backend.no_truncation()
    backend.no_padding()
    return Vocabulary(
        digest=saved.tokenizer_hash,
        tokens=_tokens(tokenizer.get_vocab(), model_size),
        cls=special["cls"],
        sep=special["sep"],
        mask=special["mask"],
        unknown=special["unk"],
        lower_cases=_lower_cases(backend),
        longest=int(tokenizer.model_max_length),
        _backend=backend,
    )


def _tokens(vocab: Mapping[str, int], size: int) -> tuple[str, ...]:
    tokens = [""] * size
    for token, index in vocab.items():
        tokens[index] = token
    return tuple(tokens)


def _after_a_space(backend: Any) -> Any:
    """Words are tokenised one by one: to a byte-level vocabulary, each of them follows a space."""
    told = json.loads(backend.to_str())
    first = told.get("pre_tokenizer") or {}
    levels = [one for one in (first, *first.get("pretokenizers", ())) if one.get("type") == "ByteLevel"]
    if all(one.get("add_prefix_space") for one in levels):
        return backend
    for one in levels:
        one["add_prefix_space"] = True
    return type(backend).from_str(json.dumps(told))


def _lower_cases(backend: Any) -> bool:
    normalizer = backend.normalizer
    return normalizer is not None and normalizer.normalize_str("A").endswith("a")


def _is_punctuation(token: str) -> bool:
    bare = token.lstrip(_MARKERS) or token.lstrip("▁Ġ")
    return bool(bare) and all(unicodedata.category(character).startswith("P") for character in bare)


def _first_line(error: Exception) -> str:
    return next(iter(str(error).strip().splitlines()), type(error).__name__)
