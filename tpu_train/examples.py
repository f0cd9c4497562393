"""Which stretches of text make an example: sentences of one document, packed up to the sequence length.

Deterministic for (seed, packing). Knows tokens by their counts alone. What a row holds depends on the
objective, as the next chunk of BERT begins where a pair was cut:

- ``mlm+sop``: first sentence, end. The pair is cut and swapped when the batch is made.
- ``mlm+nsp``: first sentence, cut, end, wanted tokens. Where the cut is the end, the second segment comes
  from another document, and the sentences after the cut begin the next chunk.
- ``mlm+rtd``: first sentence, cut, end. Where the cut is the end, there is one segment.
"""

from __future__ import annotations

from pathlib import Path
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from tpu_train import atomic, draws
from tpu_train.errors import InputError
from tpu_train.recipe import Data, Recipe
from tpu_train.tokens import Tokens

#: One row an example: shape ``(examples, 2 … 4)``.
Examples: TypeAlias = npt.NDArray[np.int64]

Ints: TypeAlias = npt.NDArray[np.int64]

#: ``[CLS]``, ``[SEP]`` and ``[SEP]``.
SPECIAL_TOKENS = 3
#: Packed in one go, to the end of the document: bounds memory.
_SENTENCES_AT_ONCE = 1_000_000


def pack(recipe: Recipe, tokens: Tokens, packing: int) -> Examples:
    """Packs every document's sentences, in order, into examples.

    A chunk is closed by the sentence with which it reaches its target, or by the document's end; with
    ``short_sequence_probability`` the target is drawn instead of the longest (google-research/albert and
    bert, ``create_instances_from_document``; electra, ``build_pretraining_dataset.py``). Chunks of fewer than
    two tokens are dropped.
    """
    key = draws.fold(draws.fold(recipe.training.seed, packing), 0x5041434B)
    chunks: list[Examples] = []
    first = 0
    while first < len(tokens.sentence_ends):
        document = np.searchsorted(tokens.document_ends, first + _SENTENCES_AT_ONCE)
        last = int(tokens.document_ends[min(int(document), len(tokens.document_ends) - 1)])
        chunks.append(_pack_documents(recipe, tokens, key, first, last))
        first = last
    return np.concatenate(chunks)


def _pack_documents(recipe: Recipe, tokens: Tokens, key: draws.Keys, first: int, last: int) -> Examples:
    """Packs the sentences ``first … last - 1``, which are whole documents."""
    data = recipe.data
    sentences = np.arange(first, last)
    ends = np.asarray(tokens.sentence_ends[first:last])
    starts = np.concatenate(([tokens.sentence_ends[first - 1] if first else 0], ends[:-1]))
    draw = draws.uniform(draws.fold(key, sentences), 4)
    # ELECTRA counts special tokens in its target, and never draws one below 5.
    least, longest = (5, data.length) if recipe.objective == "mlm+rtd" else (2, data.length - SPECIAL_TOKENS)
    short = draw[:, 0] < data.short_sequence_probability
    target = np.where(short, least + (draw[:, 1] * (longest - least + 1)).astype(np.int64), longest)
    closing = first + np.searchsorted(ends, starts + target) + 1
    document = np.searchsorted(tokens.document_ends, sentences, side="right")
    after = np.minimum(closing, np.asarray(tokens.document_ends)[document])
    columns = [sentences, after]
    following = after
    if recipe.objective == "mlm+nsp":
        cut, following = _next_sentence_cut(data, sentences, after, draw[:, 2:])
        columns = [sentences, cut, following, target]
    elif recipe.objective == "mlm+rtd":
        cut = _flowing_cut(data, sentences, after, starts, ends, target, draw[:, 2:])
        columns = [sentences, np.minimum(cut, after), after]
    heads = []
    at = 0
    while at < len(sentences):
        heads.append(at)
        at = int(following[at]) - first
    chosen = np.array(heads)
    long_enough = ends[following[chosen] - first - 1] - starts[chosen] >= 2
    rows: Examples = np.stack([column[chosen] for column in columns], axis=1)[long_enough]
    return rows


def _next_sentence_cut(
    data: Data, sentences: Ints, after: Ints, draw: npt.NDArray[np.float64]
) -> tuple[Ints, Ints]:
    """Where BERT's first segment ends, and where its chunk does: there, too, if a stranger follows."""
    count = after - sentences
    cut = sentences + 1 + (draw[:, 0] * np.maximum(count - 1, 1)).astype(np.int64)
    stranger = (count == 1) | (draw[:, 1] < data.random_next_probability)
    return cut, np.where(stranger, cut, after)


def _flowing_cut(
    data: Data,
    sentences: Ints,
    after: Ints,
    starts: Ints,
    ends: Ints,
    target: Ints,
    draw: npt.NDArray[np.float64],
) -> Ints:
    """Where ELECTRA's first segment ends: before or, by a coin, after the sentence that reaches half.

    With ``single_segment_probability`` everything is one segment. The release puts a later, shorter sentence
    back into the first segment where it fits; here the text keeps its order.
    """
    half = (target - SPECIAL_TOKENS) // 2
    reaches = sentences[0] + np.searchsorted(ends, starts + half)
    cut = np.maximum(reaches + ((reaches > sentences) & (draw[:, 0] < 0.5)), sentences + 1)
    return np.where(draw[:, 1] < data.single_segment_probability, after, cut)


class Packings:
    """The packings of a corpus, each made when it is first asked for and kept in a file."""

    def __init__(self, folder: Path, tokens: Tokens, recipe: Recipe) -> None:
        """Packs nothing yet; ``folder`` is where packings are kept."""
        self._folder, self._tokens, self._recipe = folder, tokens, recipe
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
                made = pack(self._recipe, self._tokens, packing)
                if not len(made):
                    raise InputError("The corpus is empty: it has no stretch of two tokens or more.")
                self._folder.mkdir(exist_ok=True)
                atomic.write_with(path, lambda file: np.save(file, made))
            self._loaded[packing] = np.load(path, mmap_mode="r")
        return self._loaded[packing]

    def epoch_of(self, position: int) -> tuple[int, int]:
        """The epoch that the ``position``-th example of a run falls in, and its place in that epoch.

        Epoch ``e`` goes once through packing ``e mod duplicates``; packings differ in length.
        """
        while self.starts[-1] <= position:
            epoch = len(self.starts) - 1
            packing = self[epoch % self._recipe.data.duplicates]
            self.starts.append(self.starts[-1] + len(packing))
        epoch = int(np.searchsorted(self.starts, position, side="right")) - 1
        return epoch, position - self.starts[epoch]
