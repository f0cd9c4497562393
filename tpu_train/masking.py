"""Masked-language-model targets: n-grams of whole words, drawn from keys, vectorised over many examples.

The procedure is the released one (google-research/albert, ``create_masked_lm_predictions``); the draws are
counter-based, so that a mask follows from (seed, step, example) alone. Knows ids and word starts, no text.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tpu_train import draws
from tpu_train.recipe import Data

Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Targets:
    """Masked inputs and what was there. ``n`` examples, length ``L``, ``K`` = ``max_predictions``.

    Attributes:
        ids: the input with replacements, ``(n, L)``.
        positions: where to predict, in order, 0 beyond the last, ``(n, K)``.
        labels: the original ids there, ``(n, K)``.
        weights: 1 for a prediction, 0 beyond the last, ``(n, K)``.
    """

    ids: Ints
    positions: Ints
    labels: Ints
    weights: npt.NDArray[np.float32]


def ngram_distribution(data: Data) -> npt.NDArray[np.float64]:
    """p(n) for n = 1 … ``ngram``: proportional to 1/n (reversed unless shorter ones are favoured)."""
    weights: npt.NDArray[np.float64] = 1.0 / np.arange(1, data.ngram + 1)
    weights /= weights.sum()
    return weights if data.favor_shorter_ngrams else weights[::-1].copy()


def predictions_wanted(lengths: Ints, data: Data) -> Ints:
    """How many tokens of sequences of ``lengths`` (special tokens counted, as released) are predicted."""
    rounded = np.rint(lengths * data.masked_share).astype(np.int64)
    wanted: Ints = np.minimum(data.max_predictions, np.maximum(1, rounded))
    return wanted


def choose(starts: Bools, segments: Ints, lengths: Ints, keys: draws.Keys, data: Data) -> Bools:
    """Chooses the tokens to predict.

    Words are visited in a random order; at each, an n-gram of whole words is taken, shortened while it would
    exceed what is wanted, and left if it then still would or touches one that was taken.

    Args:
        starts: where a word begins, ``(n, L)``; false on special tokens and padding.
        segments: 1 or 2 on words of the two segments, 0 on special tokens and padding, ``(n, L)``.
        lengths: of the sequences, special tokens counted, ``(n,)``.
        keys: one an example.
        data: n-grams, share and limits.

    Returns:
        The chosen positions, ``(n, L)``.
    """
    rows, length = starts.shape
    inside = segments > 0
    word_of = np.cumsum(starts, axis=1) - 1
    words = word_of.max(axis=1, initial=-1) + 1
    width = max(int(words.max(initial=0)), 1)
    row_of_token, column = np.nonzero(inside)
    word_sizes = np.zeros((rows, width + data.ngram), dtype=np.int64)
    np.add.at(word_sizes, (row_of_token, word_of[row_of_token, column]), 1)
    tokens_before = np.zeros((rows, width + data.ngram + 1), dtype=np.int64)
    np.cumsum(word_sizes, axis=1, out=tokens_before[:, 1:])

    column_of_word = np.arange(width)[None, :]
    last_word = np.broadcast_to(words[:, None], (rows, width))
    if not data.ngrams_cross_segments:
        words_of_first = (starts & (segments == 1)).sum(axis=1)[:, None]
        last_word = np.where(column_of_word < words_of_first, words_of_first, last_word)
    available = np.clip(last_word - column_of_word, 1, data.ngram)

    order_draw = draws.uniform(draws.fold(keys, 1), width)
    order_draw[column_of_word >= words[:, None]] = 2.0
    order = np.argsort(order_draw, axis=1, kind="stable")
    cumulative = np.cumsum(ngram_distribution(data))
    draw = draws.uniform(draws.fold(keys, 2), width) * cumulative[available - 1]
    size = 1 + (draw[:, :, None] >= cumulative[None, None, :-1]).sum(axis=2)
    size = np.minimum(size, available)

    wanted = predictions_wanted(lengths, data)
    taken = np.zeros(rows, dtype=np.int64)
    covered = np.zeros((rows, width + data.ngram), dtype=bool)
    for turn in range(width):
        active = np.flatnonzero((taken < wanted) & (turn < words))
        if not len(active):
            break
        word = order[active, turn]
        count = size[active, word]
        before = tokens_before[active, word]
        room = wanted[active] - taken[active]
        for _ in range(data.ngram):
            count -= (count > 0) & (tokens_before[active, word + count] - before > room)
        fits = count > 0
        for offset in range(data.ngram):
            fits &= ~(covered[active, word + offset] & (offset < count))
        active, word, count, before = active[fits], word[fits], count[fits], before[fits]
        for offset in range(data.ngram):
            longer = count > offset
            covered[active[longer], word[longer] + offset] = True
        taken[active] += tokens_before[active, word + count] - before
    chosen = np.zeros((rows, length), dtype=bool)
    chosen[row_of_token, column] = covered[row_of_token, word_of[row_of_token, column]]
    return chosen


def drawn_twice(
    inside: Bools, lengths: Ints, keys: draws.Keys, data: Data
) -> tuple[Ints, npt.NDArray[np.bool_]]:
    """Chooses single tokens with replacement, so that some are predicted twice, as ELECTRA's release does.

    Args:
        inside: true on ordinary tokens, ``(n, L)``.
        lengths: of the sequences, special tokens counted, ``(n,)``.
        keys: one an example.
        data: share and limit.

    Returns:
        Positions, and which of them are predictions; ``(n, K)``.
    """
    limit = data.max_predictions
    candidates = inside.sum(axis=1)
    place = (draws.uniform(draws.fold(keys, 1), limit) * candidates[:, None]).astype(np.int64)
    position = np.argsort(~inside, axis=1, kind="stable")
    used = np.arange(limit)[None, :] < predictions_wanted(lengths, data)[:, None]
    return np.take_along_axis(position, place, axis=1), used


def in_order(chosen: Bools, limit: int) -> tuple[Ints, npt.NDArray[np.bool_]]:
    """The chosen positions of each example from left to right, and which are there; ``(n, limit)``."""
    row, column = np.nonzero(chosen)
    first = np.concatenate(([0], np.cumsum(chosen.sum(axis=1))[:-1]))
    place = np.arange(len(row)) - first[row]
    positions = np.zeros((len(chosen), limit), dtype=np.int64)
    used = np.zeros((len(chosen), limit), dtype=bool)
    positions[row, place] = column
    used[row, place] = True
    return positions, used


def apply(
    ids: Ints, positions: Ints, used: Bools, keys: draws.Keys, data: Data, mask_id: int, ordinary: Ints
) -> Targets:
    """Replaces chosen tokens: by ``[MASK]``, by a random ordinary piece, or by themselves.

    A token that was chosen twice is masked if either choice says so.

    Args:
        ids: the original input, ``(n, L)``.
        positions: what to predict, ``(n, K)``.
        used: which of them, ``(n, K)``.
        keys: one an example.
        data: the shares of the three replacements.
        mask_id: id of ``[MASK]``.
        ordinary: the ids that a random replacement is drawn from.
    """
    rows, limit = positions.shape
    row, place = np.nonzero(used)
    column = positions[row, place]
    kind = draws.uniform(draws.fold(keys, 3), limit)[row, place]
    pick = draws.uniform(draws.fold(keys, 4), limit)[row, place]
    masked = ids.copy()
    random = (kind >= data.replaced_by_mask) & (kind < data.replaced_by_mask + data.replaced_by_random)
    masked[row[random], column[random]] = ordinary[(pick[random] * len(ordinary)).astype(np.int64)]
    hidden = kind < data.replaced_by_mask
    masked[row[hidden], column[hidden]] = mask_id
    labels = np.zeros((rows, limit), dtype=np.int64)
    labels[row, place] = ids[row, column]
    return Targets(masked, np.where(used, positions, 0), labels, used.astype(np.float32))
