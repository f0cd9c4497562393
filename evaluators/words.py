"""Words to pieces: every word is tokenised on its own, its pieces are concatenated, [CLS] and [SEP] go around
them (the paper's code). Sentences longer than the model reads lose whole words at their end, counted.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from evaluators.corpora.base import WordCorpus
from evaluators.vocabulary import Vocabulary

Ints = npt.NDArray[np.int64]


@dataclass(frozen=True)
class PiecedSentence:
    """A sentence in pieces.

    ``ids``: all pieces, special ones included. ``owner``: for every piece its word's index in the corpus, -1
    for the special pieces.
    """

    ids: Ints
    owner: Ints


@dataclass(frozen=True)
class PiecedCorpus:
    """A corpus in pieces.

    Over all words in reading order: ``judged`` (it has pieces, and the model sees them), ``unknown`` (one of
    its pieces is the unknown one), ``answers`` (its pieces). ``cut``: how many words lie beyond ``limit``.
    """

    sentences: tuple[PiecedSentence, ...]
    judged: npt.NDArray[np.bool_]
    unknown: npt.NDArray[np.bool_]
    cut: int
    answers: tuple[tuple[int, ...], ...]


def piece(corpus: WordCorpus, vocabulary: Vocabulary, limit: int) -> PiecedCorpus:
    """Cuts ``corpus`` into pieces, at most ``limit`` a sentence with [CLS] and [SEP]."""
    flat = [word for sentence in corpus.words for word in sentence]
    answers = vocabulary.many(flat)
    judged = np.zeros(len(flat), dtype=np.bool_)
    sentences = []
    first = cut = 0
    for words in corpus.words:
        ids: list[int] = [vocabulary.cls]
        owner: list[int] = [-1]
        for index in range(first, first + len(words)):
            pieces = answers[index]
            if len(ids) + len(pieces) + 1 > limit:
                cut += first + len(words) - index
                break
            ids += pieces
            owner += [index] * len(pieces)
            judged[index] = bool(pieces)
        first += len(words)
        sentences.append(PiecedSentence(np.array([*ids, vocabulary.sep]), np.array([*owner, -1])))
    unknown = np.array([vocabulary.unknown in pieces for pieces in answers], dtype=np.bool_)
    return PiecedCorpus(tuple(sentences), judged, unknown, cut, tuple(answers))


def frame(vocabulary: Vocabulary, pieces: Sequence[int]) -> Ints:
    """``pieces`` between [CLS] and [SEP]."""
    return np.array([vocabulary.cls, *pieces, vocabulary.sep], dtype=np.int64)
