"""Training a Unigram vocabulary (Kudo 2018): the same text gives the same pieces, to the last bit.

``tokenizers`` has a trainer, too, but walks its words in an order that changes from process to process
(scores and near ties with it), and gives every rare character a piece. This one works on counted words, all
words of a length at once in NumPy. A piece never joins letters with digits or marks, so that the pieces of a
word never hold the comma after it. Knows no files and no normalisation.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

#: SentencePiece's values: longest piece, share kept by a pruning, updates between prunings, least count.
_LONGEST_PIECE = 16
_KEPT_SHARE = 0.75
_UPDATES = 2
_LEAST_COUNT = 0.5
#: Pruning ends at so many times the wanted size; the last cut is by score.
_SLACK = 1.1
#: The first pieces are so many times more than are wanted.
_SEEDS = 40
#: Longer words (addresses, tables without spaces) are left out; of the rest, the most frequent are taken.
_LONGEST_WORD = 32
_WORDS = 400_000
#: What a piece may hold: letters, or digits, or one mark over and over; the space's mark before it.
_UNIFORM = re.compile(r"▁?(?:[^\W\d_]+|\d+|([^▁])\1*)|▁")


@dataclass
class _Lattice:
    """Words laid end to end, sorted by length, and the piece of each length at each character.

    Attributes:
        groups: length, first characters and counts of the words of each length.
        at: ``at[n, c]`` is the number of the piece of length ``n`` at character ``c``; where there is none,
            it is the number of pieces.
        texts: the pieces.
        first: a character where each piece stands.
        sizes: how long each piece is.
    """

    groups: list[tuple[int, Ints, Floats]]
    at: npt.NDArray[np.int32]
    texts: list[str]
    first: Ints
    sizes: Ints

    def keep(self, kept: Bools) -> None:
        """Drops all other pieces."""
        number = np.full(len(kept) + 1, kept.sum(), dtype=np.int32)
        number[:-1][kept] = np.arange(kept.sum(), dtype=np.int32)
        self.at = number[self.at]
        self.texts = [text for text, stays in zip(self.texts, kept.tolist(), strict=True) if stays]
        self.first, self.sizes = self.first[kept], self.sizes[kept]


def train(words: Mapping[str, int], size: int, coverage: float) -> list[tuple[str, float]]:
    """Trains pieces and their log-probabilities.

    Args:
        words: how often each word stands in the text, each with the mark of the space before it.
        size: how many pieces are wanted.
        coverage: share of all characters that must be pieces themselves; rarer ones become unknown.

    Returns:
        Pieces and natural log-probabilities, the most probable first; fewer than ``size`` where the words
        do not give more.
    """
    fragments = _fragments(words, coverage)
    if not fragments:
        return []
    lattice, weights = _seeds(fragments, size)
    scores = np.log(weights / weights.sum())
    enough = int(size * _SLACK)
    while True:
        for _ in range(_UPDATES):
            counts = _expected_counts(lattice, scores)
            kept = (counts >= _LEAST_COUNT) | (lattice.sizes == 1)
            lattice.keep(kept)
            counts = np.maximum(counts[kept], _LEAST_COUNT)
            scores = _digamma(counts) - _digamma(counts.sum(keepdims=True))
        if len(scores) <= enough:
            break
        kept = _worth_keeping(lattice, scores, max(enough, int(_KEPT_SHARE * len(scores))))
        lattice.keep(kept)
        scores = scores[kept]
    texts, single = lattice.texts, lattice.sizes == 1
    best = sorted(range(len(texts)), key=lambda i: (not single[i], -scores[i], texts[i]))[:size]
    return sorted(((texts[i], float(scores[i])) for i in best), key=lambda piece: (-piece[1], piece[0]))


def _fragments(words: Mapping[str, int], coverage: float) -> list[tuple[str, int]]:
    """Words cut into uniform stretches and at characters outside ``coverage``; counted, in a fixed order."""
    characters: Counter[str] = Counter()
    for word, count in words.items():
        for character in word:
            characters[character] += count
    left = coverage * sum(characters.values())
    covered = set()
    for character, count in sorted(characters.items(), key=lambda item: (-item[1], item[0])):
        if left <= 0:
            break
        covered.add(character)
        left -= count
    fragments: Counter[str] = Counter()
    for word, count in words.items():
        if len(word) <= _LONGEST_WORD:
            cut = "".join(character if character in covered else "\0" for character in word)
            for part in filter(None, cut.split("\0")):
                for stretch in _UNIFORM.finditer(part):
                    fragments[stretch[0]] += count
    return sorted(fragments.items(), key=lambda item: (-item[1], item[0]))[:_WORDS]


def _seeds(fragments: list[tuple[str, int]], size: int) -> tuple[_Lattice, Floats]:
    """The lattice of the first pieces, and their weights: every character, and of the longer stretches that
    stand in the text twice or more, those of the largest count times length.
    """
    fragments = sorted(fragments, key=lambda item: (len(item[0]), item[0]))
    text = "".join(word for word, _ in fragments)
    lengths = np.array([len(word) for word, _ in fragments], dtype=np.int64)
    counts = np.array([count for _, count in fragments], dtype=np.float64)
    starts = np.concatenate(([0], np.cumsum(lengths)[:-1]))
    groups = [
        (int(length), starts[lengths == length], counts[lengths == length]) for length in np.unique(lengths)
    ]
    ends = np.repeat(starts + lengths, lengths)
    weight_at = np.repeat(counts, lengths)
    alphabet = {character: number for number, character in enumerate(sorted(set(text)))}
    letters = np.array([alphabet[character] for character in text], dtype=np.int64)

    found: list[tuple[npt.NDArray[Any], ...]] = []
    places = np.arange(len(text))
    ids = letters
    for length in range(1, _LONGEST_PIECE + 1):
        if length > 1:
            longer = places + length <= ends[places]
            places, ids = places[longer], ids[longer] * len(alphabet) + letters[places[longer] + length - 1]
        _, first, ids = np.unique(ids, return_index=True, return_inverse=True)
        weight = np.bincount(ids, weights=weight_at[places])
        often = weight >= (2.0 if length > 1 else 0.0)
        number = np.cumsum(often) - 1
        stays = often[ids]
        first = places[first[often]]
        places, ids = places[stays], number[ids[stays]]
        found.append((first, weight[often] * length, np.full(len(first), length), places, ids))
        if not len(places):
            break
    first_all, weights, sizes = (np.concatenate([part[i] for part in found]) for i in range(3))
    order = np.lexsort((np.arange(len(weights)), -weights, sizes > 1))
    kept = np.zeros(len(weights), dtype=bool)
    kept[order[: max(len(alphabet), _SEEDS * size)]] = True
    at = np.full((_LONGEST_PIECE + 1, len(text)), len(weights), dtype=np.int32)
    offset = 0
    for length, (first, _, _, places, ids) in enumerate(found, 1):
        at[length, places] = ids + offset
        offset += len(first)
    texts = [text[a : a + n] for a, n in zip(first_all.tolist(), sizes.tolist(), strict=True)]
    lattice = _Lattice(groups, at, texts, first_all, sizes)
    lattice.keep(kept)
    return lattice, weights[kept]


def _expected_counts(lattice: _Lattice, scores: Floats) -> Floats:
    """How often each piece stands in the words, over all segmentations (forward-backward)."""
    none = len(scores)
    probability = np.exp(scores)
    totals = np.zeros(none)
    for length, starts, counts in lattice.groups:
        forward = np.zeros((length + 1, len(starts)))
        backward = np.zeros_like(forward)
        forward[0] = backward[length] = 1.0
        edges = []
        for end in range(1, length + 1):
            for size in range(1, min(end, _LONGEST_PIECE) + 1):
                piece = lattice.at[size, starts + end - size]
                rows = np.flatnonzero(piece < none)
                if len(rows):
                    piece = piece[rows]
                    chance = probability[piece]
                    forward[end, rows] += forward[end - size, rows] * chance
                    edges.append((end - size, end, rows, piece, chance))
        for start, end, rows, _, chance in sorted(edges, key=lambda edge: -edge[1]):
            backward[start, rows] += backward[end, rows] * chance
        reached = forward[length]
        weight = np.divide(counts, reached, out=np.zeros_like(counts), where=reached > 0)
        for start, end, rows, piece, chance in edges:
            np.add.at(totals, piece, forward[start, rows] * chance * backward[end, rows] * weight[rows])
    return totals


def _worth_keeping(lattice: _Lattice, scores: Floats, wanted: int) -> Bools:
    """The ``wanted`` pieces whose removal would cost the most likelihood, and every single character.

    What a piece stood for would then be spelled by its best segmentation without it (SentencePiece,
    ``PruneSentencePieces``).
    """
    used = np.zeros(len(scores))
    for length, starts, counts in lattice.groups:
        _, back = _best_paths(lattice, scores, starts, length, whole=True)
        for rows, piece in _steps_back(lattice, starts, length, back):
            np.add.at(used, piece, counts[rows])
    total = used.sum()
    loss = np.full(len(scores), -np.inf)
    loss[lattice.sizes == 1] = np.inf
    for length in range(2, _LONGEST_PIECE + 1):
        pieces = np.flatnonzero(lattice.sizes == length)
        starts = lattice.first[pieces]
        best, back = _best_paths(lattice, scores, starts, length, whole=False)
        stays = (used[pieces] > 0) & (scores[pieces] >= best[length])
        spelled, parts = np.zeros(len(pieces)), np.zeros(len(pieces))
        for rows, piece in _steps_back(lattice, starts, length, back):
            spelled[rows] += np.log(
                used[piece] + used[pieces[rows]], where=stays[rows], out=np.zeros(len(rows))
            )
            parts[rows] += 1
        own = used[pieces[stays]]
        after = np.log(total + own * (parts[stays] - 1))
        before = np.log(own) - math.log(total)
        loss[pieces[stays]] = own / total * (before - (spelled[stays] - parts[stays] * after))
    order = np.lexsort((np.arange(len(loss)), -loss))
    kept = np.zeros(len(loss), dtype=bool)
    kept[order[:wanted]] = True
    kept &= loss > -np.inf
    return kept


def _best_paths(
    lattice: _Lattice, scores: Floats, starts: Ints, length: int, whole: bool
) -> tuple[Floats, npt.NDArray[np.int8]]:
    """Best score up to each place of each stretch, and the length of the last piece; ``(length + 1, n)``.

    Without ``whole``, the stretch itself is no piece.
    """
    score = np.append(scores, -np.inf)
    best = np.full((length + 1, len(starts)), -np.inf)
    best[0] = 0.0
    back = np.ones((length + 1, len(starts)), dtype=np.int8)
    for end in range(1, length + 1):
        for size in range(1, min(end, _LONGEST_PIECE if whole else length - 1) + 1):
            reached = best[end - size] + score[lattice.at[size, starts + end - size]]
            better = reached > best[end]
            best[end, better] = reached[better]
            back[end, better] = size
    return best, back


def _steps_back(
    lattice: _Lattice, starts: Ints, length: int, back: npt.NDArray[np.int8]
) -> Iterator[tuple[Ints, npt.NDArray[Any]]]:
    """The pieces of the best paths from their ends: rows that still go on, and the piece of each."""
    rows = np.arange(len(starts))
    place = np.full(len(starts), length)
    while len(rows):
        size = back[place[rows], rows].astype(np.int64)
        place[rows] -= size
        yield rows, lattice.at[size, starts[rows] + place[rows]]
        rows = rows[place[rows] > 0]


def _digamma(x: Floats) -> Floats:
    """The derivative of log Γ for x > 0: recurrence up to 6, then the asymptotic series."""
    x = x.copy()
    shift = np.zeros_like(x)
    while (small := x < 6.0).any():
        shift[small] -= 1.0 / x[small]
        x[small] += 1.0
    inverse = 1.0 / (x * x)
    series = inverse * (1 / 12 - inverse * (1 / 120 - inverse * (1 / 252 - inverse / 240)))
    return shift + np.log(x) - 0.5 / x - series
