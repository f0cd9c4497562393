"""Archives of text files, such as OpenWebText's: tar in tar, compressed in any of the usual ways, streaming.

A member is a document, or WikiExtractor's pages. Nothing is unpacked to disk.
"""

from __future__ import annotations

import lzma
import re
import tarfile
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import IO, Protocol, cast

_ARCHIVE = re.compile(r".*\.(tar(\.(gz|bz2|xz|zst))?|tgz|tbz2|txz)", re.IGNORECASE)
_TEXT = re.compile(r"(.*\.txt|wiki_\d+)", re.IGNORECASE)
#: OpenWebText's archive holds archives that are only called ``.xz``.
_PACKED = re.compile(r".*\.xz", re.IGNORECASE)
_MAGIC, _MAGIC_AT = b"ustar", 257


class Stream(Protocol):
    """Bytes that are read once, from the front."""

    def read(self, size: int = -1, /) -> bytes:
        """Up to ``size`` bytes; all of them if it is negative."""
        ...


def is_archive(name: str) -> bool:
    """Whether a file of that name is an archive."""
    return _ARCHIVE.fullmatch(name) is not None


def members(stream: Stream, path: Path) -> Iterator[tuple[str, Stream]]:
    """Names and contents of the text files in a decompressed archive, archives inside it included."""
    with tarfile.open(fileobj=cast(IO[bytes], stream), mode="r|") as archive:
        for member in archive:
            content = archive.extractfile(member) if member.isfile() else None
            if content is None:
                continue
            name = member.name.rpartition("/")[2]
            if _TEXT.fullmatch(name):
                yield member.name, content
            elif _PACKED.fullmatch(name) or is_archive(name):
                with lzma.open(content) if name.lower().endswith("xz") else nullcontext(content) as inner:
                    yield from _inside(member.name, inner, path)


def _inside(name: str, content: Stream, path: Path) -> Iterator[tuple[str, Stream]]:
    """What an inner archive holds, or an inner compressed file itself."""
    start = content.read(_MAGIC_AT + len(_MAGIC))
    whole = _Rejoined(start, content)
    if start[_MAGIC_AT:] == _MAGIC:
        yield from members(whole, path)
    elif start:
        yield name, whole


class _Rejoined:
    """A stream whose first bytes have been read already."""

    def __init__(self, start: bytes, rest: Stream) -> None:
        """``start`` comes again, then ``rest``."""
        self._start, self._rest = start, rest

    def read(self, size: int = -1, /) -> bytes:
        """Up to ``size`` bytes; all of them if it is negative."""
        if size < 0:
            found, self._start = self._start + self._rest.read(), b""
            return found
        found, self._start = self._start[:size], self._start[size:]
        return found if found else self._rest.read(size)
