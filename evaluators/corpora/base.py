"""What the readers hand to the tasks: frozen corpora, digested by content. No tokenizer, no model."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

import numpy as np

from embryo_store.records import Dataset, Json, Relation, Words
from evaluators.corpora.edges import EdgeCorpus


@dataclass(frozen=True)
class WordCorpus:
    """Sentences of tagged words. ``words`` and ``tags`` run in parallel, one tuple a sentence.

    ``ranks``: of all words in reading order, by how often they occur in a corpus that the user named, whose
    counts have the digest ``ranked_by``; without them ranks are those by frequency in the corpus itself.
    """

    name: str
    uri: str
    data_hash: str
    words: tuple[tuple[str, ...], ...]
    tags: tuple[tuple[str, ...], ...]
    report: Mapping[str, Json] = field(default_factory=dict)
    ranks: tuple[int, ...] = ()
    ranked_by: str = ""

    @property
    def forms(self) -> tuple[str, ...]:
        """All words in reading order."""
        return tuple(word for sentence in self.words for word in sentence)

    def rank(self) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
        """The rank of every word by frequency, lower-cased, from 1; ties in alphabetical order."""
        ranks = self.ranks
        if not self.ranked_by:
            order = by_count(Counter(form.lower() for form in self.forms))
            ranks = tuple(order[form.lower()] for form in self.forms)
        return np.array(ranks, dtype=np.int64)

    @property
    def flat_tags(self) -> tuple[str, ...]:
        """The tags of all words in reading order."""
        return tuple(tag for sentence in self.tags for tag in sentence)

    def dataset(self) -> Dataset:
        """This corpus as the store keeps it."""
        forms = list(self.forms)
        lengths = [len(sentence) for sentence in self.words]
        return Dataset(
            dataset=self.name,
            data_hash=self.data_hash,
            kind="words",
            uri=self.uri,
            items=len(forms),
            sentences=len(self.words),
            report=self.report,
            words=Words(
                sentence_id=np.repeat(np.arange(len(lengths), dtype=np.int64), lengths),
                position=np.concatenate(
                    [np.arange(n, dtype=np.int64) for n in lengths] or [np.empty(0, np.int64)]
                ),
                form=forms,
                tag=list(self.flat_tags),
                rank=self.rank(),
            ),
        )


@dataclass(frozen=True)
class Fact:
    """A fact by what identifies it. ``copies``: how often the corpus states it."""

    relation: str
    subject: str
    object: str
    uuid: str | None = None
    copies: int = 1


@dataclass(frozen=True)
class FactCorpus:
    """Relations with templates, and their facts, each once.

    ``echo`` indexes facts whose every piece is stored (table 9); ``common`` is the
    common vocabulary of protocol ``lama``, cased, where there is one.
    """

    name: str
    uri: str
    data_hash: str
    relations: tuple[Relation, ...]
    facts: tuple[Fact, ...]
    common: tuple[str, ...] | None = None
    echo: frozenset[int] = frozenset()
    report: Mapping[str, Json] = field(default_factory=dict)

    def dataset(self) -> Dataset:
        """This corpus as the store keeps it."""
        return Dataset(
            dataset=self.name,
            data_hash=self.data_hash,
            kind="facts",
            uri=self.uri,
            items=len(self.facts),
            report=self.report,
            relations=self.relations,
        )


@dataclass(frozen=True)
class SentenceCorpus:
    """Plain sentences whose attention is looked at, one a line; ids count from 1."""

    name: str
    uri: str
    data_hash: str
    sentences: tuple[str, ...]
    report: Mapping[str, Json] = field(default_factory=dict)

    def dataset(self) -> Dataset:
        """This corpus as the store keeps it, without the pieces that a vocabulary makes of it."""
        return Dataset(
            dataset=self.name,
            data_hash=self.data_hash,
            kind="sentences",
            uri=self.uri,
            items=len(self.sentences),
            sentences=len(self.sentences),
            report=self.report,
        )


Corpus: TypeAlias = WordCorpus | FactCorpus | SentenceCorpus | EdgeCorpus


def by_count(counts: Mapping[str, int]) -> Mapping[str, int]:
    """Words in the order of their counts, from 1; of equal counts in alphabetical order."""
    return {word: place for place, word in enumerate(sorted(counts, key=lambda w: (-counts[w], w)), start=1)}
