"""Words and tags by way of spaCy: a saved DocBin (NAME.spacy), or raw text that a pipeline of the user tags.

Raw text: spacy.toml names the pipeline (a package or a path), every .txt beside it is tagged. What was tagged
is kept by the content of text and pipeline, so that it is tagged once.
"""

from __future__ import annotations

import contextlib
import os
import tomllib
import zlib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from evaluators.corpora.base import WordCorpus
from evaluators.corpora.files import decode, digest, read_bytes
from evaluators.corpora.lines import content_digest
from evaluators.errors import InputError

PIPELINE_FILE = "spacy.toml"
#: Characters of a piece of raw text that goes through the pipeline at a time.
_CHUNK = 100_000


def read_docbin(path: Path, name: str) -> WordCorpus:
    """Reads the tagged documents of a DocBin.

    Raises:
        InputError: it is no DocBin, or its tokens have no tags.
    """
    data = read_bytes(path)
    return _corpus(_documents(data, path), path, name, digest([("spacy", data)]), "spaCy DocBin")


def read_tagged(settings: Path, name: str) -> WordCorpus:
    """Tags the .txt files beside ``settings`` with the pipeline that it names.

    Raises:
        InputError: it names no pipeline that can be loaded, or there is no text.
    """
    pipeline = _pipeline(settings)
    files = sorted(p for p in settings.parent.glob("*.txt") if p.name != "sentences.txt")
    if not files:
        raise InputError(f"{settings.parent}: expected .txt files beside {PIPELINE_FILE}, found none.")
    texts = [(path.name, read_bytes(path)) for path in files]
    weights = sorted(p for p in pipeline.path.rglob("*") if p.is_file()) if pipeline.path else []
    made_by = f"{pipeline.meta['lang']}_{pipeline.meta['name']} {pipeline.meta['version']}"
    parts = [*texts, ("pipeline", made_by.encode())]
    if weights:
        parts.append(("files", content_digest(pipeline.path, weights).encode()))
    found = digest(parts)
    kept = _cache() / f"{found}.spacy"
    if kept.is_file():
        with contextlib.suppress(InputError):
            return _corpus(_documents(kept.read_bytes(), kept), settings, name, found, f"text by {made_by}")
    documents = list(
        pipeline.pipe(
            chunk
            for path, (_, data) in zip(files, texts, strict=True)
            for chunk in _chunks(decode(data, path))
        )
    )
    _keep(documents, kept)
    return _corpus(documents, settings, name, found, f"text by {made_by}")


def _pipeline(settings: Path) -> Any:
    import spacy

    try:
        told = tomllib.loads(decode(read_bytes(settings), settings)).get("pipeline")
    except tomllib.TOMLDecodeError as error:
        raise InputError(f"{settings} is no valid TOML: {error}.") from error
    if not isinstance(told, str) or not told:
        raise InputError(f'{settings}: expected pipeline = "en_core_web_sm" (a package or a path).')
    beside = settings.parent / told
    try:
        return spacy.load(beside if beside.is_dir() else told)
    except (OSError, ValueError, ImportError, KeyError) as error:
        line = next(iter(str(error).splitlines()), type(error).__name__)[:200]
        raise InputError(
            f"{settings}: the pipeline {told!r} cannot be loaded: {line} Install it, or name a path."
        ) from error


def _chunks(text: str) -> Iterable[str]:
    """Paragraphs together, up to a size that a pipeline holds at a time."""
    held: list[str] = []
    size = 0
    for paragraph in filter(None, (line.strip() for line in text.split("\n"))):
        if held and size + len(paragraph) > _CHUNK:
            yield "\n".join(held)
            held, size = [], 0
        held.append(paragraph)
        size += len(paragraph)
    if held:
        yield "\n".join(held)


def _documents(data: bytes, path: Path) -> list[Any]:
    from spacy.tokens import DocBin
    from spacy.vocab import Vocab

    try:
        return list(DocBin().from_bytes(data).get_docs(Vocab()))
    except (ValueError, KeyError, TypeError, IndexError, AttributeError, EOFError, zlib.error) as error:
        line = next(iter(str(error).splitlines()), type(error).__name__)[:200]
        raise InputError(f"{path}: expected a DocBin as spaCy saves it: {line}") from error


def _corpus(documents: Iterable[Any], path: Path, name: str, data_hash: str, form: str) -> WordCorpus:
    words: list[tuple[str, ...]] = []
    tags: list[tuple[str, ...]] = []
    untagged = 0
    for document in documents:
        for sentence in document.sents if document.has_annotation("SENT_START") else (document,):
            tokens = [token for token in sentence if token.text.strip()]
            if tokens:
                words.append(tuple(token.text for token in tokens))
                tags.append(tuple(token.tag_ or token.pos_ for token in tokens))
                untagged += sum(not tag for tag in tags[-1])
    if not words:
        raise InputError(f"{path} holds no sentence.")
    if untagged:
        raise InputError(
            f"{path}: {untagged:,} of {sum(map(len, words)):,} tokens have no tag: take a tagger."
        )
    return WordCorpus(
        name=name,
        uri=str(path),
        data_hash=data_hash,
        words=tuple(words),
        tags=tuple(tags),
        report={"format": form, "sentences": len(words), "words": sum(map(len, words))},
    )


def _cache() -> Path:
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "embryo" / "tagged"


def _keep(documents: list[Any], kept: Path) -> None:
    """Writes what was tagged, whole or not at all, where the cache folder can be written."""
    from spacy.tokens import DocBin

    with contextlib.suppress(OSError):
        kept.parent.mkdir(parents=True, exist_ok=True)
        partial = kept.with_name(f"{kept.name}.{os.getpid()}.partial")
        partial.write_bytes(DocBin(attrs=["TAG", "POS", "SENT_START"], docs=documents).to_bytes())
        partial.replace(kept)
