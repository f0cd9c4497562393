"""Screen 3: what can be read off the layers (figures 2b, 3, 10, 11): four tasks, all layers, every label."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from textual import on
from textual.app import ComposeResult
from textual.containers import Vertical

from embryo_tui import questions as q
from embryo_tui.actions import after
from embryo_tui.datasets import main_dataset
from embryo_tui.filters import lenient
from embryo_tui.look import Look, World
from embryo_tui.questions import Question
from embryo_tui.raster.axes import short, smoothed
from embryo_tui.screens import drawing, names, probe_rows
from embryo_tui.screens.view import Find, Turned, View, Wishes, value_of
from embryo_tui.sight import axis_of
from embryo_tui.steps import around
from embryo_tui.widgets.layer_map import LayerMap
from embryo_tui.widgets.plot import Level, Plot, Series
from embryo_tui.widgets.table import Table

if TYPE_CHECKING:
    from embryo_store.probe_answers import ProbeAt, ProbeCurve
    from embryo_store.query import Coverage, Curve

#: Steps about the cursor whose labels are fetched before they are asked for.
BEHIND, AHEAD = 24, 24
MLM = "held-out MLM"


class Probes(View):
    """Tasks at one layer and layers of one task at the left; the same as a map, and labels, at the right."""

    key = "probes"
    _at: ProbeAt | None = None
    _metrics: tuple[str, ...] = ()
    _tasks: tuple[Series, ...] = ()

    def compose(self) -> ComposeResult:
        """Five panels."""
        yield Plot("probe-tasks", "Probes", names.READING)
        with Vertical(id="probe-side"):
            yield LayerMap("probe-map", "Layers over steps", names.READING)
            yield Table("probe-table", "Tasks")
        yield Plot("probe-layers", "Layers", names.READING)
        yield Table("probe-labels", "Labels")

    def wishes(self, look: Look, world: World, find: Find) -> Wishes:
        """Curves of all tasks and layers, and the labels at the cursor and about it."""
        shown = self.sources(look, world, find)
        now = tuple(dict.fromkeys(question for asked in shown.values() for question in asked))
        steps = around(world.steps, look.step, BEHIND, AHEAD)
        ahead = [q.probe_at(look.run, look.probe, step, look.layer, look.protocol) for step in steps]
        return Wishes((*now, q.probe_metrics()), tuple(ahead) if look.run else ())

    def sources(self, look: Look, world: World, find: Find) -> Mapping[str, tuple[Question[Any], ...]]:
        """What each panel is drawn from."""
        layers = q.probe_layers(look.probe_metric, look.protocol, look.probe)
        layer = q.probe_layer(look.probe_metric, look.protocol, look.layer)
        return {
            "probe-tasks": (layer, q.curves("mlm", "accuracy", ("all",))),
            "probe-table": (layer,),
            "probe-layers": (layers,),
            "probe-map": (layers,),
            "probe-labels": (
                (q.probe_at(look.run, look.probe, look.step, look.layer, look.protocol),) if look.run else ()
            ),
        }

    def act(self, action: str, look: Look) -> Look:
        """Takes the next number that probes have."""
        return (
            replace(look, probe_metric=after(self._metrics, look.probe_metric))
            if action == "metric"
            else look
        )

    def label_of(self, key: Hashable) -> str | None:
        """Rows of tasks are known by task."""
        return names.TASKS.get(key, key) if isinstance(key, str) else None

    def show(self, look: Look, world: World, find: Find) -> None:
        """Everything for one layer and task."""
        self._metrics = value_of(find(q.probe_metrics()), ())
        coverage = value_of(find(q.coverage()), ())
        asked = find(q.probe_layer(look.probe_metric, look.protocol, look.layer))
        found = find(q.probe_at(look.run, look.probe, look.step, look.layer, look.protocol))
        if found is not None:
            self._at = found.value
        at = self._at
        if at is not None and (at.run, at.task, at.layer) != (look.run, look.probe, look.layer):
            at = None
        self._show_tasks(value_of(asked, ()), coverage, at, look, world, find, asked is not None)
        self._show_layers(coverage, look, world, find)
        self._show_labels(at, look)

    def _show_tasks(
        self,
        curves: tuple[ProbeCurve, ...],
        coverage: tuple[Coverage, ...],
        at: ProbeAt | None,
        look: Look,
        world: World,
        find: Find,
        answered: bool,
    ) -> None:
        plot, table = self.query_one("#probe-tasks", Plot), self.query_one("#probe-table", Table)
        held_out = value_of(find(q.curves("mlm", "accuracy", ("all",))), ())
        majority = None if at is None or look.probe_metric != "f1" else at.overall.get("majority")
        settings = (
            drawing.style(look, world),
            look.layer,
            look.probe,
            look.probe_metric,
            world.probes,
            answered,
            majority,
        )
        if self.changed("tasks", (curves, coverage, held_out), settings):
            mlm = [curve for curve in held_out if curve.dataset == main_dataset(coverage, "mlm")]
            made = [
                *_by_task(curves, coverage, look, world),
                *(_mlm(mlm, look) if look.probe_metric == "f1" else ()),
            ]
            drawn = self._tasks = drawing.prepared(made, look, world) if curves else ()
            missing = names.missing(
                "probe-pos --task probe-const --task probe-srl --task probe-coref", answered
            )
            levels = () if majority is None or drawing.compared(look) else (
                Level("majority", majority, world.probes.index(look.probe)),
            ) if look.probe in world.probes else ()  # fmt: skip
            frame = drawing.frame_of(look, world, drawn, shares=_is_share(look), levels=levels)
            plot.entitle(f"{probe_rows.number(look.probe_metric)}: layer {look.layer}", look.protocol)
            plot.draw(drawn, frame, drawing.empty(look, made if curves else (), missing))
        plot.point(look.step, look.mark)
        compared = drawing.compared(look)
        rows = probe_rows.task_rows(self._tasks, look.step, look.mark, compared, look.run)
        chosen = names.TASKS.get(look.probe, look.probe)
        table.fill(
            rows, chosen, columns=probe_rows.task_columns(look.mark is not None and not compared), empty=""
        )

    def _show_layers(self, coverage: tuple[Coverage, ...], look: Look, world: World, find: Find) -> None:
        plot, chart = self.query_one("#probe-layers", Plot), self.query_one("#probe-map", LayerMap)
        asked = find(q.probe_layers(look.probe_metric, look.protocol, look.probe))
        curves = value_of(asked, ())
        settings = (
            drawing.style(look, world),
            look.layer,
            look.run,
            look.probe,
            look.probe_metric,
            asked is None,
        )
        if self.changed("layers", (curves, coverage), settings):
            dataset = main_dataset(coverage, look.probe)
            mine = [
                entry
                for entry in curves
                if entry.curve.run == look.run
                and entry.curve.layer is not None
                and entry.curve.dataset == dataset
            ]
            mine = list({entry.curve.layer: entry for entry in mine}.values())
            called = names.TASKS.get(look.probe, look.probe)
            made = _by_layer(mine, look)
            # A search for tasks or labels leaves the layers alone, unless it names some.
            found = drawing.prepared(made, look, world)
            drawn = found or drawing.prepared(made, replace(look, filter=""), world)
            chosen = [series for series in drawn if series.switch == f"layer {look.layer}"]
            missing = names.missing(look.probe, asked is not None)
            plot.entitle(f"{called}: every layer", look.run)
            plot.draw(drawn, drawing.frame_of(look, world, chosen, shares=_is_share(look)), missing)
            since = f", change since {short(look.mark)}" if look.mark is not None and look.difference else ""
            chart.entitle(f"{called}: layers over steps", probe_rows.number(look.probe_metric) + since)
            layers, steps, values = _matrix(mine, look)
            chart.fill(layers, steps, values, axis_of(look, world), drawing.compared(look), missing)
        plot.point(look.step, look.mark)
        chart.point(look.step, look.layer)

    def _show_labels(self, at: ProbeAt | None, look: Look) -> None:
        table = self.query_one("#probe-labels", Table)
        if not self.changed("labels", (at,), (look.step, look.filter, look.layer, look.run, look.probe)):
            return
        if at is None:
            table.entitle("Labels")
            table.fill((), columns=probe_rows.LABEL_COLUMNS, empty="no labels here")
            return
        wanted = lenient(look.filter)
        table.entitle(probe_rows.summary(at), names.stands_in(at.step, look.step))
        table.fill(
            probe_rows.label_rows(at, wanted), columns=probe_rows.LABEL_COLUMNS, empty="no labels stored"
        )

    @on(Table.Chosen)
    def _take_row(self, message: Table.Chosen) -> None:
        called = {name: task for task, name in names.TASKS.items()}
        task = called.get(str(message.key), str(message.key))
        if message.table.id == "probe-table" and task.startswith("probe-"):
            self.post_message(Turned(lambda look: replace(look, probe=task)))

    @on(LayerMap.Picked)
    def _take_place(self, message: LayerMap.Picked) -> None:
        self.post_message(Turned(lambda look: replace(look, layer=max(1, message.layer))))
        self.post_message(Plot.StepPicked(message.step))


def _is_share(look: Look) -> bool:
    return "loss" not in look.probe_metric and look.probe_metric != "prior_strength"


def _by_task(
    curves: Sequence[ProbeCurve], coverage: tuple[Coverage, ...], look: Look, world: World
) -> list[Series]:
    """One curve a task and run; the chosen run's with its interval, where that is known."""
    made = []
    for entry in curves:
        curve = entry.curve
        if curve.run not in look.runs or curve.layer is None or curve.task not in world.probes:
            continue
        if curve.dataset != main_dataset(coverage, curve.task):
            continue
        called = names.TASKS.get(curve.task, curve.task)
        alone = len(look.runs) == 1 and curve.task == look.probe and np.isfinite(entry.low).any()
        made.append(
            Series(
                called if len(look.runs) == 1 else f"{called} {curve.run}",
                curve.step,
                curve.value,
                world.probes.index(curve.task),
                drawing.pattern(look, curve.run),
                label=called,
                run=curve.run,
                low=entry.low if alone else None,
                high=entry.high if alone else None,
            )
        )
    return sorted(made, key=lambda series: series.tint)


def _mlm(curves: Sequence[Curve], look: Look) -> list[Series]:
    """Held-out MLM accuracy beside the probes, as in figure 2b."""
    return [
        Series(
            MLM if len(look.runs) == 1 else f"{MLM} {curve.run}",
            curve.step,
            curve.value,
            5,
            drawing.pattern(look, curve.run),
            label=MLM,
            run=curve.run,
        )
        for curve in curves
        if curve.run in look.runs
    ]


def _by_layer(mine: Sequence[ProbeCurve], look: Look) -> list[Series]:
    """One curve a layer, from dark to bright; the chosen one on top."""
    top = max((entry.curve.layer or 0 for entry in mine), default=1) or 1
    made = [
        Series(
            f"layer {entry.curve.layer}",
            entry.curve.step,
            entry.curve.value,
            entry.curve.layer or 0,
            shade=(entry.curve.layer or 0) / top,
        )
        for entry in mine
    ]
    return sorted(made, key=lambda series: (series.switch != f"layer {look.layer}", series.tint))


def _matrix(
    mine: Sequence[ProbeCurve], look: Look
) -> tuple[tuple[int, ...], np.typing.NDArray[np.int64], np.typing.NDArray[np.float64]]:
    """Values by layer and step, as the curves show them: smoothed, since A."""
    layers = tuple(entry.curve.layer or 0 for entry in mine)
    if not layers:
        return (), np.zeros(0, dtype=np.int64), np.zeros((0, 0))
    steps = np.unique(np.concatenate([entry.curve.step for entry in mine]))
    values = np.full((len(layers), len(steps)), np.nan)
    for row, entry in enumerate(mine):
        series = Series("", entry.curve.step, smoothed(entry.curve.value, look.smoothing), 0)
        if drawing.compared(look):
            series = drawing.since(series, look.mark)
        values[row, np.searchsorted(steps, entry.curve.step)] = series.y
    return layers, steps, values
