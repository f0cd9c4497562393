"""WikiExtractor's output: ``<doc id=… title=…>``, the title, a blank line, paragraphs, ``</doc>``.

The title line is dropped, as are pages that have nothing else (redirects, stubs of templates).
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from tpu_train.errors import InputError
from tpu_train.text.plain import Document

_OPEN = re.compile(r'<doc\b[^>]*\btitle="(.*)">\s*$')


def is_wikiextractor(first_line: str) -> bool:
    """Whether a file that begins with ``first_line`` is WikiExtractor's."""
    return first_line.startswith("<doc ")


def documents(lines: Iterable[tuple[int, str]], path: Path) -> Iterator[Document]:
    """Pages as lists of paragraphs.

    Raises:
        InputError: text outside ``<doc>``, or a page that is not closed; file and line are named.
    """
    document: Document | None = None
    title, opened = "", 0
    for number, line in lines:
        if line.startswith("<doc "):
            header = _OPEN.match(line)
            if document is not None or header is None:
                problem = f"the page of line {opened} is not closed" if header else "a broken <doc …> line"
                raise InputError(
                    f"{path}, line {number}: {problem}; expected WikiExtractor's <doc> … </doc>."
                )
            document, title, opened = [], html.unescape(header[1]), number
        elif line.startswith("</doc>"):
            if document is None:
                raise InputError(f"{path}, line {number}: </doc> without a <doc …> before it.")
            if document:
                yield document
            document = None
        elif line.strip():
            if document is None:
                raise InputError(f"{path}, line {number}: text outside <doc> … </doc>: {line[:60]!r}.")
            if number != opened + 1 or html.unescape(line.strip()) != title:
                document.append(line.strip())
    if document is not None:
        raise InputError(f"{path}: the page of line {opened} is not closed; the file may be cut off.")
