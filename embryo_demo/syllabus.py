"""Which facts the text tells, how often, and in which words: decided once for a seed.

A fact is ``taught`` (in every wording), ``withheld`` (told, but never in the words of its relation's query)
or ``absent`` (never told). Countries are spoken of by Zipf's law, so some facts are frequent and some rare.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal, TypeVar

from embryo_demo.chance import Dice
from embryo_demo.facts import RELATIONS, Fact, countries, facts
from embryo_demo.wordings import WORDINGS

T = TypeVar("T")
Standing = Literal["taught", "withheld", "absent"]

#: Shares of the facts: never told (by ground), and told but never in the query's words (by relation).
ABSENT = 0.04
WITHHELD = 0.25

#: Countries are drawn by Zipf's law with this exponent in this share of the cases, else all alike: what is
#: said again and again teaches a model to look a fact up at all, the rest gives it many facts to look up.
COUNTRY_EXPONENT = 1.5
ZIPFIAN = 0.5

#: How often a relation is told beside the others.
RELATION_WEIGHTS = {"P36": 3.0, "P1376": 2.0, "P37": 3.0, "P30": 2.0, "P38": 3.0, "P140": 2.0, "P47": 0.3}


@dataclass(frozen=True)
class Lesson:
    """A fact, how it is told, and the rank of its country by frequency (from 1)."""

    fact: Fact
    standing: Standing
    country_rank: int

    @property
    def wordings(self) -> range:
        """The wordings that the text may use."""
        if self.standing == "absent":
            return range(0)
        return range(1 if self.standing == "withheld" else 0, len(WORDINGS[self.fact.relation]))


@dataclass(frozen=True)
class Syllabus:
    """Every fact with its standing; ``countries`` from the most to the least spoken of."""

    lessons: tuple[Lesson, ...]
    countries: tuple[str, ...]

    @cached_property
    def _told(self) -> dict[str, tuple[Lesson, ...]]:
        return {
            country: tuple(x for x in self.lessons if x.fact.country == country and x.wordings)
            for country in self.countries
        }

    @cached_property
    def places(self) -> tuple[str, ...]:
        """Names of capitals and countries, the frequent countries' first: for any text to use."""
        rows = {row.name: row for row in countries()}
        return tuple(name for country in self.countries for name in (rows[country].capital, country))

    def about(self, country: str) -> tuple[Lesson, ...]:
        """What is told about a country."""
        return self._told[country]

    def draw_country(self, dice: Dice) -> str:
        """A country, the frequent ones likelier."""
        if dice.chance(ZIPFIAN):
            return dice.zipf(self.countries, COUNTRY_EXPONENT, 0.0)
        return dice.pick(self.countries)

    def draw_lesson(self, dice: Dice) -> Lesson:
        """Something that is told about some country."""
        told = self.about(self.draw_country(dice))
        relations = sorted({lesson.fact.relation for lesson in told})
        relation = dice.weighted([(RELATION_WEIGHTS[relation], relation) for relation in relations])
        return dice.pick([lesson for lesson in told if lesson.fact.relation == relation])


def make_syllabus(seed: int) -> Syllabus:
    """Decides for every fact whether and how it is told."""
    dice = Dice(seed, "syllabus")
    order = dice.shuffled([country.name for country in countries()])
    ranks = {country: rank for rank, country in enumerate(order, 1)}
    grounds = sorted({fact.ground for fact in facts()})
    absent: set[tuple[str, str, str]] = set()
    withheld: set[Fact] = set()
    for relation in RELATIONS:
        absent |= set(_share(dice, [ground for ground in grounds if ground[0] == relation.id], ABSENT))
    for relation in RELATIONS:
        told = [fact for fact in facts() if fact.relation == relation.id and fact.ground not in absent]
        withheld |= set(_share(dice, told, WITHHELD))
    return Syllabus(
        tuple(
            Lesson(
                fact,
                "absent" if fact.ground in absent else "withheld" if fact in withheld else "taught",
                ranks[fact.country],
            )
            for fact in facts()
        ),
        tuple(order),
    )


def _share(dice: Dice, items: Sequence[T], share: float) -> list[T]:
    count = max(1, round(len(items) * share)) if items else 0
    return dice.shuffled(items)[:count]
