"""PropBank skeletons (``*.gold_skel``) and their filled form (``*.gold_conll``), and the treebank that holds
their words.

Columns: file, sentence, token, word (``[WORD]`` in a skeleton), tag, parse bit, frame file, roleset, one a
predicate. Entities and coreference are not in these files.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from difflib import SequenceMatcher
from pathlib import Path

from evaluators.corpora.annotated import AnnotatedSentence, Findings
from evaluators.corpora.columns import Header, Row, blocks, constituents, plain_word, propositions, ragged
from evaluators.corpora.conllu import read_conllu
from evaluators.corpora.lines import numbered_lines
from evaluators.errors import InputError

#: What a skeleton has where the word was.
NO_WORD = "[WORD]"
WORD, TAG, PARSE = 3, 4, 5
FIRST_PREDICATE = 8
#: Pairs of sentences, between the ends of two texts, whose lengths are compared: it takes as much time.
_MOST_COMPARED = 4_000_000


def read_propbank(path: Path, findings: Findings) -> Iterator[AnnotatedSentence]:
    """Reads one file. The words of a skeleton are ``[WORD]``: ``with_words`` puts them in.

    Raises:
        InputError: the file is no UTF-8 text, or is in another format.
    """
    for block in blocks(numbered_lines(path)):
        if isinstance(block, Header):
            raise InputError(
                f"{path}, line {block.line}: expected PropBank columns, found {block.text!r} (CoNLL-2012)."
            )
        if not ragged(path, block, FIRST_PREDICATE, findings):
            yield _sentence(path, block, findings)


def _sentence(path: Path, rows: list[Row], findings: Findings) -> AnnotatedSentence:
    return AnnotatedSentence(
        document=rows[0].cells[0],
        line=rows[0].line,
        words=tuple(plain_word(row.cells[WORD]) for row in rows),
        tags=tuple(row.cells[TAG] for row in rows),
        constituents=constituents(path, rows, PARSE, findings),
        propositions=propositions(path, rows, FIRST_PREDICATE, len(rows[0].cells), findings),
    )


def read_joined(skeleton: Path, treebank: Path, findings: Findings) -> Iterator[AnnotatedSentence]:
    """Reads a skeleton with the words of a CoNLL-U file of the same text.

    Raises:
        InputError: one of the two is in another format.
    """
    bare = list(read_propbank(skeleton, findings))
    text = read_conllu(treebank, treebank.name)
    for here, there in _paired(bare, text.words):
        sentence = bare[here]
        findings.counts["skeleton sentences"] += 1
        findings.counts["skeleton words"] += len(sentence.words)
        findings.counts["skeleton constituents"] += len(sentence.constituents or ())
        findings.counts["skeleton arguments"] += sum(len(p.arguments) for p in sentence.propositions or ())
        if there is None or len(text.words[there]) != len(sentence.words):
            found = "no counterpart" if there is None else f"{len(text.words[there])} in the treebank"
            detail = f"{len(sentence.words)} words here, {found} ({treebank.name})"
            findings.fault(skeleton, sentence.line, "sentence not aligned", detail)
            continue
        findings.counts["aligned sentences"] += 1
        findings.counts["aligned words"] += len(sentence.words)
        findings.counts["words of one tag in both"] += sum(
            ours == theirs for ours, theirs in zip(sentence.tags or (), text.tags[there], strict=True)
        )
        yield dataclasses.replace(sentence, words=text.words[there])


def _paired(
    bare: Sequence[AnnotatedSentence], words: Sequence[Sequence[str]]
) -> Iterator[tuple[int, int | None]]:
    """Every skeleton sentence's number, and its counterpart's: one by one where both texts have as many
    sentences; else while sentence lengths agree from either end, and between where longest runs of them do.
    """
    ours, theirs = [len(sentence.words) for sentence in bare], [len(sentence) for sentence in words]
    shorter, more = min(len(ours), len(theirs)), len(theirs) - len(ours)
    first = next((i for i in range(shorter) if more and ours[i] != theirs[i]), shorter)
    last = next((i for i in range(shorter - first) if ours[-1 - i] != theirs[-1 - i]), shorter - first)
    end = len(ours) - last
    counterpart = {number: number for number in range(first)}
    counterpart |= {number: number + more for number in range(end, len(ours))}
    between = ours[first:end], theirs[first : end + more]
    if len(between[0]) * len(between[1]) <= _MOST_COMPARED:
        matcher = SequenceMatcher(None, *between, autojunk=False)
        counterpart |= {
            first + block.a + offset: first + block.b + offset
            for block in matcher.get_matching_blocks()
            for offset in range(block.size)
        }
    yield from ((number, counterpart.get(number)) for number in range(len(ours)))
