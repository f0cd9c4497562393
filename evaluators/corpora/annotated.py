"""Annotated sentences, as every reader of treebanks, propositions and coreference hands them on, and the
faults that it met on the way. Knows no file format and no model.

Positions count words from 0; ends are exclusive. A layer of annotation is None where the sentence lacks it,
and empty where it was annotated and holds nothing: the difference decides what a probe may learn from.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from embryo_store.records import Json

#: The label of a predicate's own words in a proposition.
PREDICATE = "V"
#: Faults of each kind that are shown in full; of the others only the number is kept.
SHOWN = 5
#: Characters of a text from a corpus that are shown.
_LENGTH = 200
#: Mentions of a sentence whose pairs are still asked about: with more it is no sentence, and too many pairs.
MOST_MENTIONS = 500


class LabelledSpan(NamedTuple):
    """Words ``start`` up to, not including, ``end``."""

    label: str
    start: int
    end: int


class Proposition(NamedTuple):
    """A predicate and its arguments, continuations (``C-``, ``C-V`` too) and references (``R-``) among
    them.
    """

    predicate: tuple[int, int]
    arguments: tuple[LabelledSpan, ...]


class Mention(NamedTuple):
    """A mention of the entity ``cluster``, a name that holds within the sentence's document."""

    cluster: str
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class AnnotatedSentence:
    """A sentence and what is annotated on it. ``document`` and ``line`` say where it was read."""

    document: str
    line: int
    words: tuple[str, ...]
    tags: tuple[str, ...] | None = None
    constituents: tuple[LabelledSpan, ...] | None = None
    propositions: tuple[Proposition, ...] | None = None
    mentions: tuple[Mention, ...] | None = None


class Fault(NamedTuple):
    """Something wrong in a corpus. ``kind`` is one short phrase a sort of fault, ``detail`` what was
    found.
    """

    path: Path
    line: int
    kind: str
    detail: str

    def place(self, root: Path) -> str:
        """Where it is, by its path below ``root`` (a corpus may be moved), and what was found there."""
        path = self.path.relative_to(root) if self.path.is_relative_to(root) else self.path
        return f"{printable(str(path))}, line {self.line}: {self.detail}"

    def __str__(self) -> str:
        """The fault in one sentence, place first."""
        return f"{self.path}, line {self.line}: {self.kind}: {self.detail}"


def printable(text: str) -> str:
    """``text`` from a corpus as it may go to a terminal: cut, and without control characters."""
    cut = text if len(text) <= _LENGTH else text[:_LENGTH] + " …"
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in cut)


@dataclass
class Findings:
    """What readers report while they read: faults whose neighbourhood was left out, and counts worth
    knowing.
    """

    faults: list[Fault] = field(default_factory=list)
    kinds: Counter[str] = field(default_factory=Counter)
    counts: Counter[str] = field(default_factory=Counter)

    def fault(self, path: Path, line: int, kind: str, detail: str) -> None:
        """Takes note of a fault; the first ``SHOWN`` of a kind are kept with their places."""
        self.kinds[kind] += 1
        if self.kinds[kind] <= SHOWN:
            self.faults.append(Fault(path, line, kind, printable(detail)))

    def report(self, root: Path) -> Mapping[str, Json]:
        """As JSON: counts by name, faults by kind, and where the first of each kind are, below ``root``."""
        return {
            "counts": dict(sorted(self.counts.items())),
            "faults": dict(sorted(self.kinds.items())),
            "first_faults": {
                kind: [fault.place(root) for fault in self.faults if fault.kind == kind]
                for kind in sorted(self.kinds)
            },
        }
