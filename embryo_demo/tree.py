"""Syntax trees while they are being built: words, phrases, who does what, who is meant.

One tree carries every annotation; ``annotation`` reads them off. Knows no grammar.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

#: How the head child of a phrase is marked; every other child has a Universal Dependencies relation.
HEAD = "head"

Gender = Literal["m", "f", "n"]

UPOS = {
    "CC": "CCONJ", "CD": "NUM", "DT": "DET", "EX": "PRON", "IN": "ADP", "JJ": "ADJ", "JJR": "ADJ",
    "JJS": "ADJ", "MD": "AUX", "NN": "NOUN", "NNS": "NOUN", "NNP": "PROPN", "NNPS": "PROPN", "PDT": "DET",
    "POS": "PART", "PRP": "PRON", "PRP$": "PRON", "RB": "ADV", "RBR": "ADV", "RBS": "ADV", "RP": "ADP",
    "TO": "PART", "UH": "INTJ", "VB": "VERB", "VBD": "VERB", "VBG": "VERB", "VBN": "VERB", "VBP": "VERB",
    "VBZ": "VERB", "WDT": "PRON", "WP": "PRON", "WP$": "PRON", "WRB": "ADV",
}  # fmt: skip


@dataclass(frozen=True, eq=False)
class Entity:
    """Someone or something that a document speaks of: mentions of the same one are coreferent.

    ``same`` is set where one entity is spoken of in another person: the speaker inside a quotation.
    """

    gender: Gender = "n"
    plural: bool = False
    person: int = 3
    same: Entity | None = None

    @property
    def referent(self) -> Entity:
        """What identifies it."""
        return self.same or self


@dataclass(frozen=True, eq=False)
class Word:
    """A leaf: form as inside a sentence, Penn tag, lemma, universal tag, whom it means, kind of name."""

    form: str
    tag: str
    lemma: str
    upos: str
    entity: Entity | None = None
    name_type: str = ""


@dataclass(frozen=True, eq=False)
class Frame:
    """A predicate and its arguments, PropBank labels: ``(label, node)``."""

    predicate: Word
    arguments: tuple[tuple[str, Node], ...]


@dataclass(frozen=True, eq=False)
class Phrase:
    """A constituent: ``parts`` are ``(relation to the head, child)``, exactly one of them ``HEAD``."""

    label: str
    parts: tuple[tuple[str, Node], ...]
    frames: tuple[Frame, ...] = ()
    entity: Entity | None = None
    plural: bool = False
    person: int = 3


Node: TypeAlias = Word | Phrase


def word(
    form: str,
    tag: str,
    *,
    lemma: str = "",
    upos: str = "",
    entity: Entity | None = None,
    name_type: str = "",
) -> Word:
    """A leaf; lemma and universal tag follow from form and tag where they are not given."""
    plain = lemma or (form if tag in ("NNP", "NNPS") else form.lower())
    return Word(form, tag, plain, upos or UPOS.get(tag, "PUNCT"), entity, name_type)


def phrase(label: str, *parts: tuple[str, Node], frames: tuple[Frame, ...] = ()) -> Phrase:
    """A constituent without person, number or referent."""
    return Phrase(label, parts, frames)


def comma() -> tuple[str, Node]:
    """A comma, as a part of a phrase."""
    return "punct", word(",", ",")
