"""Probes and downstream scores as text."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from embryo_store.downstream_answers import scores
from embryo_store.probe_answers import probe_at, probe_curves
from embryo_tui.raster.axes import natural_scale, short, step_axis
from embryo_tui.screens.downstream import MISSING
from embryo_tui.screens.names import DOWNSTREAM, GLUE_SCORE, PROBES, TASKS, count, share, to_run
from embryo_tui.text.charts import Line, chart
from embryo_tui.text.tables import table, title
from embryo_tui.world import probes_of

if TYPE_CHECKING:
    from embryo_store.query import Reader, RunCard

#: Labels of a probe that are listed.
LABELS = 12


def probes(reader: Reader, card: RunCard, step: int, width: int) -> str:
    """F1 of every task by layer at a step, a chart of the best layer, and labels with their mistakes."""
    across = step_axis(card.steps, natural_scale(card.steps))
    known = probes_of(entry for entry in reader.coverage() if entry.run == card.run)
    rows, lines, parts = [["layer"]], [], []
    columns: list[dict[int, float]] = []
    for task in known:
        curves = [
            entry.curve
            for entry in probe_curves(reader, "f1", "paper", task=task)
            if entry.curve.run == card.run and entry.curve.layer is not None
        ]
        # Of several corpora the first by name: the one whose labels are listed below.
        curves = [curve for curve in curves if curve.dataset == min(each.dataset for each in curves)]
        here: dict[int, float] = {}
        for curve in curves:
            before = np.flatnonzero((curve.step <= step) & np.isfinite(curve.value))
            if len(before) and curve.layer is not None:
                here[curve.layer] = float(curve.value[before[-1]])
        rows[0].append(TASKS.get(task, task))
        columns.append(here)
        if not here:
            continue
        best = max(here, key=lambda layer: here[layer])
        top = next(curve for curve in curves if curve.layer == best)
        lines.append(Line(f"{TASKS.get(task, task)}, layer {best}", top.step, top.value))
        found = probe_at(reader, card.run, step, task, best)
        if found is not None and found.label:
            wrong: dict[str, str] = {}
            for mistake in found.mistakes:
                gold, _, said = mistake.label.partition(" → ")
                wrong.setdefault(gold, f"{said} {share(mistake.share)}")
            labels = [["label", "F1", "targets", "taken for"]]
            for label, f1, n in list(zip(found.label, found.f1, found.n, strict=True))[:LABELS]:
                labels.append([label, share(float(f1)), count(int(n)), wrong.get(label, "")])
            parts.append(
                title(f"{card.run}: {TASKS.get(task, task)}, layer {best} at {short(found.step)}", width)
            )
            parts.append(table(labels, right=(1, 2), width=width))
    if not lines:
        missing = " --task ".join(PROBES)
        return f"{title(f'{card.run}: probes', width)}\n\n  nothing stored. Fill it: {to_run(missing)}"
    layers = sorted({layer for here in columns for layer in here})
    rows += [[str(layer), *(share(here.get(layer)) for here in columns)] for layer in layers]
    head = title(f"{card.run}: F1 by layer at step {count(step)}", width)
    grid = table(rows, right=range(len(rows[0])), width=width)
    return "\n\n".join([head, grid, chart(lines, across, width), *parts])


def downstream(reader: Reader, card: RunCard, step: int, width: int) -> str:
    """Every downstream task at a step and at its best, with a chart."""
    rows, lines = [["task", f"at {count(step)}", "best", "at step"]], []
    for curve in scores(reader):
        if curve.run != card.run:
            continue
        name = GLUE_SCORE if curve.task == "glue" else DOWNSTREAM.get(curve.task, curve.task)
        before = np.flatnonzero(curve.step <= step)
        best = int(np.argmax(curve.value))
        here = f"{curve.value[before[-1]]:.2f}" if len(before) else "–"
        rows.append([name, here, f"{curve.value[best]:.2f}", count(int(curve.step[best]))])
        lines.append(Line(name, curve.step, curve.value))
    head = title(f"{card.run}: downstream", width)
    if not lines:
        return f"{head}\n\n  {MISSING}"
    across = step_axis(card.steps, natural_scale(card.steps))
    return "\n\n".join(
        [head, table(rows, right=(1, 2, 3), width=width), chart(lines, across, width, shares=False)]
    )
