"""Facts as text: P@1 per relation, what was learned and forgotten, and the sentences asked."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from embryo_store.cloze_answers import asked_sentences
from embryo_tui.screens.names import chance, count, predictions, share, spoken
from embryo_tui.steps import position
from embryo_tui.text.charts import Line, chart
from embryo_tui.text.page import Page, joined, missing
from embryo_tui.text.tables import table, title

if TYPE_CHECKING:
    from embryo_store.query import Reader, RelationCard

#: Answers to a sentence that are named.
ANSWERS = 5


def knowledge(reader: Reader, page: Page) -> str:
    """P@1 per relation; the facts that turned since A, else the first step; the sentences asked. Of a
    relation that was asked for, its facts, too.
    """
    cards = [card for card in reader.relations() if card.facts]
    asked, known = page.asked("relation"), [card.relation for card in cards]
    head = title(f"{page.run}: P@1 per relation", page.width)
    if cards and asked is not None and asked not in known:
        return joined(head, page.nothing(f"relation {asked!r}", known))
    chosen = [card for card in cards if asked in (None, card.relation)]
    numbers = _relations(reader, page, chosen)
    parts = [head, numbers] if numbers else [head, missing("lama")]
    if numbers and asked is not None:
        parts.append(_facts(reader, page, chosen[0]))
    if numbers:
        parts.append(_turned(reader, page, asked))
    return joined(*parts, _sentences(reader, page))


def _relations(reader: Reader, page: Page, cards: list[RelationCard]) -> str:
    found = reader.curves("lama", "p1", runs=(page.run,), protocol="paper")
    curves = {(curve.dataset, curve.label): curve for curve in found if np.isfinite(curve.value).any()}
    rows = [["relation", "template", *page.heads, "best", "at step", "facts"]]
    lines = []
    for card in cards:
        curve = curves.get((card.dataset, card.relation))
        if curve is None or not page.wanted(f"{card.name} {card.relation} {card.template}"):
            continue
        name, best = card.name or card.relation, int(np.nanargmax(curve.value))
        rows.append([
            name, card.template, share(page.here(curve)), *page.compared(page.since(curve)),
            share(float(curve.value[best])), count(int(curve.step[best])), count(card.facts),
        ])  # fmt: skip
        if card.relation not in page.look.hidden:
            lines.append(Line(name, curve.step, curve.value))
    if len(rows) > 1:
        return joined(
            table(rows, right=range(2, len(rows[0])), width=page.width), chart(lines, page.across, page.width)
        )
    return f"  no relation matches {page.look.filter}" if curves and page.look.filter else ""


def _facts(reader: Reader, page: Page, card: RelationCard) -> str:
    facts = reader.facts_at(page.run, page.step, card.relation, dataset=card.dataset)
    if facts is None:
        return ""
    rows = [["", "subject", "object", "rank", "p", "predictions"]]
    for index, (subject, answer) in enumerate(zip(facts.subject, facts.object, strict=True)):
        said = predictions(facts.tokens[index], np.exp(facts.logps[index]))
        if page.wanted(subject) or page.wanted(answer) or page.wanted(said):
            rank = int(facts.gold_rank[index])
            p = chance(float(np.exp(facts.gold_logp[index])))
            rows.append(["✓" if rank == 1 else "·", subject, answer, count(rank), p, said])
    head = title(f"{page.run}: {card.template} at step {count(facts.step)}", page.width)
    return joined(head, table(rows, right=(3, 4), width=page.width) if len(rows) > 1 else "  none")


def _turned(reader: Reader, page: Page, relation: str | None) -> str:
    start = int(page.card.steps[0]) if page.mark is None else page.mark
    rows = [
        ["+" if entry.change == "learned" else "-", entry.subject, entry.object,
         f"{spoken(entry.answer_a)} → {spoken(entry.answer_b)}"]
        for entry in sorted(
            reader.ledger(page.run, start, page.step, relation=relation),
            key=lambda entry: (entry.change, entry.subject),
        )
        if page.wanted(f"{entry.subject} {entry.object} {entry.relation}")
    ]  # fmt: skip
    return joined(
        title(f"{page.run}: facts that turned from step {count(start)} to {count(page.step)}", page.width),
        table(rows, width=page.width) or "  none",
    )


def _sentences(reader: Reader, page: Page) -> str:
    """What was asked with ``embryo-eval cloze``, answered at the step or the nearest earlier one."""
    rows = [["sentence", "mask", "at step", "predictions"]]
    for sentence in asked_sentences(reader, page.run, top=ANSWERS):
        index = position(sentence.step, page.step)
        if index is None:
            continue
        said = predictions(sentence.tokens[index], np.exp(sentence.logps[index]))
        if page.wanted(sentence.text) or page.wanted(said):
            rows.append([sentence.text, str(sentence.mask), count(int(sentence.step[index])), said])
    if len(rows) == 1:
        return ""
    return joined(
        title(f"{page.run}: sentences asked", page.width), table(rows, right=(1, 2), width=page.width)
    )
