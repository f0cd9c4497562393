"""How often words occur in a corpus that the user names: raw text, a treebank, a DocBin, or a list of counts.

Raw text is cut into words as spaCy's English tokenizer does (don't → do n't), which is how treebanks are cut.
What was counted is kept by the content of the files, so that it is counted once.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from embryo_store.records import Json
from evaluators.corpora.base import by_count
from evaluators.corpora.conllu import read_conllu
from evaluators.corpora.files import stem
from evaluators.corpora.lines import content_digest, numbered_lines
from evaluators.corpora.spacy_text import read_docbin
from evaluators.errors import InputError, showable

#: The rank of a word that does not occur: behind all others, and in no band.
UNSEEN = 2**31 - 1
#: Raised when counts change their meaning: none that were kept are used then.
_VERSION = 2
_COUNTS, _TEXT = (".tsv", ".csv"), ".txt"
#: Files that are named one by one when it is said what was counted.
_NAMED = 5


@dataclass(frozen=True)
class Frequencies:
    """Ranks of lower-cased words, from 1 for the commonest. ``digest`` is that of the counts; ``words`` how
    many were counted, in ``files`` below ``place``.
    """

    digest: str
    ranks: Mapping[str, int]
    words: int
    files: tuple[str, ...]
    place: str

    def report(self) -> Mapping[str, Json]:
        """What was counted, as the store keeps it beside a corpus."""
        return {
            "place": self.place,
            "files": len(self.files),
            "words": self.words,
            "different": len(self.ranks),
        }

    def __str__(self) -> str:
        """The same for the user, who may not expect some of the files to be counted."""
        count = len(self.files)
        named = ", ".join(map(showable, self.files[:_NAMED])) + (", …" if count > _NAMED else "")
        return (
            f"frequencies: {self.words:,} words, {len(self.ranks):,} of them different, were counted in "
            f"{count:,} {'files' if count > 1 else 'file'} of {self.place}: {named}."
        )

    def of(self, words: Sequence[str]) -> tuple[int, ...]:
        """The rank of every word; ``UNSEEN`` where it does not occur."""
        return tuple(self.ranks.get(word.lower(), UNSEEN) for word in words)


def read_frequencies(place: Path) -> Frequencies:
    """Counts the words of a file, or of all files under a folder that can be counted, hidden ones apart.

    Raises:
        InputError: there is nothing to count, or a line cannot be read.
    """
    files = [place] if place.is_file() else sorted(_below(place))
    if not files or not _kind(files[0]):
        raise InputError(
            f"frequencies: expected {place} to be, or to hold, text (.txt), a treebank (.conllu), a DocBin "
            "(.spacy) or counts (.tsv, .csv: a word and its count a line), packed (.gz, .zst) or not; "
            "found none."
        )
    root = place.parent if place.is_file() else place
    kept = _cache() / f"{content_digest(root, files)}-{_VERSION}.json"
    counts = _kept(kept)
    if not counts:
        counts = _count(files)
        _keep(counts, kept)
    if not counts:
        raise InputError(f"frequencies: {place} holds no word.")
    total = hashlib.sha256()
    for word in sorted(counts):
        total.update(f"{word}\t{counts[word]}\n".encode())
    names = tuple(str(path.relative_to(root)) for path in files)
    return Frequencies(total.hexdigest(), by_count(counts), sum(counts.values()), names, str(place))


def _below(folder: Path) -> Iterator[Path]:
    """The files that can be counted."""
    for path in folder.rglob("*"):
        hidden = any(part.startswith(".") for part in path.relative_to(folder).parts)
        if not hidden and path.is_file() and _kind(path):
            yield path


def _kind(path: Path) -> str | None:
    return next((end for end in (_TEXT, ".conllu", ".spacy", *_COUNTS) if stem(path, end) is not None), None)


def _count(files: Sequence[Path]) -> Mapping[str, int]:
    counts: Counter[str] = Counter()
    chunks: Counter[str] = Counter()
    for path in files:
        kind = _kind(path)
        if kind in _COUNTS:
            counts.update(_listed(path))
        elif kind == _TEXT:
            for _, line in numbered_lines(path):
                chunks.update(line.split())
        else:
            corpus = read_conllu(path, "") if kind == ".conllu" else read_docbin(path, "")
            counts.update(word.lower() for sentence in corpus.words for word in sentence)
    counts.update(_cut(chunks))
    return counts


def _cut(chunks: Mapping[str, int]) -> Counter[str]:
    """Words of what stands between blanks. The tokenizer looks at each such chunk by itself, so that it need
    see every one but once.
    """
    import spacy

    counts: Counter[str] = Counter()
    tokenizer = spacy.blank("en").tokenizer if chunks else None
    for chunk, times in chunks.items():
        assert tokenizer is not None
        for token in tokenizer(chunk):
            counts[token.text.lower()] += times
    return counts


def _listed(path: Path) -> Mapping[str, int]:
    counts: Counter[str] = Counter()
    for word, times in _pairs(path):
        counts[word.lower()] += times
    return counts


def _pairs(path: Path) -> Iterator[tuple[str, int]]:
    quotes = stem(path, ".csv") is not None
    mark = "," if quotes else "\t"
    for number, line in numbered_lines(path):
        if not line:
            continue
        word, found, times = line.rpartition(mark)
        if number == 1 and not times.strip().isdigit():
            continue  # a header
        word = word.strip()
        if quotes and len(word) > 1 and word[0] == word[-1] == '"':
            word = word[1:-1].replace('""', '"')
        if not found or not word or not times.strip().isdecimal():
            raise InputError(
                f"{path}, line {number}: expected a word and its count with "
                f"{'a comma' if mark == ',' else 'a tab'} between them, found {line[:60]!r}."
            )
        yield word, int(times)


def _cache() -> Path:
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "embryo" / "counted"


def _kept(kept: Path) -> Mapping[str, int]:
    """What ``_keep`` wrote, word for word; none where that cannot be read."""
    with contextlib.suppress(OSError, ValueError):
        found: Mapping[str, int] = json.loads(kept.read_bytes())
        return found
    return {}


def _keep(counts: Mapping[str, int], kept: Path) -> None:
    """Writes the counts, whole or not at all, where the cache folder can be written."""
    with contextlib.suppress(OSError):
        kept.parent.mkdir(parents=True, exist_ok=True)
        partial = kept.with_name(f"{kept.name}.{os.getpid()}.partial")
        partial.write_text(json.dumps(counts), encoding="utf-8")
        partial.replace(kept)
