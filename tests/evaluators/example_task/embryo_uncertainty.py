"""A task of one's own: the entropy of the model's distribution over the vocabulary, at every piece it reads.

What a task has to be is said in ``evaluators.tasks.base``. In short: a frozen dataclass whose fields are its
options; ``prepare`` makes the inputs, once for a corpus and tokenizer; the collector sees the pass batch by
batch, and says at the end what it found.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from embryo_store.records import Dataset, Metric
from evaluators.batches import Batch, Stream, by_length
from evaluators.corpora.base import Corpus, WordCorpus
from evaluators.tasks.base import Collector, Cost, Finding, ModelTask, Pass, Prepared
from evaluators.tasks.scores import mean
from evaluators.vocabulary import Vocabulary
from evaluators.words import piece


@dataclass(frozen=True)
class Uncertainty(ModelTask):
    """Mean entropy, in nats; in bits with ``base`` 2 (embryo.toml: [task.uncertainty] base = 2.0)."""

    name = "uncertainty"  # as in pyproject.toml; the task's name in the store
    version = 1  # raise it when the meaning of a stored number changes: all are then evaluated again
    summary = "How uncertain the model is of every piece that it reads: mean entropy."
    reads = "words"  # words, facts, sentences or edges
    cost = Cost.PASS  # one forward pass; the cheap are evaluated first

    base: float = float(np.e)

    def prepare(self, corpus: Corpus, vocabulary: Vocabulary, limit: int) -> Prepared:
        """One row a sentence."""
        assert isinstance(corpus, WordCorpus)
        batches = by_length([sentence.ids for sentence in piece(corpus, vocabulary, limit).sentences])
        # Tasks whose streams have an equal key share one forward pass: this one is reconstruct's.
        return Sentences(
            corpus, Stream(("plain", corpus.data_hash, vocabulary.digest, str(limit)), batches), self
        )


@dataclass(frozen=True)
class Sentences(Prepared):
    """The corpus as the model reads it."""

    corpus: WordCorpus
    stream: Stream
    task: Uncertainty

    def start(self) -> Collector:
        return Entropies(np.log(self.task.base))

    def dataset(self) -> Dataset:
        return self.corpus.dataset()


class Entropies(Collector):
    """Gathers the entropies of one checkpoint."""

    def __init__(self, unit: float) -> None:
        self._unit = unit
        self._found: list[np.ndarray] = []

    def see(self, index: int, batch: Batch, seen: Pass) -> None:
        """``hidden`` (rows, length, width): the last layer; ``head`` makes fp32 logits of any (n, width)."""
        inner = seen.hidden[:, 1:-1].reshape(-1, seen.hidden.shape[-1])
        logps = seen.head(inner).log_softmax(-1)
        self._found.append(-(logps.exp() * logps).sum(-1).double().cpu().numpy() / self._unit)

    def findings(self) -> Mapping[str, Finding]:
        """By protocol; ``paper`` is the one that every task has unless its ``protocols`` say otherwise."""
        metrics: list[Metric] = [mean("entropy", np.concatenate(self._found))]
        return {"paper": Finding(metrics)}
