"""Mask prediction (paper, section 3): all pieces of one word are masked, one row a word; are they found?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from evaluators.batches import Stream, by_length
from evaluators.corpora.base import Corpus
from evaluators.tasks.base import Cost, Prepared
from evaluators.tasks.words import Asked, JudgeWords, pieced_words

if TYPE_CHECKING:
    from evaluators.vocabulary import Vocabulary


@dataclass(frozen=True)
class MaskPredict(JudgeWords):
    """Accuracy by tag of finding a wholly masked word; beside it that of always saying the commonest."""

    name = "mask-predict"
    version = 3
    summary = (
        "Mask every word in turn, all its pieces: is it found? Accuracy by tag, and the majority baseline."
    )
    cost = Cost.SWEEP

    def prepare(self, corpus: Corpus, vocabulary: Vocabulary, limit: int) -> Prepared:
        """One row a word."""
        words, pieced = pieced_words(corpus, vocabulary, limit)
        rows, gaps = [], []
        for sentence in pieced.sentences:
            for owner in np.unique(sentence.owner[sentence.owner >= 0]):
                gap = np.flatnonzero(sentence.owner == owner)
                masked = sentence.ids.copy()
                masked[gap] = vocabulary.mask
                rows.append(masked)
                gaps.append((gap, sentence.ids[gap], np.full(len(gap), owner)))
        batches = by_length(rows)
        asked = []
        for batch in batches:
            mine = [gaps[item] for item in batch.item]
            column, gold, owner = (np.concatenate(part) for part in zip(*mine, strict=True))
            row = np.repeat(np.arange(len(mine)), [len(gap) for gap, _, _ in mine])
            asked.append(Asked(row, column, gold, owner))
        key = ("word-masks", words.data_hash, vocabulary.digest, str(limit))
        places = tuple((one.row, one.column) for one in asked)
        return self.judging(words, pieced, Stream(key, batches, places=places), asked)
