"""Whole-or-nothing writes: a name exists with all of its content, or not at all, on disk and in buckets.

Knows files and folders; not what is in them. On disk a folder is renamed when all of it stands. An object
store cannot do that: there a folder's files are written one by one, and whoever reads it waits for the last
of them (``COMPLETE.json``).
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

from tpu_train import places
from tpu_train.errors import CouldNotFinishError
from tpu_train.places import Bucket, Place

#: What the operating system says when nothing more fits: device full, quota used up, file-size limit.
FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
#: In the name of everything that is still being written. Left over only by a killed process.
PARTIAL = ".partial"


@contextmanager
def explained_when_full(path: Place) -> Iterator[None]:
    """Turns "no space left" while writing ``path`` into a message that says what to do.

    Raises:
        CouldNotFinishError: the device, quota or file-size limit is used up.
    """
    try:
        yield
    except OSError as error:
        if error.errno not in FULL:
            raise
        free = ""
        if isinstance(path, Path) and path.parent.is_dir():
            free = f"; {shutil.disk_usage(path.parent).free / 1e6:,.1f} MB free"
        raise CouldNotFinishError(
            f"No space left while writing {path} ({error.strerror}{free}). "
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


@contextmanager
def _synced(path: Place) -> Iterator[BinaryIO]:
    """A new file, all of it stored when the block ends."""
    if isinstance(path, Bucket):
        with path.writing() as remote:
            yield remote
        return
    with path.open("wb") as file:
        yield file
        file.flush()
        os.fsync(file.fileno())


def write_with(path: Place, write: Callable[[BinaryIO], object]) -> None:
    """Gives ``write`` an open file and renames it to ``path`` when all of it is stored."""
    partial = path.with_name(path.name + PARTIAL)
    with explained_when_full(path):
        try:
            with _synced(partial) as file:
                write(file)
            if isinstance(partial, Path) and isinstance(path, Path):
                partial.replace(path)
                sync_folder(path.parent)
            elif isinstance(partial, Bucket) and isinstance(path, Bucket):
                partial.replace(path)
        except BaseException:
            with suppress(OSError):
                partial.unlink(missing_ok=True)
            raise


def write_bytes(path: Place, content: bytes) -> None:
    """Writes ``content`` to ``path``, whole or not at all."""
    write_with(path, lambda file: file.write(content))


def append(path: Place, content: bytes) -> None:
    """Adds ``content`` to a file and waits until it is stored. Objects cannot grow: they are written anew."""
    if isinstance(path, Bucket):
        before = path.read_bytes() if path.exists() else b""
        write_bytes(path, before + content)
        return
    with explained_when_full(path), path.open("ab") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def copy(source: Place, target: Place) -> None:
    """Copies a file of any size, whole or not at all."""
    with places.reading(source) as file:
        write_with(target, lambda to: places.copy(file, to))


def as_json(content: Mapping[str, Any]) -> bytes:
    """JSON as people read it: indented, keys in the order given, one newline at the end."""
    return (json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False) + "\n").encode()


def write_json(path: Place, content: Mapping[str, Any]) -> None:
    """Writes ``content`` as JSON, whole or not at all."""
    write_bytes(path, as_json(content))


def write_folder(folder: Place, files: Mapping[str, bytes]) -> None:
    """Writes ``files`` (in their order, ``inner/name`` one folder below) as ``folder``.

    An older folder of that name is replaced. In a bucket the last file says that the folder is whole: it goes
    first from an older one, and comes last.
    """
    if isinstance(folder, Bucket):
        _write_objects(folder, files)
        return
    partial = folder.with_name(folder.name + PARTIAL)
    with explained_when_full(folder):
        try:
            shutil.rmtree(partial, ignore_errors=True)
            partial.mkdir()
            for name, content in files.items():
                (partial / name).parent.mkdir(exist_ok=True)
                with _synced(partial / name) as file:
                    file.write(content)
            for inside in {(partial / name).parent for name in files}:
                sync_folder(inside)
            sync_folder(partial)
            shutil.rmtree(folder, ignore_errors=True)
            partial.rename(folder)
            sync_folder(folder.parent)
        except BaseException:
            shutil.rmtree(partial, ignore_errors=True)
            raise


def _write_objects(folder: Bucket, files: Mapping[str, bytes]) -> None:
    remove_folder(folder, [*files][-1])
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        write_bytes(folder / name, content)


def remove_folder(folder: Place, last: str) -> int:
    """Removes a folder so that a reader who waits for its ``last`` file never takes half of it for whole.

    Returns:
        The bytes that its files had.
    """
    if not folder.is_dir():
        return 0
    size = sum(places.size(path) for path in places.files_below(folder))
    (folder / last).unlink(missing_ok=True)
    if isinstance(folder, Bucket):
        folder.remove_folder()
    else:
        partial = folder.with_name(folder.name + PARTIAL)
        folder.rename(partial)
        shutil.rmtree(partial)
    return size


def remove_partial(folder: Place) -> None:
    """Removes what a killed process left half-written directly inside ``folder``."""
    for path in folder.glob(f"*{PARTIAL}"):
        if isinstance(path, Bucket):
            path.remove_folder()
            path.unlink(missing_ok=True)
        elif path.is_dir():
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
