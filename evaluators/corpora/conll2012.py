"""CoNLL-2012 (OntoNotes 5.0): words, Penn tags, constituents, propositions and coreference, one word a line.

Columns: document, part, index, word, tag, parse bit, lemma, frameset, word sense, speaker, named entity, one
a predicate, coreference last (Pradhan et al. 2012).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from evaluators.corpora.annotated import MOST_MENTIONS, AnnotatedSentence, Findings, Mention
from evaluators.corpora.brackets import CoreferenceReader
from evaluators.corpora.columns import Header, Row, blocks, constituents, plain_word, propositions, ragged
from evaluators.corpora.lines import numbered_lines
from evaluators.errors import InputError

WORD, TAG, PARSE = 3, 4, 5
FIRST_PREDICATE = 11
_BEGIN = re.compile(r"#begin document \((.*)\)(?:; part (\d+))?")


def read_conll2012(path: Path, findings: Findings) -> Iterator[AnnotatedSentence]:
    """Reads one file; it may hold many documents.

    A document none of whose sentences marks a mention is taken as not annotated for coreference: its
    sentences have None there, and it is named.

    Raises:
        InputError: the file is no UTF-8 text, or does not begin a document before its first word.
    """
    document: str | None = None
    pending: list[tuple[list[Row], AnnotatedSentence]] = []
    for block in blocks(numbered_lines(path)):
        if isinstance(block, Header):
            yield from _with_mentions(path, pending, findings)
            pending = []
            if block.text.startswith("#begin"):
                match = _BEGIN.match(block.text)
                document = (
                    f"{match[1]}/{match[2] or 0}" if match else block.text.removeprefix("#begin document")
                )
                findings.counts["documents"] += 1
        elif document is None:
            found = " ".join(block[0].cells)[:60]
            raise InputError(f"{path}, line {block[0].line}: expected '#begin document', found {found!r}.")
        elif not ragged(path, block, FIRST_PREDICATE + 1, findings):
            pending.append((block, _sentence(path, document, block, findings)))
    yield from _with_mentions(path, pending, findings)


def _sentence(path: Path, document: str, rows: list[Row], findings: Findings) -> AnnotatedSentence:
    last = len(rows[0].cells) - 1
    return AnnotatedSentence(
        document=document,
        line=rows[0].line,
        words=tuple(plain_word(row.cells[WORD]) for row in rows),
        tags=tuple(row.cells[TAG] for row in rows),
        constituents=constituents(path, rows, PARSE, findings),
        propositions=propositions(path, rows, FIRST_PREDICATE, last, findings),
    )


def _with_mentions(
    path: Path, pending: list[tuple[list[Row], AnnotatedSentence]], findings: Findings
) -> Iterator[AnnotatedSentence]:
    """The sentences of one document with their mentions; a mention does not leave its sentence."""
    annotated = any(row.cells[-1] not in ("-", "_", "*") for rows, _ in pending for row in rows)
    if pending and not annotated:
        rows, sentence = pending[0]
        findings.fault(path, rows[0].line, "document without coreference", sentence.document)
    clusters: set[str] = set()
    for rows, sentence in pending:
        mentions = _mentions(path, rows, findings) if annotated else None
        findings.counts["mentions"] += len(mentions or ())
        clusters.update(mention.cluster for mention in mentions or ())
        yield replace(sentence, mentions=mentions)
    findings.counts["clusters"] += len(clusters)


def _mentions(path: Path, rows: list[Row], findings: Findings) -> tuple[Mention, ...]:
    reader = CoreferenceReader()
    found: list[Mention] = []
    for index, row in enumerate(rows):
        if row.cells[-1] in ("-", "_", "*"):
            continue
        ended, wrong = reader.read(index, row.cells[-1])
        found += ended
        for detail in wrong:
            findings.fault(path, row.line, "mention left out", detail)
    for unended in reader.still_open():
        detail = f"the mention of {unended.cluster} never ends"
        findings.fault(path, rows[unended.start].line, "mention left out", detail)
    if len(found) > MOST_MENTIONS:
        detail = f"expected at most {MOST_MENTIONS} mentions, found {len(found)}"
        findings.fault(path, rows[0].line, "coreference of a sentence left out", detail)
        return ()
    return tuple(found)
