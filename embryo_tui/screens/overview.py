"""Screen 1: what was trained, how its loss fell, the headline curves, and what is evaluated."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from textual.app import ComposeResult

from embryo_tui import questions as q
from embryo_tui.datasets import folded, main_dataset
from embryo_tui.look import Look, World
from embryo_tui.questions import Question
from embryo_tui.raster.axes import short
from embryo_tui.screens import drawing, names
from embryo_tui.screens.view import Find, View, Wishes, value_of
from embryo_tui.widgets.card import Card
from embryo_tui.widgets.plot import Plot, Series
from embryo_tui.widgets.table import Cell, Column, Row, Table

if TYPE_CHECKING:
    from embryo_store.query import Coverage, Curve, RunCard

LOSS = "loss"


class Overview(View):
    """Card and coverage at the left, curves at the right."""

    key = "overview"

    def compose(self) -> ComposeResult:
        """Four panels."""
        yield Card("card")
        yield Plot("loss", "Training loss", empty="no training log stored: embryo-eval --task train-log")
        yield Table(
            "coverage",
            "Evaluated",
            [
                Column("task", 16),
                Column("dataset", 6, flex=1, keep=2),
                Column("steps", 9, right=True),
                Column("", 8, keep=3, name="failed"),
                Column("last", 6, right=True, keep=1),
            ],
        )
        yield Plot("headline", "Accuracy", empty="nothing evaluated yet: embryo-eval --db results.duckdb")

    def wishes(self, look: Look, world: World, find: Find) -> Wishes:
        """Curves over all steps: the cursor needs nothing new."""
        return Wishes(
            tuple(question for asked in self.sources(look, world, find).values() for question in asked)
        )

    def sources(self, look: Look, world: World, find: Find) -> Mapping[str, tuple[Question[Any], ...]]:
        """What each panel is drawn from."""
        headlines = tuple(q.curves(task, metric, (label,)) for task, metric, label, _ in names.HEADLINES)
        return {
            "card": (q.runs(),),
            "coverage": (q.coverage(),),
            "loss": (q.curves("train-log", LOSS),),
            "headline": headlines,
        }

    def show(self, look: Look, world: World, find: Find) -> None:
        """Card, curves, coverage."""
        listed, coverage = find(q.runs()), value_of(find(q.coverage()), ())
        cards = value_of(listed, ())
        if listed is not None and self.changed("card", (cards,), look.run):
            self._show_card(cards, look.run)
        if listed is not None and self.changed("coverage", (coverage, cards), look.run):
            self._show_coverage(coverage, look.run)
        settings = drawing.style(look, world)
        logged = find(q.curves("train-log", LOSS))
        losses = value_of(logged, ())
        loss, headline = self.query_one("#loss", Plot), self.query_one("#headline", Plot)
        if self.changed("loss", (losses,), (settings, logged is None)):
            made = by_run(losses, look.runs, world.runs)
            series = drawing.prepared(made, look, world)
            missing = names.missing("train-log", logged is not None)
            loss.draw(series, drawing.frame_of(look, world, series), drawing.empty(look, made, missing))
        found = [find(q.curves(task, metric, (label,))) for task, metric, label, _ in names.HEADLINES]
        answers = [value_of(curves, ()) for curves in found]
        if self.changed("headline", (coverage, *answers), (settings, None in found)):
            drawn: list[Series] = []
            for tint, (curves, (task, _, _, name)) in enumerate(zip(answers, names.HEADLINES, strict=True)):
                dataset = main_dataset(coverage, task)
                mine = tuple(curve for curve in curves if curve.dataset == dataset)
                drawn += _headline(mine, look, name, tint)
            ready = drawing.prepared(drawn, look, world)
            empty = drawing.empty(look, drawn, names.missing("mask-predict", None not in found))
            headline.draw(ready, drawing.frame_of(look, world, ready, shares=True), empty)
        loss.point(look.step, look.mark)
        headline.point(look.step, look.mark)

    def _show_card(self, cards: tuple[RunCard, ...], run: str) -> None:
        panel = self.query_one("#card", Card)
        card = next((card for card in cards if card.run == run), None)
        if card is None:
            panel.entitle("No runs")
            panel.write((("", "This store holds no results yet. Fill it: embryo-eval --db FILE"),))
            return
        panel.entitle(card.run)
        size = [f"{card.layers} layers" if card.layers else "", f"{card.heads} heads" if card.heads else ""]
        size += [f"width {card.hidden}" if card.hidden else ""]
        size += [f"{short(card.parameters)} weights" if card.parameters else ""]
        saved = f"{len(card.steps)} checkpoints"
        if len(card.steps):
            saved += f", {short(float(card.steps[0]))} to {short(float(card.steps[-1]))}"
        if card.total_steps:
            saved += f" of {short(card.total_steps)} steps"
        lines = [
            ("model", f"{card.family}{f', {card.objective}' if card.objective else ''}"),
            ("size", " · ".join(part for part in size if part) or "unknown"),
            ("saved", saved),
            ("corpus", told(_parsed(card.corpus)) or "unknown"),
            ("from", card.source),
        ]
        # A recipe has room for what only the other families use.
        known = {"name", "family", "objective", *names.FAMILIES} - {card.family}
        lines += [(name, told(value)) for name, value in card.recipe.items() if name not in known]
        panel.write(tuple(lines))

    def _show_coverage(self, coverage: tuple[Coverage, ...], run: str) -> None:
        rows = []
        for entry in folded(entry for entry in coverage if entry.run == run):
            filled = round(8 * entry.done / entry.checkpoints) if entry.checkpoints else 0
            complete, last = entry.done >= entry.checkpoints, entry.last_step
            cells = (
                Cell(names.under(names.TASKS.get(entry.task, entry.task), entry.protocol), "text"),
                Cell(f"{entry.dataset}{f' seed {entry.seed}' if entry.seed else ''}", "dim"),
                Cell(f"{entry.done}/{entry.checkpoints}", "text" if complete else "strong",
                     value=f"{entry.done} of {entry.checkpoints}"),
                Cell.number(f"{entry.failed} failed" if entry.failed else "━" * filled + "╌" * (8 - filled),
                            entry.failed, "bad" if entry.failed else "good" if complete else "dim"),
                Cell.number("–" if last is None else short(last), last, "dim"),
            )  # fmt: skip
            rows.append(Row((entry.task, entry.dataset, entry.protocol, entry.seed), cells))
        seen = {entry.task for entry in coverage if entry.run == run}
        for task, name in names.TASKS.items():
            if task not in seen:
                rows.append(
                    Row(task, (Cell(name, "faint"), Cell(names.to_run(task), "faint"), Cell("none", "faint")))
                )
        self.query_one("#coverage", Table).fill(rows, empty="nothing evaluated yet")


def by_run(curves: tuple[Curve, ...], chosen: tuple[str, ...], runs: tuple[str, ...]) -> list[Series]:
    """One series a chosen run, each in its run's colour."""
    return [
        Series(curve.run, curve.step, curve.value, runs.index(curve.run), label="loss", run=curve.run)
        for curve in curves
        if curve.run in chosen and curve.run in runs
    ]


def _headline(curves: tuple[Curve, ...], look: Look, name: str, tint: int) -> list[Series]:
    """One headline of every chosen run: its own colour, runs by how the line is broken."""
    return [
        Series(
            name if len(look.runs) == 1 else f"{name} {run}",
            curve.step,
            curve.value,
            tint,
            drawing.pattern(look, run),
            label=name,
            run=run,
        )
        for run in look.runs
        for curve in curves
        if curve.run == run
    ]


def _parsed(text: str | None) -> object:
    """What a trainer wrote about its corpus: JSON, or plain text."""
    try:
        return json.loads(text or "null")
    except ValueError:
        return text


def told(value: object) -> str:
    """A recipe's value for people: names and values side by side, without digests and empty ones."""
    if isinstance(value, Mapping):
        parts = (
            (str(name).replace("_", " "), told(part)) for name, part in value.items() if name != "digest"
        )
        return " · ".join(f"{name} {part}" for name, part in parts if part)
    if isinstance(value, list | tuple):
        return ", ".join(told(part) for part in value)
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int | float):
        return short(value) if abs(value) >= 10_000 else f"{value:g}"
    return "" if value is None else str(value)
