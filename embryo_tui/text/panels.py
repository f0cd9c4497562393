"""The app's screens as text: what they show at one step, with their curves as charts."""

from __future__ import annotations

from collections.abc import Sequence
from textwrap import fill, indent
from typing import TYPE_CHECKING

import numpy as np

from embryo_store.word_bands import band_births, band_curves
from embryo_tui.datasets import by_use, folded, main_dataset
from embryo_tui.raster.axes import short
from embryo_tui.screens.names import (
    BORN,
    GROUPINGS,
    HEADLINES,
    TASKS,
    WORD_TASKS,
    change,
    count,
    share,
    under,
)
from embryo_tui.steps import position
from embryo_tui.text.charts import Line, chart
from embryo_tui.text.page import Page, joined, missing
from embryo_tui.text.tables import table, title

if TYPE_CHECKING:
    from embryo_store.query import Birth, Coverage, Curve, Reader
    from embryo_tui.look import WordGrouping


def overview(reader: Reader, page: Page) -> str:
    """Loss, headline curves, and what is evaluated."""
    run, width, wanted = (page.run,), page.width, page.wanted
    coverage = [entry for entry in reader.coverage() if entry.run == page.run]
    losses = [
        Line("loss", curve.step, curve.value)
        for curve in reader.curves("train-log", "loss", runs=run)
        if wanted("training loss")
    ]
    lines, numbers = [], [["", *page.heads, "best", "at step"]]
    for task, metric, label, name in HEADLINES:
        dataset = main_dataset(coverage, task)
        for curve in reader.curves(
            task, metric, runs=run, labels=(label,), dataset=dataset, protocol="paper"
        ):
            if wanted(name) and np.isfinite(curve.value).any():
                best = int(np.nanargmax(curve.value))
                lines.append(Line(name, curve.step, curve.value))
                numbers.append([
                    name, share(page.here(curve)), *page.compared(page.since(curve)),
                    share(float(curve.value[best])), count(int(curve.step[best])),
                ])  # fmt: skip
    rows = [["task", "dataset", "done", "failed", "of", "last step"]]
    rows += [
        [_task(entry), entry.dataset, str(entry.done), str(entry.failed),
         str(entry.checkpoints), count(entry.last_step)]
        for entry in folded(coverage)
        if wanted(f"{_task(entry)} {entry.dataset}")
    ]  # fmt: skip
    nothing = f"  nothing here matches {page.look.filter}" if page.look.filter else ""
    return joined(
        title(f"{page.run}: training loss", width),
        chart(losses, page.across, width, shares=False) or nothing or missing("train-log"),
        title(f"{page.run}: accuracy", width),
        joined(table(numbers, right=range(1, len(numbers[0])), width=width), chart(lines, page.across, width))
        if lines else nothing or missing("mask-predict"),
        title(f"{page.run}: evaluated", width),
        table(rows, right=(2, 3, 4, 5), width=width) if len(rows) > 1 else nothing or missing("mask-predict"),
    )  # fmt: skip


def _task(entry: Coverage) -> str:
    return under(TASKS.get(entry.task, entry.task), entry.protocol, entry.seed)


def words(reader: Reader, page: Page) -> str:
    """Words in order of birth: both tasks, or the one that was asked for."""
    coverage = [entry for entry in reader.coverage() if entry.run == page.run]
    parts = []
    for task, name in WORD_TASKS.items():
        if page.asked("word_task") in (None, task):
            known = by_use(coverage, (task,))
            asked = page.look.dataset
            dataset = asked if asked in known else next(iter(known), None)
            head = f"{page.run}: {name.lower()}, {GROUPINGS[page.look.grouping]}"
            head += ", share of the last value" if page.look.rescaled else ""
            head += f", {dataset}" if len(known) > 1 else ""
            parts += [title(head, page.width), _words(reader, page, task, dataset)]
    told = any(part.lstrip().startswith("born ") for part in parts)
    return joined(*parts, indent(fill(BORN, page.width - 2), "  ") if told else "")


def _words(reader: Reader, page: Page, task: str, dataset: str | None) -> str:
    look = page.look
    found, births = _learned(reader, page.run, task, look.grouping, dataset, look.rescaled)
    curves = {curve.label: curve for curve in found}
    shown = [birth for birth in births if page.wanted(birth.label) and birth.label in curves]
    if not shown:
        return f"  nothing here matches {look.filter}" if births and look.filter else missing(task)
    rows = [["born", "after", "words", *page.heads, "final", "count"]]
    for birth in shown:
        curve = curves[birth.label]
        rows.append([
            "never" if birth.step is None else count(birth.step), count(birth.after), birth.label,
            share(page.here(curve)), *page.compared(page.since(curve)), share(birth.final), count(birth.n),
        ])  # fmt: skip
    lines = [
        Line(birth.label, curves[birth.label].step, curves[birth.label].value)
        for birth in shown
        if birth.label not in look.hidden
    ]
    numbers = [column for column in range(len(rows[0])) if column != 2]
    return joined(table(rows, right=numbers, width=page.width), chart(lines, page.across, page.width))


def _learned(
    reader: Reader, run: str, task: str, grouping: WordGrouping, dataset: str | None, rescaled: bool
) -> tuple[Sequence[Curve], Sequence[Birth]]:
    """Curves and births of one run."""
    if grouping != "band":
        return (
            reader.word_curves(task, grouping, runs=(run,), dataset=dataset, rescaled=rescaled),
            reader.births(task, grouping, runs=(run,), dataset=dataset),
        )
    bands = band_curves(reader, task, dataset=dataset, rescaled=rescaled)
    births = band_births(reader, task, dataset=dataset)
    return [curve for curve in bands if curve.run == run], [birth for birth in births if birth.run == run]


def attention(reader: Reader, page: Page) -> str:
    """Every statistic of every head at a step, or what was asked for: a statistic, a layer, a head."""
    head = title(f"{page.run}: attention", page.width)
    known = reader.head_statistics(page.run)
    if not known:
        return joined(head, missing("attention"))
    asked = page.asked("statistic")
    if asked is not None and asked not in known:
        return joined(head, page.nothing(f"statistic {asked!r}", known))
    chosen = [metric for metric in known if asked in (None, metric) and page.wanted(metric)]
    if not chosen:
        return joined(head, f"  no statistic matches {page.look.filter}")
    return joined(*(_statistic(reader, page, metric) for metric in chosen))


def _statistic(reader: Reader, page: Page, metric: str) -> str:
    statistic = reader.head_statistic(page.run, metric)
    index = position(statistic.step, page.step)
    if index is None:
        return ""
    shown = int(statistic.step[index])
    stands = "" if shown == page.step else f" ({short(shown)} shown for {short(page.step)})"
    name = f"{page.run}: {metric}"
    parts = [
        title(f"{name} at step {count(page.step)}{stands}", page.width),
        _grid(page, [[share(float(value)) for value in row] for row in statistic.value[index]]),
    ]
    start = None if page.mark is None else position(statistic.step, page.mark)
    if start is not None:
        changes = statistic.value[index] - statistic.value[start]
        parts += [
            title(f"{name}, change since step {count(page.mark)}", page.width),
            _grid(page, [[change(float(value)) or "–" for value in row] for row in changes]),
        ]
    return joined(*parts)


def _grid(page: Page, cells: Sequence[Sequence[str]]) -> str:
    """Layers down, heads across; only those asked for."""
    layers, heads = range(1, len(cells) + 1), range(1, len(cells[0]) + 1)
    # A layer or head beyond those there are is the last one, as on the screen.
    layer, head = page.asked("layer"), page.asked("head")
    across = heads if head is None else [min(head, heads[-1])]
    down = layers if layer is None else [min(layer, layers[-1])]
    rows = [["layer", *(f"head {head}" for head in across)]]
    rows += [[str(layer), *(cells[layer - 1][head - 1] for head in across)] for layer in down]
    return table(rows, right=range(len(rows[0])), width=page.width)
