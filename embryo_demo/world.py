"""Writes a whole world: training text, held-out sentences, facts, and ``world.json`` about it all.

``world.json`` is written last: a folder without it holds no finished world. Knows the writers, not the
commands that read what they wrote.
"""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from embryo_demo import conll2012, conllu, lama
from embryo_demo.annotation import Sentence, annotate, spell
from embryo_demo.chance import Dice
from embryo_demo.documents import Author, Telling
from embryo_demo.facts import RELATIONS, Fact
from embryo_demo.syllabus import Syllabus, make_syllabus

#: Raised whenever the same size and seed give another world.
EDITION = 1

#: Annotated sentences on which probes are fitted and tuned, for each held-out one.
PROBE_SHARES = {"train": 2.0, "development": 0.5}


@dataclass(frozen=True)
class Size:
    """How large a world is: sentences of training text and held-out sentences; the share of documents
    about countries.
    """

    sentences: int = 60_000
    heldout: int = 200
    fact_share: float = 0.85


@dataclass(frozen=True)
class Places:
    """Where things lie in a demo folder."""

    root: Path

    @property
    def text(self) -> Path:
        """The corpus."""
        return self.root / "text"

    @property
    def data(self) -> Path:
        """What evaluators read: one folder a corpus."""
        return self.root / "data"

    @property
    def manifest(self) -> Path:
        """What the world holds."""
        return self.root / "world.json"


def identity(seed: int, size: Size) -> dict[str, Any]:
    """What decides every byte of a world."""
    return {"edition": EDITION, "seed": seed, **asdict(size)}


def write_world(root: Path, seed: int = 0, size: Size = Size()) -> dict[str, Any]:
    """Writes the world under ``root``; returns what ``world.json`` says.

    Raises:
        OSError: the folder cannot be written.
    """
    places = Places(root)
    places.manifest.unlink(missing_ok=True)
    syllabus = make_syllabus(seed)
    training = _Corpus()
    author = Author(Dice(seed, "text"), syllabus)
    _write(places.text / "world.txt", training.lines(author, size.sentences, size.fact_share))
    known = training.known
    heldout = _unseen(Author(Dice(seed, "heldout"), syllabus), size.heldout, known)
    _write(places.data / "heldout" / "heldout.conllu", _each(conllu.lines, "story", heldout))
    # Probes are fitted on sentences of their own and judged on the held-out ones.
    for split, share in PROBE_SHARES.items():
        stories = _unseen(Author(Dice(seed, f"probe {split}"), syllabus), round(share * size.heldout), known)
        _write(_split(places, split), _each(conll2012.lines, split, stories))
    _write(_split(places, "test"), _each(conll2012.lines, "story", heldout))
    facts = places.data / "facts"
    _write(facts / "relations.jsonl", lama.relation_lines())
    for relation in RELATIONS:
        asked = [lesson.fact for lesson in syllabus.lessons if lesson.fact.relation == relation.id]
        _write(facts / "TREx" / f"{relation.id}.jsonl", lama.fact_lines(asked))
    _write(facts / "common_vocab.txt", lama.common_vocabulary(training.words, 5))

    manifest = {
        "world": identity(seed, size),
        "text": {
            "documents": training.kinds,
            "sentences": training.sentences,
            "words": training.words.total(),
            "different_words": len(training.words),
        },
        "heldout": {
            "documents": len(heldout),
            "sentences": sum(map(len, heldout)),
            "words": sum(len(sentence.tokens) for sentences in heldout for sentence in sentences),
        },
        "facts": fact_report(syllabus, training.told),
    }
    _write(places.manifest, [json.dumps(manifest, indent=1)])
    return manifest


def finished(root: Path, seed: int, size: Size) -> bool:
    """Whether ``root`` holds this very world, whole."""
    manifest = Places(root).manifest
    return manifest.is_file() and json.loads(manifest.read_text("utf-8"))["world"] == identity(seed, size)


def fact_report(syllabus: Syllabus, told: Counter[Telling]) -> list[dict[str, Any]]:
    """Every fact: its standing, how often it is told, how often in the query's words, frequent or rare.

    The third of the facts told most often is ``frequent``, the third told least often ``rare``.
    """
    by_fact: Counter[Fact] = Counter()
    for telling, count in told.items():
        by_fact[telling.fact] += count
    ranked = sorted(by_fact.values())
    low, high = (ranked[len(ranked) // 3], ranked[2 * len(ranked) // 3]) if ranked else (0, 0)
    report = []
    for lesson in syllabus.lessons:
        count = by_fact[lesson.fact]
        band = "never" if count == 0 else "rare" if count <= low else "frequent" if count > high else "middle"
        report.append(
            {
                "relation": lesson.fact.relation,
                "subject": lesson.fact.subject,
                "object": lesson.fact.object,
                "uuid": lesson.fact.uuid,
                "standing": lesson.standing,
                "band": band,
                "sentences": count,
                "in_query_wording": told[Telling(lesson.fact, 0)],
            }
        )
    return report


class _Corpus:
    """The training text as it is written: its lines, and what is counted on the way."""

    def __init__(self) -> None:
        self.kinds: Counter[str] = Counter()
        self.words: Counter[str] = Counter()
        self.told: Counter[Telling] = Counter()
        self.known: set[str] = set()
        self.sentences = 0

    def lines(self, author: Author, sentences: int, fact_share: float) -> Iterator[str]:
        """Documents until there are so many sentences, a blank line behind each."""
        while self.sentences < sentences:
            document = author.document(fact_share)
            self.kinds[document.kind] += 1
            self.told.update(document.tellings)
            self.sentences += len(document.trees)
            for tree in document.trees:
                forms = spell(tree)
                self.words.update(forms)
                text = " ".join(forms)
                self.known.add(text)
                yield text
            yield ""


def _split(places: Places, split: str) -> Path:
    """A split's file, in the layout of OntoNotes: the folder names the split."""
    return places.data / "annotated" / split / "world.gold_conll"


def _each(
    lines: Callable[[str, Sequence[Sentence]], Iterator[str]],
    name: str,
    documents: Sequence[tuple[Sentence, ...]],
) -> Iterator[str]:
    """The lines of documents, one after another; each is named by its number."""
    for number, sentences in enumerate(documents):
        yield from lines(f"demo/{name}_{number:04d}", sentences)


def _unseen(author: Author, sentences: int, seen: set[str]) -> list[tuple[Sentence, ...]]:
    """Stories without their sentences that were seen before; what is found counts as seen from then on."""
    written = 0
    found: list[tuple[Sentence, ...]] = []
    while written < sentences:
        fresh: list[Sentence] = []
        for sentence in map(annotate, author.story().trees):
            if sentence.text not in seen and written + len(fresh) < sentences:
                seen.add(sentence.text)
                fresh.append(sentence)
        if fresh:
            found.append(tuple(fresh))
            written += len(fresh)
    return found


def _write(path: Path, lines: Iterable[str]) -> None:
    """Whole or not at all: written beside its place, then renamed."""
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(path.name + ".part")
    with beside.open("w", encoding="utf-8", newline="\n") as file:
        file.writelines(line + "\n" for line in lines)
        file.flush()
        os.fsync(file.fileno())
    beside.replace(path)
