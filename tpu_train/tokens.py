"""The corpus as token ids, memory-mapped: written once, whole or not at all, read in place.

``tokens.bin`` holds all ids one after another; ``sentences.npy`` and ``documents.npy`` hold where each
sentence (in tokens) and each document (in sentences) ends. ``tokens.json`` is written last.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from tpu_train import atomic
from tpu_train.errors import InputError
from tpu_train.places import Place
from tpu_train.vocabulary import Encoder

#: Of a tokenised corpus, in the order in which they are written.
FILES = ("tokens.bin", "sentences.npy", "documents.npy", "tokens.json")
#: Documents that are encoded in one call: bounds memory, keeps all cores busy.
_DOCUMENTS_A_CALL = 256


@dataclass(frozen=True)
class Tokens:
    """A tokenised corpus. All arrays are read-only maps of files.

    Attributes:
        ids: every token, shape ``(tokens,)``.
        sentence_ends: end of each sentence in ``ids``, shape ``(sentences,)``.
        document_ends: end of each document in ``sentence_ends``, shape ``(documents,)``.
        unigram_entropy: of the ids, in nats: what a model that knows only frequencies reaches.
    """

    ids: npt.NDArray[Any]
    sentence_ends: npt.NDArray[np.int64]
    document_ends: npt.NDArray[np.int64]
    unigram_entropy: float

    def counts(self) -> dict[str, int]:
        """Documents, sentences and tokens."""
        return {
            "documents": len(self.document_ends),
            "sentences": len(self.sentence_ends),
            "tokens": len(self.ids),
        }


def write(
    folder: Path,
    documents: Iterable[Sequence[str]],
    encode: Encoder,
    vocabulary_size: int,
    progress: Callable[[int], None],
) -> None:
    """Encodes ``documents`` into ``folder``, in bounded memory.

    Args:
        folder: made if it is not there.
        documents: lists of sentences, streamed once.
        encode: the vocabulary's encoder.
        vocabulary_size: decides between two and four bytes a token.
        progress: called with the number of documents done so far.

    Raises:
        InputError: no document has two tokens.
    """
    folder.mkdir(parents=True, exist_ok=True)
    kind = np.dtype("<u2") if vocabulary_size <= 1 << 16 else np.dtype("<u4")
    sentence_ends: list[npt.NDArray[np.int64]] = []
    document_ends: list[int] = []
    frequencies = np.zeros(vocabulary_size, dtype=np.int64)
    total = sentence_count = 0

    def pour(file: Any) -> None:
        nonlocal total, sentence_count, frequencies
        for batch in _batches(documents):
            encoded = encode([sentence for document in batch for sentence in document])
            rest = iter(encoded)
            lengths = []
            for document in batch:
                kept = [len(ids) for ids in itertools.islice(rest, len(document)) if ids]
                if kept:
                    lengths += kept
                    sentence_count += len(kept)
                    document_ends.append(sentence_count)
            flat = np.fromiter(itertools.chain.from_iterable(encoded), dtype=kind, count=sum(lengths))
            file.write(flat.tobytes())
            frequencies += np.bincount(flat, minlength=vocabulary_size)
            sentence_ends.append(total + np.cumsum(np.array(lengths, dtype=np.int64)))
            total += len(flat)
            progress(len(document_ends))

    atomic.write_with(folder / "tokens.bin", pour)
    if total < 2:
        raise InputError(
            "The corpus is empty: no text was found in its files (blank lines and page titles apart)."
        )
    for name, array in (
        ("sentences.npy", np.concatenate(sentence_ends)),
        ("documents.npy", np.array(document_ends, dtype=np.int64)),
    ):
        atomic.write_with(folder / name, partial(np.save, arr=array))
    shares = frequencies[frequencies > 0] / total
    entropy = float(-(shares * np.log(shares)).sum())
    atomic.write_json(
        folder / "tokens.json", {"dtype": kind.str, "tokens": total, "unigram_entropy": entropy}
    )


def is_written(folder: Place) -> bool:
    """Whether ``folder`` holds a whole tokenised corpus."""
    return (folder / FILES[-1]).is_file()


def read(folder: Path) -> Tokens:
    """Maps what ``write`` wrote."""
    about = json.loads((folder / "tokens.json").read_text("utf-8"))
    return Tokens(
        np.memmap(folder / "tokens.bin", dtype=about["dtype"], mode="r", shape=(about["tokens"],)),
        np.load(folder / "sentences.npy", mmap_mode="r"),
        np.load(folder / "documents.npy", mmap_mode="r"),
        about["unigram_entropy"],
    )


def _batches(documents: Iterable[Sequence[str]]) -> Iterator[list[Sequence[str]]]:
    rest = iter(documents)
    while batch := list(itertools.islice(rest, _DOCUMENTS_A_CALL)):
        yield batch
