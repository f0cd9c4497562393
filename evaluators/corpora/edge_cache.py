"""Parsed corpora, kept by content: a treebank is parsed once. NumPy arrays without pickle; written whole, or
not at all.

The cache is a convenience: a folder that cannot be written costs time, a damaged file is parsed anew.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import tempfile
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, cast

import numpy as np

from evaluators.corpora.edges import EDGE_TASKS, EdgeCorpus, EdgeSplit, Targets
from evaluators.corpora.lines import content_digest

#: Raised when the same files are read otherwise: parsed corpora of other versions are not used.
VERSION = 1
_SEPARATOR = "\n"


def cache_folder() -> Path:
    """Where parsed corpora lie: ``embryo/edges`` in the user's cache folder (``XDG_CACHE_HOME``)."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "embryo" / "edges"


def digest_of(root: Path, files: Sequence[Path]) -> str:
    """The digest of the files' content; read again only where a path, size or time of change is new.

    Raises:
        InputError: a file cannot be read.
    """
    listing = hashlib.sha256(f"{VERSION}\0{root.resolve()}\0".encode())
    for path in files:
        stat = path.stat()
        listing.update(f"{path.relative_to(root).as_posix()}\0{stat.st_size}\0{stat.st_mtime_ns}\n".encode())
    note = cache_folder() / f"listing-{listing.hexdigest()}"
    with contextlib.suppress(OSError, UnicodeDecodeError):
        known = note.read_text(encoding="ascii")
        if len(known) == len(listing.hexdigest()):
            return known
    found = content_digest(root, files)
    with contextlib.suppress(OSError), _replacing(note) as partial:
        partial.write_text(found, encoding="ascii")
    return found


def load(digest: str, name: str, uri: str) -> EdgeCorpus | None:
    """The parsed corpus of that content, or None where it is not kept or cannot be read."""
    try:
        with np.load(_file(digest), allow_pickle=False) as arrays:
            return _unpacked(arrays, digest, name, uri)
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
        return None


def save(corpus: EdgeCorpus) -> None:
    """Keeps a parsed corpus under its content's digest, where the folder can be written."""
    with (
        contextlib.suppress(OSError),
        _replacing(_file(corpus.data_hash)) as partial,
        partial.open("wb") as out,
    ):
        np.savez(out, **_packed(corpus))


def _file(digest: str) -> Path:
    return cache_folder() / f"{digest}-v{VERSION}.npz"


@contextlib.contextmanager
def _replacing(path: Path) -> Iterator[Path]:
    """A file to write, which becomes ``path`` when all went well."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, partial = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    os.close(handle)
    try:
        yield Path(partial)
        Path(partial).replace(path)
    finally:
        Path(partial).unlink(missing_ok=True)


def _packed(corpus: EdgeCorpus) -> dict[str, Any]:
    about = {"labels": corpus.labels, "report": corpus.report, "splits": list(corpus.splits)}
    arrays: dict[str, Any] = {
        "about": _bytes(json.dumps(about)),
        "forms": _bytes(_SEPARATOR.join(corpus.forms)),
    }
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
    about = json.loads(arrays["about"].tobytes())
    splits = {}
    for split in about["splits"]:
        targets = {
            task: Targets(*(arrays[f"{split}/{task}/{column}"] for column in ("sentence", "spans", "label")))
            for task in EDGE_TASKS
            if f"{split}/{task}/label" in arrays
        }
        splits[split] = EdgeSplit(arrays[f"{split}/word"], arrays[f"{split}/starts"], targets)
    return EdgeCorpus(
        name=name,
        uri=uri,
        data_hash=digest,
        forms=tuple(arrays["forms"].tobytes().decode().split(_SEPARATOR)),
        splits=splits,
        labels={task: tuple(about["labels"][task]) for task in EDGE_TASKS if task in about["labels"]},
        report=about["report"],
    )


def _bytes(text: str) -> np.ndarray[tuple[int], np.dtype[np.uint8]]:
    return cast("np.ndarray[tuple[int], np.dtype[np.uint8]]", np.frombuffer(text.encode(), dtype=np.uint8))
