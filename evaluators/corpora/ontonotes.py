"""OntoNotes' ``conll-2012-test`` as words and tags: what the paper's section 3 asks of every word. The probes
of section 4 read the other splits.
"""

from __future__ import annotations

from pathlib import Path

from evaluators.corpora import edge_cache
from evaluators.corpora.annotated import Findings
from evaluators.corpora.base import WordCorpus
from evaluators.corpora.conll2012 import read_conll2012
from evaluators.corpora.edge_folder import EdgeFolder, look_for_edges
from evaluators.errors import InputError

SPLIT = "conll-2012-test"


def word_files(found: EdgeFolder | None) -> tuple[Path, ...]:
    """The split's files, in reading order; none where the corpus has no such split."""
    parts = found.parts if found is not None and found.format == "CoNLL-2012" else ()
    return tuple(path for part in parts if part.split == SPLIT for path in part.files)


def read_words(root: Path, name: str) -> WordCorpus:
    """Reads the split.

    Raises:
        InputError: it is not there, holds no sentence, or a file is not in the format.
    """
    files = word_files(look_for_edges(root))
    findings = Findings()
    read = [(s.words, s.tags or ()) for path in files for s in read_conll2012(path, findings)]
    if not read:
        raise InputError(f"{root}: expected sentences of {SPLIT} in CoNLL-2012 form, found none.")
    words, tags = zip(*read, strict=True)
    return WordCorpus(
        name=name,
        uri=str(root),
        data_hash=edge_cache.digest_of(root, files),
        words=words,
        tags=tags,
        report={"format": "CoNLL-2012", "split": SPLIT, "files": len(files), **findings.report(root)},
    )
