"""Noun phrases drawn at random: determiners, adjectives, number, names, who was spoken of before.

Keeps the referents of one document, so that "the king" is the same king all through it. Knows no clauses:
what it needs of them (relative clauses) the grammar hands in.
"""

from __future__ import annotations

from collections.abc import Callable

from embryo_demo import lexicon
from embryo_demo.chance import Dice
from embryo_demo.syntax import coordinated, extended, name, noun_phrase, possessive, prepositional, pronoun
from embryo_demo.tree import HEAD, Entity, Gender, Node, Phrase, Word, phrase, word

SINGULAR = (
    (50, ("the", "DT")),
    (26, ("a", "DT")),
    (4, ("this", "DT")),
    (3, ("that", "DT")),
    (3, ("every", "DT")),
    (2, ("another", "DT")),
    (1.5, ("each", "DT")),
    (1.5, ("no", "DT")),
)
PLURAL = (
    (30, ("the", "DT")),
    (8, ("", "")),
    (7, ("some", "DT")),
    (6, ("many", "JJ")),
    (5, ("two", "CD")),
    (3, ("three", "CD")),
    (2, ("four", "CD")),
    (1, ("seven", "CD")),
    (3, ("these", "DT")),
    (2, ("those", "DT")),
    (3, ("all", "PDT")),
    (1, ("both", "DT")),
)
MASS = ((20, ("the", "DT")), (12, ("", "")), (8, ("some", "DT")), (2, ("this", "DT")), (2, ("no", "DT")))

#: Subject, object, possessive and reflexive forms by (gender, plural), and those of the speaker.
PRONOUNS = {
    ("m", False): ("he", "him", "his", "himself"),
    ("f", False): ("she", "her", "her", "herself"),
    ("n", False): ("it", "it", "its", "itself"),
    ("n", True): ("they", "them", "their", "themselves"),
    ("speaker", False): ("I", "me", "my", "myself"),
}

RelativeClause = Callable[[Phrase, str], Phrase]


def forms_of(entity: Entity) -> tuple[str, str, str, str]:
    """The pronouns that mean an entity: subject, object, possessive, reflexive."""
    if entity.person == 1:
        return PRONOUNS["speaker", False]
    return PRONOUNS["n" if entity.plural else entity.gender, entity.plural]


def possessive_pronoun(entity: Entity) -> tuple[str, Node]:
    """A possessive pronoun, as a part of a noun phrase."""
    form = forms_of(entity)[2]
    return "nmod:poss", word(form, "PRP$", entity=entity)


class Nominals:
    """Draws the noun phrases of one document."""

    def __init__(self, dice: Dice, relative_clause: RelativeClause) -> None:
        """``relative_clause(noun_phrase, sense)`` returns the phrase with a relative clause behind it."""
        self._dice = dice
        self._relative_clause = relative_clause
        self._known: dict[str, Entity] = {}

    def pick_sense(self, senses: tuple[str, ...]) -> str:
        """One of the senses that a verb takes, the first ones likelier."""
        return self._dice.zipf(senses)

    def person_name(self) -> Phrase:
        """A person by name: the same name is the same person all through a document."""
        sense: Gender = self._dice.pick(("m", "f"))
        form = self._dice.zipf(lexicon.names(f"person.{sense}"))
        entity = self._known.setdefault(form, Entity(sense))
        return name(form, name_type="PERSON", entity=entity)

    def of_sense(self, sense: str, depth: int = 0, owner: Entity | None = None) -> Phrase:
        """A noun phrase of a sense; ``owner`` may turn up as "his" or "her"."""
        dice = self._dice
        if sense == "person" and dice.chance(0.3):
            return self.person_name()
        if depth < 2 and sense in ("person", "animal", "food", "thing") and dice.chance(0.05):
            items = [self._single(sense, depth + 1, owner) for _ in range(2 + dice.chance(0.2))]
            return coordinated("NP", "and", items, Entity(plural=True))
        return self._single(sense, depth, owner)

    def introduced(self, sense: str) -> Phrase:
        """Someone or something that is spoken of for the first time: "a farmer"."""
        noun = self._dice.zipf(lexicon.nouns(sense), 1.1)
        entity = self._known[noun.singular] = Entity(self._gender(noun))
        adjectives = self._adjectives(sense, False) if self._dice.chance(0.4) else []
        return noun_phrase(word(noun.singular, "NN"), [("det", word("a", "DT")), *adjectives], entity=entity)

    def _single(self, sense: str, depth: int, owner: Entity | None) -> Phrase:
        dice = self._dice
        noun = dice.zipf(lexicon.nouns(sense), 1.1)
        plural = noun.counted and dice.chance(0.22)
        head = word(noun.plural, "NNS", lemma=noun.singular) if plural else word(noun.singular, "NN")
        before: list[tuple[str, Node]] = []
        entity = Entity(self._gender(noun), plural)
        definite = True
        if owner is not None and sense not in ("weather", "time") and dice.chance(0.15):
            before.append(possessive_pronoun(owner))
        elif depth < 2 and sense in ("thing", "animal", "idea", "vehicle") and dice.chance(0.06):
            before.append(possessive(self.person_name()))
        else:
            weights = PLURAL if plural else SINGULAR if noun.counted else MASS
            form, tag = dice.weighted(weights)
            if form == "the" and not plural:
                entity = self._known.setdefault(noun.singular, entity)
            elif form == "a":
                self._known[noun.singular] = entity
            before += _determiner(form, tag)
            definite = form == "the"
        described = dice.chance(0.28)
        if described:
            before += self._adjectives(sense, definite)
        inner = noun_phrase(head, before, entity=entity, plural=plural)
        if depth < 2 and dice.chance(0.07):
            inner = extended(inner, ("nmod", self._modifier(depth)))
        elif depth < 2 and not described and dice.chance(0.07):
            inner = self._relative_clause(inner, sense)
        return inner

    def _gender(self, noun: lexicon.Noun) -> Gender:
        if noun.sense == "person" and noun.gender == "n":
            return self._dice.pick(("m", "f"))
        return noun.gender

    def _modifier(self, depth: int) -> Phrase:
        if self._dice.chance(0.3):
            return prepositional("with", self._single("thing", depth + 1, None))
        preposition = self._dice.zipf(("in", "near", "behind", "from"))
        return prepositional(preposition, self._single("place", depth + 1, None))

    def _adjectives(self, sense: str, definite: bool) -> list[tuple[str, Node]]:
        dice = self._dice
        fitting = lexicon.adjectives(sense)
        if not fitting:
            return []
        adjective = dice.zipf(fitting)
        if definite and adjective.superlative != "-" and dice.chance(0.12):
            return [("amod", word(adjective.superlative, "JJS", lemma=adjective.positive))]
        if adjective.comparative != "-" and dice.chance(0.08):
            return [("amod", word(adjective.comparative, "JJR", lemma=adjective.positive))]
        alone = dice.chance(0.9)
        return [("amod", word(adjective.positive, "JJ") if alone else self.adjective_phrase(adjective))]

    def adjective_phrase(self, adjective: lexicon.Adjective) -> Phrase:
        """An adjective, now and then with an adverb of degree."""
        head = word(adjective.positive, "JJ")
        if self._dice.chance(0.35):
            degree = word(self._dice.zipf(lexicon.adverbs("degree")), "RB")
            return phrase("ADJP", ("advmod", degree), (HEAD, head))
        return phrase("ADJP", (HEAD, head))


def _determiner(form: str, tag: str) -> list[tuple[str, Node]]:
    if not form:
        return []
    if tag == "PDT":
        return [("det:predet", word(form, tag)), ("det", word("the", "DT"))]
    return [({"DT": "det", "CD": "nummod"}.get(tag, "amod"), word(form, tag))]


def subject_pronoun(entity: Entity) -> Phrase:
    """An entity by its pronoun, as a subject."""
    return pronoun(forms_of(entity)[0], entity)


def object_pronoun(entity: Entity) -> Phrase:
    """An entity by its pronoun, as an object."""
    return pronoun(forms_of(entity)[1], entity, lemma=forms_of(entity)[0])


def reflexive(entity: Entity) -> Phrase:
    """An entity by its reflexive pronoun."""
    return pronoun(forms_of(entity)[3], entity)


def relative_word(sense: str, dice: Dice) -> Word:
    """The word "who" for people, "which" or "that" for the rest."""
    if sense == "person" and dice.chance(0.8):
        return word("who", "WP")
    return word(dice.pick(("that", "which")), "WDT")
