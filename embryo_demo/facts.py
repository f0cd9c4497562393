"""What is true in the demo world: countries, relations, facts (``facts.tsv``); no wording but the query's.

Relations bear Wikidata's property ids. A *ground* is what two relations may share: that Paris is the
capital of France answers both P36 and P1376.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields
from functools import cache
from importlib.resources import files
from uuid import NAMESPACE_URL, uuid5


@dataclass(frozen=True)
class Country:
    """A row of the table; ``-`` where no single word is true and undisputed."""

    name: str
    capital: str
    language: str
    continent: str
    currency: str
    religion: str
    neighbours: str


@dataclass(frozen=True)
class Relation:
    """A relation as LAMA describes one; ``type`` counts subjects and objects (1-1, N-1, N-M)."""

    id: str
    label: str
    template: str
    type: str

    def query(self, subject: str, object_: str) -> str:
        """The template filled in."""
        return self.template.replace("[X]", subject).replace("[Y]", object_)


@dataclass(frozen=True)
class Fact:
    """A subject and its object under a relation; ``country`` is the row that it stands in."""

    relation: str
    subject: str
    object: str
    country: str

    @property
    def uuid(self) -> str:
        """An identity that does not depend on the seed."""
        return str(uuid5(NAMESPACE_URL, f"embryo-demo/{self.relation}/{self.subject}/{self.object}"))

    @property
    def ground(self) -> tuple[str, str, str]:
        """What must be left out of a text for this fact to be left out of it."""
        if self.relation == "P1376":
            return ("P36", self.object, self.subject)
        if self.relation == "P47":
            first, second = sorted((self.subject, self.object))
            return ("P47", first, second)
        return (self.relation, self.subject, self.object)


RELATIONS = (
    Relation("P36", "capital", "The capital of [X] is [Y] .", "1-1"),
    Relation("P1376", "capital of", "[X] is the capital of [Y] .", "1-1"),
    Relation("P37", "official language", "The official language of [X] is [Y] .", "N-1"),
    Relation("P30", "continent", "[X] is located in [Y] .", "N-1"),
    Relation("P38", "currency", "The currency of [X] is the [Y] .", "N-1"),
    Relation("P140", "main religion", "The main religion of [X] is [Y] .", "N-1"),
    Relation("P47", "shares border with", "[X] shares a border with [Y] .", "N-M"),
)


@cache
def countries() -> tuple[Country, ...]:
    """The table, in its order."""
    text = files("embryo_demo").joinpath("facts.tsv").read_text(encoding="utf-8")
    rows = [line.split("\t") for line in text.splitlines() if not line.startswith("#")]
    width = len(fields(Country))
    for row in rows:
        if len(row) != width:
            raise ValueError(f"facts.tsv: {width} columns expected, found {len(row)}: {row}")
    return tuple(Country(*row) for row in rows)


@cache
def facts() -> tuple[Fact, ...]:
    """Every fact of the table, country by country, in the order of the relations."""
    return tuple(fact for country in countries() for fact in _facts_of(country) if fact.object != "-")


def _facts_of(country: Country) -> Iterator[Fact]:
    name = country.name
    yield Fact("P36", name, country.capital, name)
    yield Fact("P1376", country.capital, name, name)
    yield Fact("P37", name, country.language, name)
    yield Fact("P30", name, country.continent, name)
    yield Fact("P38", name, country.currency, name)
    yield Fact("P140", name, country.religion, name)
    for neighbour in country.neighbours.split(","):
        yield Fact("P47", name, neighbour, name)
