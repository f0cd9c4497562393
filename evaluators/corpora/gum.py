"""GUM: trees (``const/``), words and tags (``dep/``) and coreference after OntoNotes' rules
(``coref/ontogum/``) of one document, joined word by word.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from evaluators.corpora.annotated import MOST_MENTIONS, AnnotatedSentence, Findings, LabelledSpan, Mention
from evaluators.corpora.brackets import CoreferenceReader
from evaluators.corpora.conllu import read_conllu
from evaluators.corpora.lines import numbered_lines
from evaluators.corpora.ptb import read_ptb

_COREFERENCE_COLUMNS = 3


def read_gum(
    treebank: Path, trees: Path | None, coreference: Path | None, findings: Findings
) -> Iterator[AnnotatedSentence]:
    """Reads one document; ``trees`` and ``coreference`` are None where the corpus has none of it.

    Raises:
        InputError: a file is in another format.
    """
    text = read_conllu(treebank, treebank.name)
    spans = _constituents(trees, text.words, findings) if trees else [None] * len(text.words)
    mentions = _mentions(coreference, text.words, findings) if coreference else None
    findings.counts["documents"] += 1
    if coreference is None:
        findings.fault(treebank, 1, "document without coreference", treebank.stem)
    for number, words in enumerate(text.words):
        yield AnnotatedSentence(
            document=treebank.stem,
            line=number + 1,
            words=words,
            tags=text.tags[number],
            constituents=spans[number],
            mentions=mentions[number] if mentions is not None else None,
        )


def _constituents(
    path: Path, sentences: tuple[tuple[str, ...], ...], findings: Findings
) -> list[tuple[LabelledSpan, ...] | None]:
    """The trees of a document, one a sentence; None for all where their number is not the sentences'."""
    trees = list(read_ptb(path, findings))
    if len(trees) != len(sentences):
        detail = f"{len(trees)} trees for {len(sentences)} sentences"
        findings.fault(path, 1, "constituents of a document left out", detail)
        return [None] * len(sentences)
    found: list[tuple[LabelledSpan, ...] | None] = []
    for tree, words in zip(trees, sentences, strict=True):
        if len(tree.words) != len(words):
            detail = f"the tree has {len(tree.words)} words, the sentence {len(words)}"
            findings.fault(path, tree.line, "constituents of a sentence left out", detail)
            found.append(None)
        else:
            found.append(tree.constituents)
    return found


def _mentions(
    path: Path, sentences: tuple[tuple[str, ...], ...], findings: Findings
) -> list[tuple[Mention, ...]] | None:
    """The mentions of every sentence; None where the file does not hold the document's words."""
    starts = [0]
    for words in sentences:
        starts.append(starts[-1] + len(words))
    found: list[list[Mention]] = [[] for _ in sentences]
    reader = CoreferenceReader()
    clusters: set[str] = set()
    lines: list[int] = []
    sentence = 0
    for line, cells in _rows(path):
        if len(cells) != _COREFERENCE_COLUMNS:
            detail = f"expected {_COREFERENCE_COLUMNS} columns separated by tabs, found {len(cells)}"
            findings.fault(path, line, "coreference of a document left out", detail)
            return None
        index = len(lines)
        lines.append(line)
        while sentence + 1 < len(sentences) and index >= starts[sentence + 1]:
            sentence += 1
        if cells[-1] == "_":
            continue
        ended, wrong = reader.read(index, cells[-1])
        for detail in wrong:
            findings.fault(path, line, "mention left out", detail)
        for mention in ended:
            findings.counts["mentions"] += 1
            clusters.add(mention.cluster)
            if mention.start < starts[sentence]:
                findings.counts["mentions across sentences"] += 1
                continue
            first = starts[sentence]
            found[sentence].append(Mention(mention.cluster, mention.start - first, mention.end - first))
    for unended in reader.still_open():
        detail = f"the mention of {unended.cluster} never ends"
        findings.fault(path, lines[unended.start], "mention left out", detail)
    if len(lines) != starts[-1]:
        detail = f"{len(lines)} words here, {starts[-1]} in the treebank"
        findings.fault(path, 1, "coreference of a document left out", detail)
        return None
    findings.counts["clusters"] += len(clusters)
    for first, mentions in zip(starts, found, strict=False):
        if len(mentions) > MOST_MENTIONS:
            detail = f"expected at most {MOST_MENTIONS} mentions, found {len(mentions)}"
            findings.fault(path, lines[first], "coreference of a sentence left out", detail)
            mentions.clear()
    return [tuple(mentions) for mentions in found]


def _rows(path: Path) -> Iterator[tuple[int, list[str]]]:
    for line, text in numbered_lines(path):
        if text.strip() and not text.startswith("# "):
            yield line, text.split("\t")
