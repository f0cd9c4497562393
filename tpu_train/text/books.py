"""Books and other text that is wrapped at a fixed width: lines joined to paragraphs, Gutenberg's licence cut.

One file is one document. Knows lines, not sentences.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence

from tpu_train.text.plain import Document

_START = re.compile(
    r"\*\*\* ?START OF (?:THE|THIS) PROJECT GUTENBERG|\*END[* ]*THE SMALL PRINT", re.IGNORECASE
)
_END = re.compile(
    r"\*\*\* ?END OF (?:THE|THIS) PROJECT GUTENBERG|^End of (?:the |this )?Project Gutenberg", re.IGNORECASE
)
#: The header of an old text may have no mark of its own, but names the project within so many lines.
_HEADER_LINES = 40
_NAMED = re.compile(r"project gutenberg", re.IGNORECASE)
#: Text is wrapped if so many lines or more are there, hardly any longer than this, most without an end mark.
_ENOUGH_LINES, _WIDEST = 60, 110
_END_MARK = re.compile(r"""[.!?…]["'”’)\]_*]*$""")
#: Where hardly a line is blank, one that is shorter than this share of the usual width ends its paragraph.
_SHORT, _FEW_BLANK = 0.72, 0.03


def is_book(head: Sequence[str]) -> bool:
    """Whether a text that begins with the lines ``head`` is Gutenberg's or wrapped at a fixed width."""
    if any(_START.search(line) for line in head) or any(map(_NAMED.search, head[:_HEADER_LINES])):
        return True
    filled = [line.strip() for line in head if line.strip()]
    if len(filled) < _ENOUGH_LINES:
        return False
    open_ended = sum(_END_MARK.search(line) is None for line in filled)
    return 40 <= _width(filled) <= _WIDEST and open_ended > 0.5 * len(filled)


def documents(lines: Iterable[tuple[int, str]]) -> Iterator[Document]:
    """The book as one document of paragraphs; none if nothing is left between header and footer."""
    text = _between_marks([line.strip() for _, line in lines])
    paragraphs = _paragraphs(text)
    if paragraphs:
        yield paragraphs


def _between_marks(lines: list[str]) -> list[str]:
    """What stands after the last start mark and before the first end mark that follows."""
    starts = [place for place, line in enumerate(lines) if _START.search(line)]
    first = starts[-1] + 1 if starts else 0
    last = next((place for place in range(first, len(lines)) if _END.search(lines[place])), len(lines))
    return lines[first:last]


def _paragraphs(lines: list[str]) -> list[str]:
    """Lines joined until a blank one or, in text without blank ones, one that ends well before the others."""
    filled = [line for line in lines if line]
    unmarked = len(lines) - len(filled) < _FEW_BLANK * len(lines)
    least = _SHORT * _width(filled) if unmarked else 0.0
    paragraphs: list[str] = []
    open_lines: list[str] = []
    for line in lines:
        if line:
            open_lines.append(line)
        if open_lines and (not line or len(line) < least):
            paragraphs.append(" ".join(open_lines))
            open_lines = []
    if open_lines:
        paragraphs.append(" ".join(open_lines))
    return paragraphs


def _width(filled: Sequence[str]) -> int:
    """The width that nineteen lines in twenty keep to."""
    lengths = sorted(map(len, filled))
    return lengths[len(lengths) * 19 // 20] if lengths else 0
