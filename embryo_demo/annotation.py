"""Reads the annotations off a tree: tokens, constituents, dependencies, propositions, mentions.

Knows trees, not what they say; the writers know only the records made here.
"""

from __future__ import annotations

from dataclasses import dataclass

from embryo_demo.tree import HEAD, Entity, Node, Phrase, Word

#: Words that sound otherwise than they are spelled: the choice between "a" and "an".
CONSONANT_SOUND = ("eu", "one", "uk", "useful", "uni", "uz", "ur")
VOWEL_SOUND = ("honest", "hour")


@dataclass(frozen=True)
class Token:
    """A word of a sentence. ``head`` counts tokens from 1; 0 is the root."""

    form: str
    tag: str
    lemma: str
    upos: str
    head: int
    deprel: str
    name_type: str


@dataclass(frozen=True)
class Span:
    """Tokens from ``start`` up to, not including, ``end``, counted from 0."""

    label: str
    start: int
    end: int


@dataclass(frozen=True)
class Proposition:
    """A predicate (token index from 0) and its arguments in PropBank labels, by position."""

    predicate: int
    lemma: str
    arguments: tuple[Span, ...]


@dataclass(frozen=True, eq=False)
class Mention:
    """Tokens that mean an entity."""

    entity: Entity
    start: int
    end: int


@dataclass(frozen=True, eq=False)
class Sentence:
    """A sentence with its gold annotations. ``constituents``: outer before inner, left before right."""

    tokens: tuple[Token, ...]
    constituents: tuple[Span, ...]
    propositions: tuple[Proposition, ...]
    mentions: tuple[Mention, ...]

    @property
    def text(self) -> str:
        """The forms, separated by single spaces."""
        return " ".join(token.form for token in self.tokens)


class _Reading:
    """What one walk through a tree finds: positions of nodes, heads of words."""

    def __init__(self) -> None:
        self.words: list[Word] = []
        self.constituents: list[Span] = []
        self.spans: dict[Node, tuple[int, int]] = {}
        self.governors: dict[int, tuple[int, str]] = {}
        self.phrases: list[Phrase] = []
        #: Heads of a phrase that means the same: the whole phrase is the mention.
        self.inner: set[Node] = set()

    def walk(self, node: Node) -> int:
        """Reads a node; returns the position of its head word."""
        start = len(self.words)
        if isinstance(node, Word):
            self.words.append(node)
            self.spans[node] = (start, start + 1)
            return start
        self.phrases.append(node)
        place = len(self.constituents)
        heads = [self.walk(child) for _, child in node.parts]
        end = len(self.words)
        self.spans[node] = (start, end)
        self.constituents.insert(place, Span(node.label, start, end))
        relations = [relation for relation, _ in node.parts]
        if relations.count(HEAD) != 1:
            raise ValueError(f"a {node.label} needs exactly one head, has {relations}")
        head = heads[relations.index(HEAD)]
        for at, relation in enumerate(relations):
            if relation == HEAD:
                if node.entity is not None and node.parts[at][1].entity is node.entity:
                    self.inner.add(node.parts[at][1])
                continue
            conjunct = next((i for i in range(at + 1, len(relations)) if relations[i] == "conj"), None)
            # Universal Dependencies: what joins a conjunct hangs on it, not on the first one.
            joins = conjunct is not None and relation in ("cc", "punct")
            self.governors[heads[at]] = (
                heads[conjunct] if joins and conjunct is not None else head,
                relation,
            )
        return head


def spell(tree: Phrase) -> tuple[str, ...]:
    """The forms of the sentence that a tree spells, as ``annotate`` gives them, without the annotations."""
    leaves: list[str] = []
    waiting: list[Node] = [tree]
    while waiting:
        node = waiting.pop()
        if isinstance(node, Word):
            leaves.append(node.form)
        else:
            waiting.extend(child for _, child in reversed(node.parts))
    return tuple(_spelled(leaves))


def annotate(tree: Phrase) -> Sentence:
    """The sentence that a tree spells: first letter upper case, "a" before a vowel sound "an"."""
    reading = _Reading()
    root = reading.walk(tree)
    reading.governors[root] = (-1, "root")
    forms = _spelled([leaf.form for leaf in reading.words])
    tokens = tuple(
        Token(forms[i], leaf.tag, leaf.lemma, leaf.upos, *_governor(reading, i), leaf.name_type)
        for i, leaf in enumerate(reading.words)
    )
    propositions = [
        Proposition(
            reading.spans[frame.predicate][0],
            frame.predicate.lemma,
            tuple(
                sorted(
                    (Span(label, *reading.spans[node]) for label, node in frame.arguments),
                    key=lambda span: span.start,
                )
            ),
        )
        for phrase in reading.phrases
        for frame in phrase.frames
    ]
    mentions = [
        Mention(node.entity.referent, *span)
        for node, span in reading.spans.items()
        if node.entity is not None and node not in reading.inner
    ]
    return Sentence(
        tokens,
        (Span("TOP", 0, len(tokens)), *reading.constituents),
        tuple(sorted(propositions, key=lambda proposition: proposition.predicate)),
        tuple(sorted(mentions, key=lambda mention: (mention.start, -mention.end))),
    )


def _governor(reading: _Reading, index: int) -> tuple[int, str]:
    governor, relation = reading.governors[index]
    return governor + 1, relation


def _spelled(forms: list[str]) -> list[str]:
    spelled = list(forms)
    for i, form in enumerate(forms[:-1]):
        if form == "a":
            following = forms[i + 1].lower()
            vowel = following[0] in "aeiou" and not following.startswith(CONSONANT_SOUND)
            spelled[i] = "an" if vowel or following.startswith(VOWEL_SOUND) else "a"
    first = next(i for i, form in enumerate(spelled) if form[0].isalpha())
    spelled[first] = spelled[first][0].upper() + spelled[first][1:]
    return spelled
