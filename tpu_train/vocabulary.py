"""Sub-word vocabularies: trained on the corpus, or taken from a folder; always a Hugging Face tokenizer.

Builds the pipelines of transformers' ``AlbertTokenizer`` and ``BertTokenizer`` with ``tokenizers`` itself, so
that the stored folder gives the trainer's ids in transformers. Knows nothing of batches.
"""

from __future__ import annotations

import json
import unicodedata
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from tpu_train import recipe as recipes
from tpu_train import sentencepiece, unigram, wordpiece
from tpu_train.atomic import as_json, sha256
from tpu_train.errors import InputError

#: Padding, unknown, first, separator, mask: as each family writes them.
SPECIALS = ("<pad>", "<unk>", "[CLS]", "[SEP]", "[MASK]")
WORDPIECE_SPECIALS = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
SPACE = "▁"
#: What transformers reads: the vocabulary with its pipeline, and which class it belongs to.
FILES = ("tokenizer.json", "tokenizer_config.json")
#: BERT's released vocabularies are this file alone.
_WORD_LIST = "vocab.txt"
_KINDS = {"unigram": "Unigram", "wordpiece": "WordPiece"}
#: A lower-cased vocabulary has hardly any capitals: those of a few marks.
_FEW_CAPITALS = 0.01


@dataclass(frozen=True)
class Vocabulary:
    """A tokenizer as files, and its pieces in the order of their ids."""

    files: dict[str, bytes]
    pieces: tuple[str, ...]
    specials: tuple[str, ...] = SPECIALS

    @property
    def digest(self) -> str:
        """SHA-256 of ``tokenizer.json``."""
        return sha256(self.files["tokenizer.json"])

    def id(self, piece: str) -> int:
        """The id of a piece that is there."""
        return self.pieces.index(piece)

    def word_starts(self, punctuation: bool) -> npt.NDArray[np.bool_]:
        """For each id, whether its piece begins a word; shape ``(size,)``.

        A Unigram piece begins a word if it carries the space mark, is special or, with ``punctuation``, is a
        single punctuation mark (google-research/albert, ``is_start_piece``); a WordPiece does unless it
        carries ``##``.
        """
        if self.specials == WORDPIECE_SPECIALS:
            starts = [not piece.startswith(wordpiece.INSIDE) for piece in self.pieces]
            return np.array(starts, dtype=bool)
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
    """Trains a vocabulary: Unigram in the style of ALBERT's (``▁`` before words), or WordPiece as BERT's.

    The same text gives the same vocabulary.

    Args:
        documents: lists of sentences, streamed once.
        settings: kind, size and normalisation.
        length: the longest sequence of the model, for ``tokenizer_config.json``.

    Raises:
        InputError: the text has too few distinct pieces for a vocabulary of that size.
    """
    normalizer = _normalizer(settings)
    words: Counter[str] = Counter()
    for document in documents:
        words.update(normalizer.normalize_str("\n".join(document)).split())
    specials = WORDPIECE_SPECIALS if settings.kind == "wordpiece" else SPECIALS
    wanted = settings.size - len(specials)
    if settings.kind == "wordpiece":
        plain = wordpiece.train(_cut_at_punctuation(words), wanted, settings.character_coverage)
        found, files = len(plain), _wordpiece_files((*specials, *plain), settings, length)
    else:
        spaced = {SPACE + word: count for word, count in words.items()}
        scored = unigram.train(spaced, wanted, settings.character_coverage)
        marks = [(special, 0.0) for special in specials]
        found, files = len(scored), _unigram_files(marks + scored, settings, length)
    if found < wanted:
        raise InputError(
            f"The corpus gives only {found:,} pieces for vocabulary.size = {settings.size:,} "
            f"({len(specials)} of them special). Give more text, or ask for a smaller vocabulary."
        )
    return from_files(files, "the trained vocabulary", settings)


def _normalizer(settings: recipes.Vocabulary) -> Any:
    from tokenizers import normalizers

    if settings.kind == "wordpiece":
        return normalizers.BertNormalizer(
            clean_text=True,
            handle_chinese_chars=True,
            strip_accents=not settings.keep_accents,
            lowercase=settings.lowercase,
        )
    steps: list[Any] = [normalizers.Replace("``", '"'), normalizers.Replace("''", '"')]
    if not settings.keep_accents:
        steps += [normalizers.NFKD(), normalizers.StripAccents()]
    if settings.lowercase:
        steps.append(normalizers.Lowercase())
    return normalizers.Sequence(steps)


def _cut_at_punctuation(words: Mapping[str, int]) -> Counter[str]:
    """Words as BERT's tokenizer cuts them: every mark is a word of its own."""
    from tokenizers import pre_tokenizers

    split = pre_tokenizers.BertPreTokenizer().pre_tokenize_str
    cut: Counter[str] = Counter()
    for word, count in words.items():
        for part, _ in split(word):
            cut[part] += count
    return cut


def _unigram_files(
    scored: Sequence[tuple[str, float]], settings: recipes.Vocabulary, length: int
) -> dict[str, bytes]:
    """The pipeline that transformers' ``AlbertTokenizer`` builds."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers

    tokenizer = Tokenizer(models.Unigram(list(scored), unk_id=1))
    tokenizer.normalizer = _normalizer(settings)
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.WhitespaceSplit(),
            pre_tokenizers.Metaspace(replacement=SPACE, prepend_scheme="always"),
        ]
    )
    tokenizer.decoder = decoders.Metaspace(replacement=SPACE, prepend_scheme="always")
    config = {
        "tokenizer_class": "AlbertTokenizer",
        "model_max_length": length,
        "do_lower_case": settings.lowercase,
        "keep_accents": settings.keep_accents,
        "bos_token": "[CLS]",
        "eos_token": "[SEP]",
    }
    return _files(tokenizer, config, SPECIALS)


def _wordpiece_files(pieces: Sequence[str], settings: recipes.Vocabulary, length: int) -> dict[str, bytes]:
    """The pipeline that transformers' ``BertTokenizer`` builds; ELECTRA's is the same."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers

    known = {piece: number for number, piece in enumerate(pieces)}
    tokenizer = Tokenizer(models.WordPiece(known, unk_token="[UNK]"))
    tokenizer.normalizer = _normalizer(settings)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.decoder = decoders.WordPiece(prefix=wordpiece.INSIDE)
    config = {
        "tokenizer_class": "BertTokenizer",
        "model_max_length": length,
        "do_lower_case": settings.lowercase,
        "strip_accents": not settings.keep_accents,
        "tokenize_chinese_chars": True,
    }
    return _files(tokenizer, config, WORDPIECE_SPECIALS)


def _files(tokenizer: Any, config: dict[str, Any], specials: Sequence[str]) -> dict[str, bytes]:
    """Both files of a folder; pairs are ``[CLS] A [SEP] B [SEP]``, the second segment of type 1."""
    from tokenizers import AddedToken, processors

    tokenizer.add_special_tokens([AddedToken(piece, special=True, normalized=False) for piece in specials])
    pad, unk, cls, sep, mask = specials
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{cls}:0 $A:0 {sep}:0",
        pair=f"{cls}:0 $A:0 {sep}:0 $B:1 {sep}:1",
        special_tokens=[(piece, tokenizer.token_to_id(piece)) for piece in (cls, sep)],
    )
    config |= {
        "unk_token": unk,
        "sep_token": sep,
        "pad_token": pad,
        "cls_token": cls,
        "mask_token": mask,
        "model_input_names": ["input_ids", "token_type_ids", "attention_mask"],
    }
    return {"tokenizer.json": str(tokenizer.to_str()).encode(), "tokenizer_config.json": as_json(config)}


def from_files(files: dict[str, bytes], where: str, settings: recipes.Vocabulary) -> Vocabulary:
    """A vocabulary from the bytes of its files.

    Raises:
        InputError: a tokenizer of another kind, special pieces missing, padding that is not id 0, or another
            size than the recipe's.
    """
    wanted = _KINDS[settings.kind]
    try:
        model = json.loads(files["tokenizer.json"])["model"]
        kind, vocabulary = model["type"], model["vocab"]
        if kind == wanted == "WordPiece":
            pieces = tuple(sorted(vocabulary, key=vocabulary.__getitem__))
        else:
            pieces = tuple(piece for piece, _ in vocabulary)
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(
            f"{where}: tokenizer.json does not hold a {wanted} vocabulary ({type(error).__name__}: {error}). "
            f"The recipe needs one (vocabulary.kind); train it here by leaving --vocabulary out."
        ) from None
    specials = WORDPIECE_SPECIALS if settings.kind == "wordpiece" else SPECIALS
    missing = [piece for piece in specials if piece not in pieces]
    if kind != wanted or missing:
        raise InputError(
            f"{where}: expected a {wanted} vocabulary with {', '.join(specials)}; found {kind}"
            + (f" without {', '.join(missing)}." if missing else ".")
        )
    if pieces[0] != specials[0]:
        raise InputError(f"{where}: expected {specials[0]} with id 0, found {pieces[0]!r} there.")
    if len(pieces) != settings.size:
        raise InputError(
            f"{where}: holds {len(pieces):,} pieces, the recipe says vocabulary.size = {settings.size:,}. "
            "Set the recipe to the vocabulary's size, or take another vocabulary."
        )
    return Vocabulary(files, pieces, specials)


def from_folder(folder: Path, settings: recipes.Vocabulary, length: int) -> Vocabulary:
    """Reads the tokenizer files of a folder, such as another run's saved step.

    Also BERT's released ``vocab.txt`` and ALBERT's SentencePiece model, which say nothing but the pieces.

    Args:
        folder: where they are.
        settings: kind and size that the recipe asks for; case and accents where the files do not say.
        length: the longest sequence of the model, where the files do not say.

    Raises:
        InputError: files missing or of another kind or size.
    """
    files = {name: (folder / name).read_bytes() for name in FILES if (folder / name).is_file()}
    absent = [name for name in FILES if name not in files]
    if absent and settings.kind == "wordpiece" and (folder / _WORD_LIST).is_file():
        pieces = _word_list(folder / _WORD_LIST, settings)
        files = _wordpiece_files(pieces, settings, length)
    elif absent and settings.kind == "unigram" and (models := sorted(folder.glob("*.model"))):
        files = _unigram_files(sentencepiece.pieces(models[0]), settings, length)
    elif absent:
        raise InputError(
            f"No vocabulary in {folder}: expected {' and '.join(FILES)}, {absent[0]} is not there."
        )
    return from_files(files, str(folder), settings)


def _word_list(path: Path, settings: recipes.Vocabulary) -> list[str]:
    """The pieces of a ``vocab.txt``, one a line.

    Raises:
        InputError: not UTF-8, a piece twice, or capitals where the recipe lower-cases.
    """
    try:
        pieces = path.read_text("utf-8").splitlines()
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: not UTF-8 (byte {error.start:,}).") from None
    twice = [piece for piece, count in Counter(pieces).items() if count > 1]
    if twice:
        raise InputError(f"{path}: {twice[0]!r} stands there more than once; ids would be ambiguous.")
    capitals = sum(piece != piece.lower() and not piece.startswith("[") for piece in pieces)
    if settings.lowercase and capitals > _FEW_CAPITALS * len(pieces):
        raise InputError(
            f"{path}: {capitals:,} pieces have capitals, the recipe lower-cases its text. Set "
            "vocabulary.lowercase = false and vocabulary.keep_accents = true, or take an uncased vocabulary."
        )
    return pieces
