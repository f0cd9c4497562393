"""Text files as they come: plain, gzip or Zstandard; read once, digested by their decompressed content."""

from __future__ import annotations

import gzip
import hashlib
import json
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from evaluators.errors import InputError

_PACKED = (".gz", ".zst")


def stem(path: Path, suffix: str) -> str | None:
    """``path``'s name without ``suffix`` (packed or not), or None where it has another one."""
    name = path.name
    for packing in ("", *_PACKED):
        if name.endswith(suffix + packing):
            return name.removesuffix(packing).removesuffix(suffix)
    return None


def read_bytes(path: Path) -> bytes:
    """The decompressed content of ``path``.

    Raises:
        InputError: it cannot be read, is cut short, or is packed in a way that cannot be opened here.
    """
    try:
        if path.suffix == ".zst":
            return _unzstd(path)
        data = path.read_bytes()
        return gzip.decompress(data) if path.suffix == ".gz" else data
    except (OSError, EOFError, zlib.error) as error:
        raise InputError(f"{path} cannot be read: {error}") from error


def _unzstd(path: Path) -> bytes:
    try:
        import zstandard
    except ImportError as error:
        raise InputError(f"{path}: unpack it first (zstd -d), or pip install zstandard.") from error
    packed, parts = path.read_bytes(), []
    try:
        while packed:
            frame = zstandard.ZstdDecompressor().decompressobj()
            parts.append(frame.decompress(packed))
            if not frame.eof:
                raise InputError(f"{path} cannot be read: it was cut short.")
            packed = frame.unused_data
    except zstandard.ZstdError as error:
        raise InputError(f"{path} cannot be read: {error}") from error
    return b"".join(parts)


def decode(data: bytes, path: Path) -> str:
    """UTF-8 text, a byte-order mark removed.

    Raises:
        InputError: other bytes; the line is named.
    """
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise InputError(
            f"{path}, line {line}: expected UTF-8 text, found the byte {data[error.start]:#04x}."
        ) from error


def json_lines(data: bytes, path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """Line numbers (from 1) and objects of a JSON-lines file; empty lines are passed by.

    Raises:
        InputError: a line holds anything else; file and line are named.
    """
    for number, line in enumerate(decode(data, path).split("\n"), start=1):
        if not line.strip():
            continue
        try:
            value = json.loads(line)
        except json.JSONDecodeError as error:
            raise InputError(
                f"{path}, line {number}: expected a JSON object, found {line[:60]!r}."
            ) from error
        if not isinstance(value, dict):
            raise InputError(f"{path}, line {number}: expected a JSON object, found {line[:60]!r}.")
        yield number, value


def digest(parts: Iterable[tuple[str, bytes]]) -> str:
    """SHA-256 over named contents, in the order given."""
    total = hashlib.sha256()
    for name, data in parts:
        total.update(f"{name}\0{len(data)}\0".encode())
        total.update(data)
    return total.hexdigest()
