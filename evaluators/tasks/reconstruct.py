"""Token reconstruction (paper, section 3): the unmasked sentence goes in; does every piece come back?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from evaluators.corpora.base import Corpus
from evaluators.tasks.base import Cost, Prepared
from evaluators.tasks.words import Asked, JudgeWords, pieced_words, unmasked

if TYPE_CHECKING:
    from evaluators.vocabulary import Vocabulary


@dataclass(frozen=True)
class Reconstruct(JudgeWords):
    """Accuracy by tag of reading an unmasked sentence back; a word counts when all its pieces do."""

    name = "reconstruct"
    version = 3
    summary = "Feed the sentence unmasked: is every piece of a word given back? Accuracy by tag."
    cost = Cost.PASS

    def prepare(self, corpus: Corpus, vocabulary: Vocabulary, limit: int) -> Prepared:
        """One row a sentence."""
        words, pieced = pieced_words(corpus, vocabulary, limit)
        stream = unmasked(words, pieced, vocabulary, limit)
        asked = []
        for batch in stream.batches:
            owner = np.stack([pieced.sentences[item].owner for item in batch.item])
            row, column = np.nonzero(owner >= 0)
            asked.append(Asked(row, column, batch.ids[row, column], owner[row, column]))
        return self.judging(words, pieced, stream, asked)
