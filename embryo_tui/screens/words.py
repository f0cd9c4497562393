"""Screen 2: which words are learned when (figures 1, 7, 8, 9 of the paper), with their order of birth."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import TYPE_CHECKING, Any

from textual.app import ComposeResult

from embryo_tui import questions as q
from embryo_tui.look import Look, World
from embryo_tui.questions import Question
from embryo_tui.raster.axes import short
from embryo_tui.screens import drawing, names
from embryo_tui.screens.view import Find, View, Wishes, value_of
from embryo_tui.widgets.plot import Plot, Series
from embryo_tui.widgets.table import Cell, Column, Row, Table

if TYPE_CHECKING:
    from embryo_store.query import Birth, Curve

Key = tuple[str, str]
#: What being born means, in as few letters as a small terminal has; the help says the rest.
BORN = "Born: half of final accuracy"


class Words(View):
    """Curves at the left; beside them the same words in the order in which they were learned."""

    key = "words"

    def compose(self) -> ComposeResult:
        """A plot and its table."""
        yield Plot("word-curves")
        yield Table("births", BORN)

    def wishes(self, look: Look, world: World, find: Find) -> Wishes:
        """Curves and births of all runs; the other form (raw or rescaled) next."""
        dataset = dataset_of(look, world)
        shown = self.sources(look, world, find)
        now: tuple[Question[Any], ...] = (q.runs(), q.coverage(), *shown["word-curves"], *shown["births"])
        return Wishes(now, (q.word_curves(look.word_task, look.grouping, dataset, not look.rescaled),))

    def sources(self, look: Look, world: World, find: Find) -> Mapping[str, tuple[Question[Any], ...]]:
        """What each panel is drawn from."""
        dataset = dataset_of(look, world)
        return {
            "word-curves": (q.word_curves(look.word_task, look.grouping, dataset, look.rescaled),),
            "births": (q.births(look.word_task, look.grouping, dataset),),
        }

    def label_of(self, key: Hashable) -> str | None:
        """Rows are known by run and label."""
        return str(key[1]) if isinstance(key, tuple) else None

    def show(self, look: Look, world: World, find: Find) -> None:
        """Curves and table; the cursor changes the table's numbers alone."""
        dataset = dataset_of(look, world)
        found = find(q.word_curves(look.word_task, look.grouping, dataset, look.rescaled))
        curves = value_of(found, ())
        births = value_of(find(q.births(look.word_task, look.grouping, dataset)), ())
        plot, table = self.query_one("#word-curves", Plot), self.query_one("#births", Table)
        settings = (drawing.style(look, world), look.rescaled, look.grouping, look.word_task)
        if self.changed("curves", (curves, births), (settings, found is None)):
            self._series = _ordered(curves, births, look, world)
            kind = "rescaled by the last step" if look.rescaled else "accuracy"
            plot.entitle(f"{names.WORD_TASKS[look.word_task]}: {names.GROUPINGS[look.grouping]}", kind)
            drawn = tuple(series for _, series in self._series)
            frame = drawing.frame_of(look, world, drawn, shares=True, legend=False)
            made = drawn or [
                Series("", curve.step, curve.value, 0) for curve in curves if curve.run in look.runs
            ]
            plot.draw(drawn, frame, empty=drawing.empty(look, made, _missing(look, found is not None)))
            self._births = {(birth.run, birth.label): birth for birth in births}
            table.entitle(BORN, dataset or "")
        plot.point(look.step, look.mark)
        rows = [self._row(key, series, look) for key, series in self._series]
        table.fill(rows, columns=_columns(look, len(look.runs) > 1), empty="")

    def _row(self, key: Key, series: Series, look: Look) -> Row:
        found = series.at(look.step)
        birth = self._births.get(key)
        mark = "○" if series.hidden else "●"
        cells = [Cell(mark, "faint" if series.hidden else "series", series.tint), Cell(key[1], "text")]
        if len(look.runs) > 1:
            cells.append(Cell(key[0], "dim"))
        value, compared = found[1] if found else None, drawing.compared(look)
        cells.append(Cell.number((names.change if compared else names.share)(value), value, "strong"))
        if look.mark is not None and not compared:
            before = series.at(look.mark)
            change = found[1] - before[1] if found and before else None
            cells.append(Cell.number(names.change(change), change, "dim"))
        born, after = (birth.step, birth.after) if birth else (None, None)
        final, words = (birth.final, birth.n) if birth else (None, None)
        cells += [
            Cell.number(
                "never" if born is None else short(born),
                born,
                "good" if born is not None and born <= look.step else "dim",
            ),
            Cell.number("" if after is None else short(after), after, "faint"),
            Cell.number(names.share(final), final, "dim"),
            Cell.number(names.count(words), words, "faint"),
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
    compared = drawing.compared(look)
    columns.append(Column("since A" if compared else "here", 7 if compared else 6, right=True))
    if look.mark is not None and not compared:
        columns.append(Column("since A", 7, right=True, keep=1))
    return [
        *columns,
        Column("born", 6, right=True),
        Column("after", 6, right=True, keep=3),
        Column("final", 6, right=True, keep=2),
        Column("count", 8, right=True, keep=4),
    ]


def _missing(look: Look, answered: bool) -> str:
    if answered and look.grouping == "band":
        return f"no bands of frequency stored: {names.to_run(look.word_task)}"
    return names.missing(look.word_task, answered)


def _ordered(
    curves: tuple[Curve, ...], births: tuple[Birth, ...], look: Look, world: World
) -> list[tuple[Key, Series]]:
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

    made = [
        Series(
            curve.label,
            curve.step,
            curve.value,
            tints[curve.label],
            drawing.pattern(look, curve.run),
            label=curve.label,
            run=curve.run,
        )
        for curve in sorted(shown, key=order)
    ]
    return [((series.run, series.switch), series) for series in drawing.prepared(made, look, world)]
