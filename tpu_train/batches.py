"""The batch of any step, from its number alone: order, segments, sentence order and masks are all keyed.

Made many steps at a time (NumPy is then quick) in a thread ahead of training. Knows no TensorFlow.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from tpu_train import draws, masking, segments
from tpu_train import recipe as recipes
from tpu_train.examples import Examples, Packings
from tpu_train.masking import Ints
from tpu_train.recipe import Recipe
from tpu_train.segments import Segments
from tpu_train.tokens import Tokens
from tpu_train.vocabulary import Vocabulary

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
        order_labels: 1 where the segments were swapped (sentence order) or the second is a stranger (next
            sentences), ``(n,)``.
    """

    ids: Int32s
    token_types: Int32s
    attention_mask: Int32s
    positions: Int32s
    labels: Int32s
    weights: npt.NDArray[np.float32]
    order_labels: Int32s


class Batches:
    """Batches by step number."""

    def __init__(
        self,
        recipe: Recipe,
        vocabulary: Vocabulary,
        tokens: Tokens,
        packings: Packings,
        first_step: int = 0,
    ) -> None:
        """Draws nothing yet; every batch follows from the recipe's seed and its step.

        ``first_step`` is where the run begins to use these: it goes through the packings from there.
        """
        self._data, self._batch, self._seed = recipe.data, recipe.training.batch, recipe.training.seed
        self._tokens, self._packings, self._first_step = tokens, packings, first_step
        self._starts_word = vocabulary.word_starts(recipe.data.punctuation_starts_word)
        special = [vocabulary.id(piece) for piece in vocabulary.specials]
        self._pad, _, self._cls, self._sep, self._mask = special
        self._ordinary = np.setdiff1d(np.arange(len(vocabulary.pieces)), special)
        self._pairs = segments.pairs(recipe, tokens, self._starts_word)

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
        chunks = self._chunks(places - self._first_step * self._batch)
        steps, within = places // self._batch, places % self._batch
        keys = draws.fold(draws.fold(draws.fold(self._seed, 0x4D41534B), steps), within)
        pairs = self._pairs(chunks, keys)
        ids, token_types, segment_of, lengths = self._assemble(pairs)
        positions, used = self._predicted(ids, segment_of, lengths, keys)
        targets = masking.apply(ids, positions, used, keys, self._data, self._mask, self._ordinary)
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
                pairs.label[part].astype(np.int32),
            )

    def _predicted(
        self, ids: Ints, segment_of: Ints, lengths: Ints, keys: draws.Keys
    ) -> tuple[Ints, npt.NDArray[np.bool_]]:
        """Positions to predict, and which of them are used: ``(n, K)``."""
        inside = segment_of > 0
        if self._data.masked_twice:
            return masking.drawn_twice(inside, lengths, keys, self._data)
        starts = inside & (self._starts_word[ids] | (not self._data.whole_words))
        edge = np.diff(segment_of, axis=1, prepend=0) != 0
        starts |= edge & inside
        chosen = masking.choose(starts, segment_of, lengths, keys, self._data)
        return masking.in_order(chosen, self._data.max_predictions)

    def _chunks(self, places: Ints) -> Examples:
        """The run's examples at ``places``, through each epoch's own permutation."""
        chunks: Examples = np.empty((len(places), self._packings[0].shape[1]), dtype=np.int64)
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

    def _assemble(self, pairs: Segments) -> tuple[Ints, Ints, Ints, Ints]:
        """``[CLS] A [SEP] B [SEP]``: ids, token types, segment of each word piece (else 0), lengths.

        Without a second segment, ``[CLS] A [SEP]``.
        """
        column = np.arange(self._data.length)[None, :]
        a, b = pairs.first_length[:, None], pairs.second_length[:, None]
        last = a + 1 + np.where(b > 0, b + 1, 0)
        in_a = (column >= 1) & (column <= a)
        in_b = (column >= a + 2) & (column <= a + b + 1)
        source = np.where(
            in_a, pairs.first_start[:, None] + column - 1, pairs.second_start[:, None] + column - a - 2
        )
        segment_of = in_a + 2 * in_b
        text = self._tokens.ids[np.where(segment_of > 0, source, 0)].astype(np.int64)
        ids = np.where(segment_of > 0, text, self._pad)
        ids[:, 0] = self._cls
        np.put_along_axis(ids, a + 1, self._sep, axis=1)
        np.put_along_axis(ids, last, self._sep, axis=1)
        token_types = ((column >= a + 2) & (column <= last)).astype(np.int64)
        return ids, token_types, segment_of.astype(np.int64), last[:, 0] + 1


class Staged:
    """The batches of a whole run, whose sequences may grow longer on the way (``data.phases``)."""

    def __init__(self, recipe: Recipe, vocabulary: Vocabulary, tokens: Tokens, folder: Path) -> None:
        """Draws nothing yet; ``folder`` is where packings are kept."""
        self._stages = []
        for number, (start, end, own) in enumerate(recipes.stages(recipe)):
            packings = Packings(folder / f"phase-{number}" if number else folder, tokens, own)
            self._stages.append((start, end, Batches(own, vocabulary, tokens, packings, start)))

    def batch(self, step: int) -> Batch:
        """The batch of the update from ``step`` to ``step + 1``."""
        return next(own.batch(step) for start, end, own in self._stages if start <= step < end)

    def from_step(self, step: int, until: int) -> Generator[Batch, None, None]:
        """The batches of steps ``step … until - 1``, made ahead in a thread that ends with the iterator."""
        for start, end, own in self._stages:
            first, last = max(step, start), min(until, end)
            if first < last:
                yield from own.from_step(first, last)
