"""Finding a corpus's files, decompressing them, reading lines. Knows encodings, not formats of text."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import re
import tarfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, cast

import zstandard

from tpu_train.errors import InputError

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

#: In a folder, files of these names are read; a file that is named itself is always read.
_NAMES = re.compile(
    r"(.*\.txt|wiki_\d+|.*pages-articles.*\.xml|.*\.tar)(\.gz|\.bz2|\.xz|\.zst)?|.*\.t(gz|bz2|xz)",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class TextFile:
    """A file of a corpus. ``name`` is its path below what the user named, the same on every machine."""

    name: str
    path: Path


def find(sources: Sequence[Path]) -> list[TextFile]:
    """The text files of folders (searched through, in the order of their names) and of files named directly.

    Raises:
        InputError: a source that does not exist, or no text file at all.
    """
    found: list[TextFile] = []
    for source in sources:
        if source.is_dir():
            inside = sorted(
                (path for path in source.rglob("*") if path.is_file() and _NAMES.fullmatch(path.name)),
                key=lambda path: path.relative_to(source).as_posix(),
            )
            found += [TextFile(path.relative_to(source).as_posix(), path) for path in inside]
        elif source.is_file():
            found.append(TextFile(source.name, source))
        else:
            raise InputError(f"No corpus at {source}: expected a folder of text files, or a text file.")
    if not found:
        raise InputError(
            f"No text in {', '.join(map(str, sources))}: expected files named *.txt or wiki_NN "
            "(also .gz, .bz2, .xz, .zst), *pages-articles*.xml.bz2, or archives (*.tar.xz and so on)."
        )
    return found


class _Zstandard(io.RawIOBase):
    """A zstd file's content; unlike ``zstandard.open``, an archive that was cut off is an error."""

    def __init__(self, file: IO[bytes]) -> None:
        """Reads from ``file``."""
        self._file = file
        self._frame = zstandard.ZstdDecompressor().decompressobj()
        self._begun = False
        self._rest = b""

    def readable(self) -> bool:
        """Always."""
        return True

    def readinto(self, target: WriteableBuffer) -> int:
        """Fills ``target`` from the archive; 0 at its end."""
        view = memoryview(target).cast("B")
        while not self._rest:
            if self._frame.eof:
                packed = self._frame.unused_data
                self._frame, self._begun = zstandard.ZstdDecompressor().decompressobj(), False
            else:
                packed = b""
            packed = packed or self._file.read(1 << 16)
            if not packed:
                if self._begun:
                    raise EOFError("it ends in the middle of a frame")
                return 0
            self._begun = True
            self._rest = self._frame.decompress(packed)
        count = min(len(view), len(self._rest))
        view[:count], self._rest = self._rest[:count], self._rest[count:]
        return count

    def close(self) -> None:
        """Leaves the file to whoever opened it."""
        super().close()


@dataclass(frozen=True)
class Opened:
    """A file's decompressed content, and the file itself, whose place tells how far reading has come."""

    stream: IO[bytes]
    raw: IO[bytes]


@contextmanager
def opened(path: Path) -> Iterator[Opened]:
    """Opens a file, decompressing by its name; whatever breaks while it is read is told with its name.

    Raises:
        InputError: a broken or cut-off compressed file, or one that cannot be read.
    """
    try:
        with path.open("rb") as raw, _decompressed(raw, path.suffix.lower()) as stream:
            yield Opened(stream, raw)
    except (EOFError, gzip.BadGzipFile, lzma.LZMAError, tarfile.TarError, zstandard.ZstdError) as error:
        raise InputError(
            f"{path}: a broken or cut-off file ({error}). Download it again and compare its checksum."
        ) from None
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error}).") from None


def _decompressed(raw: IO[bytes], suffix: str) -> IO[bytes]:
    match suffix:
        case ".gz" | ".tgz":
            return cast(IO[bytes], gzip.open(raw, "rb"))
        case ".bz2" | ".tbz2":
            return cast(IO[bytes], bz2.open(raw, "rb"))
        case ".xz" | ".txz":
            return cast(IO[bytes], lzma.open(raw, "rb"))
        case ".zst":
            return io.BufferedReader(_Zstandard(raw))
        case _:
            return io.BufferedReader(cast(io.RawIOBase, raw))


def lines(content: Iterable[bytes], where: Path | str) -> Iterator[tuple[int, str]]:
    """The lines of a text, numbered from 1, without their line ends.

    Raises:
        InputError: a line that is not UTF-8; ``where`` and the line are named.
    """
    number = 0
    try:
        for number, line in enumerate(content, 1):
            yield number, line.decode("utf-8-sig" if number == 1 else "utf-8").rstrip("\r\n")
    except UnicodeDecodeError as error:
        raise InputError(
            f"{where}, line {number}: not UTF-8 (byte 0x{error.object[error.start]:02x} at column "
            f"{error.start + 1}). Convert the file to UTF-8, or leave it out."
        ) from None
