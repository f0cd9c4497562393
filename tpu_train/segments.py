"""The two segments of a sequence, from the chunks that were packed: in order or swapped, followed or not.

One rule an objective; each gives token ranges, cut to the sequence's length. Keyed, vectorised.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from tpu_train import draws
from tpu_train.examples import SPECIAL_TOKENS, Examples, Ints
from tpu_train.recipe import Data, Recipe
from tpu_train.tokens import Tokens

Bools: TypeAlias = npt.NDArray[np.bool_]
Floats: TypeAlias = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Segments:
    """Token ranges of the two segments, in the order of the input; shapes ``(n,)``.

    ``label``: 1 where they were swapped or the second is a stranger.
    """

    first_start: Ints
    first_length: Ints
    second_start: Ints
    second_length: Ints
    label: Ints


#: Examples and a key for each in, their segments out.
Pairs: TypeAlias = Callable[[Examples, draws.Keys], Segments]


def pairs(recipe: Recipe, tokens: Tokens, starts_word: Bools) -> Pairs:
    """The rule of the recipe's objective; ``starts_word`` says of each piece whether it begins a word."""
    data = recipe.data
    if recipe.objective == "mlm+sop":
        return lambda chunks, keys: _ordered(chunks, keys, data, tokens, starts_word)
    if recipe.objective == "mlm+nsp":
        return lambda chunks, keys: _followed(chunks, keys, data, tokens)
    return lambda chunks, keys: _flowing(chunks, data, tokens)


def _ordered(chunks: Examples, keys: draws.Keys, data: Data, tokens: Tokens, starts_word: Bools) -> Segments:
    """Sentence order (ALBERT): a chunk cut between two sentences, and swapped by a coin."""
    ends = tokens.sentence_ends
    first, last = chunks[:, 0], chunks[:, 1]
    start = _begin(tokens, first)
    end = np.asarray(ends[last - 1])
    draw = draws.uniform(draws.fold(keys, 5), 4)
    sentences = last - first
    inner = 1 + (draw[:, 0] * np.maximum(sentences - 1, 1)).astype(np.int64)
    cut = np.asarray(ends[np.minimum(first + inner, last) - 1])
    second_start, second_end = cut.copy(), end.copy()
    swapped = draw[:, 1] < data.swap_probability
    lone = np.flatnonzero(sentences == 1)
    if len(lone) and data.lone_sentence == "split":
        cut[lone] = _word_cut(tokens, starts_word, start[lone], end[lone], draw[lone, 0])
        second_start[lone] = cut[lone]
    elif len(lone):
        other = (draw[lone, 2] * len(ends)).astype(np.int64)
        room = np.maximum(data.length - SPECIAL_TOKENS - (cut[lone] - start[lone]), 1)
        second_start[lone] = _begin(tokens, other)
        second_end[lone] = np.minimum(_document_end(tokens, other), second_start[lone] + room)
        swapped[lone] = True
    reverse = swapped.copy()
    if data.lone_sentence == "random-document":
        reverse[lone] = False
    return _truncated(
        np.where(reverse, second_start, start),
        np.where(reverse, second_end, cut),
        np.where(reverse, start, second_start),
        np.where(reverse, cut, second_end),
        swapped.astype(np.int64),
        data,
        draws.fold(keys, 6),
    )


def _followed(chunks: Examples, keys: draws.Keys, data: Data, tokens: Tokens) -> Segments:
    """Next sentences (BERT): what follows in the text, or a stretch of another document."""
    first, cut, last, target = chunks.T
    ends = tokens.sentence_ends
    start, middle = _begin(tokens, first), np.asarray(ends[cut - 1])
    stranger = cut == last
    draw = draws.uniform(draws.fold(keys, 5), 2)
    documents = len(tokens.document_ends)
    own = np.searchsorted(tokens.document_ends, first, side="right")
    # Any document but the own one, if there is another.
    other = (own + 1 + (draw[:, 0] * max(documents - 1, 1)).astype(np.int64)) % documents
    begin = np.where(other > 0, np.asarray(tokens.document_ends)[other - 1], 0)
    count = np.asarray(tokens.document_ends)[other] - begin
    sentence = begin + (draw[:, 1] * count).astype(np.int64)
    strange = _begin(tokens, sentence)
    room = np.maximum(target - (middle - start), 1)
    # Whole sentences until the target is reached; the cut to length comes after, as released.
    reaching = np.asarray(ends)[np.minimum(np.searchsorted(ends, strange + room), len(ends) - 1)]
    strange_end = np.minimum(reaching, _document_end(tokens, sentence))
    return _truncated(
        start,
        middle,
        np.where(stranger, strange, middle),
        np.where(stranger, strange_end, np.asarray(ends[last - 1])),
        stranger.astype(np.int64),
        data,
        draws.fold(keys, 6),
    )


def _flowing(chunks: Examples, data: Data, tokens: Tokens) -> Segments:
    """Running text in one or two segments (ELECTRA), cut at the end."""
    first, cut, last = chunks.T
    start, middle, end = (_begin(tokens, sentence) for sentence in (first, cut, last))
    length = np.minimum(middle - start, data.length - SPECIAL_TOKENS + 1)
    room = np.maximum(data.length - SPECIAL_TOKENS - length, 0)
    return Segments(start, length, middle, np.minimum(end - middle, room), np.zeros_like(first))


def _begin(tokens: Tokens, sentence: Ints) -> Ints:
    """The token that each sentence begins with."""
    begins: Ints = np.where(sentence > 0, tokens.sentence_ends[sentence - 1], 0)
    return begins


def _document_end(tokens: Tokens, sentence: Ints) -> Ints:
    """The end, in tokens, of the document of each sentence."""
    document = np.searchsorted(tokens.document_ends, sentence, side="right")
    ends: Ints = tokens.sentence_ends[np.asarray(tokens.document_ends)[document] - 1]
    return ends


def _word_cut(tokens: Tokens, starts_word: Bools, start: Ints, end: Ints, draw: Floats) -> Ints:
    """A place inside each stretch, at the beginning of a word where there is one."""
    cuts = start + 1 + (draw * (end - start - 1)).astype(np.int64)
    for row in range(len(cuts)):
        inside = np.arange(start[row] + 1, end[row])
        words = inside[starts_word[tokens.ids[inside]]]
        if len(words):
            cuts[row] = words[int(draw[row] * len(words))]
    return cuts


def _truncated(
    start_a: Ints, end_a: Ints, start_b: Ints, end_b: Ints, label: Ints, data: Data, keys: draws.Keys
) -> Segments:
    """Shortens the longer segment token by token, at its front or its end by a coin, until both fit."""
    limit = data.length - SPECIAL_TOKENS
    length_a, length_b = end_a - start_a, end_b - start_b
    new_a = np.minimum(length_a, np.maximum(limit - length_b, limit - limit // 2))
    new_b = np.minimum(length_b, np.maximum(limit - length_a, limit // 2))
    front_a = _heads(length_a - new_a, draws.fold(keys, 1))
    front_b = _heads(length_b - new_b, draws.fold(keys, 2))
    return Segments(start_a + front_a, new_a, start_b + front_b, new_b, label)


def _heads(coins: Ints, keys: draws.Keys) -> Ints:
    """How many of ``coins`` fair coins show heads, for each key: random bits, counted."""
    words = int(coins.max(initial=0)) // 64 + 1
    flips = draws.bits(keys, words)
    wanted = np.clip(coins[:, None] - 64 * np.arange(words)[None, :], 0, 64).astype(np.uint64)
    every = np.uint64(0xFFFFFFFFFFFFFFFF)
    kept = np.where(wanted > 0, every >> (np.uint64(64) - np.maximum(wanted, np.uint64(1))), np.uint64(0))
    counted: Ints = np.bitwise_count(flips & kept).sum(axis=1).astype(np.int64)
    return counted
