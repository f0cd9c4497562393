"""Facts as rows of tables: relations at the cursor, a relation's facts, one fact's life, the ledger."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from embryo_tui.filters import Matcher
from embryo_tui.look import Fact
from embryo_tui.raster.axes import short
from embryo_tui.screens import names
from embryo_tui.widgets.plot import Series
from embryo_tui.widgets.table import Cell, Column, Role, Row, Rows

if TYPE_CHECKING:
    from embryo_store.query import Biography, FactDynamics, FactsAtStep, Floats, LedgerEntry, RelationCard

FACT_COLUMNS = (
    Column("", 1),
    Column("subject", 9, flex=2),
    Column("object", 9, flex=2),
    Column("rank", 5, right=True),
    Column("p", 5, right=True, keep=2),
    Column("predictions", 12, flex=5, keep=1),
)
LEDGER_COLUMNS = (
    Column("", 1, name="turned"),
    Column("subject", 9, flex=2),
    Column("object", 9, flex=2),
    Column("answer at A → here", 18, flex=3, keep=1),
    Column("relation", 9, flex=1, keep=2),
)


FATE_COLUMNS = (
    Column("", 1),
    Column("subject", 9, flex=2),
    Column("object", 9, flex=2),
    Column("fate", 13),
    Column("first right", 11, right=True, keep=1),
    Column("right at", 9, right=True, keep=2),
)
FORGOTTEN_COLUMNS = (
    Column("", 1),
    Column("subject", 9, flex=2),
    Column("object", 9, flex=2),
    Column("relation", 9, flex=1, keep=1),
    Column("first right", 11, right=True, keep=2),
    Column("right at", 9, right=True, keep=1),
)
#: What becomes of facts (docs/sql.md), the forgotten ones first: their mark and its colour.
FATES: Mapping[str, tuple[str, Role]] = {
    "forgotten": ("−", "bad"),
    "oscillating": ("~", "dim"),
    "learned": ("+", "good"),
    "static": ("✓", "good"),
    "never learned": ("·", "faint"),
}


def relation_columns(marked: bool) -> list[Column]:
    """Heads for ``relation_rows``."""
    return [
        Column("", 1),
        Column("relation", 8, flex=1),
        Column("P@1 here", 8, right=True),
        *([Column("since A", 7, right=True, keep=1)] if marked else []),
        Column("best", 5, right=True, keep=3),
        Column("at", 6, right=True, keep=4),
        Column("facts", 5, right=True, keep=2),
    ]


def relation_rows(
    cards: Sequence[tuple[int, RelationCard]],
    curves: Mapping[str, Series],
    step: int,
    mark: int | None,
    hidden: frozenset[str],
    compared: bool,
) -> Rows:
    """Every relation with its P@1 at a step, the change since A, and its best; its colour before it.

    ``compared``: the curves are differences from A already.
    """
    told = names.change if compared else names.share

    def cells(line: int) -> tuple[Cell, ...]:
        tint, card = cards[line]
        series = curves.get(card.relation)
        here = series.at(step) if series else None
        before = series.at(mark) if series and mark is not None else None
        value = here[1] if here else None
        off = card.relation in hidden
        made = [
            Cell("○" if off else "●", "faint" if off else "series", tint),
            Cell(card.name or card.relation, "text"),
            Cell.number(told(value), value, "strong"),
        ]
        if mark is not None and not compared:
            change = here[1] - before[1] if here and before else None
            made.append(Cell.number(names.change(change), change, "dim"))
        at, top = (series.best if series else None) or (None, None)
        made += [
            Cell.number(told(top) or "–", top, "dim"),
            Cell.number("" if at is None else short(at), at, "faint"),
            Cell.number(names.count(card.facts), card.facts, "faint"),
        ]
        return tuple(made)

    return Rows(tuple(card.relation for _, card in cards), cells)


def narrowed(facts: FactsAtStep, wanted: Matcher) -> list[int]:
    """The places of the facts whose subject, object or first answer is let through."""
    firsts = [tokens[0] if tokens else "" for tokens in facts.tokens]
    rows = zip(facts.subject, facts.object, firsts, strict=True)
    return [
        index
        for index, (subject, answer, said) in enumerate(rows)
        if wanted(subject) or wanted(answer) or wanted(names.spoken(said))
    ]


def fact_keys(facts: FactsAtStep) -> tuple[Fact, ...]:
    """What each row of ``fact_rows`` is known by."""
    named = zip(facts.subject, facts.object, strict=True)
    return tuple((facts.relation, subject, answer) for subject, answer in named)


def fact_rows(facts: FactsAtStep, keys: tuple[Fact, ...], shown: Sequence[int] | None = None) -> Rows:
    """Facts (or those in some places): right or not, the object's rank and probability, and answers."""

    def cells(line: int) -> tuple[Cell, ...]:
        index = line if shown is None else shown[line]
        rank, p = int(facts.gold_rank[index]), float(np.exp(facts.gold_logp[index]))
        right = rank == 1
        return (
            Cell("✓" if right else "·", "good" if right else "faint"),
            Cell(facts.subject[index], "text"),
            Cell(facts.object[index], "good" if right else "text"),
            Cell.number(names.count(rank), rank, "dim"),
            Cell.number(names.chance(p), p, "dim"),
            predicted(facts.tokens[index], np.exp(facts.logps[index])),
        )

    return Rows(keys if shown is None else tuple(keys[index] for index in shown), cells)


def life_columns(life: Biography) -> list[Column]:
    """Heads for ``life_rows``; the whole sentence (table 9) only where it is stored."""
    columns = [
        Column("", 1),
        Column("step", 6, right=True),
        Column("rank", 6, right=True),
        Column("p", 5, right=True),
        Column("predictions", 12, flex=1, keep=1),
    ]
    return [*columns, Column("the whole sentence", 18, flex=1, keep=2)] if any(life.echo) else columns


def life_rows(life: Biography) -> Rows:
    """One fact, a row a step."""

    def cells(index: int) -> tuple[Cell, ...]:
        step, rank, p = (
            int(life.step[index]),
            int(life.gold_rank[index]),
            float(np.exp(life.gold_logp[index])),
        )
        right = rank == 1
        return (
            Cell("✓" if right else "·", "good" if right else "faint"),
            Cell.number(short(step), step),
            Cell.number(names.count(rank), rank, "dim"),
            Cell.number(names.chance(p), p, "good" if right else "dim"),
            predicted(life.tokens[index], np.exp(life.logps[index])),
            Cell(names.spoken(life.echo[index] or ""), "dim"),
        )

    return Rows(tuple(life.step.tolist()), cells)


def fate_title(fates: Sequence[FactDynamics]) -> str:
    """How many facts had which fate."""
    counts = Counter[str](fate.kind for fate in fates)
    return " · ".join(f"{counts[kind]} {kind}" for kind in FATES if counts[kind]) or "Fates"


def fate_rows(fates: Sequence[FactDynamics], relation: str) -> list[Row]:
    """Facts of a relation by what became of them over the run, the forgotten ones first."""
    rows = []
    order = list(FATES)
    for fate in sorted(fates, key=lambda fate: (order.index(fate.kind), fate.subject)):
        mark, role = FATES[fate.kind]
        cells = (
            Cell(mark, role),
            Cell(fate.subject, "text"),
            Cell(fate.object, role),
            Cell(fate.kind, "dim"),
            _first(fate, "never"),
            Cell(f"{fate.right}/{fate.steps}", "faint", value=f"{fate.right} of {fate.steps}"),
        )
        rows.append(Row((relation, fate.subject, fate.object), cells))
    return rows


def forgotten_rows(fates: Sequence[tuple[FactDynamics, RelationCard]]) -> list[Row]:
    """Forgotten facts of all relations, those that were known at most steps first."""
    return [
        Row(
            (card.relation, fate.subject, fate.object),
            (
                Cell(FATES["forgotten"][0], "bad"),
                Cell(fate.subject, "text"),
                Cell(fate.object, "bad"),
                Cell(card.name or card.relation, "dim"),
                _first(fate, ""),
                Cell(f"{fate.right}/{fate.steps}", "faint", value=f"{fate.right} of {fate.steps}"),
            ),
        )
        for fate, card in sorted(fates, key=lambda entry: (-entry[0].right, entry[0].subject))
    ]


def _first(fate: FactDynamics, never: str) -> Cell:
    """The first step at which a fact was answered right."""
    first = fate.first_right
    return Cell.number(never if first is None else short(first), first, "dim")


def predicted(tokens: Sequence[str], shares: Floats, role: Role = "dim") -> Cell:
    """Predictions; whole, with four digits of each probability."""
    return Cell(
        names.predictions(tokens, shares),
        role,
        value=lambda: "  ".join(
            f"{names.spoken(token)} {share:.4g}" for token, share in zip(tokens, shares, strict=False)
        ),
    )


def ledger_rows(entries: Sequence[LedgerEntry], called: Mapping[str, str]) -> list[Row]:
    """Facts whose answer turned, the forgotten ones first. ``called``: the relations' names."""
    rows = []
    for entry in sorted(entries, key=lambda entry: (entry.change, entry.relation, entry.subject)):
        learned = entry.change == "learned"
        answers = f"{names.spoken(entry.answer_a)} → {names.spoken(entry.answer_b)}"
        cells = (
            Cell("+" if learned else "−", "good" if learned else "bad", value=entry.change),
            Cell(entry.subject, "text"),
            Cell(entry.object, "good" if learned else "bad"),
            Cell(answers, "dim"),
            Cell(called.get(entry.relation, entry.relation), "faint"),
        )
        rows.append(Row((entry.relation, entry.subject, entry.object), cells))
    return rows
