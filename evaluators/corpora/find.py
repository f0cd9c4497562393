"""The data folder: one folder a corpus, recognised by its files. Finds and opens; the readers read."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from embryo_store.naming import is_name
from evaluators.corpora import ontonotes
from evaluators.corpora.base import Corpus
from evaluators.corpora.conllu import read_conllu
from evaluators.corpora.edge_folder import look_for_edges, read_edge_folder
from evaluators.corpora.files import stem
from evaluators.corpora.lama import facts_folder, read_lama, relations_file
from evaluators.corpora.sentences import read_sentences
from evaluators.corpora.spacy_text import PIPELINE_FILE, read_docbin, read_tagged
from evaluators.errors import InputError

Kind = Literal["words", "facts", "sentences", "edges", "asked"]


@dataclass(frozen=True)
class Found:
    """A corpus that lies in the data folder, not yet read."""

    name: str
    kind: Kind
    path: Path
    reader: Callable[[Path, str], Corpus]

    def read(self) -> Corpus:
        """Reads it whole."""
        return self.reader(self.path, self.name)


@dataclass(frozen=True)
class DataFolder:
    """What the data folder offers; ``notes`` say what lies there and is not used, and why."""

    root: Path
    corpora: tuple[Found, ...]
    notes: tuple[str, ...]


def look(root: Path, named_by: str = "") -> DataFolder:
    """Looks through ``root``; a folder that nobody asked for and that is not there offers nothing.

    ``named_by``: where the user asked for it.

    Raises:
        InputError: the user asked for it and it is no folder, or it cannot be listed.
    """
    corpora: list[Found] = []
    notes: list[str] = []
    if named_by and not root.is_dir():
        what = "is not a folder" if root.exists() else "does not exist"
        raise InputError(
            f"{named_by}: the data folder {root} {what}. Expected one folder a corpus in it: mend the path, "
            "or leave it out to go without data; embryo-eval data gets open corpora."
        )
    for entry in _listed(root) if root.is_dir() else []:
        if entry.is_dir() and not is_name(entry.name):
            notes.append(f"{root}/{entry.name!a} is not used: its name cannot be shown. Rename it.")
        elif entry.is_dir() and not entry.name.startswith("."):
            try:
                _look_into(entry, corpora, notes)
            except OSError as error:
                notes.append(f"{entry} is not used: it cannot be listed: {error.strerror}.")
        elif stem(entry, ".conllu") is not None:
            notes.append(f"{entry} is not used: a corpus has a folder of its own. Move it to {root}/NAME/.")
    return DataFolder(root, tuple(corpora), tuple(notes))


def _listed(folder: Path) -> list[Path]:
    try:
        return sorted(folder.iterdir())
    except OSError as error:
        raise InputError(f"{folder} cannot be listed: {error.strerror}.") from error


def _look_into(folder: Path, corpora: list[Found], notes: list[str]) -> None:
    if relations_file(folder) and facts_folder(folder):
        corpora.append(Found(folder.name, "facts", folder, read_lama))
    try:
        edges = look_for_edges(folder)
        if edges is not None:
            corpora.append(Found(folder.name, "edges", folder, read_edge_folder))
        if ontonotes.word_files(edges):
            corpora.append(Found(_name(folder, ontonotes.SPLIT), "words", folder, ontonotes.read_words))
    except InputError as error:
        notes.append(f"{folder} is not probed: {error}")
    for path in sorted(p for p in folder.iterdir() if p.is_file()):
        name = stem(path, ".conllu")
        if name is not None:
            if name.endswith("train"):
                notes.append(f"{path} is not used: a training split.")
            else:
                corpora.append(Found(_name(folder, name), "words", path, read_conllu))
        elif (saved := stem(path, ".spacy")) is not None:
            corpora.append(Found(_name(folder, saved), "words", path, read_docbin))
        elif path.name == PIPELINE_FILE:
            corpora.append(Found(folder.name, "words", path, read_tagged))
        elif path.name == "sentences.txt":
            corpora.append(Found(folder.name, "sentences", path, read_sentences))


def _name(folder: Path, name: str) -> str:
    return name if name == folder.name else f"{folder.name}/{name}"
