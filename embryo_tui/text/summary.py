"""What a store says in a page: runs, and each headline number from the first step to the last."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from embryo_tui.datasets import main_dataset
from embryo_tui.raster.axes import short
from embryo_tui.screens.names import SHARES, count, share, under
from embryo_tui.text.charts import Line, chart
from embryo_tui.text.page import Page, joined
from embryo_tui.text.tables import table, title

if TYPE_CHECKING:
    from embryo_store.query import Curve, Reader, RunCard

#: "Reached" is said of the first step at which an accuracy is this high.
REACHED = 0.3


def summary(reader: Reader, pages: Sequence[Page]) -> str:
    """All chosen runs, one after another."""
    parts = [_runs([page.card for page in pages], pages[0].width)]
    for page in pages:
        parts += [title(page.run, page.width), _numbers(reader, page), _picture(reader, page)]
    return joined(*parts)


def _runs(cards: Sequence[RunCard], width: int) -> str:
    rows = [["run", "model", "weights", "checkpoints", "steps"]]
    for card in cards:
        steps = f"{count(int(card.steps[0]))} to {count(int(card.steps[-1]))}" if len(card.steps) else "none"
        weights = short(card.parameters) if card.parameters else "–"
        rows.append([card.run, card.family, weights, str(len(card.steps)), steps])
    return table(rows, right=(2, 3), width=width)


def _numbers(reader: Reader, page: Page) -> str:
    """First, last and best of every headline, and when it was reached."""
    run = (page.run,)
    coverage = [entry for entry in reader.coverage() if entry.run == page.run]
    rows = [["", "first", "last", "best", "at step", f"reached {REACHED:g}"]]

    def add(name: str, curves: Sequence[Curve], *, falling: bool = False, indent: int = 0) -> None:
        for curve in curves:
            known = np.isfinite(curve.value)
            called = under(name or curve.label, curve.protocol, curve.seed)
            if not known.any() or not page.wanted(called):
                continue
            steps, values = curve.step[known], curve.value[known]
            best = int(values.argmin() if falling else values.argmax())
            above = steps[values >= REACHED]
            reached = "" if falling else count(int(above[0])) if len(above) else "never"
            rows.append([
                " " * indent + called, _number(values[0]), _number(values[-1]),
                _number(values[best]), count(int(steps[best])), reached,
            ])  # fmt: skip

    add("training loss", reader.curves("train-log", "loss", runs=run), falling=True)
    for task, name in (("mask-predict", "mask prediction"), ("reconstruct", "reconstruction")):
        dataset = main_dataset(coverage, task)
        add(f"{name}, all words", reader.curves(task, "accuracy", runs=run, labels=("all",), dataset=dataset))
        curves = reader.word_curves(task, "class", runs=run, dataset=dataset)
        for label in ("function", "content"):
            add(f"{label} words", [curve for curve in curves if curve.label == label], indent=2)
    held_out = main_dataset(coverage, "mlm")
    add(
        "held-out MLM accuracy", reader.curves("mlm", "accuracy", runs=run, labels=("all",), dataset=held_out)
    )
    asked = main_dataset(coverage, "lama")
    answers = reader.curves("lama", "p1", runs=run, protocol="paper", dataset=asked)
    names = {relation.relation: relation.name for relation in reader.relations()}
    add("facts P@1, mean of relations", [curve for curve in answers if curve.label == "all"])
    for curve in answers:
        if curve.label in names:
            add(names[curve.label] or curve.label, [curve], indent=2)
    found = table(rows, right=(1, 2, 3, 4, 5), width=page.width) if len(rows) > 1 else ""
    moved = _attention(reader, page.run) if page.wanted("attention moved most") else ""
    return "\n".join(part for part in (found, moved) if part)


def _attention(reader: Reader, run: str) -> str:
    """The head whose share of attention moved most from the first step to the last."""
    moved: list[tuple[float, str]] = []
    for metric in [name for name in reader.head_statistics(run) if name in SHARES]:
        statistic = reader.head_statistic(run, metric)
        values = statistic.value
        known = values[np.isfinite(values)]
        if len(statistic.step) < 2 or not len(known):
            continue
        change = np.nan_to_num(np.abs(values[-1] - values[0]))
        layer, head = (int(part) for part in np.unravel_index(change.argmax(), change.shape))
        first, last = values[0, layer, head], values[-1, layer, head]
        said = f"layer {layer + 1} head {head + 1}, {metric} {share(first)} → {share(last)}"
        moved.append((float(change[layer, head]), said))
    return f"  attention moved most: {max(moved)[1]}" if moved else ""


def _picture(reader: Reader, page: Page) -> str:
    run = (page.run,)
    wanted = [
        *(
            (label, reader.word_curves("mask-predict", "class", runs=run))
            for label in ("function", "content")
        ),
        ("all", reader.curves("lama", "p1", runs=run, protocol="paper")),
    ]
    called = {"function": "function words", "content": "content words", "all": "facts P@1"}
    lines = []
    for label, curves in wanted:
        mine = next((curve for curve in curves if curve.label == label), None)
        if mine is not None and page.wanted(called[label]):
            lines.append(Line(called[label], mine.step, mine.value))
    return chart(lines, page.across, page.width)


def _number(value: float) -> str:
    return share(value) if abs(value) <= 1 else f"{value:.3f}"
