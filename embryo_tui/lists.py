"""What can be chosen from over a screen: its events, its curves."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import replace

from embryo_tui.dialogs import Choose
from embryo_tui.events import Event, Kind
from embryo_tui.look import Look
from embryo_tui.widgets.picture import MARKS
from embryo_tui.widgets.plot import Plot, Series
from embryo_tui.widgets.table import Cell, Column, Role, Row

_ROLES: dict[Kind, Role] = {
    "onset": "good",
    "plateau": "dim",
    "dip": "text",
    "best": "good",
    "suspect": "bad",
}


def events(found: Sequence[Event], step: int) -> Choose:
    """All events of a screen; the choice is the step to go to."""
    rows = [
        Row(
            (event.step, event.kind, event.name),
            (
                Cell(MARKS[event.kind], _ROLES[event.kind]),
                Cell(f"{event.step:,}", "strong" if event.step == step else "text"),
                Cell(event.kind, _ROLES[event.kind]),
                Cell(event.name, "text"),
            ),
        )
        for event in found
    ]
    columns = (Column("", 1), Column("step", 11, right=True), Column("event", 9), Column("curve", 20, flex=1))
    return Choose("Events", columns, lambda: rows, "Enter or click: go there · Esc: close")


def curves(
    plots: Callable[[], Sequence[Plot]], look: Callable[[], Look], turn: Callable[[Look], None]
) -> Choose:
    """All curves of a screen, to be hidden, shown, or seen alone."""

    def listed() -> dict[str, Series]:
        return {series.switch: series for plot in plots() for series in reversed(plot.series)}

    def rows() -> list[Row]:
        hidden = look().hidden
        return [
            Row(
                label,
                (
                    Cell(
                        "○" if label in hidden else "●", "faint" if label in hidden else "series", series.tint
                    ),
                    Cell(label, "faint" if label in hidden else "text"),
                ),
            )
            for label, series in listed().items()
        ]

    def chosen(key: Hashable, alone: bool) -> None:
        now = look()
        if key is None:
            turn(replace(now, hidden=frozenset()))
        elif alone:
            turn(replace(now, hidden=frozenset(label for label in listed() if label != key)))
        else:
            turn(replace(now, hidden=now.hidden ^ {str(key)}))

    columns = (Column("", 1), Column("curve", 20, flex=1))
    hint = "Enter or click: hide or show · o: this one alone · a: all · Esc: close"
    return Choose("Curves", columns, rows, hint, stays=chosen)
