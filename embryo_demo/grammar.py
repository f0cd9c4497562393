"""Sentences drawn at random: verbs with what they take, adjuncts, embedded and joined clauses, questions.

Recursion goes through complement, relative and adverbial clauses; depth bounds it. Knows no facts.
"""

from __future__ import annotations

from embryo_demo import lexicon
from embryo_demo.chance import Dice
from embryo_demo.nominal import (
    Nominals,
    reflexive,
    relative_word,
    subject_pronoun,
)
from embryo_demo.syntax import (
    BE,
    Complement,
    Group,
    Saying,
    clause,
    coordinated,
    ended,
    existential,
    infinitive,
    name,
    prepositional,
    question,
    quoted,
    relative_object,
    relative_subject,
    subject_question,
    subordinate,
)
from embryo_demo.tree import HEAD, Entity, Gender, Phrase, phrase, word

#: What a clause may be about, and how often.
SUBJECTS = ((72, "person"), (14, "animal"), (4, "vehicle"), (4, "weather"), (3, "thing"), (2, "plant"))
MODALS = ("will", "can", "would", "must", "could", "should", "may", "might")
DEEP = ("that", "np-that", "inf")


class Grammar:
    """Draws the sentences of one document."""

    def __init__(self, dice: Dice, places: tuple[str, ...] = ()) -> None:
        """``dice`` decides everything; ``places`` are names of towns and countries that people travel to."""
        self.dice = dice
        self._places = places
        self.nominals = Nominals(dice, self._relative_clause)

    def subject(self, depth: int = 0) -> tuple[Phrase, str]:
        """A noun phrase that something can be said of, and its sense."""
        sense = self.dice.weighted(SUBJECTS)
        return self.nominals.of_sense(sense, depth), sense

    def group(self, past: bool) -> Group:
        """A verb group in the tense of the document, or a modal one."""
        dice = self.dice
        negative = dice.chance(0.07)
        if dice.chance(0.1):
            return Group(modal=dice.zipf(MODALS), negative=negative)
        aspect = dice.weighted(((86, ""), (7, "perfect"), (7, "progressive")))
        return Group(past, "", aspect == "perfect", aspect == "progressive", False, negative)

    def sentence(self, subject: Phrase, sense: str, past: bool, front: tuple[Complement, ...] = ()) -> Phrase:
        """A whole sentence about a subject, with its closing mark."""
        dice = self.dice
        kind = dice.weighted(
            (
                (70, "plain"),
                (9, "copula"),
                (6, "joined"),
                (4, "quote"),
                (3, "question"),
                (9, "when"),
                (4, "passive"),
            )
        )
        if kind == "quote" and sense == "person" and not front:
            return ended(self._quote(subject))
        if kind == "question" and not front:
            return ended(self._question(past), "?")
        if kind == "when" and not front and subject.entity:
            return ended(self._when(subject, sense, past))
        first = self._plain(subject, sense, past, front, kind)
        if kind == "joined":
            other, other_sense = self.subject(1)
            conjunction = dice.weighted(((6, "and"), (3, "but"), (1, "or")))
            second = self._plain(other, other_sense, past, (), "plain")
            return ended(coordinated("S", conjunction, (first, second)))
        return ended(first)

    def _plain(
        self, subject: Phrase, sense: str, past: bool, front: tuple[Complement, ...], kind: str
    ) -> Phrase:
        if kind == "copula" and sense != "weather":
            return clause(
                subject, self._property(sense), Group(past, negative=self.dice.chance(0.08)), front=front
            )
        if kind == "passive" and not front:
            return self._passive(past)
        saying = self.saying(subject, sense, 0)
        return clause(subject, saying, self.group(past), front=front)

    def saying(self, subject: Phrase, sense: str, depth: int, *, adjuncts: bool = True) -> Saying:
        """A verb that fits the subject, with what it takes."""
        fitting = [verb for verb in lexicon.verbs(sense) if depth < 2 or verb.frame not in DEEP]
        verb = self.dice.zipf(fitting, 0.9, 2.0)
        saying = Saying(
            verb, self._taken(verb, subject, sense, depth), "ARG1" if verb.frame == "adj" else "ARG0"
        )
        return saying.plus(*self._adjuncts(verb, depth)) if adjuncts and verb.frame not in DEEP else saying

    def _taken(self, verb: lexicon.Verb, subject: Phrase, sense: str, depth: int) -> tuple[Complement, ...]:
        owner = subject.entity
        match verb.frame:
            case "np" | "np-prt":
                taken = Complement("obj", "ARG1", self._object(verb, depth, owner))
                particle = phrase("PRT", (HEAD, word(verb.particle, "RP")))
                return (taken,) if verb.frame == "np" else (Complement("compound:prt", "", particle), taken)
            case "np-np":
                given = self._object(verb, depth, owner)
                receiver = self.nominals.of_sense("person", 2, owner)
                if self.dice.chance(0.5):
                    return Complement("iobj", "ARG2", receiver), Complement("obj", "ARG1", given)
                to = prepositional("to", receiver)
                return Complement("obj", "ARG1", given), Complement("obl", "ARG2", to)
            case "to" | "in":
                place = self._destination(depth) if sense == "person" else self._somewhere(depth)
                role = "ARG4" if verb.frame == "to" else "ARGM-LOC"
                return (Complement("obl", role, prepositional(verb.frame, place)),)
            case "that":
                return (Complement("ccomp", "ARG1", self._that(subject, depth)),)
            case "np-that":
                told = self.nominals.of_sense("person", 2, owner)
                return Complement("obj", "ARG2", told), Complement(
                    "ccomp", "ARG1", self._that(subject, depth)
                )
            case "inf":
                inner = self.saying(subject, sense, depth + 1)
                return (Complement("xcomp", "ARG1", infinitive(subject, inner)),)
            case "refl":
                return (Complement("obj", "ARG1", reflexive(owner or Entity(plural=subject.plural))),)
            case "adj":
                adjective = self.dice.zipf(lexicon.adjectives(sense))
                return (Complement("xcomp", "ARG2", self.nominals.adjective_phrase(adjective)),)
        return ()

    def _somewhere(self, depth: int) -> Phrase:
        return self.nominals.of_sense("place", depth + 1)

    def _destination(self, depth: int) -> Phrase:
        """A place where people go or live, now and then one with a name."""
        if self._places and self.dice.chance(0.3):
            return name(self.dice.zipf(self._places, 0.5), name_type="GPE")
        return self._somewhere(depth)

    def _object(self, verb: lexicon.Verb, depth: int, owner: Entity | None) -> Phrase:
        return self.nominals.of_sense(self.nominals.pick_sense(verb.objects), depth + 1, owner)

    def _that(self, speaker: Phrase, depth: int) -> Phrase:
        """What is said or thought; half the time about the one who says it."""
        if speaker.entity and self.dice.chance(0.5):
            subject, sense = subject_pronoun(speaker.entity), "person"
        else:
            subject, sense = self.subject(depth + 1)
        inner = self.saying(subject, sense, depth + 1)
        return subordinate("that", clause(subject, inner, self.group(self.dice.chance(0.6))))

    def _adjuncts(self, verb: lexicon.Verb, depth: int) -> tuple[Complement, ...]:
        dice = self.dice
        found = []
        if verb.frame not in ("adj", "to", "in") and dice.chance(0.15):
            place = self.nominals.of_sense("place", depth + 2)
            at = dice.zipf(("in", "near", "behind", "at", "outside"))
            found.append(Complement("obl", "ARGM-LOC", prepositional(at, place)))
        if dice.chance(0.1) and verb.frame != "adj":
            adverb = word(dice.zipf(lexicon.adverbs("manner")), "RB")
            found.append(Complement("advmod", "ARGM-MNR", phrase("ADVP", (HEAD, adverb))))
        if dice.chance(0.1):
            found.append(self._when_said())
        return tuple(found)

    def _when_said(self) -> Complement:
        dice = self.dice
        if dice.chance(0.4):
            day = name(dice.zipf(lexicon.names("weekday")), name_type="DATE")
            return Complement("obl", "ARGM-TMP", prepositional("on", day))
        if dice.chance(0.3):
            month = name(dice.zipf(lexicon.names("month")), name_type="DATE")
            return Complement("obl", "ARGM-TMP", prepositional("in", month))
        adverb = word(dice.zipf(lexicon.adverbs("time")), "RB")
        return Complement("advmod", "ARGM-TMP", phrase("ADVP", (HEAD, adverb)))

    def _property(self, sense: str) -> Saying:
        """What something is like: "is cold", "is older than the king"."""
        dice = self.dice
        adjective = dice.zipf(lexicon.adjectives(sense) or lexicon.adjectives("thing"))
        if adjective.comparative != "-" and dice.chance(0.25):
            than = prepositional("than", self.nominals.of_sense(sense, 2))
            compared = word(adjective.comparative, "JJR", lemma=adjective.positive)
            node = phrase("ADJP", (HEAD, compared), ("obl", than))
        else:
            node = self.nominals.adjective_phrase(adjective)
        return Saying(BE, (Complement(HEAD, "ARG2", node),), "ARG1")

    def _passive(self, past: bool) -> Phrase:
        transitive = [verb for verb in lexicon.verbs("person") if verb.frame == "np"]
        verb = self.dice.zipf(transitive)
        patient = self.nominals.of_sense(self.nominals.pick_sense(verb.objects), 1)
        agent = prepositional("by", self.nominals.of_sense("person", 2))
        by = (Complement("obl:agent", "ARG0", agent),) if self.dice.chance(0.6) else ()
        group = Group(past, perfect=self.dice.chance(0.2), passive=True)
        return clause(patient, Saying(verb, by, "ARG1"), group)

    def _quote(self, speaker: Phrase) -> Phrase:
        """Words spoken: inside them the speaker is "I"."""
        form, lemma = self.dice.weighted(((7, ("said", "say")), (2, ("thought", "think"))))
        if speaker.entity and not speaker.plural and self.dice.chance(0.6):
            me = Entity(speaker.entity.gender, person=1, same=speaker.entity.referent)
            subject, sense = subject_pronoun(me), "person"
        else:
            subject, sense = self.subject(1)
        said = clause(subject, self.saying(subject, sense, 1), self.group(self.dice.chance(0.3)))
        return quoted(speaker, word(form, "VBD", lemma=lemma), said)

    def _question(self, past: bool) -> Phrase:
        if self.dice.chance(0.4):
            gender: Gender = self.dice.pick(("m", "f"))
            who = Phrase("WHNP", ((HEAD, word("who", "WP")),), entity=Entity(gender))
            return subject_question(who, self.saying(who, "person", 1, adjuncts=False), Group(past))
        subject, sense = self.subject(1)
        return question(subject, self.saying(subject, sense, 1), past)

    def _when(self, subject: Phrase, sense: str, past: bool) -> Phrase:
        """Two clauses, one of them subordinate, the second subject a pronoun for the first."""
        marker, tag, role = self.dice.weighted(
            (
                (6, ("when", "WRB", "ARGM-TMP")),
                (3, ("because", "IN", "ARGM-CAU")),
                (2, ("after", "IN", "ARGM-TMP")),
                (2, ("before", "IN", "ARGM-TMP")),
                (1, ("although", "IN", "ARGM-ADV")),
                (2, ("if", "IN", "ARGM-ADV")),
                (1, ("while", "IN", "ARGM-TMP")),
            )
        )
        inner_saying = self.saying(subject, sense, 1, adjuncts=False)
        inner = subordinate(marker, clause(subject, inner_saying, Group(past)), tag=tag)
        again = subject_pronoun(subject.entity or Entity())
        saying = self.saying(again, sense, 1)
        return clause(again, saying, self.group(past), front=(Complement("advcl", role, inner),))

    def _relative_clause(self, antecedent: Phrase, sense: str) -> Phrase:
        dice = self.dice
        group = Group(past=dice.chance(0.8))
        takers = [v for v in lexicon.verbs("person") if v.frame == "np" and sense in v.objects]
        if takers and dice.chance(0.4):
            subject = self.nominals.of_sense("person", 2)
            saying = Saying(dice.zipf(takers))
            return relative_object(antecedent, relative_word(sense, dice), subject, saying, group, "ARG1")
        if not lexicon.verbs(sense):
            return antecedent
        saying = self.saying(antecedent, sense, 2)
        return relative_subject(antecedent, relative_word(sense, dice), saying, group)

    def there_was(self, past: bool) -> tuple[Phrase, Phrase]:
        """Someone or something exists somewhere: the sentence, and the noun phrase."""
        thing = self.nominals.introduced("person" if self.dice.chance(0.8) else "animal")
        place = prepositional("in", self.nominals.of_sense("place", 2))
        return ended(existential(thing, past, Complement("obl", "ARGM-LOC", place))), thing
