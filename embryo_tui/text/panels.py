"""The app's screens as text: what they show at one step, with their curves as charts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from embryo_tui.datasets import main_dataset
from embryo_tui.raster.axes import Axis, natural_scale, short, step_axis
from embryo_tui.screens.names import TASKS, WORD_TASKS, count, share, spoken, to_run
from embryo_tui.steps import position
from embryo_tui.text.charts import Line, chart
from embryo_tui.text.tables import table, title

if TYPE_CHECKING:
    from embryo_store.query import Curve, Reader, RunCard


def overview(reader: Reader, card: RunCard, step: int, width: int) -> str:
    """Loss, headline curves, and what is evaluated."""
    across, run = _across(card), (card.run,)
    losses = [Line("loss", curve.step, curve.value) for curve in reader.curves("train-log", "loss", runs=run)]
    coverage = [entry for entry in reader.coverage() if entry.run == card.run]
    headlines = [
        Line(TASKS[task], curve.step, curve.value)
        for task in ("mask-predict", "reconstruct", "mlm")
        for curve in reader.curves(
            task, "accuracy", runs=run, labels=("all",), dataset=main_dataset(coverage, task)
        )
    ]
    rows = [["task", "dataset", "done", "failed", "of", "last step"]]
    rows += [
        [TASKS.get(entry.task, entry.task), entry.dataset, str(entry.done), str(entry.failed),
         str(entry.checkpoints), count(entry.last_step)]
        for entry in coverage
    ]  # fmt: skip
    return _joined(
        title(f"{card.run}: training loss", width),
        chart(losses, across, width, shares=False) or _missing("train-log"),
        title(f"{card.run}: accuracy", width),
        chart(headlines, across, width) or _missing("mask-predict"),
        title(f"{card.run}: evaluated", width),
        table(rows, right=(2, 3, 4, 5), width=width) if len(rows) > 1 else _missing("mask-predict"),
    )


def words(reader: Reader, card: RunCard, step: int, width: int) -> str:
    """Parts of speech in order of birth, both tasks."""
    parts = []
    coverage = [entry for entry in reader.coverage() if entry.run == card.run]
    for task, name in WORD_TASKS.items():
        run, dataset = (card.run,), main_dataset(coverage, task)
        curves = {
            curve.label: curve for curve in reader.word_curves(task, "group", runs=run, dataset=dataset)
        }
        births = reader.births(task, "group", runs=run, dataset=dataset)
        rows = [["born", "after", "words", f"at {count(step)}", "final", "count"]]
        for birth in births:
            born = "never" if birth.step is None else count(birth.step)
            here = _at(curves[birth.label], step) if birth.label in curves else None
            rows.append(
                [born, count(birth.after), birth.label, share(here), share(birth.final), count(birth.n)]
            )
        lines = [
            Line(birth.label, curves[birth.label].step, curves[birth.label].value)
            for birth in births
            if birth.label in curves
        ]
        parts += [
            title(f"{card.run}: {name.lower()}, parts of speech", width),
            _joined(table(rows, right=(0, 1, 3, 4, 5), width=width), chart(lines, _across(card), width))
            if births else _missing(task),
        ]  # fmt: skip
    return _joined(*parts)


def knowledge(reader: Reader, card: RunCard, step: int, width: int) -> str:
    """P@1 per relation, and the facts learned and forgotten since the first step."""
    curves = {curve.label: curve for curve in reader.curves("lama", "p1", runs=(card.run,), protocol="paper")}
    rows = [["relation", "template", f"at {count(step)}", "best", "at step", "facts"]]
    lines = []
    for relation in reader.relations():
        curve = curves.get(relation.relation)
        if curve is None or not np.isfinite(curve.value).any():
            continue
        best = int(np.nanargmax(curve.value))
        rows.append([
            relation.name or relation.relation, relation.template, share(_at(curve, step)),
            share(float(curve.value[best])), count(int(curve.step[best])), count(relation.facts),
        ])  # fmt: skip
        lines.append(Line(relation.name or relation.relation, curve.step, curve.value))
    if not lines:
        return _joined(title(f"{card.run}: facts", width), _missing("lama"))
    start = int(card.steps[0])
    entries = reader.ledger(card.run, start, step)
    turned = [
        ["+" if entry.change == "learned" else "-", entry.subject, entry.object,
         f"{spoken(entry.answer_a)} → {spoken(entry.answer_b)}"]
        for entry in sorted(entries, key=lambda entry: (entry.change, entry.subject))
    ]  # fmt: skip
    return _joined(
        title(f"{card.run}: P@1 per relation", width),
        table(rows, right=(2, 3, 4, 5), width=width),
        chart(lines, _across(card), width),
        title(f"{card.run}: facts that turned from step {count(start)} to {count(step)}", width),
        table(turned, width=width) or "  none",
    )


def attention(reader: Reader, card: RunCard, step: int, width: int) -> str:
    """Every statistic of every head at a step."""
    parts = []
    for metric in reader.head_statistics(card.run):
        statistic = reader.head_statistic(card.run, metric)
        index = position(statistic.step, step)
        if index is None:
            continue
        _, layers, heads = statistic.value.shape
        rows = [["layer", *(f"head {head}" for head in range(1, heads + 1))]]
        rows += [
            [str(layer + 1), *(share(float(value)) for value in statistic.value[index, layer])]
            for layer in range(layers)
        ]
        shown = int(statistic.step[index])
        stands = "" if shown == step else f" ({short(shown)} shown for {short(step)})"
        parts += [
            title(f"{card.run}: {metric} at step {count(step)}{stands}", width),
            table(rows, right=range(heads + 1), width=width),
        ]
    return (
        _joined(*parts) if parts else _joined(title(f"{card.run}: attention", width), _missing("attention"))
    )


def _across(card: RunCard) -> Axis:
    return step_axis(card.steps, natural_scale(card.steps))


def _at(curve: Curve, step: int) -> float | None:
    """The value at a step, or at the nearest earlier one that is known."""
    known = np.isfinite(curve.value)
    index = position(curve.step[known], step)
    return None if index is None else float(curve.value[known][index])


def _missing(task: str) -> str:
    return f"  nothing stored. Fill it: {to_run(task)}"


def _joined(*parts: str) -> str:
    return "\n\n".join(part for part in parts if part)


def chosen(cards: Sequence[RunCard], run: str | None) -> list[RunCard]:
    """The run of that name, or all."""
    return [card for card in cards if run is None or card.run == run]
