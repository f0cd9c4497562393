"""Names and values under a title: a run's card. Knows text alone."""

from __future__ import annotations

from collections.abc import Iterator
from textwrap import wrap

from rich.cells import cell_len
from textual.strip import Strip

from embryo_tui.widgets.ink import Ink
from embryo_tui.widgets.panel import Panel, fit, line

#: Lines that one value may take.
MOST = 2


class Card(Panel):
    """Names at the left, values beside them, long ones wrapped."""

    def __init__(self, key: str, title: str = "") -> None:
        """``key`` is the widget's id."""
        super().__init__(key, title)
        self._lines: tuple[tuple[str, str], ...] = ()
        self._wrapped: list[tuple[str, str]] = []
        self._wrapped_for: tuple[object, ...] = ()

    def write(self, lines: tuple[tuple[str, str], ...]) -> None:
        """Shows other lines."""
        if lines != self._lines:
            self._lines = lines
            self.refresh()

    @property
    def lines(self) -> tuple[tuple[str, str], ...]:
        """What is shown."""
        return self._lines

    def render_body(self, y: int, width: int, pen: Ink) -> Strip:
        """One line: name and value."""
        left = max((cell_len(name) for name, _ in self._lines), default=0)
        room = max(8, width - left - 4)
        if self._wrapped_for != (self._lines, room):
            self._wrapped_for, self._wrapped = (self._lines, room), list(_wrapped(self._lines, room))
        if y >= len(self._wrapped):
            return Strip.blank(width, pen.blank)
        name, value = self._wrapped[y]
        space = "  " if left else ""
        return line([(f" {fit(name, left)}{space}", pen.dim), (fit(value, room), pen.text)], width, pen.blank)


def _wrapped(lines: tuple[tuple[str, str], ...], room: int) -> Iterator[tuple[str, str]]:
    """Values in as many lines as they need, but no more than ``MOST``."""
    for name, value in lines:
        for place, part in enumerate(wrap(value, room, max_lines=MOST, placeholder=" …") or [""]):
            yield ("" if place else name), part
