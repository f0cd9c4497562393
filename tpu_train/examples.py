"""Which stretches of text make an example: sentences of one document, packed up to the sequence length.

Deterministic for (seed, packing). Knows tokens by their counts alone.
"""

from __future__ import annotations

from pathlib import Path
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from tpu_train import atomic, draws
from tpu_train.errors import InputError
from tpu_train.recipe import Data
from tpu_train.tokens import Tokens

#: Rows of (first sentence, end sentence); shape ``(examples, 2)``.
Examples: TypeAlias = npt.NDArray[np.int64]

#: ``[CLS]``, ``[SEP]`` and ``[SEP]``.
SPECIAL_TOKENS = 3
#: Packed in one go, to the end of the document: bounds memory.
_SENTENCES_AT_ONCE = 1_000_000


def pack(tokens: Tokens, data: Data, seed: int, packing: int) -> Examples:
    """Packs every document's sentences, in order, into examples.

    A chunk is closed by the sentence with which it reaches its target, or by the document's end; with
    ``short_sequence_probability`` the target is drawn from 2 to the longest instead of the longest
    (google-research/albert, ``create_instances_from_document``). Chunks of fewer than two tokens are dropped.
    """
    key = draws.fold(draws.fold(seed, packing), 0x5041434B)
    chunks: list[Examples] = []
    first = 0
    while first < len(tokens.sentence_ends):
        document = np.searchsorted(tokens.document_ends, first + _SENTENCES_AT_ONCE)
        last = int(tokens.document_ends[min(int(document), len(tokens.document_ends) - 1)])
        chunks.append(_pack_documents(tokens, data, key, first, last))
        first = last
    return np.concatenate(chunks)


def _pack_documents(tokens: Tokens, data: Data, key: draws.Keys, first: int, last: int) -> Examples:
    """Packs the sentences ``first … last - 1``, which are whole documents."""
    longest = data.length - SPECIAL_TOKENS
    sentences = np.arange(first, last)
    ends = np.asarray(tokens.sentence_ends[first:last])
    starts = np.concatenate(([tokens.sentence_ends[first - 1] if first else 0], ends[:-1]))
    draw = draws.uniform(draws.fold(key, sentences), 2)
    short = draw[:, 0] < data.short_sequence_probability
    target = np.where(short, 2 + (draw[:, 1] * (longest - 1)).astype(np.int64), longest)
    closing = first + np.searchsorted(ends, starts + target) + 1
    document = np.searchsorted(tokens.document_ends, sentences, side="right")
    after = np.minimum(closing, np.asarray(tokens.document_ends)[document])
    heads = []
    at = 0
    while at < len(sentences):
        heads.append(at)
        at = int(after[at]) - first
    chosen = np.array(heads)
    long_enough = ends[after[chosen] - first - 1] - starts[chosen] >= 2
    spans: npt.NDArray[np.int64] = np.stack([sentences[chosen], after[chosen]], axis=1)[long_enough]
    return spans


class Packings:
    """The packings of a corpus, each made when it is first asked for and kept in a file."""

    def __init__(self, folder: Path, tokens: Tokens, data: Data, seed: int) -> None:
        """Packs nothing yet; ``folder`` is where packings are kept."""
        self._folder, self._tokens, self._data, self._seed = folder, tokens, data, seed
        self._loaded: dict[int, Examples] = {}
        self.starts = [0]

    def __getitem__(self, packing: int) -> Examples:
        """The examples of packing ``packing``.

        Raises:
            InputError: the corpus has no text of two tokens or more.
        """
        if packing not in self._loaded:
            path = self._folder / f"packing-{packing:02d}.npy"
            if not path.is_file():
                made = pack(self._tokens, self._data, self._seed, packing)
                if not len(made):
                    raise InputError("The corpus is empty: it has no stretch of two tokens or more.")
                atomic.write_with(path, lambda file: np.save(file, made))
            self._loaded[packing] = np.load(path, mmap_mode="r")
        return self._loaded[packing]

    def epoch_of(self, position: int) -> tuple[int, int]:
        """The epoch that the ``position``-th example of a run falls in, and its place in that epoch.

        Epoch ``e`` goes once through packing ``e mod duplicates``; packings differ in length.
        """
        while self.starts[-1] <= position:
            epoch = len(self.starts) - 1
            self.starts.append(self.starts[-1] + len(self[epoch % self._data.duplicates]))
        epoch = int(np.searchsorted(self.starts, position, side="right")) - 1
        return epoch, position - self.starts[epoch]
