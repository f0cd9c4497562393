"""Lines of text files, one after another: plain, gzip or Zstandard. A file is never in memory as a whole."""

from __future__ import annotations

import gzip
import hashlib
import io
import os
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, cast

from evaluators.errors import InputError

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

_CHUNK = 1 << 20
#: Compressed bytes that are unpacked at a time: what they hold is in memory at once.
_PACKED_CHUNK = 1 << 14
#: Bytes of the longest line: a file without line ends is no annotated text, and would be in memory whole.
LONGEST = 1 << 26


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
        with path.open("rb") as packed:
            yield io.BufferedReader(_Unpacked(packed, zstandard.ZstdDecompressor()), _CHUNK)
    except zstandard.ZstdError as error:
        raise InputError(f"{path} cannot be read: {error}") from error


class _Unpacked(io.RawIOBase):
    """The content of Zstandard frames, one after another. The library's own reader takes a file that was cut
    short for a whole one.
    """

    def __init__(self, packed: BinaryIO, decompressor: Any) -> None:
        self._packed, self._decompressor = packed, decompressor
        self._frame = decompressor.decompressobj()
        self._begun = False
        self._unpacked = io.BytesIO()

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: WriteableBuffer) -> int:
        while not (given := self._unpacked.readinto(buffer)):
            chunk = self._frame.unused_data if self._frame.eof else b""
            chunk = chunk or self._packed.read(_PACKED_CHUNK)
            if not chunk:
                if self._begun and not self._frame.eof:
                    raise EOFError("it was cut short")
                return 0
            if self._frame.eof:
                self._frame = self._decompressor.decompressobj()
            self._begun = True
            self._unpacked = io.BytesIO(self._frame.decompress(chunk))
        return given


def numbered_lines(path: Path) -> Iterator[tuple[int, str]]:
    """Line numbers (from 1) and lines of UTF-8 text, without their ends; a byte-order mark is removed.

    Raises:
        InputError: the file cannot be read, or a line is no UTF-8 or longer than ``LONGEST``; it is named.
    """
    with opened(path) as stream:
        number = 0
        while line := stream.readline(LONGEST + 1):
            number += 1
            if len(line) > LONGEST:
                raise InputError(
                    f"{path}, line {number}: expected text, found a line beyond {LONGEST:,} bytes."
                )
            yield number, _text(line.removesuffix(b"\n"), path, number)


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
        total.update(os.fsencode(path.relative_to(root)) + f"\0{one.hexdigest()}\n".encode())
    return total.hexdigest()
