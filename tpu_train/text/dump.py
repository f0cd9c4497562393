"""Wikipedia's ``pages-articles`` dumps: the wikitext of every article, streaming.

Redirects, pages outside the articles' namespace (talk, users, templates …) and empty ones are passed by.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import IO
from xml.etree import ElementTree

from tpu_train.errors import InputError

_ARTICLES = "0"


def is_dump(start: bytes) -> bool:
    """Whether a file that begins with ``start`` is a MediaWiki export."""
    return b"<mediawiki" in start[:4096]


def articles(stream: IO[bytes], path: Path) -> Iterator[str]:
    """The wikitext of every article.

    Raises:
        InputError: the XML is broken or cut off; the line is named.
    """
    events = ElementTree.iterparse(stream, events=("start", "end"))
    try:
        _, root = next(events)
        for event, element in events:
            if event == "end" and _name(element) == "page":
                text = _article(element)
                if text is not None:
                    yield text
                root.clear()
    except ElementTree.ParseError as error:
        line, column = error.position
        raise InputError(
            f"{path}, line {line:,}, column {column}: the dump is broken or cut off ({error}). "
            "Download it again and compare its checksum."
        ) from None


def _name(element: ElementTree.Element) -> str:
    """An element's name without the export format's namespace, which changes with its version."""
    return element.tag.rpartition("}")[2]


def _article(page: ElementTree.Element) -> str | None:
    """The text of a page's latest revision; None if the page is no article or has no text."""
    fields = {_name(child): child for child in page}
    namespace = fields.get("ns")
    if "redirect" in fields or (namespace is not None and namespace.text != _ARTICLES):
        return None
    revision = fields.get("revision")
    text = next((child.text for child in revision or () if _name(child) == "text"), None)
    if not text or not text.strip() or text.lstrip()[:9].lower() == "#redirect":
        return None
    return text
