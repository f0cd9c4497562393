"""CoNLL-U: words with Penn tags (XPOS), or UPOS where the file has no XPOS at all.

Multiword tokens and empty nodes are surface or syntax only and are passed by, counted.
"""

from __future__ import annotations

import re
from pathlib import Path

from evaluators.corpora.base import WordCorpus
from evaluators.corpora.files import decode, digest, read_bytes
from evaluators.errors import InputError

_COLUMNS = 10
_WORD = re.compile(r"[1-9]\d*")
_MULTIWORD = re.compile(r"[1-9]\d*-[1-9]\d*")
_EMPTY = re.compile(r"\d+\.[1-9]\d*")


def read_conllu(path: Path, name: str) -> WordCorpus:
    """Reads a treebank.

    Raises:
        InputError: a line does not hold to the format; file and line are named.
    """
    data = read_bytes(path)
    words: list[tuple[str, ...]] = []
    xpos: list[tuple[str, ...]] = []
    upos: list[tuple[str, ...]] = []
    rows: list[tuple[str, str, str]] = []
    multiword = empty = 0
    lines = decode(data, path).split("\n")
    for number, raw in enumerate([*lines, ""], start=1):
        line = raw.rstrip("\r")
        if not line.strip():
            if rows:
                forms, universal, penn = zip(*rows, strict=True)
                words.append(forms)
                upos.append(universal)
                xpos.append(penn)
                rows = []
            continue
        if line.startswith("#"):
            continue
        columns = line.split("\t")
        if len(columns) != _COLUMNS:
            raise InputError(
                f"{path}, line {number}: expected {_COLUMNS} columns separated by tabs, "
                f"found {len(columns)}: {line[:60]!r}."
            )
        index, form = columns[0], columns[1]
        if _MULTIWORD.fullmatch(index):
            multiword += 1
        elif _EMPTY.fullmatch(index):
            empty += 1
        elif not _WORD.fullmatch(index) or int(index) != len(rows) + 1:
            raise InputError(
                f"{path}, line {number}: expected word {len(rows) + 1}, found the index {index!r}."
            )
        elif not form.strip():
            raise InputError(f"{path}, line {number}: word {index} has no form.")
        else:
            rows.append((form, columns[3], columns[4]))
    if not words:
        raise InputError(f"{path} holds no sentence.")
    has_xpos = any(tag != "_" for sentence in xpos for tag in sentence)
    return WordCorpus(
        name=name,
        uri=str(path),
        data_hash=digest([("conllu", data)]),
        words=tuple(words),
        tags=tuple(xpos if has_xpos else upos),
        report={
            "format": "CoNLL-U",
            "tags": "XPOS" if has_xpos else "UPOS",
            "sentences": len(words),
            "words": sum(map(len, words)),
            "multiword_tokens": multiword,
            "empty_nodes": empty,
        },
    )
