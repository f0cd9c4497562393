"""A corpus: files in, documents of sentences out, and a digest that says which text it was.

The one place that knows which reader a file needs. Knows nothing of tokens.
"""

from __future__ import annotations

import hashlib
import io
import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, Any, TypeAlias, cast

from tpu_train.atomic import sha256_of_file
from tpu_train.errors import InputError
from tpu_train.text import archives, books, dump, files, plain, sentences, wikiextractor
from tpu_train.text.plain import Document

#: So many lines tell the format of a text.
_HEAD_LINES = 300


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


@dataclass(frozen=True)
class Markup:
    """A page that is still wikitext."""

    text: str


#: A document as its reader found it: lines or paragraphs, or wikitext; ``finished`` makes sentences of it.
Raw: TypeAlias = Document | Markup


def raw_documents(path: Path, at: Callable[[int], None] = lambda place: None) -> Iterator[Raw]:
    """The documents of one file, streaming, before the costly part of the work.

    The name tells archives; the beginning tells the rest: ``<mediawiki`` is a dump, ``<doc `` is
    WikiExtractor's, Gutenberg's header or lines of one width a book, all else plain text.

    Args:
        path: the file.
        at: told how many bytes of the file have been read.

    Raises:
        InputError: the file is broken; the message names the line.
    """
    with files.opened(path) as file:
        for document in _raw(file.stream, path):
            yield document
            at(file.raw.tell())


def _raw(stream: IO[bytes], path: Path) -> Iterator[Raw]:
    if archives.is_archive(path.name):
        for name, content in archives.members(stream, path):
            yield from _member(content, f"{path}: {name}", path)
        return
    buffered = cast(io.BufferedReader, stream)
    if dump.is_dump(buffered.peek(4096)):
        yield from map(Markup, dump.articles(stream, path))
    elif path.suffix == ".xml" or path.stem.endswith(".xml"):
        raise InputError(f"{path}: expected a MediaWiki dump, which begins with <mediawiki …>.")
    else:
        every, head = _with_head(files.lines(stream, path))
        if wikiextractor.is_wikiextractor(next((line for line in head if line.strip()), "")):
            yield from wikiextractor.documents(every, path)
        elif books.is_book(head):
            yield from books.documents(every)
        else:
            yield from plain.documents(every)


def _member(content: archives.Stream, where: str, path: Path) -> Iterator[Raw]:
    """The documents of an archive's member: pages of WikiExtractor, else the whole of it is one."""
    every, head = _with_head(files.lines(content.read().splitlines(), where))
    if wikiextractor.is_wikiextractor(next((line for line in head if line.strip()), "")):
        yield from wikiextractor.documents(every, path)
    elif books.is_book(head):
        yield from books.documents(every)
    else:
        whole = [line.strip() for _, line in every if line.strip()]
        if whole:
            yield whole


def _with_head(numbered: Iterator[tuple[int, str]]) -> tuple[Iterator[tuple[int, str]], list[str]]:
    """The same lines again, and the first of them."""
    head = list(itertools.islice(numbered, _HEAD_LINES))
    return itertools.chain(head, numbered), [line for _, line in head]


def finished(raw: Raw, split_sentences: bool = True) -> Document:
    """The sentences of a document; none if nothing of it is text.

    The end of a line always ends a sentence; with ``split_sentences`` a line is split further by rule.
    """
    if isinstance(raw, Markup):
        from tpu_train.text import markup

        raw = markup.paragraphs(raw.text)
    if not split_sentences:
        return raw
    return [sentence for line in raw for sentence in sentences.split(line)]


def documents_of_file(path: Path, split_sentences: bool = True) -> Iterator[Document]:
    """The documents of one file as lists of sentences, streaming.

    Raises:
        InputError: the file is broken; the message names the line.
    """
    for raw in raw_documents(path):
        document = finished(raw, split_sentences)
        if document:
            yield document


def documents(found: Sequence[files.TextFile], split_sentences: bool = True) -> Iterator[Document]:
    """The documents of all files, in order."""
    for file in found:
        yield from documents_of_file(file.path, split_sentences)
