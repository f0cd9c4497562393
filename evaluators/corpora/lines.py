"""Lines of text files, one after another: plain, gzip or Zstandard. A file is never in memory as a whole."""

from __future__ import annotations

import gzip
import hashlib
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, cast

from evaluators.errors import InputError

_CHUNK = 1 << 20


@contextmanager
def opened(path: Path) -> Iterator[BinaryIO]:
    """The decompressed bytes of ``path`` as a stream.

    Raises:
        InputError: it cannot be read, is cut short, or is packed in a way that cannot be opened here.
    """
    try:
        if path.suffix == ".zst":
            with _zstd(path) as stream:
                yield stream
        elif path.suffix == ".gz":
            with gzip.open(path) as packed:
                yield cast(BinaryIO, packed)
        else:
            with path.open("rb") as plain:
                yield plain
    except (OSError, EOFError, zlib.error) as error:
        raise InputError(f"{path} cannot be read: {error}") from error


@contextmanager
def _zstd(path: Path) -> Iterator[BinaryIO]:
    try:
        import zstandard
    except ImportError as error:
        raise InputError(f"{path}: unpack it first (zstd -d), or pip install zstandard.") from error
    try:
        with path.open("rb") as handle, zstandard.ZstdDecompressor().stream_reader(handle) as reader:
            yield cast(BinaryIO, reader)
    except zstandard.ZstdError as error:
        raise InputError(f"{path} cannot be read: {error}") from error


def numbered_lines(path: Path) -> Iterator[tuple[int, str]]:
    """Line numbers (from 1) and lines of UTF-8 text, without their ends; a byte-order mark is removed.

    Raises:
        InputError: the file cannot be read, or a line is no UTF-8; the line is named.
    """
    number = 1
    rest = b""
    with opened(path) as stream:
        while chunk := stream.read(_CHUNK):
            *whole, rest = (rest + chunk).split(b"\n")
            for line in whole:
                yield number, _text(line, path, number)
                number += 1
    if rest:
        yield number, _text(rest, path, number)


def _text(line: bytes, path: Path, number: int) -> str:
    try:
        text = line.decode("utf-8-sig" if number == 1 else "utf-8")
    except UnicodeDecodeError as error:
        found = f"the byte {line[error.start]:#04x}"
        raise InputError(f"{path}, line {number}: expected UTF-8 text, found {found}.") from error
    return text.removesuffix("\r")


def content_digest(root: Path, paths: Iterable[Path]) -> str:
    """SHA-256 over the decompressed content of files under ``root``, each with its name, in the order
    given.
    """
    total = hashlib.sha256()
    for path in paths:
        one = hashlib.sha256()
        with opened(path) as stream:
            while chunk := stream.read(_CHUNK):
                one.update(chunk)
        total.update(f"{path.relative_to(root).as_posix()}\0{one.hexdigest()}\n".encode())
    return total.hexdigest()
