"""``embryo-train text``: raw dumps, archives and books into a folder of plain text, once, in parallel.

One process reads and decompresses, others turn wikitext into sentences, and the first writes what is new in
the order it was read. Parts are closed at a fixed size and never change; a build that was stopped goes on
after its last whole part, so that the same sources give the same parts. Knows no tokens.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, dataclass, fields
from functools import partial
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import zstandard

from tpu_train import atomic
from tpu_train.errors import InputError
from tpu_train.text import corpus, files
from tpu_train.text.corpus import Markup, Raw
from tpu_train.text.plain import Document
from tpu_train.text.seen import Seen, digest

MANIFEST = "manifest.json"
#: Characters of raw text that travel to a process at a time, and of sentences in a part.
_BATCH, _PART = 1_000_000, 16_000_000
#: Batches that wait for each process: enough to keep it busy, few enough to bound memory.
_WAITING = 3
_VERSION = 1

#: Told bytes read, bytes in all, and a few words.
Report: TypeAlias = Callable[[int, int, str], None]


@dataclass(frozen=True)
class Counts:
    """What a part, or all of them, hold and what was left out."""

    documents: int = 0
    sentences: int = 0
    words: int = 0
    characters: int = 0
    duplicates: int = 0
    empty: int = 0

    def __add__(self, other: Counts) -> Counts:
        """Both together."""
        return Counts(*(getattr(self, f.name) + getattr(other, f.name) for f in fields(Counts)))


@dataclass(frozen=True)
class _Place:
    """How far reading has come: so many documents of the ``file``-th source."""

    file: int = 0
    documents: int = 0


@dataclass(frozen=True)
class _Batch:
    """Raw documents that travel together, and where reading stands after them."""

    raw: list[Raw]
    after: _Place
    bytes_read: int


#: A document's sentences and digest; no sentences: nothing of it is text.
_Done: TypeAlias = tuple[Document, int]


def build(sources: Sequence[Path], out: Path, processes: int, report: Report) -> Counts:
    """Builds the folder, or goes on with it.

    Args:
        sources: dumps, archives, folders and files, in any format that a corpus may have.
        out: the folder: parts of text, one sentence a line and a blank line after a document, and a manifest.
        processes: that turn raw text into sentences; 1 does everything in this one.
        report: told about progress.

    Raises:
        InputError: a source is broken, nothing is left, or ``out`` was built from other sources.
        CouldNotFinishError: no space left.
    """
    found = files.find(sources)
    out.mkdir(parents=True, exist_ok=True)
    atomic.remove_partial(out)
    _refuse_others(out, found)
    if (out / MANIFEST).is_file():
        return Counts(**json.loads((out / MANIFEST).read_text("utf-8"))["counts"])
    parts = _Parts(out)
    total = sum(file.path.stat().st_size for file in found)
    begin = time.monotonic()
    for batch, done in _worked(_batches(found, parts.place), processes):
        parts.add(done, batch.after)
        minutes = max(time.monotonic() - begin, 1e-9) / 60
        report(batch.bytes_read, total, f"{parts.told}, {parts.new_characters / 1e6 / minutes:,.0f} MB/min")
    counts = parts.close()
    if not counts.documents:
        raise InputError(
            f"The sources are empty: no text was found in {len(found)} files "
            f"({counts.empty:,} pages without text). Nothing was built."
        )
    about = {"schema_version": _VERSION, "counts": asdict(counts), "parts": parts.described()}
    atomic.write_json(out / MANIFEST, about | {"sources": corpus.manifest(found).to_json()})
    return counts


def _refuse_others(out: Path, found: Sequence[files.TextFile]) -> None:
    """Notes names and sizes of the sources; refuses to go on with others."""
    path = out / "sources.json"
    asked = {"files": [{"name": file.name, "bytes": file.path.stat().st_size} for file in found]}
    if path.is_file() and json.loads(path.read_text("utf-8")) != asked:
        raise InputError(
            f"{out} was begun from other sources (names or sizes differ from {path.name} there). "
            "Give the same sources again, or another --out."
        )
    atomic.write_json(path, asked)


def _batches(found: Sequence[files.TextFile], start: _Place) -> Iterator[_Batch]:
    """Raw documents from ``start`` on, some million characters at a time."""
    before = sum(file.path.stat().st_size for file in found[: start.file])
    for number, file in enumerate(found[start.file :], start.file):
        done = start.documents if number == start.file else 0
        read, size, raw = [0], 0, list[Raw]()
        for place, document in enumerate(corpus.raw_documents(file.path, partial(read.__setitem__, 0)), 1):
            if place <= done:
                continue
            raw.append(document)
            size += len(document.text) if isinstance(document, Markup) else sum(map(len, document))
            if size >= _BATCH:
                yield _Batch(raw, _Place(number, place), before + read[0])
                size, raw = 0, []
        before += file.path.stat().st_size
        yield _Batch(raw, _Place(number + 1, 0), before)


def _finish(raw: list[Raw]) -> list[_Done]:
    documents = [corpus.finished(document) for document in raw]
    return [(document, digest(document)) for document in documents]


def _worked(batches: Iterator[_Batch], processes: int) -> Iterator[tuple[_Batch, list[_Done]]]:
    """Every batch with what became of it, in order; few wait at a time."""
    if processes == 1:
        for batch in batches:
            yield batch, _finish(batch.raw)
        return
    waiting: deque[tuple[_Batch, Future[list[_Done]]]] = deque()
    with _pool(processes) as pool:
        for batch in batches:
            waiting.append((batch, pool.submit(_finish, batch.raw)))
            if len(waiting) > _WAITING * processes:
                first, future = waiting.popleft()
                yield first, future.result()
        for batch, future in waiting:
            yield batch, future.result()


@contextmanager
def _pool(processes: int) -> Iterator[ProcessPoolExecutor]:
    context = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(processes, context, _watch_parent, (os.getpid(),))
    try:
        yield pool
    finally:
        pool.shutdown(cancel_futures=True)


def _watch_parent(parent: int) -> None:
    """Ends this process when the one that started it is gone, killed ones included."""

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(1.0)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


class _Parts:
    """The parts on disk and the one that is being filled, which is kept compressed."""

    def __init__(self, out: Path) -> None:
        """Takes up the whole parts of ``out``; what an interrupted build left of the next one is gone."""
        self._out, self._seen = out, Seen()
        self.place, self._counts, self._about = _Place(), Counts(), list[dict[str, Any]]()
        self.new_characters = 0
        self._begin()
        while (path := self._path(".json")).is_file():
            about = json.loads(path.read_text("utf-8"))
            for value in np.load(self._path(".npy")).tolist():
                self._seen.add(value)
            self._about.append(about)
            self._counts += Counts(**about["counts"])
            self.place = _Place(**about["after"])

    def _path(self, suffix: str) -> Path:
        return self._out / f"part-{len(self._about):05d}{suffix}"

    @property
    def told(self) -> str:
        """How much there is, in words."""
        counts = self._counts + self._open_counts
        return f"{counts.documents:,} documents, {counts.words:,} words, {counts.duplicates:,} duplicates"

    def add(self, done: list[_Done], after: _Place) -> None:
        """Takes the documents that are new; closes the part when it is large enough."""
        for document, value in done:
            if not document:
                self._open_counts += Counts(empty=1)
            elif not self._seen.add(value):
                self._open_counts += Counts(duplicates=1)
            else:
                words = sum(len(sentence.split()) for sentence in document)
                size = sum(map(len, document))
                self._open_counts += Counts(1, len(document), words, size)
                self.new_characters += size
                self._content += self._packer.compress(("\n".join(document) + "\n\n").encode())
                self._new.append(value)
        self.place = after
        if self._open_counts.characters >= _PART:
            self._write()

    def close(self) -> Counts:
        """Writes the last part; returns the counts of all."""
        if self._open_counts != Counts():
            self._write()
        return self._counts

    def described(self) -> list[dict[str, Any]]:
        """Name, size and digest of every part."""
        return [
            {key: about[key] for key in ("name", "bytes", "sha256")}
            | {"documents": about["counts"]["documents"]}
            for about in self._about
        ]

    def _begin(self) -> None:
        self._packer, self._content = zstandard.ZstdCompressor().compressobj(), bytearray()
        self._open_counts, self._new = Counts(), list[int]()

    def _write(self) -> None:
        """Text, digests of its documents, and last the description that makes the part count."""
        path = self._path(".txt.zst")
        content = bytes(self._content + self._packer.flush())
        atomic.write_bytes(path, content)
        atomic.write_with(
            self._path(".npy"), lambda file: np.save(file, np.array(self._new, dtype=np.uint64))
        )
        about = {
            "name": path.name,
            "bytes": len(content),
            "sha256": atomic.sha256(content),
            "counts": asdict(self._open_counts),
            "after": asdict(self.place),
        }
        atomic.write_json(self._path(".json"), about)
        self._about.append(about)
        self._counts += self._open_counts
        self._begin()
