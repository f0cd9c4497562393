"""Held-out masked language modelling (figure 2b): a share of the pieces is masked, with a fixed seed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from embryo_store.records import Dataset, Metric
from evaluators.batches import Batch, Stream, by_length
from evaluators.corpora.base import Corpus, WordCorpus
from evaluators.errors import InputError
from evaluators.tasks.base import Collector, Cost, Finding, ModelTask, Pass, Prepared
from evaluators.tasks.scores import Ints, majority, mean, proportion
from evaluators.tasks.words import HEAD_ROWS, counts, pieced_words, word_notes
from evaluators.words import PiecedCorpus

if TYPE_CHECKING:
    from evaluators.vocabulary import Vocabulary


@dataclass(frozen=True)
class Mlm(ModelTask):
    """Loss (natural logarithm, mean over masked pieces) and accuracy. Every drawn piece becomes [MASK]."""

    name = "mlm"
    version = 3
    summary = "Mask a fixed 15 % of the pieces of held-out text: loss and accuracy."
    reads = "words"
    needs = "head"
    cost = Cost.PASS

    rate: float = 0.15
    seed: int = 0

    def __post_init__(self) -> None:
        """Refuses what cannot be drawn."""
        if not 0 < self.rate < 1:
            raise InputError(f"[task.mlm] rate is {self.rate}. Expected a share between 0 and 1.")
        if self.seed < 0:
            raise InputError(f"[task.mlm] seed is {self.seed}. Expected 0 or more.")

    @property
    def drawn_by(self) -> int:
        """The seed that draws the masked pieces."""
        return self.seed

    def prepare(self, corpus: Corpus, vocabulary: Vocabulary, limit: int) -> Prepared:
        """One row a sentence; each sentence draws for itself, so that no other sentence moves its masks."""
        words, pieced = pieced_words(corpus, vocabulary, limit)
        rows, gaps = [], []
        for number, sentence in enumerate(pieced.sentences):
            gap = draw(len(sentence.ids) - 2, self.rate, self.seed, number) + 1
            masked = sentence.ids.copy()
            masked[gap] = vocabulary.mask
            rows.append(masked)
            gaps.append(gap)
        batches = by_length(rows)
        asked = []
        for batch in batches:
            mine = [gaps[item] for item in batch.item]
            row, column = np.repeat(np.arange(len(mine)), list(map(len, mine))), np.concatenate(mine)
            originals = np.stack([pieced.sentences[item].ids for item in batch.item])
            asked.append((row, column, originals[row, column]))
        key = (f"masks-{self.rate}-{self.seed}", words.data_hash, vocabulary.digest, str(limit))
        places = tuple((row, column) for row, column, _ in asked)
        return PreparedMlm(words, pieced, Stream(key, batches, places=places), tuple(asked))


def draw(pieces: int, rate: float, seed: int, sentence: int) -> Ints:
    """Which of ``pieces`` are masked in a sentence: round(rate · pieces) of them, at least 1, ascending."""
    if pieces == 0:
        return np.empty(0, dtype=np.int64)
    drawn = np.random.default_rng([seed, sentence]).permutation(pieces)[: max(1, round(rate * pieces))]
    return np.sort(drawn)


@dataclass(frozen=True)
class PreparedMlm(Prepared):
    """Masked rows; for every batch row, column and piece of what was masked."""

    corpus: WordCorpus
    pieced: PiecedCorpus
    stream: Stream
    asked: tuple[tuple[Ints, Ints, Ints], ...]

    def start(self) -> Collector:
        """A collector of losses."""
        return _Loss(self)

    def dataset(self) -> Dataset:
        """The words."""
        return self.corpus.dataset()

    def notes(self) -> list[str]:
        """How many words are not judged, and why."""
        return word_notes(self.corpus, self.pieced)


class _Loss(Collector):
    def __init__(self, prepared: PreparedMlm) -> None:
        self._prepared = prepared
        self._losses: list[np.ndarray[tuple[int], np.dtype[np.float64]]] = []
        self._right = 0

    def see(self, index: int, batch: Batch, seen: Pass) -> None:
        row, column, gold = self._prepared.asked[index]
        start = 0
        for part in seen.at(row, column).split(HEAD_ROWS):
            logps = seen.head(part).log_softmax(-1).cpu().numpy()
            answer = gold[start : start + len(logps)]
            start += len(logps)
            self._losses.append(-logps[np.arange(len(logps)), answer].astype(np.float64))
            self._right += int((logps.argmax(-1) == answer).sum())

    def findings(self) -> Mapping[str, Finding]:
        losses = np.concatenate(self._losses)
        asked = np.concatenate([gold for _, _, gold in self._prepared.asked])
        metrics: list[Metric] = [
            mean("loss", losses),
            proportion("accuracy", self._right, len(losses)),
            majority(asked.tolist(), np.ones(len(asked), dtype=np.bool_)),
        ]
        return {"paper": Finding([*metrics, *counts(self._prepared.pieced)])}
