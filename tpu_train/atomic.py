"""Whole-or-nothing writes to disk: a name exists with all of its content, or not at all.

Knows files and folders; not what is in them.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO

from tpu_train.errors import CouldNotFinishError

#: What the operating system says when nothing more fits: device full, quota used up, file-size limit.
FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
#: In the name of everything that is still being written. Left over only by a killed process.
PARTIAL = ".partial"


@contextmanager
def explained_when_full(path: Path) -> Iterator[None]:
    """Turns "no space left" while writing ``path`` into a message that says what to do.

    Raises:
        CouldNotFinishError: the device, quota or file-size limit is used up.
    """
    try:
        yield
    except OSError as error:
        if error.errno not in FULL:
            raise
        free = shutil.disk_usage(path.parent).free if path.parent.is_dir() else 0
        raise CouldNotFinishError(
            f"No space left while writing {path} ({error.strerror}; {free / 1e6:,.1f} MB free). "
            "Nothing half-written was kept. Free some space and run the same command again: "
            "it goes on from the last saved state."
        ) from error


def sync_folder(folder: Path) -> None:
    """Makes renames inside ``folder`` survive a power cut."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_with(path: Path, write: Callable[[BinaryIO], object]) -> None:
    """Gives ``write`` an open file and renames it to ``path`` when all of it is on disk."""
    partial = path.with_name(path.name + PARTIAL)
    with explained_when_full(path):
        try:
            with partial.open("wb") as file:
                write(file)
                file.flush()
                os.fsync(file.fileno())
            partial.replace(path)
            sync_folder(path.parent)
        except BaseException:
            with suppress(OSError):
                partial.unlink(missing_ok=True)
            raise


def write_bytes(path: Path, content: bytes) -> None:
    """Writes ``content`` to ``path``, whole or not at all."""
    write_with(path, lambda file: file.write(content))


def as_json(content: Mapping[str, Any]) -> bytes:
    """JSON as people read it: indented, keys in the order given, one newline at the end."""
    return (json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False) + "\n").encode()


def write_json(path: Path, content: Mapping[str, Any]) -> None:
    """Writes ``content`` as JSON, whole or not at all."""
    write_bytes(path, as_json(content))


def write_folder(folder: Path, files: Mapping[str, bytes]) -> None:
    """Writes ``files`` (in their order, ``inner/name`` one folder below) and renames them to ``folder``.

    An older folder of that name is replaced.
    """
    partial = folder.with_name(folder.name + PARTIAL)
    with explained_when_full(folder):
        try:
            shutil.rmtree(partial, ignore_errors=True)
            partial.mkdir()
            for name, content in files.items():
                (partial / name).parent.mkdir(exist_ok=True)
                with (partial / name).open("wb") as file:
                    file.write(content)
                    file.flush()
                    os.fsync(file.fileno())
            for inside in {(partial / name).parent for name in files}:
                sync_folder(inside)
            sync_folder(partial)
            shutil.rmtree(folder, ignore_errors=True)
            partial.rename(folder)
            sync_folder(folder.parent)
        except BaseException:
            shutil.rmtree(partial, ignore_errors=True)
            raise


def remove_partial(folder: Path) -> None:
    """Removes what a killed process left half-written directly inside ``folder``."""
    for path in folder.glob(f"*{PARTIAL}"):
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)


def sha256(content: bytes) -> str:
    """Hexadecimal SHA-256 of ``content``."""
    return hashlib.sha256(content).hexdigest()


def sha256_of_file(path: Path) -> str:
    """Hexadecimal SHA-256 of a file, read in pieces."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
