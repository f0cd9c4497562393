"""Annotation that is written as brackets, one column a word: parse bits, argument spans, coreference.

``(NP(NP*)`` opens two constituents before its word and closes one after it. Knows no file.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from evaluators.corpora.annotated import LabelledSpan, Mention

_PARSE = re.compile(r"\(([^\s()*]*)|(\))|(\*)")
_COREFERENCE = re.compile(r"(\()?([^()|\s]+)(\))?")
#: Roots by the names that treebanks give them; the paper's label is TOP.
_ROOTS = frozenset({"", "ROOT", "TOP"})


class BracketError(ValueError):
    """The brackets of a column do not fit; ``index`` is the word at which that shows, counted from 0."""

    def __init__(self, index: int, message: str) -> None:
        """``message`` says what is wrong there."""
        super().__init__(message)
        self.index = index


def bare_label(label: str) -> str:
    """A non-terminal without function tags and indices: NP-SBJ-1 and NP=2 are NP. Roots are TOP."""
    if label in _ROOTS:
        return "TOP"
    return re.split("[-=]", label, maxsplit=1)[0] or label


def read_parse_bits(bits: Sequence[str]) -> tuple[LabelledSpan, ...]:
    """Constituents of a sentence, outer before inner, left before right.

    Raises:
        BracketError: a bracket is closed that was not opened, or stays open, or a bit has no word or several.
    """
    opened: list[int] = []
    spans: list[tuple[str, int, int]] = []
    for index, bit in enumerate(bits):
        words = 0
        for opening, closing, star in _scan(_PARSE, bit, index):
            if star:
                words += 1
            elif closing:
                if not opened:
                    raise BracketError(index, f"{bit!r} closes a constituent that was not opened")
                number = opened.pop()
                label, start, _ = spans[number]
                spans[number] = (label, start, index + 1)
            else:
                opened.append(len(spans))
                spans.append((bare_label(opening), index, -1))
        if words != 1:
            raise BracketError(index, f"{bit!r} stands for {words} words")
    if opened:
        label, start, _ = spans[opened[-1]]
        raise BracketError(start, f"the constituent {label} is never closed")
    return tuple(LabelledSpan(*span) for span in spans)


def read_spans(column: Sequence[str]) -> tuple[LabelledSpan, ...]:
    """Labelled spans that neither overlap nor nest, such as the arguments of one predicate.

    Raises:
        BracketError: spans overlap, a span is closed that was not opened, or stays open.
    """
    spans: list[LabelledSpan] = []
    label, start = "", -1
    for index, cell in enumerate(column):
        for opening, closing, star in _scan(_PARSE, cell, index):
            if star:
                continue
            if closing:
                if start < 0:
                    raise BracketError(index, f"{cell!r} closes a span that was not opened")
                spans.append(LabelledSpan(label, start, index + 1))
                start = -1
            elif start >= 0:
                raise BracketError(index, f"{opening} overlaps {label}, which is open since word {start}")
            else:
                label, start = opening, index
    if start >= 0:
        raise BracketError(start, f"the span {label} is never closed")
    return tuple(spans)


class CoreferenceReader:
    """Reads a coreference column word by word: ``(3``, ``3)``, ``(3)``, with ``|`` between them or
    without.
    """

    def __init__(self) -> None:
        """Starts with nothing open."""
        self._open: dict[str, list[int]] = {}

    def read(self, index: int, cell: str) -> tuple[list[Mention], list[str]]:
        """The mentions that end at word ``index``, and what is wrong in its cell: a mention that ends and did
        not begin, or something else than mentions. What is wrong costs no other mention.
        """
        ended: list[Mention] = []
        wrong: list[str] = []
        try:
            for begins, cluster, ends in _scan(_COREFERENCE, cell.replace("|", " "), index):
                if not begins and not ends:
                    wrong.append(f"{cell!r} neither opens nor closes a mention")
                if begins:
                    self._open.setdefault(cluster, []).append(index)
                if ends and not self._open.get(cluster):
                    wrong.append(f"{cell!r} ends a mention of {cluster} that did not begin")
                elif ends:
                    ended.append(Mention(cluster, self._open[cluster].pop(), index + 1))
        except BracketError as error:
            wrong.append(str(error))
        return ended, wrong

    def still_open(self) -> list[Mention]:
        """The mentions that never ended, with their end at their start, in reading order."""
        opened = [(start, cluster) for cluster, starts in self._open.items() for start in starts]
        return [Mention(cluster, start, start) for start, cluster in sorted(opened)]


def _scan(pattern: re.Pattern[str], cell: str, index: int) -> Iterable[tuple[str, str, str]]:
    """The groups of every token of ``cell``; between tokens only blanks may stand."""
    end = 0
    for match in pattern.finditer(cell):
        if cell[end : match.start()].strip():
            break
        end = match.end()
        first, second, third = match.groups(default="")
        yield first, second, third
    if cell[end:].strip():
        raise BracketError(index, f"{cell!r} is no annotation in brackets")
