"""From words to pieces: sampled sentences as rows of ids, targets as spans of pieces. Knows no weights.

Every word is tokenised on its own (protocols: "Words, word pieces, spans"). A sentence longer than the model
reads loses whole words at its end; a target with a word that was lost, or that has no piece at all, cannot be
judged, and is counted.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from evaluators.batches import Batch, by_length
from evaluators.corpora.edges import SPLITS, EdgeCorpus, EdgeTask
from evaluators.probes.sample import Sample, TaskSample

if TYPE_CHECKING:
    from evaluators.vocabulary import Vocabulary

Ints = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Rows:
    """Sampled sentences as the model reads them: split by split, each by length, batch after batch.

    ``edges``: where each word of a row begins among the row's pieces, and where the last one ends, all
    rows one after another; a word beyond the cut begins where it ends. ``first_edge``: (rows + 1,) where
    each row's begin. ``words``: (rows,) how many words the model sees. ``row``: by split, the row of
    every sentence of the sample.
    """

    batches: tuple[Batch, ...]
    edges: Ints
    first_edge: Ints
    words: Ints
    row: Mapping[str, Ints]


@dataclass(frozen=True)
class SplitTargets:
    """Targets that can be judged. ``span``: (n, 1 or 2) index into the task's spans; ``label``: (n,);
    ``source``: (n,) the target's place in the sample; ``cut``: how many could not be judged.
    """

    span: Ints
    label: Ints
    source: Ints
    cut: int


@dataclass(frozen=True)
class TaskSpans:
    """The distinct spans of one task, ordered by row: ``row`` (m,), ``start`` and ``end`` (m,) in pieces;
    and what is asked about them, by split.
    """

    row: Ints
    start: Ints
    end: Ints
    targets: Mapping[str, SplitTargets]

    def __len__(self) -> int:
        """The number of distinct spans."""
        return len(self.row)


def rows_of(corpus: EdgeCorpus, sample: Sample, vocabulary: Vocabulary, limit: int) -> Rows:
    """The sampled sentences in pieces, at most ``limit`` a row with [CLS] and [SEP]."""
    pieces = dict(enumerate(vocabulary.many(corpus.forms)))
    batches: list[Batch] = []
    edges: list[Ints] = []
    words: list[int] = []
    row: dict[str, Ints] = {}
    for split in SPLITS:
        part = corpus.splits[split]
        ids, ends = [], []
        for sentence in sample.sentences[split]:
            parts = [pieces[int(i)] for i in part.word[part.starts[sentence] : part.starts[sentence + 1]]]
            edge = np.cumsum([1, *map(len, parts)])
            seen = int(np.searchsorted(edge, limit - 1, side="right")) - 1
            flat = [piece for word in parts[:seen] for piece in word]
            ids.append(np.array([vocabulary.cls, *flat, vocabulary.sep], dtype=np.int64))
            ends.append((np.minimum(edge, edge[seen]), seen))
        first = len(words)
        order = np.empty(0, dtype=np.int64)
        for batch in by_length(ids):
            order = np.concatenate([order, batch.item])
            batches.append(
                replace(batch, item=first + len(order) - len(batch.item) + np.arange(len(batch.item)))
            )
        row[split] = np.empty(len(order), dtype=np.int64)
        row[split][order] = first + np.arange(len(order))
        edges += [ends[i][0] for i in order]
        words += [ends[i][1] for i in order]
    first_edge = np.concatenate([[0], np.cumsum([len(edge) for edge in edges])])
    return Rows(tuple(batches), np.concatenate(edges), first_edge, np.array(words, dtype=np.int64), row)


def spans_of(sample: Sample, task: EdgeTask, rows: Rows) -> TaskSpans:
    """The spans that ``task`` needs, each once."""
    found: dict[str, tuple[Ints, Ints, TaskSample]] = {}
    for split in SPLITS:
        asked = sample.tasks[split][task]
        row = rows.row[split][np.searchsorted(sample.sentences[split], asked.sentence)]
        places = rows.edges[rows.first_edge[row][:, None, None] + asked.spans]
        whole = (asked.spans[:, :, 1] <= rows.words[row][:, None]) & (places[:, :, 1] > places[:, :, 0])
        kept = np.flatnonzero(whole.all(axis=1))
        owner = np.broadcast_to(row[kept][:, None, None], (len(kept), places.shape[1], 1))
        found[split] = (np.concatenate([owner, places[kept]], axis=2), kept, asked)
    arity = found[SPLITS[0]][0].shape[1]
    every = np.concatenate([keys.reshape(-1, 3) for keys, _, _ in found.values()])
    distinct, inverse = np.unique(every, axis=0, return_inverse=True)
    inverse = inverse.reshape(-1, arity)
    targets = {}
    start = 0
    for split, (keys, kept, asked) in found.items():
        span = inverse[start : start + len(keys)]
        start += len(keys)
        targets[split] = SplitTargets(span, asked.label[kept], kept, len(asked.label) - len(kept))
    return TaskSpans(distinct[:, 0], distinct[:, 1], distinct[:, 2], targets)
