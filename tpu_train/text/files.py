"""Finding a corpus's files and reading their lines. Knows compression and encodings, not formats of text."""

from __future__ import annotations

import bz2
import gzip
import io
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, cast

import zstandard

from tpu_train.errors import InputError

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

#: In a folder, files of these names are read; a file that is named itself is always read.
_NAMES = re.compile(r"(.*\.txt|wiki_\d+)(\.gz|\.bz2|\.zst)?", re.IGNORECASE)


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
            "(also .gz, .bz2, .zst)."
        )
    return found


class _Zstandard(io.RawIOBase):
    """A zstd file's content; unlike ``zstandard.open``, an archive that was cut off is an error."""

    def __init__(self, path: Path) -> None:
        """Opens ``path``."""
        self._file = path.open("rb")
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
        """Closes the file."""
        self._file.close()
        super().close()


def _open(path: Path) -> IO[bytes]:
    match path.suffix.lower():
        case ".gz":
            return cast(IO[bytes], gzip.open(path, "rb"))
        case ".bz2":
            return cast(IO[bytes], bz2.open(path, "rb"))
        case ".zst":
            return io.BufferedReader(_Zstandard(path))
        case _:
            return path.open("rb")


def lines(path: Path) -> Iterator[tuple[int, str]]:
    """The lines of a text file, numbered from 1, without their line ends.

    Raises:
        InputError: a line that is not UTF-8 (file and line are named), or a broken compressed file.
    """
    number = 0
    try:
        with _open(path) as file:
            for number, raw in enumerate(file, 1):
                yield number, raw.decode("utf-8-sig" if number == 1 else "utf-8").rstrip("\r\n")
    except UnicodeDecodeError as error:
        raise InputError(
            f"{path}, line {number}: not UTF-8 (byte 0x{error.object[error.start]:02x} at column "
            f"{error.start + 1}). Convert the file to UTF-8, or leave it out."
        ) from None
    except (EOFError, gzip.BadGzipFile, zstandard.ZstdError) as error:
        raise InputError(f"{path}, after line {number}: broken compressed file ({error}).") from None
    except OSError as error:
        raise InputError(f"{path}, after line {number}: cannot be read ({error}).") from None
