"""Screen 2: which words are learned when (figures 1, 7, 8, 9 of the paper), with their order of birth."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from textual.app import ComposeResult

from embryo_tui import questions as q
from embryo_tui.look import Look, World
from embryo_tui.raster.axes import natural_scale, short, step_axis
from embryo_tui.raster.curves import PATTERNS
from embryo_tui.screens import names
from embryo_tui.screens.view import Find, View, Wishes, value_of
from embryo_tui.widgets.plot import Frame, Plot, Series
from embryo_tui.widgets.table import Cell, Column, Row, Table

if TYPE_CHECKING:
    from embryo_store.query import Birth, Curve


class Words(View):
    """Curves at the left; beside them the same words in the order in which they were learned."""

    key, title = "words", "Words"

    def compose(self) -> ComposeResult:
        """A plot and its table."""
        yield Plot("word-curves")
        yield Table("births", "Order of birth")

    def wishes(self, look: Look, world: World, find: Find) -> Wishes:
        """Curves and births of all runs; the other form (raw or rescaled) and task next."""
        dataset = dataset_of(look, world)
        now = (
            q.runs(),
            q.coverage(),
            q.word_curves(look.word_task, look.grouping, dataset, look.rescaled),
            q.births(look.word_task, look.grouping, dataset),
        )
        return Wishes(now, (q.word_curves(look.word_task, look.grouping, dataset, not look.rescaled),))

    def show(self, look: Look, world: World, find: Find) -> None:
        """Curves and table; the cursor changes the table's numbers alone."""
        dataset = dataset_of(look, world)
        found = find(q.word_curves(look.word_task, look.grouping, dataset, look.rescaled))
        curves = value_of(found, ())
        births = value_of(find(q.births(look.word_task, look.grouping, dataset)), ())
        plot, table = self.query_one("#word-curves", Plot), self.query_one("#births", Table)
        across = step_axis(world.steps, look.scale or natural_scale(world.steps))
        settings = (
            look.runs,
            across,
            look.smooth,
            look.hidden,
            look.rescaled,
            look.grouping,
            look.word_task,
        )
        if self.changed("curves", (curves, births), (*settings, table.chosen, found is None)):
            self._series = _series(curves, births, look)
            kind = "rescaled by the last step" if look.rescaled else "accuracy"
            plot.entitle(f"{names.WORD_TASKS[look.word_task]}: {names.GROUPINGS[look.grouping]}", kind)
            on_top = sorted(self._series, key=lambda entry: entry[0] != table.chosen)
            missing = names.missing(look.word_task, found is not None)
            plot.draw(
                tuple(series for _, series in on_top),
                Frame(across, look.smooth, shares=True, legend=False),
                empty=missing,
            )
            self._births = {(birth.run, birth.label): birth for birth in births}
            table.entitle("Order of birth", dataset or "")
        plot.point(look.step, look.mark)
        rows = [self._row(key, series, look) for key, series in self._series]
        table.fill(rows, columns=_columns(look, len(look.runs) > 1), empty="")

    def act(self, action: str, look: Look) -> Look:
        """Hides or shows the chosen row's curve."""
        key = self.query_one("#births", Table).chosen
        if action != "toggle" or not isinstance(key, tuple):
            return look
        return replace(look, hidden=look.hidden ^ {key[1]})

    def _row(self, key: tuple[str, str], series: Series, look: Look) -> Row:
        found = series.at(look.step)
        birth = self._births.get(key)
        mark = "○" if series.hidden else "●"
        cells = [Cell(mark, "faint" if series.hidden else "series", series.tint), Cell(key[1], "text")]
        if len(look.runs) > 1:
            cells.append(Cell(key[0], "dim"))
        cells.append(Cell(names.share(found[1] if found else None), "strong"))
        if look.mark is not None:
            before = series.at(look.mark)
            cells.append(Cell(names.change(found[1] - before[1]) if found and before else "", "dim"))
        born = birth.step if birth else None
        since = "" if birth is None or birth.after is None else f">{short(birth.after)}"
        cells += [
            Cell(
                "never" if born is None else short(born),
                "good" if born is not None and born <= look.step else "dim",
            ),
            Cell(since, "faint"),
            Cell(names.share(birth.final if birth else None), "dim"),
            Cell(names.count(birth.n if birth else None), "faint"),
        ]
        return Row(key, tuple(cells))


def dataset_of(look: Look, world: World) -> str | None:
    """The chosen dataset where it is there, else the one most evaluated."""
    if look.dataset in world.datasets:
        return look.dataset
    return world.datasets[0] if world.datasets else None


def _columns(look: Look, several: bool) -> list[Column]:
    columns = [Column("", 1), Column("words", 10, flex=1)]
    if several:
        columns.append(Column("run", 8, flex=1, keep=2))
    columns.append(Column("here", 6, right=True))
    if look.mark is not None:
        columns.append(Column("since A", 7, right=True, keep=1))
    return [
        *columns,
        Column("born", 6, right=True),
        Column("", 6, keep=3),
        Column("final", 6, right=True, keep=2),
        Column("count", 8, right=True, keep=4),
    ]


def _series(
    curves: tuple[Curve, ...], births: tuple[Birth, ...], look: Look
) -> list[tuple[tuple[str, str], Series]]:
    """The chosen runs' curves in order of birth; a label has one colour in all runs, given by frequency."""
    born = {(birth.run, birth.label): birth for birth in births}
    shown = [curve for curve in curves if curve.run in look.runs]
    sizes: dict[str, int] = {}
    for curve in shown:
        sizes[curve.label] = max(sizes.get(curve.label, 0), curve.n or 0)
    tints = {
        label: tint for tint, label in enumerate(sorted(sizes, key=lambda label: (-sizes[label], label)))
    }

    def order(curve: Curve) -> tuple[float, str, int]:
        birth = born.get((curve.run, curve.label))
        step = birth.step if birth is not None else None
        return (float("inf") if step is None else step, curve.label, look.runs.index(curve.run))

    return [
        (
            (curve.run, curve.label),
            Series(
                curve.label,
                curve.step,
                curve.value,
                tints[curve.label],
                PATTERNS[look.runs.index(curve.run) % len(PATTERNS)],
                curve.label in look.hidden,
            ),
        )
        for curve in sorted(shown, key=order)
    ]
