"""Training a WordPiece vocabulary: the same text gives the same pieces, to the last bit.

The pieces are those of byte-pair merging over counted words (Sennrich et al. 2016) with ``##`` before every
piece inside a word, as ``tokenizers`` trains WordPiece; that trainer numbers its characters in an order that
changes from process to process, and near ties with it. Knows no files and no normalisation.
"""

from __future__ import annotations

import heapq
import itertools
from collections import Counter, defaultdict
from collections.abc import Mapping

#: What a piece inside a word begins with.
INSIDE = "##"
#: Longer words (addresses, tables without spaces) are left out; of the rest, the most frequent are taken.
_LONGEST_WORD = 32
_WORDS = 400_000
#: A merge must have been seen so often.
_LEAST_COUNT = 2


def train(words: Mapping[str, int], size: int, coverage: float) -> list[str]:
    """The pieces of ``words``: single characters first, then merges in the order they were made.

    Args:
        words: counts of words.
        size: how many pieces are wanted; fewer come back where the words give no more.
        coverage: share of all characters that get a piece; words with rarer ones are left out.
    """
    kept = _covered(words, coverage)
    spelled = [[word[0], *(INSIDE + letter for letter in word[1:])] for word, _ in kept]
    counts = [count for _, count in kept]
    letters = {word[0] for word, _ in kept}
    inside = {INSIDE + letter for word, _ in kept for letter in word[1:]}
    pieces = dict.fromkeys((*sorted(letters), *sorted(inside)))

    pairs: Counter[tuple[str, str]] = Counter()
    where: defaultdict[tuple[str, str], set[int]] = defaultdict(set)
    for number, word in enumerate(spelled):
        for pair in itertools.pairwise(word):
            pairs[pair] += counts[number]
            where[pair].add(number)
    heap = [(-count, pair) for pair, count in pairs.items()]
    heapq.heapify(heap)
    while heap and len(pieces) < size:
        negative, pair = heapq.heappop(heap)
        if pairs[pair] != -negative:
            if pairs[pair] >= _LEAST_COUNT:
                heapq.heappush(heap, (-pairs[pair], pair))
            continue
        if -negative < _LEAST_COUNT:
            break
        joined = pair[0] + pair[1].removeprefix(INSIDE)
        pieces[joined] = None
        grown = set()
        for number in where.pop(pair):
            word, count = spelled[number], counts[number]
            for old in itertools.pairwise(word):
                pairs[old] -= count
            word = spelled[number] = _merged(word, pair, joined)
            for new in itertools.pairwise(word):
                pairs[new] += count
                if joined in new:
                    where[new].add(number)
                    grown.add(new)
        for new in grown:
            heapq.heappush(heap, (-pairs[new], new))
        del pairs[pair]
    return list(pieces)[:size]


def _covered(words: Mapping[str, int], coverage: float) -> list[tuple[str, int]]:
    """The words that are spelled with the most frequent characters alone, the most frequent words first."""
    ranked = sorted(words.items(), key=lambda item: (-item[1], item[0]))
    short = [(word, count) for word, count in ranked if len(word) <= _LONGEST_WORD][:_WORDS]
    letters: Counter[str] = Counter()
    for word, count in short:
        for letter in word:
            letters[letter] += count
    wanted, seen, known = coverage * letters.total(), 0, set()
    for letter, count in sorted(letters.items(), key=lambda item: (-item[1], item[0])):
        if seen >= wanted:
            break
        known.add(letter)
        seen += count
    return [(word, count) for word, count in short if known.issuperset(word)]


def _merged(word: list[str], pair: tuple[str, str], joined: str) -> list[str]:
    """``word`` with ``pair`` joined wherever it stands, from the left."""
    made, place = [], 0
    while place < len(word):
        if place + 1 < len(word) and (word[place], word[place + 1]) == pair:
            made.append(joined)
            place += 2
        else:
            made.append(word[place])
            place += 1
    return made
