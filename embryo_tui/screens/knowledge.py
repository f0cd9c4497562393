"""Screen 5: facts (figures 6 and 14, table 9): relations, their facts at the cursor, one fact's life."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from textual import on
from textual.app import ComposeResult
from textual.containers import Vertical

from embryo_tui import questions as q
from embryo_tui.filters import lenient
from embryo_tui.look import Fact, Look, World
from embryo_tui.questions import Question
from embryo_tui.raster.axes import short
from embryo_tui.screens import asked_rows, drawing, fact_rows, names
from embryo_tui.screens.view import Find, Turned, View, Wishes, value_of
from embryo_tui.steps import around, at_or_before
from embryo_tui.widgets.plot import Plot, Series
from embryo_tui.widgets.table import Table

if TYPE_CHECKING:
    from embryo_store.cloze_answers import AskedSentence
    from embryo_store.query import Biography, Curve, FactDynamics, FactsAtStep, LedgerEntry, RelationCard

METRIC = "p1"
#: Steps about the cursor whose facts are fetched before they are asked for.
BEHIND, AHEAD = 24, 24


class Knowledge(View):
    """Relations and their curves above, facts and one fact's life (or the ledger) below."""

    key = "knowledge"
    _facts: FactsAtStep | None = None
    _own: dict[str, Series]
    _keys: tuple[Fact, ...] = ()

    def compose(self) -> ComposeResult:
        """Five panels."""
        yield Table("relations", "Relations", empty=names.READING)
        yield Plot("p1", "P@1 per relation", names.READING)
        yield Table("facts", "Facts", fact_rows.FACT_COLUMNS)
        with Vertical(id="life-side"):
            yield Plot("life-curve")
            yield Table("life", "Biography")

    def wishes(self, look: Look, world: World, find: Find) -> Wishes:
        """The relation's facts at the cursor and about it, and what is shown of one fact."""
        relation = relation_of(look, known_relations(value_of(find(q.relations()), ())))
        shown = self.sources(look, world, find)
        now = tuple(dict.fromkeys(question for asked in shown.values() for question in asked))
        if relation is None or not look.run:
            return Wishes(now)
        steps = around(world.steps, look.step, BEHIND, AHEAD)
        return Wishes(now, tuple(q.facts_at(look.run, step, relation) for step in steps))

    def sources(self, look: Look, world: World, find: Find) -> Mapping[str, tuple[Question[Any], ...]]:
        """What each panel is drawn from."""
        found: dict[str, tuple[Question[Any], ...]] = {
            "relations": (q.relations(),),
            "p1": (q.curves("lama", METRIC),),
        }
        if look.below == "asked" and look.run:
            found["life"] = found["life-curve"] = (q.asked_sentences(look.run),)
        cards = known_relations(value_of(find(q.relations()), ()))
        relation = relation_of(look, cards)
        if relation is None or not look.run:
            return found
        found["facts"] = (q.facts_at(look.run, look.step, relation),)
        if look.below == "ledger":
            found["life"] = (_turned(look, world),)
        elif look.below == "dynamics":
            found["life"] = (q.fact_dynamics(look.run, relation),)
        elif look.below == "forgotten":
            found["life"] = tuple(q.fact_dynamics(look.run, card.relation) for card in cards)
        elif look.below == "biography" and (fact := self._fact(look)) is not None:
            found["life"] = found["life-curve"] = (q.biography(look.run, fact),)
        return found

    def show(self, look: Look, world: World, find: Find) -> None:
        """Relations, facts, and one fact's life, the ledger, or all fates."""
        related = find(q.relations())
        cards = known_relations(value_of(related, ()))
        relation = relation_of(look, cards)
        self._show_relations(cards, value_of(find(q.curves("lama", METRIC)), ()), relation, look, world)
        if relation is None:
            missing = names.missing("lama", related is not None)
            self.query_one("#relations", Table).fill((), empty=missing)
            self.query_one("#p1", Plot).draw((), drawing.frame_of(look, world), missing)
            self.query_one("#facts", Table).fill((), empty="")
            self._show_below(cards, relation, look, world, find)
            return
        found = find(q.facts_at(look.run, look.step, relation))
        if found is not None:
            self._facts = found.value
        if self.changed(
            "facts", (self._facts, cards), (look.step, relation, look.fact, look.run, look.filter)
        ):
            self._show_facts(next(card for card in cards if card.relation == relation), look)
        self._show_below(cards, relation, look, world, find)

    def _show_below(
        self, cards: tuple[RelationCard, ...], relation: str | None, look: Look, world: World, find: Find
    ) -> None:
        """What was chosen of one fact's life, the ledger, fates, and the sentences asked."""
        drawn = look.below == "asked" or (look.below == "biography" and relation is not None)
        self.query_one("#life-curve").set_class(not drawn, "away")
        if look.below == "asked":
            self._show_asked(value_of(find(q.asked_sentences(look.run)), None), look, world)
        elif relation is None:
            if self.changed("life", (), "nothing"):
                self.query_one("#life", Table).entitle("Biography")
                self.query_one("#life", Table).fill((), empty="")
        elif look.below == "ledger":
            self._show_ledger(value_of(find(_turned(look, world)), None), cards, look, world)
        elif look.below == "dynamics":
            self._show_dynamics(value_of(find(q.fact_dynamics(look.run, relation)), None), relation, look)
        elif look.below == "forgotten":
            self._show_forgotten(cards, look, find)
        else:
            fact = self._fact(look)
            found = None if fact is None else find(q.biography(look.run, fact))
            if fact is not None and found is not None and found.value is None:
                self._show_nothing_of(fact, look)
            elif found is not None:
                self._show_life(found.value, look, world)

    def _fact(self, look: Look) -> Fact | None:
        """The chosen fact, else the first one that is shown."""
        facts = self._facts
        if look.fact is not None or facts is None or not facts.subject:
            return look.fact
        return facts.relation, facts.subject[0], facts.object[0]

    def _show_relations(
        self,
        cards: tuple[RelationCard, ...],
        curves: tuple[Curve, ...],
        relation: str | None,
        look: Look,
        world: World,
    ) -> None:
        plot, table = self.query_one("#p1", Plot), self.query_one("#relations", Table)
        tints = {card.relation: tint for tint, card in enumerate(cards)}
        homes = {card.relation: card.dataset for card in cards}
        settings = (look.run, drawing.style(look, world), relation, tuple(homes.items()))
        if self.changed("p1", (curves,), settings):
            called = {card.relation: card.name or card.relation for card in cards}
            made = [
                Series(
                    called[curve.label],
                    curve.step,
                    curve.value,
                    tints[curve.label],
                    drawing.pattern(look, curve.run),
                    label=curve.label,
                    run=curve.run,
                )
                for curve in curves
                if curve.run in look.runs and homes.get(curve.label) == curve.dataset
            ]
            made.sort(key=lambda entry: (entry.switch != relation, entry.tint))
            drawn = drawing.prepared(made, look, world)
            kin = world.kin.get(look.run) if look.bands else None
            self._own = {entry.switch: entry for entry in drawn if entry.run in (look.run, kin)}
            chosen = [entry for entry in drawn if entry.switch == relation]
            plot.entitle("P@1 per relation")
            frame = drawing.frame_of(look, world, chosen, shares=True, legend=False)
            plot.draw(drawn, frame, drawing.empty(look, made, f"no P@1 stored: {names.to_run('lama')}"))
        plot.point(look.step, look.mark)
        wanted = lenient(look.filter)
        listed = [
            (tints[card.relation], card)
            for card in cards
            if card.relation == relation or wanted(f"{card.name} {card.relation} {card.template}")
        ]
        compared = drawing.compared(look)
        rows = fact_rows.relation_rows(listed, self._own, look.step, look.mark, look.hidden, compared)
        table.fill(rows, relation, columns=fact_rows.relation_columns(look.mark is not None and not compared))

    def _show_facts(self, card: RelationCard, look: Look) -> None:
        table, facts = self.query_one("#facts", Table), self._facts
        if facts is None or (facts.relation, facts.run) != (card.relation, look.run):
            table.entitle(card.template)
            table.fill((), empty=f"no answers of {look.run} here: {names.to_run('lama')}")
            return
        table.entitle(card.template, names.stands_in(facts.step, look.step))
        shown = fact_rows.narrowed(facts, lenient(look.filter)) if look.filter else None
        # Neighbouring steps share their names: a thousand keys are not made anew for each.
        if self.changed("keys", (facts.subject, facts.object), facts.relation):
            self._keys = fact_rows.fact_keys(facts)
        empty = f"no fact here matches {look.filter}"
        table.fill(fact_rows.fact_rows(facts, self._keys, shown), self._fact(look), empty=empty)

    def _show_nothing_of(self, fact: Fact, look: Look) -> None:
        relation, subject, answer = fact
        table, plot = self.query_one("#life", Table), self.query_one("#life-curve", Plot)
        if self.changed("life", (), ("nothing", fact, look.run)):
            table.entitle("Biography")
            table.fill((), empty=f"{look.run} was not asked {relation}, {subject} → {answer}")
        if self.changed("life-curve", (), fact):
            plot.entitle(f"Probability of {answer}")
            plot.draw((), plot.frame, " ")

    def _show_life(self, life: Biography | None, look: Look, world: World) -> None:
        table, plot = self.query_one("#life", Table), self.query_one("#life-curve", Plot)
        if life is None:
            return
        if self.changed("life", (life,), "biography"):
            table.entitle(life.template.replace("[X]", life.subject).replace("[Y]", "▁"), life.object)
            self._lives, self._heads = fact_rows.life_rows(life), fact_rows.life_columns(life)
        if self.changed("life-curve", (life,), drawing.style(look, world)):
            plot.entitle(f"Probability of {life.object}")
            series = Series(life.subject, life.step, np.exp(life.gold_logp), 0)
            drawn = (drawing.since(series, look.mark),) if drawing.compared(look) else (series,)
            plot.draw(drawn, drawing.frame_of(look, world, drawn, shares=True, legend=False))
        plot.point(look.step, look.mark)
        table.fill(self._lives, at_or_before(life.step, look.step), columns=self._heads)

    def _show_ledger(
        self,
        entries: tuple[LedgerEntry, ...] | None,
        cards: tuple[RelationCard, ...],
        look: Look,
        world: World,
    ) -> None:
        table, start = self.query_one("#life", Table), start_of(look, world)
        settings = ("ledger", start, look.step, look.filter)
        if entries is None or not self.changed("life", (entries, cards), settings):
            return
        wanted = lenient(look.filter)
        called = {card.relation: card.name or card.relation for card in cards}
        shown = [
            entry
            for entry in entries
            if wanted(f"{entry.subject} {entry.object} {entry.relation} {called.get(entry.relation, '')}")
        ]
        learned = sum(entry.change == "learned" for entry in shown)
        turned = f"{learned} learned, {len(shown) - learned} forgotten"
        title = f"{short(look.step)} against {short(start)}: {turned}"
        table.entitle(title, "m marks another A" if look.mark is None else "since A")
        rows = fact_rows.ledger_rows(shown, called)
        empty = "no answer turned between these steps"
        if entries and look.filter:
            empty = f"none of the {len(entries):,} facts that turned matches {look.filter}: a shows all"
        table.fill(rows, look.fact, columns=fact_rows.LEDGER_COLUMNS, empty=empty)

    def _show_dynamics(self, fates: tuple[FactDynamics, ...] | None, relation: str, look: Look) -> None:
        table = self.query_one("#life", Table)
        if fates is None or not self.changed("life", (fates,), ("dynamics", look.filter)):
            return
        wanted = lenient(look.filter)
        shown = [fate for fate in fates if wanted(f"{fate.subject} {fate.object} {fate.kind}")]
        table.entitle(fact_rows.fate_title(shown), f"fates over all steps of {look.run}")
        rows = fact_rows.fate_rows(shown, relation)
        table.fill(
            rows, look.fact, columns=fact_rows.FATE_COLUMNS, empty="no fact of this relation has answers"
        )

    def _show_forgotten(self, cards: tuple[RelationCard, ...], look: Look, find: Find) -> None:
        table = self.query_one("#life", Table)
        answers = tuple(value_of(find(q.fact_dynamics(look.run, card.relation)), None) for card in cards)
        if not self.changed("life", answers, ("forgotten", look.run, look.filter)):
            return
        forgotten = [
            (fate, card)
            for card, fates in zip(cards, answers, strict=True)
            for fate in fates or ()
            if fate.kind == "forgotten"
        ]
        wanted = lenient(look.filter)
        shown = [
            (fate, card) for fate, card in forgotten if wanted(f"{fate.subject} {fate.object} {card.name}")
        ]
        read = sum(fates is not None for fates in answers)
        note = (
            f"all relations of {look.run}" if read == len(cards) else f"{read} of {len(cards)} relations read"
        )
        count = f"{len(shown)} of {len(forgotten)}" if look.filter else str(len(shown))
        table.entitle(f"facts forgotten: {count}, those known longest first", note)
        empty = names.READING
        if forgotten:
            empty = f"none of the facts forgotten matches {look.filter}"
        elif read == len(cards):
            empty = "no fact was right once and wrong throughout the last tenth of the steps"
        rows = fact_rows.forgotten_rows(shown)
        table.fill(rows, look.fact, columns=fact_rows.FORGOTTEN_COLUMNS, empty=empty)

    def _show_asked(self, asked: tuple[AskedSentence, ...] | None, look: Look, world: World) -> None:
        table, plot = self.query_one("#life", Table), self.query_one("#life-curve", Plot)
        if asked is None:
            return
        shown = asked_rows.matching(asked, lenient(look.filter))
        known = {(sentence.text, sentence.mask): sentence for sentence in shown}
        chosen = look.asked if look.asked in known else next(iter(known), None)
        if self.changed("life", (asked,), ("asked", look.step, look.filter, chosen)):
            said = f"no sentence here matches {look.filter}" if asked else asked_rows.NOTHING
            table.entitle("Sentences asked", look.run)
            rows = asked_rows.asked_rows(shown, look.step)
            table.fill(rows, chosen, columns=asked_rows.ASKED_COLUMNS, empty=said)
        if self.changed("life-curve", (asked,), (chosen, drawing.style(look, world))):
            sentence = None if chosen is None else known[chosen]
            series = asked_rows.asked_curves(sentence) if sentence else []
            drawn = [replace(entry, hidden=entry.switch in look.hidden) for entry in series]
            if drawing.compared(look):
                drawn = [drawing.since(entry, look.mark) for entry in drawn]
            plot.entitle("" if sentence is None else sentence.text)
            plot.draw(tuple(drawn), drawing.frame_of(look, world, drawn, shares=True), " ")
        plot.point(look.step, look.mark)

    @on(Table.Chosen)
    def _take_row(self, message: Table.Chosen) -> None:
        name, key = message.table.id, message.key
        if name == "relations":
            self.post_message(Turned(lambda look: replace(look, relation=str(key), fact=None)))
        else:
            self.post_message(Turned(lambda look: _into(look, key)))


def _into(look: Look, key: Hashable) -> Look:
    """A biography's rows are steps, those of sentences asked are texts and masks, all others are facts. A row
    chosen just before the table changed is still what it is.
    """
    match key:
        case int():
            return replace(look, step=key)
        case (str(text), int(mask)):
            return replace(look, asked=(text, mask))
        case (str(relation), str(subject), str(answer)):
            return replace(look, fact=(relation, subject, answer))
    return look


def _turned(look: Look, world: World) -> Question[tuple[LedgerEntry, ...]]:
    return q.ledger(look.run, start_of(look, world), look.step, None)


def known_relations(cards: tuple[RelationCard, ...]) -> tuple[RelationCard, ...]:
    """Every relation once, with answered facts: the first dataset's where several hold it."""
    return tuple({card.relation: card for card in reversed(cards) if card.facts}.values())[::-1]


def relation_of(look: Look, cards: tuple[RelationCard, ...]) -> str | None:
    """The chosen relation where it is there, else the first."""
    known = [card.relation for card in cards]
    return look.relation if look.relation in known else known[0] if known else None


def start_of(look: Look, world: World) -> int:
    """Step A of the ledger: the mark, else the first step."""
    if look.mark is not None:
        return look.mark
    return int(world.steps[0]) if len(world.steps) else 0
