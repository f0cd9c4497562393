"""What CoNLL-2012 and PropBank files share: rows of blank-separated columns, a blank line after each
sentence, and sentences put together from such rows. Knows neither format's columns: the two readers say which
is which.

A fault costs the annotation that it stands in, never its neighbours: an unbalanced tree the sentence's
constituents, an overlapping argument its proposition, a row cut short the sentence.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from evaluators.corpora.annotated import PREDICATE, Findings, LabelledSpan, Proposition
from evaluators.corpora.brackets import BracketError, read_parse_bits, read_spans

#: Columns are parted by blanks and tabs; other white space, such as a no-break space, may be part of a word.
_CELL = re.compile(r"\S+", re.ASCII)
#: What treebanks write for characters that mean something in a bracketed tree.
_ESCAPES = {
    "-LRB-": "(",
    "-RRB-": ")",
    "-LSB-": "[",
    "-RSB-": "]",
    "-LCB-": "{",
    "-RCB-": "}",
    "/.": ".",
    "/?": "?",
    "/-": "-",
}


@dataclass(frozen=True)
class Row:
    """One word's columns, and the line they stand in."""

    line: int
    cells: list[str]


@dataclass(frozen=True)
class Header:
    """A line that starts with ``#``."""

    line: int
    text: str


def blocks(lines: Iterable[tuple[int, str]]) -> Iterator[Header | list[Row]]:
    """Sentences as lists of rows, and the header lines between them."""
    rows: list[Row] = []
    for number, line in lines:
        header = line.startswith(("#begin ", "#end "))
        if rows and (header or not line.strip()):
            yield rows
            rows = []
        if header:
            yield Header(number, line)
        elif line.strip():
            rows.append(Row(number, _CELL.findall(line)))
    if rows:
        yield rows


def plain_word(form: str) -> str:
    """A word as running text has it: ``-LRB-`` is ``(``, ``/.`` is ``.``."""
    return _ESCAPES.get(form, form)


def constituents(
    path: Path, rows: Sequence[Row], column: int, findings: Findings
) -> tuple[LabelledSpan, ...] | None:
    """The constituents that ``column`` spells; None where it spells none, or they are not balanced."""
    bits = [row.cells[column] for row in rows]
    if all(bit in ("-", "*", "_") for bit in bits):
        return None
    try:
        return read_parse_bits(bits)
    except BracketError as error:
        findings.fault(path, rows[error.index].line, "constituents of a sentence left out", str(error))
        return None


def propositions(
    path: Path, rows: Sequence[Row], first: int, last: int, findings: Findings
) -> tuple[Proposition, ...]:
    """The propositions of the columns ``first`` up to ``last``, one a predicate; faulty ones are left out."""
    found = []
    for column in range(first, last):
        try:
            spans = read_spans([row.cells[column] for row in rows])
        except BracketError as error:
            findings.fault(path, rows[error.index].line, "proposition left out", str(error))
            continue
        predicates = [span for span in spans if span.label == PREDICATE]
        if len(predicates) != 1:
            detail = f"expected one predicate (V) in column {column + 1}, found {len(predicates)}"
            findings.fault(path, rows[0].line, "proposition left out", detail)
            continue
        arguments = tuple(span for span in spans if span is not predicates[0])
        found.append(Proposition((predicates[0].start, predicates[0].end), arguments))
    return tuple(found)


def ragged(path: Path, rows: Sequence[Row], least: int, findings: Findings) -> bool:
    """Whether a row of the sentence has fewer columns than ``least`` or than the sentence's first row;
    noted.
    """
    width = len(rows[0].cells)
    for row in rows:
        if len(row.cells) < least or len(row.cells) != width:
            detail = f"expected {max(width, least)} columns, found {len(row.cells)}"
            findings.fault(path, row.line, "sentence left out", detail)
            return True
    return False
