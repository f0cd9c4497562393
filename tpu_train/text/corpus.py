"""A corpus: files in, documents of sentences out, and a digest that says which text it was.

The one place that knows which reader a file needs. Knows nothing of tokens.
"""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from tpu_train.atomic import sha256_of_file
from tpu_train.text import files, plain, sentences, wikiextractor
from tpu_train.text.plain import Document


@dataclass(frozen=True)
class FileMark:
    """A file as it was read. ``mtime_ns`` spares hashing it again while it has not changed."""

    name: str
    bytes: int
    mtime_ns: int
    sha256: str


@dataclass(frozen=True)
class Manifest:
    """The files of a corpus and the digest of them all (names, sizes, contents; not times)."""

    files: tuple[FileMark, ...]

    @property
    def digest(self) -> str:
        """Hexadecimal SHA-256 over the names and contents of the files, in order."""
        marks = "\n".join(f"{mark.name}\t{mark.bytes}\t{mark.sha256}" for mark in self.files)
        return hashlib.sha256(marks.encode()).hexdigest()

    @property
    def bytes(self) -> int:
        """Size of all files on disk."""
        return sum(mark.bytes for mark in self.files)

    def to_json(self) -> dict[str, Any]:
        """As stored beside the tokens."""
        return {"digest": self.digest, "files": [asdict(mark) for mark in self.files]}

    @classmethod
    def from_json(cls, table: dict[str, Any]) -> Manifest:
        """The inverse of ``to_json``."""
        return cls(tuple(FileMark(**mark) for mark in table["files"]))


def manifest(found: Sequence[files.TextFile], known: Manifest | None = None) -> Manifest:
    """Marks every file; one whose size and time are those of ``known`` is not read again."""
    before = {mark.name: mark for mark in known.files} if known else {}
    marks = []
    for file in found:
        status = file.path.stat()
        mark = before.get(file.name)
        if mark is None or (mark.bytes, mark.mtime_ns) != (status.st_size, status.st_mtime_ns):
            mark = FileMark(file.name, status.st_size, status.st_mtime_ns, sha256_of_file(file.path))
        marks.append(mark)
    return Manifest(tuple(marks))


def documents_of_file(path: Path, split_sentences: bool = True) -> Iterator[Document]:
    """The documents of one file as lists of sentences, streaming.

    The first line that is not blank tells the format: ``<doc `` is WikiExtractor, all else plain text. The
    end of a line always ends a sentence; with ``split_sentences`` a line is split further by rule.

    Raises:
        InputError: the file is broken; the message names the line.
    """
    numbered = files.lines(path)
    head: list[tuple[int, str]] = []
    for item in numbered:
        head.append(item)
        if item[1].strip():
            break
    every = itertools.chain(head, numbered)
    if head and wikiextractor.is_wikiextractor(head[-1][1]):
        raw = wikiextractor.documents(every, path)
    else:
        raw = plain.documents(every)
    for document in raw:
        if split_sentences:
            yield [sentence for line in document for sentence in sentences.split(line)]
        else:
            yield document


def documents(found: Sequence[files.TextFile], split_sentences: bool = True) -> Iterator[Document]:
    """The documents of all files, in order."""
    for file in found:
        yield from documents_of_file(file.path, split_sentences)
