"""Penn bracketed trees: words, tags and constituents. Knows nothing of propositions and coreference.

Empty elements (``-NONE-``) and constituents that hold nothing else are not words of the text and are left
out.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from evaluators.corpora.annotated import AnnotatedSentence, Findings, LabelledSpan
from evaluators.corpora.brackets import bare_label
from evaluators.corpora.columns import plain_word
from evaluators.corpora.lines import numbered_lines

_TOKEN = re.compile(r"[()]|[^\s()]+", re.ASCII)
_EMPTY = "-NONE-"


class TreeError(ValueError):
    """A tree is not written as one."""


def read_ptb(path: Path, findings: Findings) -> Iterator[AnnotatedSentence]:
    """Reads trees, each over one line or several. A tree begins at the left margin where the one before it is
    not closed: so a bracket too few costs that tree alone.

    Raises:
        InputError: the file is no UTF-8 text.
    """
    tokens: list[str] = []
    first = depth = 0
    for number, line in numbered_lines(path):
        if line.startswith("(") and tokens:
            findings.fault(path, first, "tree left out", f"{depth} brackets are never closed")
            tokens, depth = [], 0
        for token in _TOKEN.findall(line):
            if not tokens:
                first = number
            tokens.append(token)
            depth += {"(": 1, ")": -1}.get(token, 0)
            if depth <= 0:
                yield from _sentence(path, first, tokens, findings)
                tokens, depth = [], 0
    if tokens:
        findings.fault(path, first, "tree left out", f"{depth} brackets are never closed")


def _sentence(path: Path, line: int, tokens: list[str], findings: Findings) -> Iterator[AnnotatedSentence]:
    try:
        words, tags, spans = read_tree(tokens)
    except TreeError as error:
        findings.fault(path, line, "tree left out", str(error))
        return
    if not words:
        findings.fault(path, line, "tree left out", "it has no words")
        return
    yield AnnotatedSentence(document=path.name, line=line, words=words, tags=tags, constituents=spans)


def read_tree(tokens: list[str]) -> tuple[tuple[str, ...], tuple[str, ...], tuple[LabelledSpan, ...]]:
    """Words, tags and constituents of one tree, given as brackets and names.

    A root without a label, ROOT and TOP are TOP. A tree that lacks a root keeps lacking it.

    Raises:
        TreeError: a bracket or a name stands where the other is expected.
    """
    words: list[str] = []
    tags: list[str] = []
    spans: list[tuple[str, int, int]] = []
    opened: list[int] = []
    position = 0
    while position < len(tokens):
        here = tokens[position : position + 4]
        if here[0] == ")":
            if not opened:
                raise TreeError("a bracket is closed that was not opened")
            number = opened.pop()
            label, start, _ = spans[number]
            spans[number] = (label, start, len(words))
            position += 1
        elif here[0] != "(":
            raise TreeError(f"expected a bracket, found {here[0]!r}")
        elif len(here) == 4 and here[3] == ")" and not {"(", ")"} & {here[1], here[2]}:
            if here[1] != _EMPTY:
                tags.append(here[1])
                words.append(plain_word(here[2]))
            position += 4
        else:
            named = len(here) > 1 and here[1] not in ("(", ")")
            opened.append(len(spans))
            spans.append((bare_label(here[1] if named else ""), len(words), -1))
            position += 2 if named else 1
    if opened:
        raise TreeError(f"{len(opened)} brackets are never closed")
    return tuple(words), tuple(tags), tuple(LabelledSpan(*span) for span in spans if span[2] > span[1])
