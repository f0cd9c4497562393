"""Replaced-token detection (ELECTRA): the generator fills masked pieces, the discriminator tells which of all
pieces are not the original ones. Accuracy and area under the ROC curve, by part of speech.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from embryo_store.records import ALL, Dataset, Metric
from evaluators.batches import Batch, Stream
from evaluators.checkpoints import SavedStep
from evaluators.corpora.base import Corpus, WordCorpus
from evaluators.errors import InputError
from evaluators.tasks.base import Collector, Cost, Finding, ModelTask, Pass, Prepared
from evaluators.tasks.mlm import Mlm, PreparedMlm
from evaluators.tasks.scores import Ints, proportion
from evaluators.tasks.words import HEAD_ROWS, counts, word_notes
from evaluators.words import PiecedCorpus

if TYPE_CHECKING:
    from evaluators.vocabulary import Vocabulary


@dataclass(frozen=True)
class ReplacedTokens(ModelTask):
    """``rate`` of the pieces are drawn by ``seed`` as in mlm; each is sampled anew from the generator. A
    sample that is the piece itself counts as original (Clark et al. 2020).
    """

    name = "rtd"
    version = 2
    summary = "ELECTRA: which pieces did the generator replace? Accuracy and AUC by tag."
    reads = "words"
    needs = "pair"
    cost = Cost.PASS

    rate: float = 0.15
    seed: int = 0

    def __post_init__(self) -> None:
        """Refuses what cannot be drawn."""
        if not 0 < self.rate < 1 or self.seed < 0:
            raise InputError(
                f"[task.rtd] rate {self.rate}, seed {self.seed}: expected a share below 1, and 0 or more."
            )

    @property
    def drawn_by(self) -> int:
        """The seed that draws places and samples."""
        return self.seed

    def suits(self, saved: SavedStep) -> bool:
        """ELECTRA alone has a discriminator."""
        return saved.config.get("model_type") == "electra"

    def prepare(self, corpus: Corpus, vocabulary: Vocabulary, limit: int) -> Prepared:
        """The masked rows of mlm."""
        masked = Mlm(self.rate, self.seed).prepare(corpus, vocabulary, limit)
        assert isinstance(masked, PreparedMlm)
        return _PreparedRtd(masked.corpus, masked.pieced, masked.stream, masked, self.seed)


@dataclass(frozen=True)
class _PreparedRtd(Prepared):
    corpus: WordCorpus
    pieced: PiecedCorpus
    stream: Stream
    masked: PreparedMlm
    seed: int

    def start(self) -> Collector:
        return _Detected(self)

    def dataset(self) -> Dataset:
        return self.corpus.dataset()

    def notes(self) -> list[str]:
        return word_notes(self.corpus, self.pieced)


class _Detected(Collector):
    def __init__(self, prepared: _PreparedRtd) -> None:
        self._prepared = prepared
        self._shown: list[Batch] = []
        self._replaced: list[npt.NDArray[np.bool_]] = []
        self._logits: list[npt.NDArray[np.float64]] = []
        self._owner: list[Ints] = []

    def see(self, index: int, batch: Batch, seen: Pass) -> None:
        row, column, gold = self._prepared.masked.asked[index]
        per_row = np.bincount(row, minlength=len(batch.item))
        chance = np.concatenate(
            [
                np.random.default_rng([self._prepared.seed, int(item), 1]).random(int(n))
                for item, n in zip(batch.item, per_row, strict=True)
            ]
        )
        ids, start = batch.ids.copy(), 0
        for part in seen.at(row, column).split(HEAD_ROWS):
            end = start + len(part)
            drawn = sample(seen.head(part).softmax(-1).double().cpu().numpy(), chance[start:end])
            ids[row[start:end], column[start:end]] = drawn
            start = end
        originals = batch.ids.copy()
        originals[row, column] = gold
        self._shown.append(replace(batch, ids=ids))
        self._replaced.append(ids != originals)

    def follow(self) -> Sequence[Batch]:
        return self._shown

    def see_again(self, index: int, batch: Batch, seen: Pass) -> None:
        assert seen.detect is not None
        owner = np.stack([self._prepared.pieced.sentences[item].owner for item in batch.item])
        real = owner >= 0
        logits = seen.detect(seen.hidden).double().cpu().numpy()
        self._logits.append(logits[real])
        self._owner.append(owner[real])
        self._replaced[index] = self._replaced[index][real]

    def findings(self) -> Mapping[str, Finding]:
        replaced, logits = np.concatenate(self._replaced), np.concatenate(self._logits)
        owner = np.concatenate(self._owner)
        tags = np.array(self._prepared.corpus.flat_tags, dtype=object)[owner]
        right = (logits > 0) == replaced
        everything = np.ones(len(tags), dtype=np.bool_)
        metrics: list[Metric] = []
        for label, mine in ((ALL, everything), *((tag, tags == tag) for tag in sorted(set(tags)))):
            metrics.append(proportion("accuracy", int(right[mine].sum()), int(mine.sum()), label))
            area = auc(logits[mine], replaced[mine], label)
            metrics += [area] if area is not None else []
        majority = max(int(replaced.sum()), int((~replaced).sum()))
        metrics.append(proportion("majority", majority, len(replaced)))
        metrics.append(proportion("replaced", int(replaced.sum()), len(replaced)))
        return {"paper": Finding([*metrics, *counts(self._prepared.pieced)])}


def sample(probabilities: npt.NDArray[np.float64], chance: npt.NDArray[np.float64]) -> Ints:
    """A token for every row of ``probabilities`` (n, vocabulary): where their sum passes ``chance`` (n,)."""
    running = probabilities.cumsum(-1)
    found: Ints = (running <= chance[:, None] * running[:, -1:]).sum(-1)
    return found.clip(max=probabilities.shape[1] - 1)


def auc(scores: npt.NDArray[np.float64], positive: npt.NDArray[np.bool_], label: str = ALL) -> Metric | None:
    """The chance that a positive scores above a negative, ties counting half, with the standard error of
    Hanley and McNeil (1982); None where one of the two kinds is missing.
    """
    p, n = int(positive.sum()), int((~positive).sum())
    if not p or not n:
        return None
    _, place, count = np.unique(scores, return_inverse=True, return_counts=True)
    last = np.cumsum(count)
    ranks = (last - (count - 1) / 2)[place]
    area = float((ranks[positive].sum() - p * (p + 1) / 2) / (p * n))
    above, below = area / (2 - area), 2 * area**2 / (1 + area)
    variance = (area * (1 - area) + (p - 1) * (above - area**2) + (n - 1) * (below - area**2)) / (p * n)
    return Metric("auc", area, label=label, n=len(scores), stderr=math.sqrt(max(variance, 0.0)))
