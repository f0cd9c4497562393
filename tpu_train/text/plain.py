"""Plain text: a blank line ends a document, a line is one sentence or one paragraph."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

Document = list[str]


def documents(lines: Iterable[tuple[int, str]]) -> Iterator[Document]:
    """Documents as lists of lines; the end of the file ends a document, too."""
    document: Document = []
    for _, line in lines:
        if line.strip():
            document.append(line.strip())
        elif document:
            yield document
            document = []
    if document:
        yield document
