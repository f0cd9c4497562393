"""The corpus as token ids, memory-mapped: written once, whole or not at all, read in place.

``tokens.bin`` holds all ids one after another; ``sentences.npy`` and ``documents.npy`` hold where each
sentence (in tokens) and each document (in sentences) ends. ``tokens.json`` is written last.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt

from tpu_train import atomic
from tpu_train.errors import InputError
from tpu_train.places import Place
from tpu_train.vocabulary import Encoder

#: Of a tokenised corpus, in the order in which they are written.
FILES = ("tokens.bin", "sentences.npy", "documents.npy", "tokens.json")
#: Characters that are encoded in one call, but for the last document: bounds memory, keeps all cores busy.
_CHARACTERS_A_CALL = 1_000_000


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
    frequencies = np.zeros(vocabulary_size, dtype=np.int64)

    def pour(file: BinaryIO, sentences: Ends, ended: Ends) -> None:
        nonlocal frequencies
        for batch in _batches(documents):
            encoded = encode([sentence for document in batch for sentence in document])
            rest = iter(encoded)
            lengths, counts = list[int](), list[int]()
            for document in batch:
                kept = [len(ids) for ids in itertools.islice(rest, len(document)) if ids]
                lengths += kept
                counts += [len(kept)] if kept else []
            flat = np.fromiter(itertools.chain.from_iterable(encoded), dtype=kind, count=sum(lengths))
            file.write(flat.tobytes())
            frequencies += np.bincount(flat, minlength=vocabulary_size)
            sentences.add(lengths)
            ended.add(counts)
            progress(ended.count)

    # Nothing is kept but a batch of documents: a corpus may have more sentences than fit in memory.
    tokens_name, sentences_name, documents_name, about_name = FILES
    atomic.write_with(
        folder / documents_name,
        lambda third: atomic.write_with(
            folder / sentences_name,
            lambda second: atomic.write_with(
                folder / tokens_name, lambda first: _with_ends(pour, first, second, third)
            ),
        ),
    )
    total = int(frequencies.sum())
    if total < 2:
        raise InputError(
            "The corpus is empty: no text was found in its files (blank lines and page titles apart)."
        )
    shares = frequencies[frequencies > 0] / total
    entropy = float(-(shares * np.log(shares)).sum())
    atomic.write_json(folder / about_name, {"dtype": kind.str, "tokens": total, "unigram_entropy": entropy})


class Ends:
    """An ``.npy`` file of int64 that grows: where each of many stretches ends, given their lengths."""

    def __init__(self, file: BinaryIO) -> None:
        """Begins the file. Its header has room for any count."""
        self._file, self._last, self.count = file, 0, 0
        self._header()

    def add(self, lengths: Sequence[int]) -> None:
        """More stretches, after those before."""
        ends = self._last + np.cumsum(np.array(lengths, dtype="<i8"))
        self._file.write(ends.tobytes())
        self.count += len(ends)
        self._last = int(ends[-1]) if len(ends) else self._last

    def close(self) -> None:
        """Writes how many there are."""
        self._file.seek(0)
        self._header()

    def _header(self) -> None:
        described = {"descr": "<i8", "fortran_order": False, "shape": (self.count,)}
        np.lib.format.write_array_header_1_0(self._file, described)


def _with_ends(
    pour: Callable[[BinaryIO, Ends, Ends], None], first: BinaryIO, second: BinaryIO, third: BinaryIO
) -> None:
    sentences, documents = Ends(second), Ends(third)
    pour(first, sentences, documents)
    for ends in (sentences, documents):
        ends.close()


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
    batch, size = list[Sequence[str]](), 0
    for document in documents:
        batch.append(document)
        size += sum(map(len, document))
        if size >= _CHARACTERS_A_CALL:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch
