"""How facts are said. The first wording of a relation is the query's own; the others say the same otherwise.

Wordings are built by the same syntax as everything else, so they carry the same annotations.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

from embryo_demo.facts import Fact
from embryo_demo.lexicon import Verb
from embryo_demo.syntax import (
    BE,
    HAVE,
    Complement,
    Group,
    Saying,
    clause,
    existential,
    extended,
    name,
    noun_phrase,
    possessive,
    prepositional,
    the,
)
from embryo_demo.tree import HEAD, Entity, Node, Phrase, comma, word

Wording = Callable[[str, str], Phrase]

LIE = Verb("in", (), (), "lie", "lies", "lay", "lain", "lying", "-")
PAY = Verb("np", (), (), "pay", "pays", "paid", "paid", "paying", "-")
BORDER = Verb("np", (), (), "border", "borders", "bordered", "bordered", "bordering", "-")
SHARE = Verb("np", (), (), "share", "shares", "shared", "shared", "sharing", "-")
LOCATE = Verb("np", (), (), "locate", "locates", "located", "located", "locating", "-")
SPEAK = Verb("np", (), (), "speak", "speaks", "spoke", "spoken", "speaking", "-")


def place(form: str) -> Phrase:
    """A country, city or continent by name."""
    return name(form, name_type="GPE")


def of(inner: Phrase) -> tuple[str, Node]:
    """Behind a noun: "of France"."""
    return "nmod", prepositional("of", inner)


def in_(inner: Phrase) -> tuple[str, Node]:
    """Behind a noun: "in France"."""
    return "nmod", prepositional("in", inner)


def is_(subject: Phrase, other: Phrase) -> Phrase:
    """One noun phrase is another."""
    return clause(subject, Saying(BE, (Complement(HEAD, "ARG2", other),), "ARG1"))


def does(subject: Phrase, verb: Verb, *complements: Complement, role: str = "ARG0") -> Phrase:
    """A clause in the present tense."""
    return clause(subject, Saying(verb, complements, role))


def thing(inner: Phrase) -> Complement:
    """A direct object."""
    return Complement("obj", "ARG1", inner)


def where(preposition: str, inner: Phrase) -> Complement:
    """A place as an adjunct."""
    return Complement("obl", "ARGM-LOC", prepositional(preposition, inner))


def owned(owner: str, noun: str, adjective: str = "") -> Phrase:
    """What a country has: "France 's official language"."""
    described: list[tuple[str, Node]] = [("amod", word(adjective, "JJ"))] if adjective else []
    return noun_phrase(word(noun, "NN"), [possessive(place(owner)), *described])


def some(noun: str, *after: tuple[str, Node], article: str = "a") -> Phrase:
    """An indefinite noun phrase."""
    return extended(noun_phrase(word(noun, "NN"), [("det", word(article, "DT"))]), *after)


def several(noun: str, lemma: str, *after: tuple[str, Node], quantity: str = "") -> Phrase:
    """A plural noun phrase without an article."""
    before: list[tuple[str, Node]] = [("amod", word(quantity, "JJ"))] if quantity else []
    return extended(noun_phrase(word(noun, "NNS", lemma=lemma), before, plural=True), *after)


def its(owner: Entity, noun: str) -> Phrase:
    """A noun phrase with "its", meaning a country that was named before."""
    return noun_phrase(word(noun, "NN"), [("nmod:poss", word("its", "PRP$", entity=owner))])


def money(form: str) -> Phrase:
    """A currency, with its article."""
    return the(form)


def _has_its_capital(country: str, capital: str) -> Phrase:
    owner = Entity()
    subject = name(country, name_type="GPE", entity=owner)
    return does(subject, HAVE, thing(its(owner, "capital")), where("in", place(capital)))


def _apposition(capital: str, country: str) -> Phrase:
    apposed: tuple[str, Node] = ("appos", the("capital", of(place(country))))
    subject = Phrase("NP", ((HEAD, place(capital)), comma(), apposed, comma()))
    return is_(
        subject, noun_phrase(word("city", "NN"), [("det", word("a", "DT")), ("amod", word("big", "JJ"))])
    )


def _located(subject: str, inside: str) -> Phrase:
    located = Saying(LOCATE, (where("in", place(inside)),), "ARG1")
    return clause(place(subject), located, Group(passive=True))


def _spoken(country: str, language: str) -> Phrase:
    spoken = Saying(SPEAK, (where("in", place(country)),), "ARG1")
    return clause(name(language), spoken, Group(passive=True))


def _border_between(country: str, neighbour: str) -> Phrase:
    both = Phrase(
        "NP", ((HEAD, place(country)), ("cc", word("and", "CC")), ("conj", place(neighbour))), plural=True
    )
    return existential(some("border", ("nmod", prepositional("between", both))), False)


WORDINGS: dict[str, tuple[Wording, ...]] = {
    "P36": (
        lambda c, k: is_(the("capital", of(place(c))), place(k)),
        lambda c, k: is_(owned(c, "capital"), place(k)),
        _has_its_capital,
    ),
    "P1376": (
        lambda k, c: is_(place(k), the("capital", of(place(c)))),
        lambda k, c: is_(place(k), owned(c, "capital")),
        _apposition,
    ),
    "P37": (
        lambda c, s: is_(the("language", of(place(c)), adjective="official"), name(s)),
        lambda c, s: is_(owned(c, "language", "official"), name(s)),
        lambda c, s: is_(name(s), the("language", of(place(c)), adjective="official")),
        _spoken,
    ),
    "P30": (
        _located,
        lambda c, e: is_(place(c), some("country", in_(place(e)))),
        lambda c, e: does(place(c), LIE, where("in", place(e)), role="ARG1"),
    ),
    "P38": (
        lambda c, m: is_(the("currency", of(place(c))), money(m)),
        lambda c, m: is_(owned(c, "currency"), money(m)),
        lambda c, m: does(
            several("people", "people", in_(place(c))),
            PAY,
            Complement("obl", "ARGM-MNR", prepositional("with", money(m))),
        ),
    ),
    "P140": (
        lambda c, r: is_(the("religion", of(place(c)), adjective="main"), name(r)),
        lambda c, r: is_(owned(c, "religion", "main"), name(r)),
        lambda c, r: is_(name(r), the("religion", of(place(c)), adjective="main")),
    ),
    "P47": (
        lambda a, b: does(
            place(a),
            SHARE,
            thing(some("border")),
            Complement("obl", "ARG2", prepositional("with", place(b))),
        ),
        lambda a, b: does(place(a), BORDER, thing(place(b))),
        _border_between,
    ),
}


@cache
def say(fact: Fact, wording: int) -> Phrase:
    """A fact in one of its wordings, as a clause without its closing mark; always the same tree."""
    return WORDINGS[fact.relation][wording](fact.subject, fact.object)
