"""The batch of any step, from its number alone: order, segments, sentence order and masks are all keyed.

Made many steps at a time (NumPy is then quick) in a thread ahead of training. Knows no TensorFlow.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Generator, Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tpu_train import draws, masking
from tpu_train.examples import SPECIAL_TOKENS, Examples, Packings
from tpu_train.masking import Ints
from tpu_train.recipe import Recipe
from tpu_train.tokens import Tokens
from tpu_train.vocabulary import CLS, MASK, PAD, SEP, SPECIALS, Vocabulary

Int32s = npt.NDArray[np.int32]

#: Examples made in one go: enough to drown NumPy's overhead, few enough to stay in the caches.
_EXAMPLES_AT_ONCE = 512


@dataclass(frozen=True)
class Batch:
    """What a training step sees. ``n`` examples, length ``L``, ``K`` = ``max_predictions``.

    Attributes:
        ids: ``(n, L)``, masked.
        token_types: 0 for the first segment and padding, 1 for the second, ``(n, L)``.
        attention_mask: 1 where there is a token, ``(n, L)``.
        positions: of predictions, ``(n, K)``.
        labels: original ids at ``positions``, ``(n, K)``.
        weights: 1 for a prediction, 0 for filling, ``(n, K)``.
        order_labels: 1 where the segments were swapped, ``(n,)``.
    """

    ids: Int32s
    token_types: Int32s
    attention_mask: Int32s
    positions: Int32s
    labels: Int32s
    weights: npt.NDArray[np.float32]
    order_labels: Int32s


@dataclass(frozen=True)
class _Segments:
    """Token ranges of the two segments, already in the order of the input; shapes ``(n,)``."""

    first_start: Ints
    first_length: Ints
    second_start: Ints
    second_length: Ints
    swapped: Ints


class Batches:
    """Batches by step number."""

    def __init__(self, recipe: Recipe, vocabulary: Vocabulary, tokens: Tokens, packings: Packings) -> None:
        """Draws nothing yet; every batch follows from the recipe's seed and its step."""
        self._data, self._batch, self._seed = recipe.data, recipe.training.batch, recipe.training.seed
        self._tokens, self._packings = tokens, packings
        self._starts_word = vocabulary.word_starts(recipe.data.punctuation_starts_word)
        self._cls, self._sep, self._pad, self._mask = (
            vocabulary.id(piece) for piece in (CLS, SEP, PAD, MASK)
        )
        special = [vocabulary.id(piece) for piece in SPECIALS]
        self._ordinary = np.setdiff1d(np.arange(len(vocabulary.pieces)), special)

    def batch(self, step: int) -> Batch:
        """The batch of the update from ``step`` to ``step + 1``."""
        return next(self._many(step, 1))

    def from_step(self, step: int, until: int) -> Generator[Batch, None, None]:
        """The batches of steps ``step … until - 1``, made ahead in a thread that ends with the iterator."""
        ready: queue.Queue[Batch | BaseException] = queue.Queue(maxsize=4 * self._steps_at_once())
        stop = threading.Event()

        def put(item: Batch | BaseException) -> bool:
            while not stop.is_set():
                try:
                    ready.put(item, timeout=0.2)
                    return True
                except queue.Full:
                    continue
            return False

        def make() -> None:
            try:
                for first in range(step, until, self._steps_at_once()):
                    for batch in self._many(first, min(self._steps_at_once(), until - first)):
                        if not put(batch):
                            return
            except BaseException as error:
                put(error)

        thread = threading.Thread(target=make, name="batches", daemon=True)
        thread.start()
        try:
            for _ in range(step, until):
                item = ready.get()
                if isinstance(item, BaseException):
                    raise item
                yield item
        finally:
            stop.set()
            thread.join()

    def _steps_at_once(self) -> int:
        return max(1, _EXAMPLES_AT_ONCE // self._batch)

    def _many(self, first: int, count: int) -> Iterator[Batch]:
        rows = count * self._batch
        places = np.arange(first * self._batch, first * self._batch + rows, dtype=np.int64)
        chunks = self._chunks(places)
        steps, within = places // self._batch, places % self._batch
        keys = draws.fold(draws.fold(draws.fold(self._seed, 0x4D41534B), steps), within)
        segments = self._segments(chunks, keys)
        ids, token_types, segment_of, lengths = self._assemble(segments)
        starts = (segment_of > 0) & (self._starts_word[ids] | (not self._data.whole_words))
        edge = np.diff(segment_of, axis=1, prepend=0) != 0
        starts |= edge & (segment_of > 0)
        chosen = masking.choose(starts, segment_of, lengths, keys, self._data)
        targets = masking.apply(ids, chosen, keys, self._data, self._mask, self._ordinary)
        attention_mask = np.arange(ids.shape[1])[None, :] < lengths[:, None]
        for start in range(0, rows, self._batch):
            part = slice(start, start + self._batch)
            yield Batch(
                targets.ids[part].astype(np.int32),
                token_types[part].astype(np.int32),
                attention_mask[part].astype(np.int32),
                targets.positions[part].astype(np.int32),
                targets.labels[part].astype(np.int32),
                targets.weights[part],
                segments.swapped[part].astype(np.int32),
            )

    def _chunks(self, places: Ints) -> Examples:
        """Sentence ranges of the run's examples at ``places``, through each epoch's own permutation."""
        chunks = np.empty((len(places), 2), dtype=np.int64)
        done = 0
        while done < len(places):
            epoch, place = self._packings.epoch_of(int(places[done]))
            examples = self._packings[epoch % self._data.duplicates]
            count = min(len(places) - done, len(examples) - place)
            key = draws.fold(draws.fold(self._seed, 0x4F524452), epoch)
            where = draws.permuted(np.arange(place, place + count), len(examples), key)
            chunks[done : done + count] = examples[where]
            done += count
        return chunks

    def _segments(self, chunks: Examples, keys: draws.Keys) -> _Segments:
        ends = self._tokens.sentence_ends
        first, last = chunks[:, 0], chunks[:, 1]
        start = np.where(first > 0, ends[first - 1], 0)
        end = np.asarray(ends[last - 1])
        draw = draws.uniform(draws.fold(keys, 5), 4)
        sentences = last - first
        inner = 1 + (draw[:, 0] * np.maximum(sentences - 1, 1)).astype(np.int64)
        cut = np.asarray(ends[np.minimum(first + inner, last) - 1])
        second_start, second_end = cut.copy(), end.copy()
        swapped = draw[:, 1] < self._data.swap_probability
        lone = np.flatnonzero(sentences == 1)
        if len(lone) and self._data.lone_sentence == "split":
            cut[lone] = self._word_cut(start[lone], end[lone], draw[lone, 0])
            second_start[lone] = cut[lone]
        elif len(lone):
            other = (draw[lone, 2] * len(ends)).astype(np.int64)
            document = np.searchsorted(self._tokens.document_ends, other, side="right")
            second_start[lone] = np.where(other > 0, ends[other - 1], 0)
            document_end = ends[np.asarray(self._tokens.document_ends)[document] - 1]
            room = np.maximum(self._data.length - SPECIAL_TOKENS - (cut[lone] - start[lone]), 1)
            second_end[lone] = np.minimum(document_end, second_start[lone] + room)
            swapped[lone] = True
        reverse = swapped.copy()
        if self._data.lone_sentence == "random-document":
            reverse[lone] = False
        return self._truncated(
            np.where(reverse, second_start, start),
            np.where(reverse, second_end, cut),
            np.where(reverse, start, second_start),
            np.where(reverse, cut, second_end),
            swapped.astype(np.int64),
            draws.fold(keys, 6),
        )

    def _word_cut(self, start: Ints, end: Ints, draw: npt.NDArray[np.float64]) -> Ints:
        """A place inside each stretch, at the beginning of a word where there is one."""
        cuts = start + 1 + (draw * (end - start - 1)).astype(np.int64)
        for row in range(len(cuts)):
            inside = np.arange(start[row] + 1, end[row])
            words = inside[self._starts_word[self._tokens.ids[inside]]]
            if len(words):
                cuts[row] = words[int(draw[row] * len(words))]
        return cuts

    def _truncated(
        self, start_a: Ints, end_a: Ints, start_b: Ints, end_b: Ints, swapped: Ints, keys: draws.Keys
    ) -> _Segments:
        """Shortens the longer segment token by token, at its front or its end by a coin, until both fit."""
        limit = self._data.length - SPECIAL_TOKENS
        length_a, length_b = end_a - start_a, end_b - start_b
        new_a = np.minimum(length_a, np.maximum(limit - length_b, limit - limit // 2))
        new_b = np.minimum(length_b, np.maximum(limit - length_a, limit // 2))
        front_a = _heads(length_a - new_a, draws.fold(keys, 1))
        front_b = _heads(length_b - new_b, draws.fold(keys, 2))
        return _Segments(start_a + front_a, new_a, start_b + front_b, new_b, swapped)

    def _assemble(self, segments: _Segments) -> tuple[Ints, Ints, Ints, Ints]:
        """``[CLS] A [SEP] B [SEP]``: ids, token types, segment of each word piece (else 0), lengths."""
        column = np.arange(self._data.length)[None, :]
        a, b = segments.first_length[:, None], segments.second_length[:, None]
        in_a = (column >= 1) & (column <= a)
        in_b = (column >= a + 2) & (column <= a + b + 1)
        source = np.where(
            in_a, segments.first_start[:, None] + column - 1, segments.second_start[:, None] + column - a - 2
        )
        segment_of = in_a + 2 * in_b
        text = self._tokens.ids[np.where(segment_of > 0, source, 0)].astype(np.int64)
        ids = np.where(segment_of > 0, text, self._pad)
        ids[:, 0] = self._cls
        np.put_along_axis(ids, a + 1, self._sep, axis=1)
        np.put_along_axis(ids, a + b + 2, self._sep, axis=1)
        token_types = ((column >= a + 2) & (column <= a + b + 2)).astype(np.int64)
        return ids, token_types, segment_of.astype(np.int64), (a + b + SPECIAL_TOKENS)[:, 0]


def _heads(coins: Ints, keys: draws.Keys) -> Ints:
    """How many of ``coins`` fair coins show heads, for each key: random bits, counted."""
    words = int(coins.max(initial=0)) // 64 + 1
    flips = draws.bits(keys, words)
    wanted = np.clip(coins[:, None] - 64 * np.arange(words)[None, :], 0, 64).astype(np.uint64)
    every = np.uint64(0xFFFFFFFFFFFFFFFF)
    kept = np.where(wanted > 0, every >> (np.uint64(64) - np.maximum(wanted, np.uint64(1))), np.uint64(0))
    counted: Ints = np.bitwise_count(flips & kept).sum(axis=1).astype(np.int64)
    return counted
