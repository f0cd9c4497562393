"""Probes as rows of tables: every task at the cursor, every label of one task with what it is taken for."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from embryo_tui.filters import Matcher
from embryo_tui.raster.axes import short
from embryo_tui.screens import names
from embryo_tui.widgets.series import Series
from embryo_tui.widgets.table import Cell, Column, Row

if TYPE_CHECKING:
    from embryo_store.probe_answers import ProbeAt

NUMBERS = {
    "f1": "F1",
    "control": "accuracy on the control task",
    "selectivity": "selectivity",
    "loss": "loss",
    "dev_loss": "development loss",
    "train_loss": "training loss",
    "prior_strength": "prior strength",
}
LABEL_COLUMNS = (
    Column("label", 9, flex=1),
    Column("F1", 6, right=True),
    Column("targets", 8, right=True, keep=2),
    Column("taken for", 14, flex=3, keep=1),
)
#: Mistakes of a label that are named.
MISTAKES = 3


def number(metric: str) -> str:
    """What a number of a probe is called."""
    return NUMBERS.get(metric, metric.replace("_", " "))


def task_columns(marked: bool) -> list[Column]:
    """Heads for ``task_rows``."""
    return [
        Column("", 1),
        Column("task", 12, flex=1),
        Column("here", 7, right=True),
        *([Column("since A", 7, right=True, keep=1)] if marked else []),
        Column("best", 6, right=True, keep=2),
        Column("at", 6, right=True, keep=3),
    ]


def task_rows(series: Sequence[Series], step: int, mark: int | None, compared: bool, run: str) -> list[Row]:
    """Every task of a run with its number at a step, the change since A, and its best."""
    rows = []
    for entry in series:
        if entry.run != run and len({other.run for other in series}) > 1:
            continue
        here, best = entry.at(step), entry.best()
        before = None if mark is None else entry.at(mark)
        value = here[1] if here else None
        cells = [
            Cell("○" if entry.hidden else "●", "faint" if entry.hidden else "series", entry.tint),
            Cell(entry.switch, "text"),
            Cell.number((names.change if compared else names.share)(value), value, "strong"),
        ]
        if mark is not None and not compared:
            change = here[1] - before[1] if here and before else None
            cells.append(Cell.number(names.change(change), change, "dim"))
        at, top = best or (None, None)
        cells += [
            Cell.number((names.change if compared else names.share)(top) or "–", top, "dim"),
            Cell.number("" if at is None else short(at), at, "faint"),
        ]
        rows.append(Row(entry.switch, tuple(cells)))
    return rows


def summary(at: ProbeAt) -> str:
    """The whole test split in a line: F1 with its interval, and the baselines that are known."""
    parts = [f"{names.TASKS.get(at.task, at.task)}, layer {at.layer}:"]
    if "f1" in at.overall:
        interval = f" [{names.share(at.interval[0])}, {names.share(at.interval[1])}]" if at.interval else ""
        parts.append(f"F1 {names.share(at.overall['f1'])}{interval}")
    parts += [
        f"{name} {names.share(at.overall[name])}"
        for name in ("majority", "control", "selectivity")
        if name in at.overall
    ]
    return " ".join(parts[:1]) + " " + " · ".join(parts[1:])


def label_rows(at: ProbeAt, wanted: Matcher) -> list[Row]:
    """Every label, the most frequent first, with its F1 and the commonest mistakes."""
    taken: dict[str, list[tuple[str, float]]] = {}
    for mistake in at.mistakes:
        gold, _, said = mistake.label.partition(" → ")
        taken.setdefault(gold, []).append((said, mistake.share))
    return [
        Row(
            label,
            (
                Cell(label, "text"),
                Cell.number(names.share(f1), f1, "strong"),
                Cell.number(names.count(n), n, "faint"),
                _mistaken(taken.get(label, [])[:MISTAKES]),
            ),
        )
        for label, f1, n in zip(at.label, at.f1.tolist(), at.n.tolist(), strict=True)
        if wanted(label) or any(wanted(said) for said, _ in taken.get(label, ()))
    ]


def _mistaken(taken: Sequence[tuple[str, float]]) -> Cell:
    """What a label was taken for, and how often."""
    return Cell(
        "  ".join(f"{said} {names.share(share)}" for said, share in taken),
        "dim",
        value=lambda: "  ".join(f"{said} {share:.4g}" for said, share in taken),
    )
