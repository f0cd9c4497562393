"""Parsed corpora, kept by content: a treebank is parsed once. NumPy arrays without pickle; written whole, or
not at all; no more than ``ROOM`` bytes in all.

The cache is a convenience: a folder that cannot be written costs time; a file that is damaged, or was put
there by someone else, is parsed anew.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import tempfile
import time
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, cast

import numpy as np

from evaluators.corpora.edges import EDGE_TASKS, PAIRED, EdgeCorpus, EdgeSplit, EdgeTask, Targets
from evaluators.corpora.lines import content_digest
from evaluators.errors import InputError

#: Raised when the same files are read otherwise: it is part of a corpus's digest, so that what was evaluated
#: on the old reading is evaluated again.
VERSION = 3
#: Bytes that the cache may hold; what was used longest ago goes first.
ROOM = 2 << 30
#: Seconds after which a file that was never finished belongs to nobody.
_ABANDONED = 24 * 3600
_DIGEST = re.compile("[0-9a-f]{64}")
_INT32, _INT64 = np.dtype(np.int32), np.dtype(np.int64)


class DamagedError(ValueError):
    """A kept corpus does not hold together."""


def cache_folder() -> Path:
    """Where parsed corpora lie: ``embryo/edges`` in the user's cache folder (``XDG_CACHE_HOME``)."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "embryo" / "edges"


def digest_of(root: Path, files: Sequence[Path]) -> str:
    """The digest of the files' content, and of how it is read; the content is read again only where a file
    was written or replaced since.

    Raises:
        InputError: a file cannot be read.
    """
    listing = hashlib.sha256(f"{VERSION}\0".encode() + os.fsencode(root.resolve()))
    for path in files:
        try:
            stat = path.stat()
        except OSError as error:
            raise InputError(f"{path} cannot be read: {error}") from error
        # The time of change tells of writing even where the time of modification was put back.
        seen = (stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns, stat.st_ino)
        listing.update(os.fsencode(path.relative_to(root)) + f"\0{seen}\n".encode())
    note = cache_folder() / f"listing-{listing.hexdigest()}"
    with contextlib.suppress(OSError, UnicodeDecodeError):
        known = note.read_text(encoding="ascii")
        if _DIGEST.fullmatch(known):
            return known
    content = content_digest(root, files)
    found = hashlib.sha256(f"edges {VERSION}\0{content}".encode()).hexdigest()
    with contextlib.suppress(OSError), _replacing(note) as partial:
        partial.write_text(found, encoding="ascii")
    return found


def load(digest: str, name: str, uri: str) -> EdgeCorpus | None:
    """The parsed corpus of that content, or None where it is not kept or cannot be read."""
    path = _file(digest)
    try:
        with np.load(path, allow_pickle=False) as arrays:
            if any(entry.compress_type != zipfile.ZIP_STORED for entry in arrays.zip.infolist()):
                raise DamagedError("packed: what it would take in memory is not known")
            corpus = _unpacked(arrays, digest, name, uri)
    except Exception:  # whatever is wrong with it: the files themselves are there to be read
        return None
    with contextlib.suppress(OSError):
        os.utime(path)
    return corpus


def save(corpus: EdgeCorpus) -> None:
    """Keeps a parsed corpus under its content's digest, where the folder can be written."""
    with contextlib.suppress(OSError):
        with _replacing(_file(corpus.data_hash)) as partial, partial.open("wb") as out:
            np.savez(out, **_packed(corpus))
        _make_room(cache_folder())


def _file(digest: str) -> Path:
    return cache_folder() / f"{digest}.npz"


@contextlib.contextmanager
def _replacing(path: Path) -> Iterator[Path]:
    """A file to write, which becomes ``path`` when all went well."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    handle, partial = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    os.close(handle)
    try:
        yield Path(partial)
        Path(partial).replace(path)
    finally:
        Path(partial).unlink(missing_ok=True)


def _make_room(folder: Path) -> None:
    """Removes what was used longest ago, down to ``ROOM``, and what killed processes left unfinished."""
    kept = []
    for path in folder.iterdir():
        with contextlib.suppress(FileNotFoundError):
            stat = path.stat()
            if path.name.startswith(".") and stat.st_mtime < time.time() - _ABANDONED:
                path.unlink()
            else:
                kept.append((stat.st_mtime_ns, stat.st_size, path))
    room = ROOM
    for _, size, path in sorted(kept, reverse=True):
        room -= size
        if room < 0:
            path.unlink(missing_ok=True)


def _packed(corpus: EdgeCorpus) -> dict[str, Any]:
    about = {
        "forms": corpus.forms,
        "labels": corpus.labels,
        "report": corpus.report,
        "splits": list(corpus.splits),
    }
    arrays: dict[str, Any] = {"about": np.frombuffer(json.dumps(about).encode(), dtype=np.uint8)}
    for split, part in corpus.splits.items():
        arrays |= {f"{split}/word": part.word, f"{split}/starts": part.starts}
        for task, targets in part.targets.items():
            arrays |= {
                f"{split}/{task}/sentence": targets.sentence,
                f"{split}/{task}/spans": targets.spans,
                f"{split}/{task}/label": targets.label,
            }
    return arrays


def _unpacked(arrays: Any, digest: str, name: str, uri: str) -> EdgeCorpus:
    """The corpus in ``arrays``.

    Raises:
        DamagedError: its parts do not fit one another. (Other errors where it is not even that.)
    """
    about = json.loads(arrays["about"].tobytes())
    forms = _strings(about["forms"])
    labels = {task: _strings(about["labels"][task]) for task in EDGE_TASKS if task in about["labels"]}
    if not isinstance(about["report"], dict):
        raise DamagedError("no report")
    splits = {}
    for split in _strings(about["splits"]):
        word, starts = arrays[f"{split}/word"], arrays[f"{split}/starts"]
        _check(word, _INT32, 1, 0, len(forms))
        _check(starts, _INT64, 1, 0, len(word) + 1)
        if not len(starts) or starts[0] != 0 or starts[-1] != len(word) or (np.diff(starts) < 0).any():
            raise DamagedError("sentences that are not one after another")
        targets = {
            task: _targets(arrays, f"{split}/{task}", task, np.diff(starts), len(labels[task]))
            for task in labels
            if f"{split}/{task}/label" in arrays
        }
        splits[split] = EdgeSplit(word, starts, cast("Mapping[EdgeTask, Targets]", targets))
    return EdgeCorpus(name, uri, digest, forms, splits, labels, about["report"])


def _targets(arrays: Any, place: str, task: EdgeTask, lengths: np.ndarray[Any, Any], labels: int) -> Targets:
    sentence, spans, label = (arrays[f"{place}/{column}"] for column in ("sentence", "spans", "label"))
    _check(sentence, _INT32, 1, 0, len(lengths))
    _check(spans, _INT32, 2, -1, 1 << 31)
    _check(label, _INT32, 1, 0, labels)
    if spans.shape != (len(sentence), 4) or len(label) != len(sentence) or (np.diff(sentence) < 0).any():
        raise DamagedError("columns of different targets")
    first, second = spans[:, :2], spans[:, 2:]
    for span in (first, second) if task in PAIRED else (first,):
        if not ((span[:, 0] >= 0) & (span[:, 0] < span[:, 1]) & (span[:, 1] <= lengths[sentence])).all():
            raise DamagedError("a span outside of its sentence")
    return Targets(sentence, spans, label)


def _check(column: Any, kind: np.dtype[Any], dimensions: int, least: int, beyond: int) -> None:
    """Whether all of ``column`` lies from ``least`` to ``beyond``, exclusive."""
    if column.dtype != kind or column.ndim != dimensions:
        raise DamagedError(f"expected {kind}, found {column.dtype}")
    if column.size and not (column.min() >= least and column.max() < beyond):
        raise DamagedError("an index of nothing")


def _strings(told: Any) -> tuple[str, ...]:
    if not isinstance(told, list) or not all(isinstance(one, str) for one in told):
        raise DamagedError("expected a list of strings")
    return tuple(told)
