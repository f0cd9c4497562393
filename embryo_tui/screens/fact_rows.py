"""Facts as rows of tables: relations at the cursor, a relation's facts, one fact's life, the ledger."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from embryo_tui.raster.axes import short
from embryo_tui.screens import names
from embryo_tui.widgets.plot import Series
from embryo_tui.widgets.table import Cell, Column, Row, Rows

if TYPE_CHECKING:
    from embryo_store.query import Biography, FactsAtStep, Floats, LedgerEntry, RelationCard

FACT_COLUMNS = (
    Column("", 1),
    Column("subject", 9, flex=2),
    Column("object", 9, flex=2),
    Column("rank", 5, right=True),
    Column("p", 5, right=True, keep=2),
    Column("predictions", 12, flex=5, keep=1),
)
LEDGER_COLUMNS = (
    Column("", 1),
    Column("subject", 9, flex=2),
    Column("object", 9, flex=2),
    Column("answer at A → here", 18, flex=3, keep=1),
    Column("relation", 8, keep=2),
)


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
    cards: Sequence[RelationCard], curves: Mapping[str, Series], step: int, mark: int | None
) -> list[Row]:
    """Every relation with its P@1 at a step, the change since A, and its best."""
    rows = []
    for tint, card in enumerate(cards):
        series = curves.get(card.relation)
        here = series.at(step) if series else None
        before = series.at(mark) if series and mark is not None else None
        best = None if series is None or not np.isfinite(series.y).any() else int(np.nanargmax(series.y))
        top, when = ("–", "") if series is None or best is None else (
            names.share(float(series.y[best])), short(float(series.x[best]))
        )  # fmt: skip
        cells = (
            Cell("●", "series", tint),
            Cell(card.name or card.relation, "text"),
            Cell(names.share(here[1] if here else None), "strong"),
            *(
                []
                if mark is None
                else [Cell(names.change(here[1] - before[1]) if here and before else "", "dim")]
            ),
            Cell(top, "dim"),
            Cell(when, "faint"),
            Cell(names.count(card.facts), "faint"),
        )
        rows.append(Row(card.relation, cells))
    return rows


def fact_rows(facts: FactsAtStep) -> Rows:
    """A relation's facts: right or not, the object's rank and probability, and what was said."""

    def cells(index: int) -> tuple[Cell, ...]:
        right = facts.gold_rank[index] == 1
        return (
            Cell("✓" if right else "·", "good" if right else "faint"),
            Cell(facts.subject[index], "text"),
            Cell(facts.object[index], "good" if right else "text"),
            Cell(names.count(int(facts.gold_rank[index])), "dim"),
            Cell(names.share(float(np.exp(facts.gold_logp[index]))), "dim"),
            Cell(predictions(facts.tokens[index], np.exp(facts.logps[index])), "dim"),
        )

    return Rows(tuple(facts.fact_id.tolist()), cells)


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
        right = life.gold_rank[index] == 1
        return (
            Cell("✓" if right else "·", "good" if right else "faint"),
            Cell(short(float(life.step[index])), "text"),
            Cell(names.count(int(life.gold_rank[index])), "dim"),
            Cell(names.share(float(np.exp(life.gold_logp[index]))), "good" if right else "dim"),
            Cell(predictions(life.tokens[index], np.exp(life.logps[index])), "dim"),
            Cell(names.spoken(life.echo[index] or ""), "dim"),
        )

    return Rows(tuple(life.step.tolist()), cells)


def ledger_rows(entries: Sequence[LedgerEntry]) -> list[Row]:
    """Facts whose answer turned, the forgotten ones first."""
    rows = []
    for entry in sorted(entries, key=lambda entry: (entry.change, entry.relation, entry.subject)):
        learned = entry.change == "learned"
        answers = f"{names.spoken(entry.answer_a)} → {names.spoken(entry.answer_b)}"
        cells = (
            Cell("+" if learned else "−", "good" if learned else "bad"),
            Cell(entry.subject, "text"),
            Cell(entry.object, "good" if learned else "bad"),
            Cell(answers, "dim"),
            Cell(entry.relation, "faint"),
        )
        rows.append(Row(entry.fact_id, cells))
    return rows


def predictions(tokens: Sequence[str], shares: Floats) -> str:
    """Words with their probabilities, best first."""
    return "  ".join(
        f"{names.spoken(token)} {names.share(float(part))[:3]}"
        for token, part in zip(tokens, shares, strict=False)
    )
