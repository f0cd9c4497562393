"""The words of the demo world and what they may stand beside (``lexicon.tsv``). Knows no sentences.

Within a sense the words stand from frequent to rare: drawn by Zipf's law, they make the text Zipfian.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from embryo_demo.tree import Gender


@dataclass(frozen=True)
class Noun:
    """A noun, its sense, for people its gender (m, f, n: either); a mass noun has no plural (``-``)."""

    sense: str
    gender: Gender
    singular: str
    plural: str

    @property
    def counted(self) -> bool:
        """Whether it has a plural, and takes "a"."""
        return self.plural != "-"


@dataclass(frozen=True)
class Adjective:
    """An adjective, the senses that it describes, its degrees (``-`` where it has none)."""

    senses: tuple[str, ...]
    positive: str
    comparative: str
    superlative: str


@dataclass(frozen=True)
class Verb:
    """A verb: its frame (what follows it), the senses of its subjects and objects, its forms."""

    frame: str
    subjects: tuple[str, ...]
    objects: tuple[str, ...]
    base: str
    third: str
    past: str
    participle: str
    gerund: str
    particle: str


@cache
def nouns(sense: str) -> tuple[Noun, ...]:
    """The nouns of a sense, interleaved over the genders, so that each has frequent and rare ones."""
    found: dict[Gender, list[Noun]] = {}
    for noun_sense, singular, plural in _rows("noun"):
        name, _, gender = noun_sense.partition(".")
        if name == sense:
            known: Gender = "m" if gender == "m" else "f" if gender == "f" else "n"
            found.setdefault(known, []).append(Noun(name, known, singular, plural))
    ranked = [(rank, noun) for of_gender in found.values() for rank, noun in enumerate(of_gender)]
    return tuple(noun for _, noun in sorted(ranked, key=lambda entry: entry[0]))


@cache
def names(sense: str) -> tuple[str, ...]:
    """Proper names of a sense: ``person.m``, ``person.f``, ``weekday``, ``month``."""
    return tuple(form for name_sense, form in _rows("name") if name_sense == sense)


@cache
def adjectives(sense: str) -> tuple[Adjective, ...]:
    """The adjectives that describe a sense."""
    rows = [Adjective(tuple(senses.split(",")), *degrees) for senses, *degrees in _rows("adjective")]
    return tuple(adjective for adjective in rows if sense in adjective.senses)


@cache
def adverbs(sense: str) -> tuple[str, ...]:
    """Adverbs of a sense: ``manner``, ``frequency``, ``time``, ``degree``, ``later``."""
    return tuple(form for adverb_sense, form in _rows("adverb") if adverb_sense == sense)


@cache
def verbs(subject: str) -> tuple[Verb, ...]:
    """The verbs that a subject of this sense may have."""
    rows = [
        Verb(frame, tuple(subjects.split(",")), tuple(objects.split(",")), *forms)
        for frame, subjects, objects, *forms in _rows("verb")
    ]
    return tuple(verb for verb in rows if subject in verb.subjects)


def _rows(kind: str) -> Iterator[list[str]]:
    for line in files("embryo_demo").joinpath("lexicon.tsv").read_text(encoding="utf-8").splitlines():
        if not line.startswith("#"):
            found, *columns = line.split("\t")
            if found == kind:
                yield columns
