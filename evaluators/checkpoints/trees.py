"""Folders of files, on this machine or behind a URL that fsspec knows (gs://, s3://, …). Bytes and listings;
knows nothing of models.
"""

from __future__ import annotations

import contextlib
import os
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import Any

from evaluators.errors import InputError

#: What object stores call the mark that changes with a file's content, most telling first.
_STAMPS = (
    "etag",
    "ETag",
    "md5Hash",
    "crc32c",
    "content_md5",
    "generation",
    "mtime",
    "LastModified",
    "updated",
    "created",
)


@dataclass(frozen=True)
class Entry:
    """A file. ``stamp`` changes when the content does; it is empty where the storage has no such mark."""

    size: int
    stamp: str


class Tree(ABC):
    """A folder. Whatever goes wrong in reading raises ``OSError``."""

    @property
    @abstractmethod
    def uri(self) -> str:
        """Where it lies, as a user would write it."""

    @property
    @abstractmethod
    def name(self) -> str:
        """Its own name, without those above it."""

    @abstractmethod
    def folders(self) -> tuple[str, ...]:
        """The names of the folders in it, sorted; none where it does not exist."""

    @abstractmethod
    def files(self, depth: int) -> Mapping[str, Entry]:
        """Path below this folder → file, down to ``depth`` levels (1: its own files alone)."""

    @abstractmethod
    def child(self, name: str) -> Tree:
        """The folder ``name`` in this one."""

    @abstractmethod
    def read(self, path: str, most: int | None = None) -> bytes:
        """The file's content, or its first ``most`` bytes."""

    @abstractmethod
    def stamp(self, path: str) -> str:
        """The file's mark as it is now."""

    def local(self, path: str) -> Path | None:
        """The path on this machine, where there is one."""
        return None

    def at(self, path: str) -> str:
        """A file's place, as a user would write it."""
        return f"{self.uri}/{path}"

    def lasting(self, path: str) -> str:
        """A name of the file under which something about it may be remembered."""
        return self.at(path)


@dataclass(frozen=True)
class LocalTree(Tree):
    """A folder on this machine."""

    path: Path

    @property
    def uri(self) -> str:
        """The path."""
        return str(self.path)

    @property
    def name(self) -> str:
        """The folder's name."""
        return self.path.resolve().name

    def folders(self) -> tuple[str, ...]:
        """Sub-folders, links to folders among them."""
        return tuple(sorted(p.name for p in self.path.iterdir() if p.is_dir())) if self.path.is_dir() else ()

    def files(self, depth: int) -> Mapping[str, Entry]:
        """One ``stat`` a file."""
        found: dict[str, Entry] = {}
        if self.path.is_dir():
            _walk(self.path, "", depth, found)
        return found

    def child(self, name: str) -> Tree:
        """The folder ``name``."""
        return LocalTree(self.path / name)

    def read(self, path: str, most: int | None = None) -> bytes:
        """The content, or its start."""
        with (self.path / path).open("rb") as handle:
            return handle.read(-1 if most is None else most)

    def stamp(self, path: str) -> str:
        """Size and time of change."""
        return _mark((self.path / path).stat())

    def local(self, path: str) -> Path | None:
        """The file itself."""
        return self.path / path

    def lasting(self, path: str) -> str:
        """The path, whatever the working folder is."""
        return str((self.path / path).resolve())


def _walk(folder: Path, before: str, depth: int, found: dict[str, Entry]) -> None:
    with os.scandir(folder) as entries:
        for entry in sorted(entries, key=lambda e: e.name):
            # What is gone since (a training run renames and prunes) is not there.
            with contextlib.suppress(FileNotFoundError):
                if entry.is_file():
                    stat = entry.stat()
                    found[before + entry.name] = Entry(stat.st_size, _mark(stat))
                elif depth > 1 and entry.is_dir():
                    _walk(folder / entry.name, f"{before}{entry.name}/", depth - 1, found)


def _mark(stat: os.stat_result) -> str:
    return f"{stat.st_size}-{stat.st_mtime_ns}"


@dataclass(frozen=True)
class UrlTree(Tree):
    """A folder behind a URL, through fsspec. Listings are never taken from fsspec's own cache."""

    url: str

    @property
    def uri(self) -> str:
        """The URL."""
        return self.url

    @property
    def name(self) -> str:
        """The URL's last part."""
        return self.url.rstrip("/").rpartition("/")[2]

    @cached_property
    def _opened(self) -> tuple[Any, str]:
        import fsspec

        try:
            system, path = fsspec.core.url_to_fs(self.url)
        except (ImportError, ValueError) as error:
            kind = self.url.partition("://")[0]
            raise InputError(
                f"{self.url} cannot be opened: {error}. gs:// needs pip install gcsfs, s3:// s3fs, and "
                f"{kind}:// whatever fsspec names for it."
            ) from error
        return system, path.rstrip("/")

    def __getstate__(self) -> dict[str, Any]:
        """The URL alone travels to other processes."""
        return {"url": self.url}

    def folders(self) -> tuple[str, ...]:
        """Prefixes directly below this one."""
        system, path = self._opened
        try:
            listed = system.ls(path, detail=True, refresh=True)
        except FileNotFoundError:
            return ()
        except Exception as error:
            raise _as_os_error(error, self.url) from error
        names = (e["name"].rstrip("/").rpartition("/")[2] for e in listed if e["type"] == "directory")
        return tuple(sorted(names))

    def files(self, depth: int) -> Mapping[str, Entry]:
        """One listing for all levels."""
        system, path = self._opened
        try:
            system.invalidate_cache()
            listed = system.find(path, maxdepth=depth, detail=True)
        except FileNotFoundError:
            return {}
        except Exception as error:
            raise _as_os_error(error, self.url) from error
        root = path.lstrip("/") + "/"
        return {
            name.lstrip("/").removeprefix(root): _entry(info)
            for name, info in sorted(listed.items())
            if info["type"] == "file"
        }

    def child(self, name: str) -> Tree:
        """The prefix below this one."""
        return UrlTree(f"{self.url.rstrip('/')}/{name}")

    def read(self, path: str, most: int | None = None) -> bytes:
        """The content, or its start, in one request."""
        system, root = self._opened
        try:
            return bytes(system.cat_file(f"{root}/{path}", start=0 if most else None, end=most))
        except Exception as error:
            raise _as_os_error(error, self.at(path)) from error

    def stamp(self, path: str) -> str:
        """The mark that the storage keeps."""
        system, root = self._opened
        try:
            return _entry(system.info(f"{root}/{path}", refresh=True)).stamp
        except TypeError:  # not every file system can be asked to look again
            return _entry(system.info(f"{root}/{path}")).stamp
        except Exception as error:
            raise _as_os_error(error, self.at(path)) from error


def _entry(info: Mapping[str, Any]) -> Entry:
    size = int(info.get("size") or 0)
    mark = next((info[key] for key in _STAMPS if info.get(key)), None)
    if isinstance(mark, datetime):  # some listings give times as dates, others as seconds
        mark = mark.timestamp()
    return Entry(size, "" if mark is None else f"{size}-{mark}")


def _as_os_error(error: Exception, where: str) -> OSError:
    """Every storage has errors of its own; to the reader they are all one: it cannot be read."""
    if isinstance(error, OSError):
        return error
    return OSError(f"{where} cannot be read: {type(error).__name__}: {error}")


def tree_at(where: str) -> Tree:
    """The folder that a user named: a path, or a URL."""
    if "://" in where:
        kind, _, path = where.partition("://")
        return LocalTree(Path(path)) if kind == "file" else UrlTree(where.rstrip("/"))
    return LocalTree(Path(where).expanduser())
