"""How English puts words together: noun phrases, verb groups, clauses, questions. Draws nothing at random.

Every construction returns a tree that carries Penn constituents, Universal Dependencies relations and
PropBank arguments. Agreement is settled here; which words to use is for the grammar to say.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from embryo_demo.lexicon import Verb
from embryo_demo.tree import HEAD, Entity, Frame, Node, Phrase, Word, comma, phrase, word

BE = Verb("be", (), (), "be", "is", "was", "been", "being", "-")
HAVE = Verb("np", (), (), "have", "has", "had", "had", "having", "-")


@dataclass(frozen=True)
class Group:
    """What surrounds a finite verb: tense, modal, aspect, voice, polarity."""

    past: bool = False
    modal: str = ""
    perfect: bool = False
    progressive: bool = False
    passive: bool = False
    negative: bool = False


@dataclass(frozen=True)
class Complement:
    """What follows a verb: its relation, its PropBank label ("" for none), the node itself."""

    relation: str
    role: str
    node: Node


@dataclass(frozen=True)
class Saying:
    """What is said of a subject, before tense and agreement: verb, complements, the subject's own label."""

    verb: Verb
    complements: tuple[Complement, ...] = ()
    subject_role: str = "ARG0"

    def plus(self, *more: Complement) -> Saying:
        """The same with further complements."""
        return replace(self, complements=(*self.complements, *more))


def pronoun(form: str, entity: Entity | None, *, tag: str = "PRP", lemma: str = "") -> Phrase:
    """A pronoun as a noun phrase of its own."""
    leaf = word(form, tag, lemma=lemma)
    plural, person = (entity.plural, entity.person) if entity else (False, 3)
    return Phrase("NP", ((HEAD, leaf),), (), entity, plural, person)


def name(form: str, *, name_type: str = "", entity: Entity | None = None) -> Phrase:
    """A proper name as a noun phrase of its own."""
    leaf = word(form, "NNP", name_type=name_type)
    return Phrase("NP", ((HEAD, leaf),), (), entity)


def noun_phrase(
    head: Word, before: Sequence[tuple[str, Node]] = (), *, entity: Entity | None = None, plural: bool = False
) -> Phrase:
    """A noun with what stands before it, each with its relation."""
    return Phrase("NP", (*before, (HEAD, head)), (), entity, plural)


def the(noun: str, *after: tuple[str, Node], adjective: str = "") -> Phrase:
    """A definite noun phrase, as in "the capital of France"."""
    described = [("amod", word(adjective, "JJ"))] if adjective else []
    inner = noun_phrase(word(noun, "NN"), [("det", word("the", "DT")), *described])
    return extended(inner, *after)


def extended(inner: Phrase, *after: tuple[str, Node]) -> Phrase:
    """A noun phrase followed by what modifies it; the whole means what the inner one meant."""
    if not after:
        return inner
    return Phrase("NP", ((HEAD, inner), *after), (), inner.entity, inner.plural, inner.person)


def possessive(owner: Phrase) -> tuple[str, Node]:
    """An owner with its 's, as a part of a noun phrase."""
    return "nmod:poss", replace(owner, parts=(*owner.parts, ("case", word("'s", "POS"))))


def prepositional(preposition: str, inner: Phrase) -> Phrase:
    """A preposition and its noun phrase."""
    return phrase("PP", ("case", word(preposition, "IN")), (HEAD, inner))


def coordinated(
    label: str, conjunction: str, items: Sequence[Phrase], entity: Entity | None = None
) -> Phrase:
    """Two or more phrases joined by commas and a conjunction."""
    parts: list[tuple[str, Node]] = [(HEAD, items[0])]
    for item in items[1:-1]:
        parts += [comma(), ("conj", item)]
    parts += [("cc", word(conjunction, "CC")), ("conj", items[-1])]
    return Phrase(label, tuple(parts), (), entity, plural=conjunction == "and")


def _be(past: bool, plural: bool, person: int) -> str:
    if past:
        return "were" if plural or person == 2 else "was"
    if plural or person == 2:
        return "are"
    return "am" if person == 1 else "is"


def _finite(verb: Verb, past: bool, plural: bool, person: int) -> tuple[str, str]:
    third = not plural and person == 3
    tag = "VBD" if past else "VBZ" if third else "VBP"
    if verb.base == "be":
        return _be(past, plural, person), tag
    return (verb.past if past else verb.third if third else verb.base), tag


DO = Verb("do", (), (), "do", "does", "did", "done", "doing", "-")


def _chain(verb: Verb, group: Group, plural: bool, person: int) -> list[tuple[str, str, str]]:
    """The verbs of a group from the finite one to the main one: ``(form, tag, lemma)``."""
    lemmas = [HAVE] * group.perfect + [BE] * group.progressive + [BE] * group.passive + [verb]
    asked = [("participle", "VBN")] * group.perfect + [("gerund", "VBG")] * group.progressive
    asked += [("participle", "VBN")] * group.passive
    if group.modal:
        start, rest = [(group.modal, "MD", group.modal)], [("base", "VB"), *asked]
    elif group.negative and len(lemmas) == 1 and verb.base != "be":
        start, rest = [(*_finite(DO, group.past, plural, person), "do")], [("base", "VB")]
    else:
        start, rest = [(*_finite(lemmas[0], group.past, plural, person), lemmas[0].base)], asked
        lemmas = lemmas[1:]
    return start + [(getattr(v, form), tag, v.base) for v, (form, tag) in zip(lemmas, rest, strict=True)]


def verb_phrase(
    saying: Saying, group: Group, *, plural: bool = False, person: int = 3
) -> tuple[Phrase, Word, list[tuple[str, Node]]]:
    """The verb phrase, its main verb, and the arguments inside it; the subject is the caller's to add."""
    *auxiliaries, main_form = _chain(saying.verb, group, plural, person)
    copular = saying.verb.base == "be"
    form, tag, lemma = main_form
    main = word(form, tag, lemma=lemma, upos="AUX" if copular else "VERB")
    arguments = [(c.role, c.node) for c in saying.complements if c.role]
    parts: list[tuple[str, Node]] = [("cop" if copular else HEAD, main)]
    negation = word("not", "RB", upos="PART")
    if group.negative:
        arguments.append(("ARGM-NEG", negation))
        if not auxiliaries:
            parts.append(("advmod", negation))
    parts += [(c.relation, c.node) for c in saying.complements]
    inner = phrase("VP", *parts)
    for at in reversed(range(len(auxiliaries))):
        form, tag, lemma = auxiliaries[at]
        auxiliary = word(form, tag, lemma=lemma, upos="AUX")
        if tag == "MD":
            arguments.append(("ARGM-MOD", auxiliary))
        passive = group.passive and at == len(auxiliaries) - 1
        before: list[tuple[str, Node]] = [("aux:pass" if passive else "aux", auxiliary)]
        if group.negative and at == 0:
            before.append(("advmod", negation))
        inner = phrase("VP", *before, (HEAD, inner))
    return inner, main, arguments


def clause(
    subject: Phrase,
    saying: Saying,
    group: Group = Group(),
    *,
    front: Sequence[Complement] = (),
    label: str = "S",
) -> Phrase:
    """Subject and verb phrase; what stands in ``front`` is set off by a comma."""
    verbal, main, arguments = verb_phrase(saying, group, plural=subject.plural, person=subject.person)
    before: list[tuple[str, Node]] = []
    for item in front:
        before += [(item.relation, item.node), comma()]
        if item.role:
            arguments.append((item.role, item.node))
    frame = Frame(main, ((saying.subject_role, subject), *arguments))
    relation = "nsubj:pass" if group.passive else "nsubj"
    return phrase(label, *before, (relation, subject), (HEAD, verbal), frames=(frame,))


def infinitive(subject: Phrase, saying: Saying) -> Phrase:
    """A clause with "to" whose subject is said elsewhere."""
    parts = [(c.relation, c.node) for c in saying.complements]
    main = word(saying.verb.base, "VB")
    inner = phrase("VP", (HEAD, main), *parts)
    arguments = [(c.role, c.node) for c in saying.complements if c.role]
    frame = Frame(main, ((saying.subject_role, subject), *arguments))
    verbal = phrase("VP", ("mark", word("to", "TO")), (HEAD, inner))
    return phrase("S", (HEAD, verbal), frames=(frame,))


def subordinate(marker: str, inner: Phrase, *, tag: str = "IN") -> Phrase:
    """A clause behind a word such as "that", "because" or "when"."""
    if tag == "WRB":
        return phrase("SBAR", ("advmod", phrase("WHADVP", (HEAD, word(marker, tag)))), (HEAD, inner))
    return phrase("SBAR", ("mark", word(marker, tag, upos="SCONJ")), (HEAD, inner))


def relative_subject(core: Phrase, relative: Word, saying: Saying, group: Group) -> Phrase:
    """A noun phrase whose relative clause it is the subject of: "the king who lost a ring"."""
    verbal, main, arguments = verb_phrase(saying, group, plural=core.plural)
    who = phrase("WHNP", (HEAD, relative))
    role = saying.subject_role
    frame = Frame(main, ((role, core), (f"R-{role}", who), *arguments))
    inner = phrase("SBAR", ("nsubj", who), (HEAD, phrase("S", (HEAD, verbal), frames=(frame,))))
    return extended(core, ("acl:relcl", inner))


def relative_object(
    core: Phrase, relative: Word, subject: Phrase, saying: Saying, group: Group, role: str
) -> Phrase:
    """A noun phrase whose relative clause it is the object of: "the ring that the king lost"."""
    verbal, main, arguments = verb_phrase(saying, group, plural=subject.plural, person=subject.person)
    which = phrase("WHNP", (HEAD, relative))
    frame = Frame(main, ((role, core), (f"R-{role}", which), (saying.subject_role, subject), *arguments))
    inner = phrase("S", ("nsubj", subject), (HEAD, verbal), frames=(frame,))
    bar = phrase("SBAR", ("obj", which), (HEAD, inner))
    return extended(core, ("acl:relcl", bar))


def existential(thing: Phrase, past: bool, *after: Complement) -> Phrase:
    """Something exists, "there was a king in the village": the verb agrees with what there is."""
    form, tag = _finite(BE, past, thing.plural, 3)
    main = word(form, tag, lemma="be")
    there = phrase("NP", (HEAD, word("there", "EX")))
    parts = [(c.relation, c.node) for c in after]
    verbal = phrase("VP", (HEAD, main), ("nsubj", thing), *parts)
    frame = Frame(main, (("ARG1", thing), *((c.role, c.node) for c in after if c.role)))
    return phrase("S", ("expl", there), (HEAD, verbal), frames=(frame,))


def question(subject: Phrase, saying: Saying, past: bool) -> Phrase:
    """A yes-or-no question: "Did the king see the dog"."""
    form, tag = _finite(DO, past, subject.plural, subject.person)
    auxiliary = word(form, tag, lemma="do", upos="AUX")
    main = word(saying.verb.base, "VB")
    arguments = [(c.role, c.node) for c in saying.complements if c.role]
    verbal = phrase("VP", (HEAD, main), *((c.relation, c.node) for c in saying.complements))
    frame = Frame(main, ((saying.subject_role, subject), *arguments))
    return phrase("SQ", ("aux", auxiliary), ("nsubj", subject), (HEAD, verbal), frames=(frame,))


def subject_question(who: Phrase, saying: Saying, group: Group) -> Phrase:
    """A question about the subject: "Who saw the dog"."""
    verbal, main, arguments = verb_phrase(saying, group)
    frame = Frame(main, ((saying.subject_role, who), *arguments))
    return phrase("SBARQ", ("nsubj", who), (HEAD, phrase("SQ", (HEAD, verbal), frames=(frame,))))


def quoted(speaker: Phrase, verb: Word, said: Phrase) -> Phrase:
    """A speaker, a verb of saying, and the words said, in quotation marks."""
    verbal = phrase(
        "VP",
        (HEAD, verb),
        comma(),
        ("punct", word("``", "``")),
        ("ccomp", said),
        ("punct", word("''", "''")),
    )
    frame = Frame(verb, (("ARG0", speaker), ("ARG1", said)))
    return phrase("S", ("nsubj", speaker), (HEAD, verbal), frames=(frame,))


def ended(tree: Phrase, mark: str = ".") -> Phrase:
    """The sentence with its closing mark."""
    return replace(tree, parts=(*tree.parts, ("punct", word(mark, "."))))
