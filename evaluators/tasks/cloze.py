"""A sentence that a user asks, with one or more [MASK]: the ten likeliest tokens for each.

Asked by ``embryo-eval cloze`` alone, so it stands in no registry. Its corpus is the sentence, under its own
text as a name.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from embryo_store.records import ClozeAnswers, Dataset
from evaluators.batches import Batch, Stream, by_length
from evaluators.corpora.base import Corpus, SentenceCorpus
from evaluators.errors import CheckpointError
from evaluators.tasks.base import Collector, Cost, Finding, ModelTask, Pass, Prepared
from evaluators.tasks.scores import Ints
from evaluators.words import frame

if TYPE_CHECKING:
    from evaluators.vocabulary import Vocabulary

#: How a user writes the gap, whatever the tokenizer calls it.
MASK = "[MASK]"
TOP = 10


@dataclass(frozen=True)
class Cloze(ModelTask):
    """What a checkpoint would put in the place of each [MASK]."""

    name = "cloze"
    version = 2
    summary = "One sentence with a [MASK]: the ten likeliest tokens."
    reads = "asked"
    cost = Cost.PASS

    def prepare(self, corpus: Corpus, vocabulary: Vocabulary, limit: int) -> Prepared:
        """One row. The text between the masks is tokenised part by part, as for LAMA's templates.

        Raises:
            CheckpointError: it is longer than the model reads.
        """
        assert isinstance(corpus, SentenceCorpus)
        first, *others = (vocabulary.pieces(part.strip()) for part in corpus.sentences[0].split(MASK))
        pieces = list(first)
        masks = []
        for part in others:
            masks.append(len(pieces) + 1)
            pieces += [vocabulary.mask, *part]
        if len(pieces) + 2 > limit:
            raise CheckpointError(f"The sentence has {len(pieces)} pieces, the model reads {limit - 2}.")
        key = ("cloze", corpus.data_hash, vocabulary.digest, str(limit))
        return _PreparedCloze(corpus, np.array(masks), Stream(key, by_length([frame(vocabulary, pieces)])))


@dataclass(frozen=True)
class _PreparedCloze(Prepared):
    corpus: SentenceCorpus
    masks: Ints
    stream: Stream

    def start(self) -> Collector:
        return _Answers(self.masks)

    def dataset(self) -> Dataset:
        return self.corpus.dataset()


class _Answers(Collector):
    def __init__(self, masks: Ints) -> None:
        self._masks = masks
        self._found: ClozeAnswers | None = None

    def see(self, index: int, batch: Batch, seen: Pass) -> None:
        logps = seen.head(seen.hidden[0, self._masks]).log_softmax(-1).cpu().numpy()
        # Of equals the lower id comes first, whatever the machine.
        tokens = np.argsort(-logps, axis=-1, kind="stable")[:, :TOP]
        self._found = ClozeAnswers(tokens.astype(np.int64), np.take_along_axis(logps, tokens, axis=-1))

    def findings(self) -> Mapping[str, Finding]:
        assert self._found is not None
        return {"paper": Finding((), [self._found])}
