"""Writes CoNLL-2012: words, tags, parse bits, propositions, names, coreference, one document after another.

Columns: document, part, word number, word, tag, parse bit, predicate lemma, frameset, word sense, speaker,
named entity, one column a predicate, coreference. Knows nothing of how the annotations came to be.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from embryo_demo.annotation import Sentence, Span
from embryo_demo.tree import Entity


def lines(name: str, sentences: Sequence[Sentence]) -> Iterator[str]:
    """The lines of one document; coreference clusters are numbered within it, single mentions left out."""
    yield f"#begin document ({name}); part 000"
    clusters = _clusters(sentences)
    for sentence in sentences:
        for columns in zip(*_columns(name, sentence, clusters), strict=True):
            yield "   ".join(columns)
        yield ""
    yield "#end document"


def _clusters(sentences: Sequence[Sentence]) -> dict[Entity, int]:
    counts: dict[Entity, int] = {}
    for sentence in sentences:
        for mention in sentence.mentions:
            counts[mention.entity] = counts.get(mention.entity, 0) + 1
    return {entity: number for number, entity in enumerate(e for e, count in counts.items() if count > 1)}


def _columns(name: str, sentence: Sentence, clusters: dict[Entity, int]) -> Iterator[list[str]]:
    tokens, n = sentence.tokens, len(sentence.tokens)
    predicates = {proposition.predicate: proposition for proposition in sentence.propositions}
    yield [name] * n
    yield ["0"] * n
    yield [str(i) for i in range(n)]
    yield [token.form for token in tokens]
    yield [token.tag for token in tokens]
    yield parse_bits(sentence)
    yield [predicates[i].lemma if i in predicates else "-" for i in range(n)]
    yield ["01" if i in predicates else "-" for i in range(n)]
    yield ["-"] * n
    yield ["-"] * n
    yield [f"({token.name_type})" if token.name_type else "*" for token in tokens]
    for proposition in sentence.propositions:
        verb = Span("V", proposition.predicate, proposition.predicate + 1)
        yield bracketed((*proposition.arguments, verb), n)
    mentions = [
        (clusters[mention.entity], mention.start, mention.end)
        for mention in sentence.mentions
        if mention.entity in clusters
    ]
    yield coreference(mentions, n)


def parse_bits(sentence: Sentence) -> list[str]:
    """The tree with every word as an asterisk, cut after each word."""
    n = len(sentence.tokens)
    opened, closed = [""] * n, [""] * n
    for span in sentence.constituents:
        opened[span.start] += f"({span.label}"
        closed[span.end - 1] += ")"
    return [f"{left}*{right}" for left, right in zip(opened, closed, strict=True)]


def bracketed(spans: Iterable[Span], n: int) -> list[str]:
    """Spans that do not overlap, as a column: ``(ARG0*``, ``*``, ``*)``, ``(V*)``."""
    column = ["*"] * n
    for span in spans:
        column[span.start] = f"({span.label}{column[span.start]}"
        column[span.end - 1] += ")"
    return column


def coreference(mentions: Iterable[tuple[int, int, int]], n: int) -> list[str]:
    """Mentions ``(cluster, start, end)`` as a column: ``(0)``, ``(1``, ``1)``, joined by ``|``."""
    column: list[list[str]] = [[] for _ in range(n)]
    for cluster, start, end in mentions:
        if end - start == 1:
            column[start].append(f"({cluster})")
        else:
            column[start].append(f"({cluster}")
            column[end - 1].append(f"{cluster})")
    return ["|".join(marks) if marks else "-" for marks in column]
