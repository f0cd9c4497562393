"""A folder of annotated text as an edge-probing corpus: which format it holds, which files make which split.

Four formats, by what lies in the folder: PropBank skeletons beside a treebank and its split lists; GUM
(``dep/``, ``const/``, ``coref/ontogum/``, ``splits.md``); edge-probing JSON lines (``TASK/SPLIT.jsonl``);
CoNLL-2012, the split being a folder's name (OntoNotes' layout) or part of the file's.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from evaluators.corpora import edge_cache
from evaluators.corpora.annotated import AnnotatedSentence, Findings
from evaluators.corpora.conll2012 import read_conll2012
from evaluators.corpora.edge_jsonl import read_edges_file
from evaluators.corpora.edges import EdgeBuilder, EdgeCorpus, EdgeTask, targets_of
from evaluators.corpora.files import stem
from evaluators.corpora.gum import read_gum
from evaluators.corpora.lines import numbered_lines
from evaluators.corpora.propbank import read_joined
from evaluators.errors import InputError

_SPLIT_NAMES = {
    "train": "train",
    "dev": "dev",
    "development": "dev",
    "valid": "dev",
    "validation": "dev",
    "test": "test",
    "conll-2012-test": "conll-2012-test",
}
_TASK_NAMES: Mapping[str, EdgeTask] = {
    "pos": "pos",
    "const": "const",
    "constituents": "const",
    "nonterminal": "const",
    "srl": "srl",
    "coref": "coref",
}
_SKELETON = ".gold_skel"
#: OntoNotes in CoNLL-2012 form comes in three languages, side by side.
_OTHER_LANGUAGES = frozenset({"arabic", "chinese"})


@dataclass(frozen=True)
class Part:
    """One document, or one file: its split, its files, and how they are read."""

    split: str
    files: tuple[Path, ...]
    read: Callable[[EdgeBuilder, Findings], None]


@dataclass(frozen=True)
class EdgeFolder:
    """What a folder offers: its format's name, and its parts in reading order."""

    root: Path
    format: str
    parts: tuple[Part, ...]
    findings: Findings

    def read(self, name: str) -> EdgeCorpus:
        """Reads everything, or takes it from what was parsed before.

        Raises:
            InputError: a file is not in its format (file and line are named), or was changed meanwhile.
        """
        files = list(dict.fromkeys(path for part in self.parts for path in part.files))
        digest = edge_cache.digest_of(self.root, files)
        known = edge_cache.load(digest, name, str(self.root))
        if known is not None:
            return known
        builder = EdgeBuilder()
        for part in self.parts:
            part.read(builder, self.findings)
        if edge_cache.digest_of(self.root, files) != digest:
            raise InputError(f"{self.root} was changed while it was read. Start again when it is complete.")
        report = {"format": self.format, "files": len(files), **self.findings.report(self.root)}
        corpus = builder.build(name, str(self.root), digest, report)
        edge_cache.save(corpus)
        return corpus


def look_for_edges(root: Path) -> EdgeFolder | None:
    """The corpus in ``root``, or None where none of the four formats is there.

    Raises:
        InputError: there is one, and something that it needs is missing.
    """
    files = sorted(path for path in root.rglob("*") if path.is_file())
    skeletons = [path for path in files if stem(path, _SKELETON) is not None]
    if skeletons:
        return _propbank(root, skeletons, files)
    if (root / "dep").is_dir() and (root / "splits.md").is_file():
        return _gum(root)
    return _json_lines(root, files) or _conll2012(root, files)


def read_edge_folder(root: Path, name: str) -> EdgeCorpus:
    """Reads the corpus in ``root``.

    Raises:
        InputError: none is there, or it cannot be read.
    """
    found = look_for_edges(root)
    if found is None:
        raise InputError(
            f"{root}: expected CoNLL-2012 files, PropBank skeletons, GUM or edge-probing JSON lines."
        )
    return found.read(name)


def _add(
    split: str,
    path: Path,
    read: Callable[[Findings], Iterator[AnnotatedSentence]],
    builder: EdgeBuilder,
    findings: Findings,
) -> None:
    sentence = None
    for sentence in read(findings):
        number = builder.sentence(split, sentence.words)
        for task, targets in targets_of(sentence).items():
            builder.targets(split, task, number, targets)
    if sentence is None:
        findings.fault(path, 1, "file without a sentence", f"expected sentences of {split}, found none")


def _conll2012(root: Path, files: list[Path]) -> EdgeFolder | None:
    parts = []
    for path in files:
        name = next(
            (n for ending in (".gz", ".zst", "") if (n := path.name.removesuffix(ending)) != path.name),
            path.name,
        )
        folders = path.relative_to(root).parts[:-1]
        split = _split(folders, name)
        if name.endswith("conll") and "auto" not in name and split and not _OTHER_LANGUAGES & set(folders):
            parts.append(Part(split, (path,), partial(_add, split, path, partial(read_conll2012, path))))
    return EdgeFolder(root, "CoNLL-2012", tuple(parts), Findings()) if parts else None


def _split(folders: tuple[str, ...], name: str) -> str | None:
    """The split that a path's folders name, the innermost first, else a part of the file's name."""
    for word in (*reversed(folders), *re.split(r"[._-]", name)):
        if word in _SPLIT_NAMES:
            return _SPLIT_NAMES[word]
    return None


def _json_lines(root: Path, files: list[Path]) -> EdgeFolder | None:
    seen: dict[str, dict[str, int]] = {}
    parts = []
    for path in files:
        name = stem(path, ".jsonl") or stem(path, ".json")
        task = _TASK_NAMES.get(path.parent.name)
        split = _SPLIT_NAMES.get(name or "")
        if task and split:
            parts.append(
                Part(split, (path,), partial(read_edges_file, path, task, split, seen.setdefault(split, {})))
            )
    return EdgeFolder(root, "edge-probing JSON lines", tuple(parts), Findings()) if parts else None


def _propbank(root: Path, skeletons: list[Path], files: list[Path]) -> EdgeFolder:
    treebanks = {name: path for path in files if (name := stem(path, ".conllu")) is not None}
    splits = _split_lists(files)
    if not splits:
        raise InputError(
            f"{root} holds PropBank skeletons, but no list of their splits: expected files.train, files.dev "
            "and files.test, one document a line (English Web Treebank: not-to-release/file-lists/)."
        )
    findings = Findings()
    parts = []
    for skeleton in skeletons:
        name = stem(skeleton, _SKELETON) or ""
        treebank, split = treebanks.get(name), splits.get(name)
        if treebank is None or split is None:
            missing = "treebank document" if treebank is None else "split list"
            findings.fault(skeleton, 1, "document left out", f"no {missing} of that name in {root}")
            continue
        read = partial(read_joined, skeleton, treebank)
        parts.append(Part(split, (skeleton, treebank), partial(_add, split, skeleton, read)))
    if not parts:
        raise InputError(
            f"{root} holds PropBank skeletons without words, and no CoNLL-U files of the same names to take "
            "them from."
        )
    return EdgeFolder(root, "PropBank and CoNLL-U", tuple(parts), findings)


def _split_lists(files: list[Path]) -> dict[str, str]:
    """The split of every document that ``files.train``, ``files.dev`` and ``files.test`` list."""
    found = {}
    for path in files:
        if path.stem == "files" and path.suffix[1:] in _SPLIT_NAMES:
            for _, line in numbered_lines(path):
                name = stem(Path(line.strip()), ".conllu")
                if name:
                    found[name] = _SPLIT_NAMES[path.suffix[1:]]
    return found


def _gum(root: Path) -> EdgeFolder:
    splits: dict[str, str] = {}
    split: str | None = None
    for _, line in numbered_lines(root / "splits.md"):
        if line.startswith("#"):
            split = _SPLIT_NAMES.get(line.strip("# "))
        elif split and line.strip().startswith("*"):
            splits[line.strip(" *")] = split
    findings = Findings()
    parts = []
    for treebank in sorted((root / "dep").glob("*.conllu")):
        split = splits.get(treebank.stem)
        if split is None:
            findings.fault(treebank, 1, "document left out", f"{root / 'splits.md'} does not list it")
            continue
        trees = _existing(root / "const" / f"{treebank.stem}.ptb")
        coreference = _existing(root / "coref" / "ontogum" / "conll" / f"{treebank.stem}.conll")
        read = partial(read_gum, treebank, trees, coreference)
        files = tuple(path for path in (treebank, trees, coreference) if path)
        parts.append(Part(split, files, partial(_add, split, treebank, read)))
    if not parts:
        raise InputError(f"{root}: splits.md lists none of the documents in dep/.")
    return EdgeFolder(root, "GUM", tuple(parts), findings)


def _existing(path: Path) -> Path | None:
    return path if path.is_file() else None
