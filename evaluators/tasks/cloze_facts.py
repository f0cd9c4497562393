"""Facts to cloze inputs: the template filled, one [MASK] for the object, and why some facts fall out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from evaluators.corpora.base import Fact, FactCorpus
from evaluators.tasks.scores import Ints
from evaluators.words import frame

if TYPE_CHECKING:
    from evaluators.vocabulary import Vocabulary


@dataclass(frozen=True)
class Clozes:
    """The facts that can be asked, row by row: ``rows`` of ids, the ``place`` of [MASK], the ``gold`` token.

    ``common``: ids of the common vocabulary, ascending, or None. Counts are by relation, of facts as stated:
    ``several_pieces`` (the object is not one piece of this vocabulary), ``too_long``.
    """

    facts: tuple[Fact, ...]
    echo: frozenset[int]
    rows: tuple[Ints, ...]
    place: Ints
    gold: Ints
    common: Ints | None
    several_pieces: Mapping[str, int]
    too_long: Mapping[str, int]


def make_clozes(corpus: FactCorpus, vocabulary: Vocabulary, limit: int) -> Clozes:
    """Fills the templates. Text left and right of the object is tokenised separately (the paper's code)."""
    templates = {relation.relation: relation.template for relation in corpus.relations}
    several: Counter[str] = Counter()
    too_long: Counter[str] = Counter()
    facts: list[Fact] = []
    echo: set[int] = set()
    rows: list[Ints] = []
    place: list[int] = []
    gold: list[int] = []
    for number, fact in enumerate(corpus.facts):
        left, right = (
            vocabulary.pieces(part.replace("[X]", fact.subject).strip())
            for part in templates[fact.relation].split("[Y]")
        )
        answer = vocabulary.pieces(fact.object)
        if len(answer) != 1 or answer[0] == vocabulary.unknown:
            several[fact.relation] += fact.copies
        elif len(left) + len(right) + 3 > limit:
            too_long[fact.relation] += fact.copies
        else:
            if number in corpus.echo:
                echo.add(len(facts))
            facts.append(fact)
            rows.append(frame(vocabulary, (*left, vocabulary.mask, *right)))
            place.append(len(left) + 1)
            gold.append(answer[0])
    return Clozes(
        facts=tuple(facts),
        echo=frozenset(echo),
        rows=tuple(rows),
        place=np.array(place, dtype=np.int64),
        gold=np.array(gold, dtype=np.int64),
        common=_common_ids(corpus.common, vocabulary) if corpus.common is not None else None,
        several_pieces=several,
        too_long=too_long,
    )


def _common_ids(words: tuple[str, ...], vocabulary: Vocabulary) -> Ints:
    """The words that are one piece, lower-cased where the vocabulary is."""
    written = [word.lower() for word in words] if vocabulary.lower_cases else list(words)
    found = {pieces[0] for pieces in vocabulary.many(written) if len(pieces) == 1}
    return np.array(sorted(found - {vocabulary.unknown}), dtype=np.int64)
