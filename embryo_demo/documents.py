"""Documents: stories, portraits of a country, tours through many. What comes first and last can be told.

The order carries signal, so that sentence-order prediction can be learned: stories introduce before they
refer, and close with closing words; portraits and tours go
through the relations in one order.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from embryo_demo.chance import Dice
from embryo_demo.facts import Fact
from embryo_demo.grammar import Grammar
from embryo_demo.lexicon import adverbs, verbs
from embryo_demo.nominal import subject_pronoun
from embryo_demo.syllabus import Lesson, Syllabus
from embryo_demo.syntax import (
    Complement,
    Group,
    Saying,
    clause,
    ended,
    noun_phrase,
    prepositional,
    subordinate,
    the,
)
from embryo_demo.tree import HEAD, Phrase, phrase, word
from embryo_demo.wordings import say

RELATION_ORDER = {
    relation: place for place, relation in enumerate(("P30", "P36", "P1376", "P37", "P140", "P38", "P47"))
}

#: Sentences of a portrait and of a tour, at most; the share of portraits among documents about countries.
PORTRAIT = 6
TOUR = 6
PORTRAITS = 0.6


@dataclass(frozen=True)
class Telling:
    """A fact in one of its wordings, as it stands in a document."""

    fact: Fact
    wording: int


@dataclass(frozen=True)
class Document:
    """Sentences in order, and the facts that they tell."""

    kind: str
    trees: tuple[Phrase, ...]
    tellings: tuple[Telling, ...] = field(default=())


class Author:
    """Writes documents from one stream of draws."""

    def __init__(self, dice: Dice, syllabus: Syllabus) -> None:
        """``syllabus`` says what may be told."""
        self._dice = dice
        self._syllabus = syllabus

    def document(self, fact_share: float) -> Document:
        """A document of a kind drawn at random: about countries with the probability ``fact_share``."""
        if self._dice.chance(fact_share):
            return self.portrait() if self._dice.chance(PORTRAITS) else self.tour()
        return self.story()

    def story(self) -> Document:
        """A hero is introduced, does this and that, and something comes last."""
        dice = self._dice
        grammar = Grammar(dice, self._syllabus.places)
        past = dice.chance(0.8)
        opening, hero = self._opening(grammar, past)
        tellings: list[Telling] = []
        sentences = [opening]
        length = 3 + dice.below(5)
        for at in range(length):
            front = self._connective(at, length)
            if hero.entity and dice.chance(0.45):
                subject, sense = subject_pronoun(hero.entity), "person"
            else:
                subject, sense = grammar.subject()
            if sense == "person" and not front and dice.chance(0.04):
                sentences.append(ended(self._knows(subject, tellings)))
            else:
                sentences.append(grammar.sentence(subject, sense, past, front))
        return Document("story", tuple(sentences), tuple(tellings))

    def portrait(self) -> Document:
        """What one country has: nothing in it gives another sentence's answer away."""
        lessons = self._syllabus.about(self._syllabus.draw_country(self._dice))
        one_each = {lesson.fact.relation: lesson for lesson in self._dice.shuffled(lessons)}
        one_each.pop("P1376" if self._dice.chance(0.5) else "P36", None)
        return self._facts("portrait", self._dice.shuffled(list(one_each.values()))[:PORTRAIT])

    def tour(self) -> Document:
        """Facts about many countries, relation by relation."""
        return self._facts("tour", [self._syllabus.draw_lesson(self._dice) for _ in range(TOUR)])

    def _facts(self, kind: str, lessons: list[Lesson]) -> Document:
        ordered = sorted(lessons, key=lambda lesson: RELATION_ORDER[lesson.fact.relation])
        tellings: list[Telling] = []
        sentences = [ended(self._told(lesson, tellings)) for lesson in ordered]
        return Document(kind, tuple(sentences), tuple(tellings))

    def _told(self, lesson: Lesson, tellings: list[Telling]) -> Phrase:
        wording = self._dice.pick(lesson.wordings)
        tellings.append(Telling(lesson.fact, wording))
        return say(lesson.fact, wording)

    def _knows(self, subject: Phrase, tellings: list[Telling]) -> Phrase:
        verb = self._dice.pick([verb for verb in verbs("person") if verb.base in ("say", "know", "believe")])
        known = subordinate("that", self._told(self._syllabus.draw_lesson(self._dice), tellings))
        return clause(subject, Saying(verb, (Complement("ccomp", "ARG1", known),)), Group(past=True))

    def _opening(self, grammar: Grammar, past: bool) -> tuple[Phrase, Phrase]:
        if self._dice.chance(0.3):
            return grammar.there_was(past)
        hero = grammar.nominals.of_sense("person", 2)
        if self._dice.chance(0.5):
            return ended(clause(hero, self._lives(grammar), Group(past))), hero
        one_day = noun_phrase(word("day", "NN"), [("nummod", word("one", "CD"))])
        front = (Complement("obl", "ARGM-TMP", one_day),)
        return ended(clause(hero, grammar.saying(hero, "person", 0), Group(past), front=front)), hero

    def _lives(self, grammar: Grammar) -> Saying:
        live = next(verb for verb in verbs("person") if verb.base == "live")
        place = prepositional("in", grammar.nominals.of_sense("place", 1))
        return Saying(live, (Complement("obl", "ARGM-LOC", place),))

    def _connective(self, at: int, length: int) -> tuple[Complement, ...]:
        """Words that say how far the story has come."""
        dice = self._dice
        if at == length - 1 and dice.chance(0.7):
            if dice.chance(0.5):
                end = prepositional(*dice.pick((("in", the("end")), ("at", the("end")))))
                return (Complement("obl", "ARGM-TMP", end),)
            adverb = "finally"
        elif at >= length // 2 and dice.chance(0.35):
            adverb = dice.zipf(adverbs("later"))
        else:
            return ()
        return (Complement("advmod", "ARGM-TMP", phrase("ADVP", (HEAD, word(adverb, "RB")))),)
