"""``embryo-eval data``: fetches the open corpora, each file pinned by its SHA-256 (data.toml).

A corpus appears in the data folder once it is whole: what is under way lies in ``.part/`` there, and the next
call goes on with it. huggingface_hub's client does the transfer: ranges, retries, proxies, offline mode.
"""

from __future__ import annotations

import fcntl
import hashlib
import tomllib
from argparse import ArgumentParser, Namespace
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

from rich import box
from rich.console import Console
from rich.filesize import decimal
from rich.table import Table

from evaluators.console import console
from evaluators.errors import EvaluatorError, InputError
from evaluators.settings import Settings

#: What --mirror takes the place of.
ORIGIN = "https://raw.githubusercontent.com/"
UNDER_WAY = ".part"
_CHUNK = 1 << 16
#: The answer of a server whose file ends before what is asked of it begins: what was kept is no part of it.
_NOTHING_LEFT = 416


@dataclass(frozen=True)
class PinnedFile:
    """A file of a corpus: its place there, where it is fetched from, and what it has to be."""

    to: str
    url: str
    bytes: int
    sha256: str


@dataclass(frozen=True)
class OpenCorpus:
    """A corpus that everybody may fetch."""

    name: str
    what: str
    licence: str
    source: str
    files: tuple[PinnedFile, ...]

    @property
    def bytes(self) -> int:
        """The size of all files."""
        return sum(file.bytes for file in self.files)


def add_arguments(parser: ArgumentParser) -> None:
    """What to fetch, and whence."""
    parser.add_argument("names", nargs="*", metavar="NAME", help="corpora; all where none is named")
    parser.add_argument("--list", action="store_true", dest="only_list", help="name them, and fetch nothing")
    parser.add_argument("--mirror", metavar="URL", help=f"fetch from here instead of {ORIGIN}")


def run(given: Namespace, settings: Settings) -> int:
    """Fetches what is not there yet. Returns the exit code.

    Raises:
        InputError: a name is no corpus's, or another file stands in a corpus's place.
        EvaluatorError: a transfer failed, or brought something else than was pinned.
    """
    catalogue = open_corpora()
    for name in given.names:
        if name not in catalogue:
            raise InputError(f"No open corpus {name!r}. There are: {', '.join(catalogue)}.")
    chosen = [catalogue[name] for name in given.names or catalogue]
    out = console()
    if given.only_list:
        out.print(_table(chosen, settings.data))
        return 0
    for corpus in chosen:
        _fetch(corpus, settings.data, given.mirror or ORIGIN, out)
    return 0


def open_corpora() -> Mapping[str, OpenCorpus]:
    """The corpora by name."""
    told = tomllib.loads(files("evaluators").joinpath("data.toml").read_text("utf-8"))
    return {
        name: OpenCorpus(
            name, entry["what"], entry["licence"], entry["source"],
            tuple(PinnedFile(**file) for file in entry["files"]),
        )
        for name, entry in told.items()
    }  # fmt: skip


def _fetch(corpus: OpenCorpus, data: Path, origin: str, out: Console) -> None:
    folder = data / corpus.name
    missing = _missing(corpus, folder)
    if not missing:
        out.print(f"{corpus.name} is there: {folder}", markup=False, highlight=False, soft_wrap=True)
        return
    under_way = data / UNDER_WAY / corpus.name
    with _alone(under_way):
        missing = _missing(corpus, folder)
        for number, file in enumerate(missing, start=1):
            part = under_way / file.to
            if not _is_whole(part, file):
                what = f"{corpus.name} {number}/{len(missing)}: {file.to}, {decimal(file.bytes)}"
                out.print(what, markup=False, highlight=False)
                _transfer(file, origin, part)
        if folder.exists():
            for file in missing:
                (folder / file.to).parent.mkdir(parents=True, exist_ok=True)
                (under_way / file.to).replace(folder / file.to)
        elif missing:
            under_way.replace(folder)
    out.print(
        f"{corpus.name}: {decimal(corpus.bytes)} in {folder} ({corpus.licence}, {corpus.source}).",
        markup=False,
        highlight=False,
        soft_wrap=True,
    )


def _missing(corpus: OpenCorpus, folder: Path) -> list[PinnedFile]:
    """The files that are not in ``folder`` yet.

    Raises:
        InputError: something else stands in a file's place.
    """
    missing = []
    for file in corpus.files:
        path = folder / file.to
        if not path.exists():
            missing.append(file)
        elif not _is_whole(path, file):
            raise InputError(
                f"{path} is not the file that is pinned: expected {file.bytes:,} bytes with a SHA-256 of "
                f"{file.sha256[:12]}…, found {path.stat().st_size:,} bytes. Move it away to have it fetched."
            )
    return missing


def _transfer(file: PinnedFile, origin: str, part: Path) -> None:
    """Fetches what ``part`` lacks.

    Raises:
        EvaluatorError: it cannot be had, or is another file.
    """
    from huggingface_hub import constants
    from huggingface_hub.file_download import http_get
    from huggingface_hub.utils.tqdm import disable_progress_bars

    disable_progress_bars()
    # What came of a broken transfer is kept by whole chunks, and most of our files are smaller than one.
    constants.DOWNLOAD_CHUNK_SIZE = _CHUNK
    part.parent.mkdir(parents=True, exist_ok=True)
    url = file.url.replace(ORIGIN, origin.rstrip("/") + "/", 1)
    with suppress(FileNotFoundError):
        if part.stat().st_size >= file.bytes:
            part.unlink()
    try:
        with part.open("ab") as handle:
            http_get(url, handle, resume_size=handle.tell(), expected_size=file.bytes)
    except Exception as error:  # the client's errors have another base in every version
        if getattr(getattr(error, "response", None), "status_code", None) == _NOTHING_LEFT:
            part.unlink()
        raise EvaluatorError(
            f"{url} cannot be fetched: {_first_line(error)}. What came is kept in {part.parent}; the same "
            "command goes on from there. --mirror URL fetches from elsewhere."
        ) from error
    if not _is_whole(part, file):
        found = part.stat().st_size
        part.unlink()
        raise EvaluatorError(
            f"{url} is not what it was: expected {file.bytes:,} bytes with a SHA-256 of {file.sha256[:12]}…, "
            f"found {found:,} bytes of another content. Nothing of it was kept. Try again, or --mirror URL."
        )


def _is_whole(path: Path, file: PinnedFile) -> bool:
    try:
        if path.stat().st_size != file.bytes:
            return False
        with path.open("rb") as handle:
            return hashlib.file_digest(handle, "sha256").hexdigest() == file.sha256
    except FileNotFoundError:
        return False


def _first_line(error: Exception) -> str:
    return next(iter(str(error).strip().splitlines()), type(error).__name__)


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Keeps other calls from the files under way."""
    folder.mkdir(parents=True, exist_ok=True)
    with folder.with_name(f"{folder.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _table(corpora: Sequence[OpenCorpus], data: Path) -> Table:
    table = Table(box=box.SIMPLE)
    for column in ("corpus", "size", "licence", "there", "what"):
        table.add_column(column)
    for corpus in corpora:
        there = all((data / corpus.name / file.to).exists() for file in corpus.files)
        table.add_row(
            corpus.name, decimal(corpus.bytes), corpus.licence, "yes" if there else "no", corpus.what
        )
    return table
