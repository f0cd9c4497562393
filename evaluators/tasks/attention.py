"""Attention (figure 4): averaged maps of every layer and head, a few single sentences, and statistics.

The average is over the sentences of at least ``size`` pieces, cropped to their first ``size``; statistics are
taken over all sentences, uncropped (docs/evaluators.md).
"""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from embryo_store.records import AttentionMaps, Dataset, Json, Metric, Sentence
from evaluators.batches import Batch, Stream, by_length
from evaluators.corpora.base import Corpus, SentenceCorpus, WordCorpus
from evaluators.errors import CheckpointError, InputError
from evaluators.tasks.base import Collector, Cost, Finding, Kind, ModelTask, Pass, Prepared
from evaluators.tasks.maps import PATTERNS, STATISTICS, patterns, row_sums
from evaluators.tasks.scores import Ints, proportion
from evaluators.tasks.words import pieced_words, unmasked
from evaluators.words import frame

if TYPE_CHECKING:
    import torch

    from evaluators.vocabulary import Vocabulary

#: The id of the average over the corpus.
AVERAGE = 0
#: Numbers of maps that a GPU computes at a time, bounding its memory.
_ON_GPU = 1 << 25


@dataclass(frozen=True)
class Attention(ModelTask):
    """``size``: the side of stored maps. ``singles``: how many first sentences are stored alone.

    ``words``: over corpora of words, too, in the pass that reconstruction needs anyway.
    """

    name = "attention"
    version = 3
    summary = (
        "Attention maps of every layer and head, averaged and for single sentences; statistics of every head."
    )
    reads = "sentences"
    cost = Cost.PASS

    size: int = 32
    singles: int = 3
    words: bool = False

    @property
    def also(self) -> tuple[Kind, ...]:
        """Words, where that is asked for."""
        return ("words",) if self.words else ()

    def options(self) -> Mapping[str, Json]:
        """All but where else it looks, which changes no number."""
        return {"size": self.size, "singles": self.singles}

    def __post_init__(self) -> None:
        """Refuses sizes that no map can have."""
        if not 2 <= self.size <= 512:
            raise InputError(f"[task.attention] size is {self.size}. Expected 2 to 512.")
        if self.singles < 0:
            raise InputError(f"[task.attention] singles is {self.singles}. Expected 0 or more.")

    def prepare(self, corpus: Corpus, vocabulary: Vocabulary, limit: int) -> Prepared:
        """One row a sentence, cut at ``limit``.

        Raises:
            CheckpointError: no sentence is long enough for the average.
        """
        if isinstance(corpus, WordCorpus):
            _, pieced = pieced_words(corpus, vocabulary, limit)
            rows = [sentence.ids for sentence in pieced.sentences]
            texts = tuple(" ".join(words) for words in corpus.words)
            stream = unmasked(corpus, pieced, vocabulary, limit)
            first = np.cumsum([0, *map(len, corpus.words)])
            cut = sum(not pieced.judged[a:b].all() for a, b in itertools.pairwise(first))
        elif isinstance(corpus, SentenceCorpus):
            pieces, texts = vocabulary.many(corpus.sentences), corpus.sentences
            rows = [frame(vocabulary, ids[: limit - 2]) for ids in pieces]
            cut = sum(len(ids) > limit - 2 for ids in pieces)
            key = ("sentences", corpus.data_hash, vocabulary.digest, str(limit))
            stream = Stream(key, by_length(rows), attentions=True)
        else:
            raise TypeError(f"expected sentences, found {type(corpus).__name__}")
        size = min(self.size, limit)
        if not any(len(row) >= size for row in rows):
            longest = max(map(len, rows))
            raise CheckpointError(
                f"{corpus.uri}: the longest sentence has {longest} pieces, the average needs {size}."
            )
        return _PreparedAttention(corpus, vocabulary, tuple(rows), texts, size, self.singles, cut, stream)


@dataclass(frozen=True)
class _PreparedAttention(Prepared):
    corpus: SentenceCorpus | WordCorpus
    vocabulary: Vocabulary
    rows: tuple[Ints, ...]
    texts: tuple[str, ...]
    size: int
    singles: int
    cut: int
    stream: Stream

    def start(self) -> Collector:
        return _Maps(self)

    def dataset(self) -> Dataset:
        average = Sentence(
            vocab=self.vocabulary.digest,
            sentence_id=AVERAGE,
            text=f"mean over {self.averaged} sentences",
            pieces=[str(place) for place in range(1, self.size + 1)],
        )
        singles = [
            Sentence(
                vocab=self.vocabulary.digest,
                sentence_id=number,
                text=self.texts[number - 1],
                pieces=self.vocabulary.strings([int(i) for i in self.rows[number - 1][: self.size]]),
            )
            for number in range(1, min(self.singles, len(self.rows)) + 1)
        ]
        return replace(self.corpus.dataset(), attention_sentences=[average, *singles])

    @property
    def averaged(self) -> int:
        """How many sentences are long enough for the average."""
        return sum(len(row) >= self.size for row in self.rows)

    def notes(self) -> Sequence[str]:
        notes = []
        if self.averaged < len(self.rows):
            notes.append(
                f"{self.corpus.name}: {self.averaged} of {len(self.rows)} sentences have "
                f"{self.size} pieces or more, and make the average."
            )
        if self.cut:
            notes.append(
                f"{self.corpus.name}: {self.cut} sentences are longer than the model reads, and were cut."
            )
        return notes


class _Maps(Collector):
    def __init__(self, prepared: _PreparedAttention) -> None:
        self._prepared = prepared
        self._punctuation = prepared.vocabulary.punctuation()
        self._singles: dict[int, npt.NDArray[np.float32]] = {}
        self._average: npt.NDArray[np.float64] | None = None
        # Sums over batches; they stay where the maps are, for to fetch one is to wait for it.
        self._sums: dict[str, torch.Tensor] = {}
        self._rows: dict[str, int] = defaultdict(int)
        self._patterns: torch.Tensor | None = None

    def see(self, index: int, batch: Batch, seen: Pass) -> None:
        import torch

        prepared, length = self._prepared, batch.ids.shape[1]
        if not seen.attentions:
            raise CheckpointError(
                "The model gives no attention maps back, though they were asked for: this version of "
                "transformers computes them in a way that keeps none. Take one that pyproject.toml names."
            )
        punctuation = self._punctuation[batch.ids]
        sums: defaultdict[str, list[torch.Tensor]] = defaultdict(list)
        shown = []
        for number, layers in enumerate(_stacked(seen.attentions)):
            for statistic, (total, rows) in row_sums(layers, punctuation).items():
                sums[statistic].append(total)
                self._rows[statistic] += rows if not number else 0
            pattern = patterns(layers)
            shown.append(torch.stack([(pattern == place).sum(-2) for place in range(len(PATTERNS))], -1))
        for statistic, parts in sums.items():
            self._sums[statistic] = _plus(self._sums.get(statistic), torch.cat(parts))
        self._patterns = _plus(self._patterns, torch.cat(shown))
        size = prepared.size
        alone = [row for row, item in enumerate(batch.item) if item < prepared.singles]
        if length < size and not alone:
            return
        corners = [layer[..., :size, :size].float() for layer in seen.attentions]
        cropped = torch.stack(corners, dim=1).cpu().numpy()
        if length >= size:
            total = cropped.sum(0, dtype=np.float64)
            self._average = total if self._average is None else self._average + total
        for row in alone:
            self._singles[int(batch.item[row]) + 1] = cropped[row]

    def findings(self) -> Mapping[str, Finding]:
        assert self._average is not None
        assert self._patterns is not None
        metrics = [
            Metric(
                statistic,
                value / self._rows[statistic],
                layer=layer,
                head=head,
                n=self._rows[statistic],
            )
            for statistic in STATISTICS
            for (layer, head), value in _numbered(self._sums[statistic])
        ]
        sentences = len(self._prepared.rows)
        metrics += [
            replace(proportion(f"pattern {pattern}", int(count), sentences), layer=layer, head=head)
            for place, pattern in enumerate(PATTERNS)
            for (layer, head), count in _numbered(self._patterns[..., place])
        ]
        average = (self._average / self._prepared.averaged).astype(np.float32)
        maps = [AttentionMaps(AVERAGE, average)]
        maps += [AttentionMaps(number, self._singles[number]) for number in sorted(self._singles)]
        return {"paper": Finding(metrics, maps)}


def _numbered(values: torch.Tensor) -> list[tuple[tuple[int, int], float]]:
    """Values (layers, heads) with their layer and head, from 1."""
    return [
        ((layer + 1, head + 1), float(value)) for (layer, head), value in np.ndenumerate(values.cpu().numpy())
    ]


def _plus(sum_: torch.Tensor | None, part: torch.Tensor) -> torch.Tensor:
    return part if sum_ is None else sum_ + part


def _stacked(layers: Sequence[torch.Tensor]) -> Iterator[torch.Tensor]:
    """Maps (layers, sentences, heads, n, n): one layer at a time, which stays near a processor, and many on a
    GPU, which is slow with small ones.
    """
    import torch

    if not layers[0].is_cuda:
        yield from (layer.float()[None] for layer in layers)
        return
    together = max(_ON_GPU // layers[0].numel(), 1)
    for first in range(0, len(layers), together):
        yield torch.stack([layer.float() for layer in layers[first : first + together]])
