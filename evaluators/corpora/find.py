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


def look(root: Path) -> DataFolder:
    """Looks through ``root``; a folder that is not there offers nothing."""
    corpora: list[Found] = []
    notes: list[str] = []
    for entry in sorted(root.iterdir()) if root.is_dir() else []:
        if entry.is_dir() and not is_name(entry.name):
            notes.append(f"{root}/{entry.name!a} is not used: its name cannot be shown. Rename it.")
        elif entry.is_dir() and not entry.name.startswith("."):
            _look_into(entry, corpora, notes)
        elif stem(entry, ".conllu") is not None:
            notes.append(f"{entry} is not used: a corpus has a folder of its own. Move it to {root}/NAME/.")
    return DataFolder(root, tuple(corpora), tuple(notes))


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
