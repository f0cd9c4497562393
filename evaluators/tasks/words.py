"""What reconstruction and mask prediction share: words of a corpus, judged right or wrong, counted by tag."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from embryo_store.records import Dataset, Json, Metric, Outcomes
from evaluators.batches import Batch, Stream, by_length
from evaluators.corpora.base import Corpus, WordCorpus
from evaluators.corpora.frequencies import UNSEEN
from evaluators.errors import CheckpointError, InputError
from evaluators.tasks.base import Collector, Finding, ModelTask, Pass, Prepared
from evaluators.tasks.scores import Ints, accuracies, all_right, by_band, majority
from evaluators.words import PiecedCorpus, piece

if TYPE_CHECKING:
    import torch

    from evaluators.vocabulary import Vocabulary

#: Rows that go through the head at a time: bounds the logits (rows, vocabulary) that stand in memory.
HEAD_ROWS = 1024


@dataclass(frozen=True)
class JudgeWords(ModelTask):
    """``bands``: ranks by frequency, first and last, whose words are judged together (figure 8)."""

    reads = "words"
    needs = "head"

    bands: tuple[str, ...] = ("50-99", "300-349", "1550-1599")

    def __post_init__(self) -> None:
        """Refuses what is no band."""
        for band in self.bands:
            found = re.fullmatch(r"([1-9]\d*)-([1-9]\d*)", str(band))
            if found is None or int(found[1]) > int(found[2]):
                raise InputError(
                    f"[task.{self.name}] bands holds {band!r}. Expected ranks from the first to the last, as "
                    'in "50-99"; the commonest word has rank 1.'
                )

    def beside(self, corpus: Corpus) -> Mapping[str, Json]:
        """The counts by which words are ranked, where they are another corpus's."""
        assert isinstance(corpus, WordCorpus)
        return {"frequencies": corpus.ranked_by} if corpus.ranked_by else {}

    def judging(
        self, corpus: WordCorpus, pieced: PiecedCorpus, stream: Stream, asked: Sequence[Asked]
    ) -> WordTask:
        """What is judged in ``stream``, and what no checkpoint changes about it."""
        commonest = majority(pieced.answers, pieced.judged)
        return WordTask(corpus, pieced, stream, tuple(asked), self.bands, corpus.rank(), commonest)


@dataclass(frozen=True)
class Asked:
    """The pieces of one batch that are judged.

    Where they stand (``row``, ``column``), what they were (``gold``), to which word they belong (``owner``).
    """

    row: Ints
    column: Ints
    gold: Ints
    owner: Ints


@dataclass(frozen=True)
class WordTask(Prepared):
    """A word corpus, its inputs, for every batch the pieces that are judged, and the bands of frequency."""

    corpus: WordCorpus
    pieced: PiecedCorpus
    stream: Stream
    asked: tuple[Asked, ...]
    bands: tuple[str, ...]
    ranks: Ints
    majority: Metric

    def start(self) -> Collector:
        """A collector that judges the asked pieces of every batch."""
        return _Judge(self)

    def dataset(self) -> Dataset:
        """The words."""
        return self.corpus.dataset()

    def notes(self) -> list[str]:
        """How many words are not judged, and why."""
        return word_notes(self.corpus, self.pieced)


class _Judge(Collector):
    def __init__(self, prepared: WordTask) -> None:
        self._prepared = prepared
        self._correct = np.zeros(len(prepared.pieced.judged), dtype=np.bool_)

    def see(self, index: int, batch: Batch, seen: Pass) -> None:
        asked = self._prepared.asked[index]
        best = argmax(seen.head, seen.at(asked.row, asked.column))
        all_right(best == asked.gold, asked.owner, self._correct)

    def findings(self) -> Mapping[str, Finding]:
        prepared, judged = self._prepared, self._prepared.pieced.judged
        metrics = [
            *accuracies(self._correct, judged, prepared.corpus.flat_tags),
            *by_band(self._correct, judged, prepared.ranks, prepared.bands),
            prepared.majority,
            *counts(prepared.pieced),
        ]
        return {"paper": Finding(metrics, [Outcomes(correct=self._correct)])}


def pieced_words(corpus: Corpus, vocabulary: Vocabulary, limit: int) -> tuple[WordCorpus, PiecedCorpus]:
    """The corpus in pieces.

    Raises:
        CheckpointError: no word of it is left to judge.
    """
    if not isinstance(corpus, WordCorpus):
        raise TypeError(f"expected words, found {type(corpus).__name__}")
    pieced = piece(corpus, vocabulary, limit)
    if not pieced.judged.any():
        raise CheckpointError(f"{corpus.uri}: no word fits a model that reads {limit} pieces.")
    return corpus, pieced


def unmasked(
    corpus: WordCorpus, pieced: PiecedCorpus, vocabulary: Vocabulary, limit: int, *, layers: bool = False
) -> Stream:
    """The sentences as they are, one a row: one pass for all tasks that read them so, maps of attention and,
    where one of them asks, the states of all ``layers`` included.
    """
    batches = by_length([sentence.ids for sentence in pieced.sentences])
    key = ("plain", corpus.data_hash, vocabulary.digest, str(limit))
    return Stream(key, batches, attentions=True, layers=layers)


def argmax(head: Callable[[torch.Tensor], torch.Tensor], states: torch.Tensor) -> Ints:
    """The likeliest token for every one of ``states`` (n, width)."""
    parts = [head(part).argmax(-1).cpu().numpy() for part in states.split(HEAD_ROWS)]
    return np.concatenate(parts) if parts else np.empty(0, dtype=np.int64)


def counts(pieced: PiecedCorpus) -> list[Metric]:
    """How many words were cut, and how many hold the unknown piece, of how many."""
    n = len(pieced.judged)
    return [
        Metric("words_cut", float(pieced.cut), n=n),
        Metric("words_unknown", float(pieced.unknown.sum()), n=n),
    ]


def word_notes(corpus: WordCorpus, pieced: PiecedCorpus) -> list[str]:
    """The same in sentences, where there is something to say."""
    n = len(pieced.judged)
    notes = []
    if pieced.cut:
        notes.append(
            f"{corpus.name}: {pieced.cut:,} of {n:,} words lie beyond the model's length and are not judged."
        )
    if corpus.ranked_by:
        unseen = sum(rank == UNSEEN for rank in corpus.ranks)
        notes.append(f"{corpus.name}: {unseen:,} of {n:,} words do not occur where frequencies were counted.")
    if pieced.unknown.any():
        notes.append(f"{corpus.name}: {int(pieced.unknown.sum()):,} of {n:,} words hold the unknown piece.")
    return notes
