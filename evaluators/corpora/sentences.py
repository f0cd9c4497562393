"""Plain sentences, one a line: the built-in ones, and any ``sentences.txt`` of a user."""

from __future__ import annotations

from pathlib import Path

from evaluators.corpora.base import SentenceCorpus
from evaluators.corpora.files import decode, digest, read_bytes
from evaluators.errors import InputError

BUILT_IN = "built-in"


def read_sentences(path: Path, name: str) -> SentenceCorpus:
    """Reads one sentence a line; empty lines are passed by.

    Raises:
        InputError: the file is no UTF-8 text, or holds no sentence.
    """
    data = read_bytes(path)
    sentences = tuple(line for line in map(str.strip, decode(data, path).split("\n")) if line)
    if not sentences:
        raise InputError(f"{path} holds no sentence.")
    return SentenceCorpus(
        name=name,
        uri=str(path),
        data_hash=digest([("sentences", "\n".join(sentences).encode())]),
        sentences=sentences,
        report={"format": "sentences", "sentences": len(sentences)},
    )


def built_in() -> SentenceCorpus:
    """The sentences that ship with the project, so that attention needs no corpus."""
    corpus = read_sentences(Path(__file__).with_name("attention.txt"), BUILT_IN)
    return SentenceCorpus(corpus.name, BUILT_IN, corpus.data_hash, corpus.sentences, corpus.report)
