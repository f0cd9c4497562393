"""Screen 4: what fine-tuning makes of every checkpoint (figures 5, 12, 13): GLUE score, its tasks, SQuAD."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from textual.app import ComposeResult

from embryo_tui import questions as q
from embryo_tui.look import Look, World
from embryo_tui.questions import Question
from embryo_tui.raster.axes import short
from embryo_tui.screens import drawing, names
from embryo_tui.screens.view import Find, View, Wishes, value_of
from embryo_tui.widgets.plot import Level, Plot, Series
from embryo_tui.widgets.table import Cell, Column, Role, Row, Table

if TYPE_CHECKING:
    from embryo_store.downstream_answers import Baseline
    from embryo_store.query import Curve

MISSING = (
    "no evaluator of GLUE or SQuAD exists yet; rows of the table metrics under the tasks glue-cola … "
    "glue-rte and squad2 would be shown here"
)


class Downstream(View):
    """The GLUE score and single tasks, with the best step of each marked × and published numbers as lines."""

    key = "downstream"
    _all: tuple[Series, ...] = ()

    def compose(self) -> ComposeResult:
        """Three panels."""
        yield Plot("glue", "GLUE score", names.READING)
        yield Table("downstream-table", "Tasks", empty=names.READING)
        yield Plot("downstream-tasks", "Single tasks", names.READING)

    def wishes(self, look: Look, world: World, find: Find) -> Wishes:
        """Curves over all steps: the cursor needs nothing new."""
        return Wishes((q.scores(), q.baselines()))

    def sources(self, look: Look, world: World, find: Find) -> Mapping[str, tuple[Question[Any], ...]]:
        """What each panel is drawn from."""
        return {
            "glue": (q.scores(), q.baselines()),
            "downstream-tasks": (q.scores(), q.baselines()),
            "downstream-table": (q.scores(), q.baselines()),
        }

    def label_of(self, key: Hashable) -> str | None:
        """Rows are known by run and task."""
        return str(key[1]) if isinstance(key, tuple) else None

    def show(self, look: Look, world: World, find: Find) -> None:
        """Curves, and the table at the cursor."""
        asked = find(q.scores())
        scores, known = value_of(asked, ()), value_of(find(q.baselines()), ())
        whole, single = self.query_one("#glue", Plot), self.query_one("#downstream-tasks", Plot)
        table = self.query_one("#downstream-table", Table)
        missing = MISSING if asked is not None else names.READING
        if self.changed("curves", (scores, known), (drawing.style(look, world), asked is None)):
            joint = drawing.prepared(_series(scores, look, joint=True), look, world)
            made = _series(scores, look, joint=False)
            tasks = drawing.prepared(made, look, world)
            missing = drawing.empty(look, made, missing)
            self._all = (*joint, *tasks)
            lines = () if drawing.compared(look) else _levels(known, "glue")
            whole.entitle(names.GLUE_SCORE, " · ".join(f"┈ {line.name}" for line in lines))
            whole.draw(joint, drawing.frame_of(look, world, joint, levels=lines), missing)
            single.draw(tasks, drawing.frame_of(look, world, tasks), missing)
            table.entitle("Tasks", "× marks the best step")
        whole.point(look.step, look.mark)
        single.point(look.step, look.mark)
        marked = look.mark is not None and not drawing.compared(look)
        table.fill(_rows(self._all, known, look), columns=_columns(marked, bool(known)), empty=missing)


def _series(scores: Sequence[Curve], look: Look, *, joint: bool) -> list[Series]:
    """The GLUE score of every run, or the single tasks; × at the best step."""
    tasks = [*names.DOWNSTREAM, *sorted({curve.task for curve in scores}.difference(names.DOWNSTREAM))]
    made = []
    for curve in scores:
        if curve.run not in look.runs or (curve.task == "glue") != joint:
            continue
        called = names.GLUE_SCORE if joint else names.DOWNSTREAM.get(curve.task, curve.task)
        made.append(
            Series(
                curve.run if joint else called if len(look.runs) == 1 else f"{called} {curve.run}",
                curve.step,
                curve.value,
                look.runs.index(curve.run) if joint else tasks.index(curve.task),
                "solid" if joint else drawing.pattern(look, curve.run),
                label=called,
                run=curve.run,
                peak=True,
            )
        )
    return sorted(made, key=lambda series: series.tint)


def _levels(known: Sequence[Baseline], task: str) -> tuple[Level, ...]:
    """Published numbers of a task as horizontal lines."""
    told = [entry for entry in known if entry.task == task]
    return tuple(Level(_published(entry), entry.value, 4 + place) for place, entry in enumerate(told))


def _published(entry: Baseline) -> str:
    at = "" if entry.step is None else f" at {short(entry.step)}"
    return f"{entry.name}{at} {entry.value:.2f}"


def _columns(marked: bool, baselines: bool) -> list[Column]:
    return [
        Column("", 1),
        Column("task", 9, flex=1),
        Column("run", 8, flex=1, keep=3),
        Column("here", 7, right=True),
        *([Column("since A", 7, right=True, keep=1)] if marked else []),
        Column("best", 7, right=True),
        Column("at", 6, right=True, keep=2),
        *([Column("published", 12, flex=2, keep=4)] if baselines else []),
    ]


def _rows(series: Sequence[Series], known: Sequence[Baseline], look: Look) -> list[Row]:
    form = "+.2f" if drawing.compared(look) else ".2f"
    rows = []
    tasks = {name: task for task, name in names.DOWNSTREAM.items()} | {names.GLUE_SCORE: "glue"}
    for entry in series:
        here, best = entry.at(look.step), entry.best()
        before = None if look.mark is None else entry.at(look.mark)
        cells = [
            Cell("○" if entry.hidden else "●", "faint" if entry.hidden else "series", entry.tint),
            Cell(entry.switch, "text"),
            Cell(entry.run, "dim"),
            _score(here[1] if here else None, form, "strong"),
        ]
        if look.mark is not None and not drawing.compared(look):
            cells.append(_score(here[1] - before[1] if here and before else None, "+.2f", "dim"))
        at, top = best or (None, None)
        cells += [
            _score(top, form, "good"),
            Cell.number("" if at is None else short(at), at, "faint"),
        ]
        if known:
            mine = tasks.get(entry.switch, entry.switch)
            told = [_published(line) for line in known if line.task in (mine, f"glue-{mine}")]
            cells.append(Cell("  ".join(told), "faint"))
        rows.append(Row((entry.run, entry.switch), tuple(cells)))
    return rows


def _score(value: float | None, form: str, role: Role) -> Cell:
    return Cell.number("–" if value is None else format(value, form), value, role)
