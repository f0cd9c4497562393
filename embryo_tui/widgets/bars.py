"""The line at the top (screens, store, runs) and the one at the bottom (keys, notices), both clickable."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rich.cells import cell_len
from rich.style import Style
from textual import events
from textual.message import Message
from textual.strip import Strip

from embryo_tui.widgets.ink import Ink
from embryo_tui.widgets.panel import Lines, fit, line


@dataclass(frozen=True)
class Chip:
    """A piece of a bar. ``does``: what a click asks for; ``on``: it is chosen; ``tint``: a series' colour."""

    text: str
    does: str = ""
    on: bool = False
    tint: int | None = None
    key: str = ""


class Bar(Lines):
    """Chips from the left, others from the right; what has no room is left out, the unchosen first."""

    class Asked(Message):
        """A chip was clicked."""

        def __init__(self, does: str) -> None:
            """``does`` of the chip."""
            super().__init__()
            self.does = does

    def __init__(self, key: str) -> None:
        """``key`` is the widget's id."""
        super().__init__(key)
        self._left: tuple[Chip, ...] = ()
        self._right: tuple[Chip, ...] = ()
        self._spans: list[tuple[int, int, str]] = []

    def fill(self, left: Sequence[Chip], right: Sequence[Chip] = ()) -> None:
        """Shows other chips."""
        if (tuple(left), tuple(right)) != (self._left, self._right):
            self._left, self._right = tuple(left), tuple(right)
            self.refresh()

    @property
    def text(self) -> str:
        """What the bar says."""
        return "  ".join(f"{chip.key} {chip.text}".strip() for chip in (*self._left, *self._right))

    def draw_line(self, y: int, width: int, pen: Ink) -> Strip:
        """The bar."""
        self._spans = []
        room = width - 1
        for gap in (3, 2, 1) if self._right else (3,):
            # Closer together rather than left out.
            right = [(chip, self._pieces(chip, pen, gap)) for chip in self._right]
            left = [(chip, self._pieces(chip, pen, gap)) for chip in self._left]
            if sum(_size(pieces) for _, pieces in (*left, *right)) <= room:
                break
        while left and sum(_size(pieces) for _, pieces in left) > room:
            left.pop()
        room -= sum(_size(pieces) for _, pieces in left)
        while right and sum(_size(pieces) for _, pieces in right) > room:
            right.remove(next((entry for entry in right if not entry[0].on), right[0]))
        room -= sum(_size(pieces) for _, pieces in right)
        parts: list[tuple[str, Style]] = [(" ", pen.blank)]
        at = 1
        for group, gap in ((left, room), (right, 0)):
            for chip, pieces in group:
                size = _size(pieces)
                if chip.does:
                    self._spans.append((at, at + size, chip.does))
                parts += pieces
                at += size
            parts.append((" " * gap, pen.blank))
            at += gap
        return line(parts, width, pen.blank)

    def _pieces(self, chip: Chip, pen: Ink, gap: int) -> list[tuple[str, Style]]:
        pieces: list[tuple[str, Style]] = []
        if chip.tint is not None:
            pieces.append(("● " if chip.on else "○ ", pen.of(chip.tint) if chip.on else pen.faint))
        if chip.key:
            pieces.append((f"{chip.key} ", pen.accent))
        style = pen.dim
        if chip.on:
            style = (
                pen.strong if chip.tint is not None or not chip.key else pen.strong + Style(underline=True)
            )
        pieces.append((chip.text, style))
        pieces.append((" " * gap, pen.blank))
        return pieces

    def on_click(self, event: events.Click) -> None:
        """Asks for what the chip under the mouse does."""
        for start, end, does in self._spans:
            if start <= event.x < end:
                self.post_message(self.Asked(does))


class Footer(Bar):
    """The bar of keys; a notice takes its place for as long as it matters."""

    def __init__(self) -> None:
        """Shows keys until ``say`` is called."""
        super().__init__("footer")
        self._notice, self._urgent = "", False

    def say(self, notice: str = "", urgent: bool = False) -> None:
        """Shows a notice; the empty one takes it away."""
        if (notice, urgent) != (self._notice, self._urgent):
            self._notice, self._urgent = notice, urgent
            self.refresh()

    def take_back(self, notice: str) -> None:
        """Takes a notice away, if it is still that one."""
        if self._notice == notice and not self._urgent:
            self.say()

    @property
    def notice(self) -> str:
        """The notice shown, if any."""
        return self._notice

    @property
    def urgent(self) -> bool:
        """Whether the notice stays until what it tells of is over."""
        return self._urgent

    def draw_line(self, y: int, width: int, pen: Ink) -> Strip:
        """The notice, or the keys."""
        if not self._notice:
            return super().draw_line(y, width, pen)
        self._spans = []
        style = pen.bad if self._urgent else pen.mark
        return line([(" ", pen.blank), (fit(self._notice, width - 2), style)], width, pen.blank)


def _size(pieces: list[tuple[str, Style]]) -> int:
    return sum(cell_len(text) for text, _ in pieces)
