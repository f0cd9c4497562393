"""Probes and downstream scores as text."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from embryo_store.downstream_answers import scores
from embryo_store.probe_answers import probe_at, probe_curves
from embryo_tui.raster.axes import short
from embryo_tui.screens.downstream import MISSING
from embryo_tui.screens.names import DOWNSTREAM, GLUE_SCORE, PROBES, TASKS, count, share
from embryo_tui.screens.probe_rows import number
from embryo_tui.text.charts import Line, chart
from embryo_tui.text.page import Page, joined, missing
from embryo_tui.text.tables import table, title
from embryo_tui.world import probes_of

if TYPE_CHECKING:
    from embryo_store.query import Curve, Reader

#: Labels of a probe that are listed.
LABELS = 12


def probes(reader: Reader, page: Page) -> str:
    """A number (F1) of every task by layer at a step, a chart of the best layer, and labels with their
    mistakes; or of the task and layer that were asked for.
    """
    head = title(f"{page.run}: probes", page.width)
    known = probes_of(entry for entry in reader.coverage() if entry.run == page.run)
    if not known:
        return joined(head, missing(" --task ".join(PROBES)))
    asked, look = page.asked("probe"), page.look
    if asked is not None and asked not in known:
        return joined(head, page.nothing(f"probe {asked!r}", known))
    tasks = {task: _by_layer(reader, page, task) for task in known if asked in (None, task)}
    layers = sorted({layer for curves in tasks.values() for layer in curves})
    if not layers:
        return joined(head, f"  nothing stored of {number(look.probe_metric)}, protocol {look.protocol}")
    lines, parts = [], []
    for task, curves in tasks.items():
        here = {layer: value for layer in curves if (value := page.here(curves[layer])) is not None}
        if here:
            layer = _layer(page, here)
            called = f"{TASKS.get(task, task)}, layer {layer}"
            lines.append(Line(called, curves[layer].step, curves[layer].value))
            parts.append(_labels(reader, page, task, layer))
    what = number(look.probe_metric) + ("" if look.protocol == "paper" else f", {look.protocol},")
    grid = _grid(page, tasks, [_layer(page, dict.fromkeys(layers, 0.0))] if "layer" in page.said else layers)
    return joined(
        title(f"{page.run}: {what} by layer at step {count(page.step)}", page.width),
        grid,
        chart(lines, page.across, page.width, shares="loss" not in look.probe_metric),
        *parts,
    )


def _by_layer(reader: Reader, page: Page, task: str) -> dict[int, Curve]:
    """A task's curves. Of several corpora the first by name: the one whose labels are listed."""
    curves = [
        entry.curve
        for entry in probe_curves(reader, page.look.probe_metric, page.look.protocol, task=task)
        if entry.curve.run == page.run and entry.curve.layer is not None
    ]
    first = min((curve.dataset for curve in curves), default="")
    return {curve.layer: curve for curve in curves if curve.dataset == first and curve.layer is not None}


def _layer(page: Page, here: dict[int, float]) -> int:
    """The layer that was asked for (the last, where it lies beyond), else the one with the highest value."""
    asked = page.asked("layer")
    return min(asked, max(here)) if asked is not None else max(here, key=lambda layer: here[layer])


def _grid(page: Page, tasks: dict[str, dict[int, Curve]], layers: list[int]) -> str:
    """Layers down, tasks across, each with its change since A."""
    rows = [["layer"]]
    for task in tasks:
        rows[0] += [TASKS.get(task, task), *page.heads[1:]]
    for layer in layers:
        row = [str(layer)]
        for curves in tasks.values():
            curve = curves.get(layer)
            row.append(share(None if curve is None else page.here(curve)))
            row += page.compared(None if curve is None else page.since(curve))
        rows.append(row)
    return table(rows, right=range(len(rows[0])), width=page.width)


def _labels(reader: Reader, page: Page, task: str, layer: int) -> str:
    """The most frequent labels with their F1 and commonest mistake; those that the filter lets through."""
    found = probe_at(reader, page.run, page.step, task, layer, protocol=page.look.protocol)
    if found is None or not found.label:
        return ""
    wrong: dict[str, str] = {}
    for mistake in found.mistakes:
        gold, _, said = mistake.label.partition(" → ")
        wrong.setdefault(gold, f"{said} {share(mistake.share)}")
    labels = [["label", "F1", "targets", "taken for"]]
    for label, f1, n in zip(found.label, found.f1, found.n, strict=True):
        if page.wanted(label) or page.wanted(wrong.get(label, "")):
            labels.append([label, share(float(f1)), count(int(n)), wrong.get(label, "")])
    if len(labels) == 1:
        return ""
    return joined(
        title(f"{page.run}: {TASKS.get(task, task)}, layer {layer} at {short(found.step)}", page.width),
        table(labels[: LABELS + 1], right=(1, 2), width=page.width),
    )


def downstream(reader: Reader, page: Page) -> str:
    """Every downstream task at a step and at its best, with a chart."""
    rows, lines = [["task", *page.heads, "best", "at step"]], []
    held = False
    for curve in scores(reader):
        if curve.run != page.run:
            continue
        held = True
        name = GLUE_SCORE if curve.task == "glue" else DOWNSTREAM.get(curve.task, curve.task)
        if not page.wanted(name):
            continue
        best, here, since = int(np.argmax(curve.value)), page.here(curve), page.since(curve)
        rows.append([
            name, _score(here), *([] if page.mark is None else ["" if since is None else f"{since:+.2f}"]),
            _score(float(curve.value[best])), count(int(curve.step[best])),
        ])  # fmt: skip
        lines.append(Line(name, curve.step, curve.value))
    head = title(f"{page.run}: downstream", page.width)
    if not lines:
        return joined(head, f"  no task matches {page.look.filter}" if held else f"  {MISSING}")
    return joined(
        head,
        table(rows, right=range(1, len(rows[0])), width=page.width),
        chart(lines, page.across, page.width, shares=False),
    )


def _score(value: float | None) -> str:
    return "–" if value is None else f"{value:.2f}"
