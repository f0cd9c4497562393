"""Sub-word vocabularies: trained on the corpus, or taken from a folder; always a Hugging Face tokenizer.

Builds the pipeline of transformers' ``AlbertTokenizer`` with ``tokenizers`` itself, so that the stored folder
gives the trainer's ids in transformers. Knows nothing of batches.
"""

from __future__ import annotations

import json
import unicodedata
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from tpu_train import recipe as recipes
from tpu_train import unigram
from tpu_train.atomic import as_json, sha256
from tpu_train.errors import InputError

PAD, UNK, CLS, SEP, MASK = "<pad>", "<unk>", "[CLS]", "[SEP]", "[MASK]"
SPECIALS = (PAD, UNK, CLS, SEP, MASK)
SPACE = "▁"
#: What transformers reads beside ``tokenizer.json``.
FILES = ("tokenizer.json", "tokenizer_config.json")


@dataclass(frozen=True)
class Vocabulary:
    """A tokenizer as files, and its pieces in the order of their ids."""

    files: dict[str, bytes]
    pieces: tuple[str, ...]

    @property
    def digest(self) -> str:
        """SHA-256 of ``tokenizer.json``."""
        return sha256(self.files["tokenizer.json"])

    def id(self, piece: str) -> int:
        """The id of a piece that is there."""
        return self.pieces.index(piece)

    def word_starts(self, punctuation: bool) -> npt.NDArray[np.bool_]:
        """For each id, whether its piece begins a word; shape ``(size,)``.

        A piece begins a word if it carries the space mark, is special or, with ``punctuation``, is a single
        punctuation mark (google-research/albert, ``is_start_piece``).
        """
        starts = [
            piece.startswith(SPACE)
            or piece in SPECIALS
            or (punctuation and len(piece) == 1 and unicodedata.category(piece)[0] in "PS")
            for piece in self.pieces
        ]
        return np.array(starts, dtype=bool)

    def encoder(self) -> Encoder:
        """Text to ids, without ``[CLS]`` and ``[SEP]``."""
        return Encoder(self)


class Encoder:
    """A loaded tokenizer: lists of sentences in, lists of ids out, on all cores."""

    def __init__(self, vocabulary: Vocabulary) -> None:
        """Loads the tokenizer of ``vocabulary``."""
        from tokenizers import Tokenizer

        self._tokenizer = Tokenizer.from_buffer(vocabulary.files["tokenizer.json"])

    def __call__(self, sentences: Sequence[str]) -> list[list[int]]:
        """Ids of each sentence."""
        encodings = self._tokenizer.encode_batch_fast(list(sentences), add_special_tokens=False)
        return [encoding.ids for encoding in encodings]


def train(documents: Iterable[Sequence[str]], settings: recipes.Vocabulary, length: int) -> Vocabulary:
    """Trains a Unigram vocabulary in the style of ALBERT's: lower-cased, accents off, ``▁`` before words.

    The same text gives the same vocabulary.

    Args:
        documents: lists of sentences, streamed once.
        settings: size and normalisation.
        length: the longest sequence of the model, for ``tokenizer_config.json``.

    Raises:
        InputError: the text has too few distinct pieces for a vocabulary of that size.
    """
    normalizer = _normalizer(settings)
    words: Counter[str] = Counter()
    for document in documents:
        words.update(normalizer.normalize_str("\n".join(document)).split())
    spaced = {SPACE + word: count for word, count in words.items()}
    wanted = settings.size - len(SPECIALS)
    pieces = unigram.train(spaced, wanted, settings.character_coverage)
    if len(pieces) < wanted:
        raise InputError(
            f"The corpus gives only {len(pieces):,} pieces for vocabulary.size = {settings.size:,} "
            f"({len(SPECIALS)} of them special). Give more text, or ask for a smaller vocabulary."
        )
    scored = [(special, 0.0) for special in SPECIALS] + pieces
    files = {
        "tokenizer.json": _tokenizer(scored, normalizer).encode(),
        "tokenizer_config.json": as_json(_tokenizer_config(settings, length)),
    }
    return from_files(files, "the trained vocabulary", settings.size)


def _normalizer(settings: recipes.Vocabulary) -> Any:
    from tokenizers import normalizers

    steps: list[Any] = [normalizers.Replace("``", '"'), normalizers.Replace("''", '"')]
    if not settings.keep_accents:
        steps += [normalizers.NFKD(), normalizers.StripAccents()]
    if settings.lowercase:
        steps.append(normalizers.Lowercase())
    return normalizers.Sequence(steps)


def _tokenizer(scored: Sequence[tuple[str, float]], normalizer: Any) -> str:
    """``tokenizer.json``: the pipeline that transformers' ``AlbertTokenizer`` builds."""
    from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, processors

    tokenizer = Tokenizer(models.Unigram(list(scored), unk_id=SPECIALS.index(UNK)))
    tokenizer.normalizer = normalizer
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.WhitespaceSplit(),
            pre_tokenizers.Metaspace(replacement=SPACE, prepend_scheme="always"),
        ]
    )
    tokenizer.decoder = decoders.Metaspace(replacement=SPACE, prepend_scheme="always")
    tokenizer.add_special_tokens([AddedToken(piece, special=True, normalized=False) for piece in SPECIALS])
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{CLS}:0 $A:0 {SEP}:0",
        pair=f"{CLS}:0 $A:0 {SEP}:0 $B:1 {SEP}:1",
        special_tokens=[(piece, SPECIALS.index(piece)) for piece in (CLS, SEP)],
    )
    return str(tokenizer.to_str())


def _tokenizer_config(settings: recipes.Vocabulary, length: int) -> dict[str, Any]:
    return {
        "tokenizer_class": "AlbertTokenizer",
        "model_max_length": length,
        "do_lower_case": settings.lowercase,
        "keep_accents": settings.keep_accents,
        "bos_token": CLS,
        "eos_token": SEP,
        "unk_token": UNK,
        "sep_token": SEP,
        "pad_token": PAD,
        "cls_token": CLS,
        "mask_token": MASK,
        "model_input_names": ["input_ids", "token_type_ids", "attention_mask"],
    }


def from_files(files: dict[str, bytes], where: str, size: int) -> Vocabulary:
    """A vocabulary from the bytes of its files.

    Raises:
        InputError: not a Unigram tokenizer, special pieces missing, or another size than the recipe's.
    """
    try:
        model = json.loads(files["tokenizer.json"])["model"]
        pieces = tuple(piece for piece, _ in model["vocab"])
        kind = model["type"]
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(
            f"{where}: tokenizer.json does not hold a Unigram vocabulary ({type(error).__name__}: {error}). "
            "The albert family needs one; train it here by leaving --vocabulary out."
        ) from None
    missing = [piece for piece in SPECIALS if piece not in pieces]
    if kind != "Unigram" or missing:
        raise InputError(
            f"{where}: expected a Unigram vocabulary with {', '.join(SPECIALS)}; found {kind}"
            + (f" without {', '.join(missing)}." if missing else ".")
        )
    if len(pieces) != size:
        raise InputError(
            f"{where}: holds {len(pieces):,} pieces, the recipe says vocabulary.size = {size:,}. "
            "Set the recipe to the vocabulary's size, or take another vocabulary."
        )
    return Vocabulary(files, pieces)


def from_folder(folder: Path, size: int) -> Vocabulary:
    """Reads the tokenizer files of a folder, such as another run's saved step.

    Raises:
        InputError: files missing or of another kind or size.
    """
    files = {name: (folder / name).read_bytes() for name in FILES if (folder / name).is_file()}
    absent = [name for name in FILES if name not in files]
    if absent:
        raise InputError(
            f"No vocabulary in {folder}: expected {' and '.join(FILES)}, {absent[0]} is not there."
        )
    return from_files(files, str(folder), size)
