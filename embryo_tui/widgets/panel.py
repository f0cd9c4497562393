"""A widget drawn line by line under a thin rule that carries its title. Knows no data."""

from __future__ import annotations

from dataclasses import dataclass
from textwrap import wrap
from typing import Any, Self

from rich.cells import cell_len, set_cell_size
from rich.segment import Segment
from rich.style import Style
from textual.geometry import Region, Size
from textual.strip import Strip
from textual.widget import Widget

from embryo_tui.harmless import harmless
from embryo_tui.widgets.ink import Ink, ink


@dataclass(frozen=True)
class Content:
    """What a panel shows as a plain table: for export."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[Any, ...], ...]


def wide(text: str) -> int:
    """The cells that a text takes: Rich's count, and a short way for what most texts are."""
    return len(text) if text.isascii() and text.isprintable() else cell_len(text)


def fit(text: str, width: int) -> str:
    """Text in exactly ``width`` cells, cut with an ellipsis."""
    if width <= 0:
        return ""
    text = harmless(text)
    size = wide(text)
    if size <= width:
        return text + " " * (width - size)
    return set_cell_size(text, width - 1) + "…"


def line(parts: list[tuple[str, Style]], width: int, blank: Style) -> Strip:
    """A strip of exactly ``width`` cells from styled pieces of text, whatever a store made them hold."""
    segments: list[Segment] = []
    used = 0
    for part, style in parts:
        text = harmless(part)
        size = wide(text)
        if used + size > width:
            text, size = fit(text, width - used), width - used
        if size:
            if segments and segments[-1].style == style:
                text = segments.pop().text + text
            segments.append(Segment(text, style))
        used += size
    if used < width:
        segments.append(Segment(" " * (width - used), blank))
    return Strip(segments, width)


class Lines(Widget):
    """A widget without border and padding whose every line is drawn by itself, and kept until it changes.

    Textual's own way takes each line through styles and colour filters again, which costs more than drawing
    it: what is written here has its final colours already (``ink``: none at all under NO_COLOR).
    """

    ALLOW_SELECT = False

    def __init__(self, key: str) -> None:
        """``key`` is the widget's id, by which the stylesheet places it."""
        super().__init__(id=key)
        self._kept: dict[int, Strip] = {}
        self._kept_for: tuple[object, ...] = ()

    @property
    def size(self) -> Size:
        """Without border and padding the outer size; Textual looks the widget up each time."""
        return self.outer_size

    def refresh(
        self, *regions: Region, repaint: bool = True, layout: bool = False, recompose: bool = False
    ) -> Self:
        """Draws the given regions anew, or everything."""
        if not regions:
            self._kept.clear()
        for region in regions:
            for y in region.line_range:
                self._kept.pop(y, None)
        return super().refresh(*regions, repaint=repaint, layout=layout, recompose=recompose)

    def refresh_lines(self, first: int, count: int = 1) -> None:
        """Draws a few lines anew."""
        if self.is_attached:
            self.refresh(Region(0, first, self.size.width, count))

    def render_lines(self, crop: Region) -> list[Strip]:
        """The lines of a part of the widget."""
        width, pen = self.size.width, ink(self)
        drawn_for = (width, pen)
        if drawn_for != self._kept_for:
            self._kept_for = drawn_for
            self._kept.clear()
        whole = crop.column_span == (0, width)
        strips = []
        for y in crop.line_range:
            strip = self._kept.get(y)
            if strip is None:
                strip = self._kept[y] = self.draw_line(y, width, pen)
            strips.append(strip if whole else strip.crop(*crop.column_span))
        return strips

    def render_line(self, y: int) -> Strip:
        """One line."""
        return self.draw_line(y, self.size.width, ink(self))

    def draw_line(self, y: int, width: int, pen: Ink) -> Strip:
        """Line ``y``, exactly ``width`` cells wide."""
        raise NotImplementedError


class Panel(Lines, can_focus=True):
    """Base of everything with a title: line 0 is the rule, ``render_body`` draws the rest.

    Every panel can have the focus: what is exported or copied is the panel in focus.
    """

    def __init__(self, key: str, title: str = "") -> None:
        """``key`` is the widget's id."""
        super().__init__(key)
        self._title, self._note = title, ""

    def entitle(self, title: str, note: str = "") -> None:
        """Writes the rule anew: the title at its left, a note at its right."""
        if (title, note) != (self._title, self._note):
            self._title, self._note = title, note
            self.refresh_lines(0)

    @property
    def heading(self) -> str:
        """What the rule says."""
        return f"{self._title} {self.note}".strip()

    @property
    def note(self) -> str:
        """What stands at the right of the rule."""
        return self._note

    def content(self) -> Content:
        """What is shown, as a plain table."""
        return Content(self.heading, (), ())

    def said(self, text: str, y: int, width: int, pen: Ink) -> Strip:
        """Line ``y`` of an empty panel's body: a sentence in the middle, wrapped where it must be."""
        lines = wrap(text, max(8, width - 2)) or [""]
        first = max(0, (self.size.height - 1 - len(lines)) // 2)
        part = lines[y - first] if 0 <= y - first < len(lines) else ""
        return line(
            [(" " * max(0, (width - cell_len(part)) // 2), pen.blank), (part, pen.faint)], width, pen.blank
        )

    def draw_line(self, y: int, width: int, pen: Ink) -> Strip:
        """The rule, or a line of the body."""
        return self._rule(width, pen) if y == 0 else self.render_body(y - 1, width, pen)

    def render_body(self, y: int, width: int, pen: Ink) -> Strip:
        """Line ``y`` under the rule, ``width`` cells wide."""
        raise NotImplementedError

    def _rule(self, width: int, pen: Ink) -> Strip:
        title = f" {self._title} " if self._title else ""
        note = f" {self.note} " if self.note else ""
        title = fit(title, min(cell_len(title), width - 4))
        note = note if cell_len(title) + cell_len(note) + 6 <= width else ""
        filling = max(0, width - 2 - cell_len(title) - cell_len(note) - (1 if note else 0))
        style = pen.accent if self.has_focus else pen.strong
        parts = [("──", pen.rule), (title, style), ("─" * filling, pen.rule), (note, pen.dim)]
        return line([*parts, ("─", pen.rule)] if note else parts, width, pen.blank)
