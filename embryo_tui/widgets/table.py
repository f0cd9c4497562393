"""A table drawn line by line: only what is visible costs anything. Knows rows of text; not what they mean."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, field
from typing import ClassVar, Literal, Self

from rich.style import Style
from textual import events
from textual.binding import Binding, BindingType
from textual.geometry import Region
from textual.message import Message
from textual.strip import Strip

from embryo_tui.widgets.ink import LETTERS, Ink
from embryo_tui.widgets.panel import Content, Panel, fit, line, wide

#: Lines that are kept as they were drawn, for when the table scrolls.
DRAWN = 200
#: What a piece of text is, from which its style follows; "series" takes the colour of the cell's tint.
Role = Literal["text", "strong", "dim", "faint", "good", "bad", "series"]


@dataclass(frozen=True)
class Column:
    """``width`` cells, or a share of what the others leave where ``flex`` is set; ``keep`` 0 columns are the
    last to go where there is no room. ``name``: what an exported column is called, where not by its title.
    """

    title: str
    width: int = 8
    flex: int = 0
    right: bool = False
    keep: int = 0
    name: str = ""


@dataclass(frozen=True)
class Cell:
    """A piece of text and its part. ``value``: what is exported in its place, where the text is short for
    something; NaN where there is none.
    """

    text: str
    role: Role = "text"
    tint: int = 0
    value: float | str | Callable[[], str] | None = field(default=None, compare=False)

    @classmethod
    def number(cls, text: str, value: float | None, role: Role = "text") -> Cell:
        """A number as it is shown, and in full."""
        return cls(text, role, value=float("nan") if value is None else value)

    @property
    def whole(self) -> float | str:
        """What is exported."""
        if callable(self.value):
            return self.value()
        return self.text if self.value is None else self.value


@dataclass(frozen=True)
class Row:
    """A line: ``key`` says which thing it shows."""

    key: Hashable
    cells: tuple[Cell, ...]


@dataclass(frozen=True, eq=False)
class Rows:
    """Lines by their keys; ``make`` gives the cells of one, asked for visible lines only, once each."""

    keys: tuple[Hashable, ...] = ()
    make: Callable[[int], tuple[Cell, ...]] = lambda _index: ()
    made: dict[int, tuple[Cell, ...]] = field(default_factory=dict)

    @classmethod
    def of(cls, rows: Sequence[Row]) -> Rows:
        """Lines that are made already."""
        return cls(tuple(row.key for row in rows), lambda index: rows[index].cells)

    def cells(self, index: int) -> tuple[Cell, ...]:
        """The cells of the line at an index."""
        found = self.made.get(index)
        if found is None:
            found = self.made[index] = self.make(index)
        return found

    def __getitem__(self, index: int) -> Row:
        """The line at an index."""
        return Row(self.keys[index], self.cells(index))


class Table(Panel):
    """Rows under fixed column heads, one of them chosen."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up,k", "choose(-1)", show=False),
        Binding("down,j", "choose(1)", show=False),
        Binding("pageup,ctrl+u", "page(-1)", show=False),
        Binding("pagedown,ctrl+d", "page(1)", show=False),
        Binding("enter", "activate", show=False),
    ]

    class Chosen(Message):
        """Another row was chosen."""

        def __init__(self, table: Table, key: Hashable) -> None:
            """``key`` of the chosen row."""
            super().__init__()
            self.table, self.key = table, key

    class Activated(Message):
        """The chosen row was entered, or clicked again."""

        def __init__(self, table: Table, key: Hashable) -> None:
            """``key`` of the row."""
            super().__init__()
            self.table, self.key = table, key

    def __init__(
        self,
        key: str,
        title: str = "",
        columns: Sequence[Column] = (),
        empty: str = "",
        *,
        click_enters: bool = False,
    ) -> None:
        """``empty`` is what a table without rows says; ``click_enters``: a click enters a row at once."""
        super().__init__(key, title)
        self._click_enters = click_enters
        self._columns = tuple(columns)
        self._empty = empty
        self._rows = Rows()
        self._seen: dict[int, tuple[Cell, ...]] = {}
        self._key: Hashable = None
        self._top = 0
        self._fitted: list[int] = []
        self._widths_for: tuple[int, tuple[Column, ...]] | None = None
        self._drawn: dict[tuple[int, Style | None, str], Strip] = {}
        self._drawn_for: tuple[object, ...] = ()

    @property
    def rows(self) -> tuple[Row, ...]:
        """What is in the table, seen or not."""
        return tuple(self._rows[index] for index in range(len(self._rows.keys)))

    @property
    def chosen(self) -> Hashable:
        """The key of the chosen row."""
        return self._key

    def content(self) -> Content:
        """A row a row, with whole values and without the marks before them."""
        columns = [column.name or column.title for column in self._columns]
        kept = [index for index, name in enumerate(columns) if name]
        rows = tuple(
            tuple(row.cells[index].whole for index in kept if index < len(row.cells)) for row in self.rows
        )
        return Content(self.heading, tuple(columns[index] for index in kept), rows)

    def fill(
        self,
        rows: Sequence[Row] | Rows,
        chosen: Hashable = None,
        *,
        columns: Sequence[Column] | None = None,
        empty: str | None = None,
    ) -> None:
        """Shows other rows; the chosen one stays in view. Draws only the lines that changed."""
        new = rows if isinstance(rows, Rows) else Rows.of(rows)
        heads = self._columns if columns is None else tuple(columns)
        if heads != self._columns:
            # Rows of another kind: where the old ones stood, and which was chosen, means nothing to them.
            self._key, self._top = None, 0
        key = chosen if chosen is not None else self._key
        text = self._empty if empty is None else empty
        moved = key != self._key or new.keys != self._rows.keys
        whole = moved or heads != self._columns or text != self._empty
        self._rows, self._key, self._empty = new, key, text
        if heads != self._columns:
            self._columns = heads
        if moved:
            self._follow()
        if whole:
            self.refresh()
            return
        changed = [index for index, cells in self._seen.items() if new.cells(index) != cells]
        lines = [index - self._top for index in changed if 0 <= index - self._top < self._room]
        if lines:
            self.refresh_lines(2 + min(lines), max(lines) - min(lines) + 1)

    def refresh(
        self, *regions: Region, repaint: bool = True, layout: bool = False, recompose: bool = False
    ) -> Self:
        """Draws the given regions anew, or everything."""
        if not regions:
            self._seen.clear()
        return super().refresh(*regions, repaint=repaint, layout=layout, recompose=recompose)

    @property
    def _room(self) -> int:
        return max(1, self.size.height - 2)

    @property
    def _index(self) -> int | None:
        return self._rows.keys.index(self._key) if self._key in self._rows.keys else None

    def _follow(self) -> None:
        index = self._index
        if index is not None:
            self._top = min(max(self._top, index - self._room + 1), index)
        self._top = min(max(self._top, 0), max(0, len(self._rows.keys) - self._room))

    def on_resize(self) -> None:
        """Keeps the chosen row in view."""
        self._follow()

    def _widths(self, width: int) -> list[int]:
        """Cells per column; 0 where there is no room for it."""
        columns = self._columns
        shown = sorted(range(len(columns)), key=lambda index: (columns[index].keep, index))
        while len(shown) > 1 and sum(columns[index].width + 1 for index in shown) > width:
            shown.pop()
        spare = width - sum(columns[index].width + 1 for index in shown)
        flexes = sum(columns[index].flex for index in shown)
        widths = [0] * len(columns)
        for index in shown:
            column = columns[index]
            widths[index] = column.width + (spare * column.flex // flexes if flexes and spare > 0 else 0)
        return widths

    def render_body(self, y: int, width: int, pen: Ink) -> Strip:
        """The heads, or a row."""
        inner = width - 1
        shape = (inner - 1, self._columns)
        if self._widths_for != shape:
            self._widths_for, self._fitted = shape, self._widths(inner - 1)
        widths = self._fitted
        if y == 0:
            cells = [Cell(column.title, "faint") for column in self._columns]
            return line(self._parts(cells, widths, pen, None), width, pen.blank)
        index = self._top + y - 1
        if index >= len(self._rows.keys):
            return Strip.blank(width, pen.blank) if self._rows.keys else self.said(self._empty, y, width, pen)
        self._seen[index] = shown = self._rows.cells(index)
        over = None
        if self._rows.keys[index] == self._key:
            over = pen.chosen if self.has_focus else pen.chosen_dull
        drawn_for = (self._rows, self._columns, width, pen)
        if self._drawn_for != drawn_for or len(self._drawn) > DRAWN:
            self._drawn_for = drawn_for
            self._drawn.clear()
        thumb = self._thumb(y - 1)
        strip = self._drawn.get((index, over, thumb))
        if strip is None:
            parts = self._parts(shown, widths, pen, over)
            used = sum(wide(text) for text, _ in parts)
            parts.append((" " * max(0, inner - used), over or pen.blank))
            parts.append((thumb, pen.rule))
            strip = self._drawn[index, over, thumb] = line(parts, width, pen.blank)
        return strip

    def _parts(
        self, cells: Sequence[Cell], widths: list[int], pen: Ink, over: Style | None
    ) -> list[tuple[str, Style]]:
        parts: list[tuple[str, Style]] = [(" ", over or pen.blank)]
        for cell, column, width in zip(cells, self._columns, widths, strict=False):
            if not width:
                continue
            style = pen.of(cell.tint) if cell.role == "series" else getattr(pen, cell.role)
            if over is not None:
                style = Style(color=style.color) + Style(
                    bgcolor=over.bgcolor, reverse=over.reverse, bold=True
                )
            named = pen.mono and cell.role == "series"
            text = LETTERS[cell.tint % 26] if named else cell.text
            size = wide(text)
            if size > width:
                text, size = fit(text, width), width
            space = " " * (width - size)
            parts.append((f"{space}{text} " if column.right else f"{text}{space} ", style))
        return parts

    def _thumb(self, y: int) -> str:
        """The scroll mark at the right edge, where not all rows fit."""
        count, room = len(self._rows.keys), self._room
        if count <= room:
            return " "
        size = max(1, room * room // count)
        start = round(self._top * (room - size) / max(1, count - room))
        return "┃" if start <= y < start + size else " "

    def action_choose(self, by: int) -> None:
        """Chooses a row further along."""
        if not self._rows.keys:
            return
        index = self._index
        target = 0 if index is None else min(max(index + by, 0), len(self._rows.keys) - 1)
        self._choose(target)

    def action_page(self, by: int) -> None:
        """Chooses a row a page away."""
        self.action_choose(by * self._room)

    def action_activate(self) -> None:
        """Enters the chosen row."""
        if self._index is not None:
            self.post_message(self.Activated(self, self._key))

    def _choose(self, index: int) -> None:
        key = self._rows.keys[index]
        if key != self._key:
            self._key = key
            self._follow()
            self.refresh()
            self.post_message(self.Chosen(self, key))

    def on_click(self, event: events.Click) -> None:
        """Chooses the row under the mouse; enters it where it was chosen before."""
        index = self._top + event.y - 2
        if event.y < 2 or not 0 <= index < len(self._rows.keys):
            return
        entered = self._click_enters or self._rows.keys[index] == self._key
        self._choose(index)
        if entered:
            self.action_activate()

    def on_mouse_scroll_down(self, event: events.MouseScrollDown) -> None:
        """Scrolls without choosing."""
        self._scroll(3)
        event.stop()

    def on_mouse_scroll_up(self, event: events.MouseScrollUp) -> None:
        """Scrolls without choosing."""
        self._scroll(-3)
        event.stop()

    def _scroll(self, by: int) -> None:
        top = min(max(self._top + by, 0), max(0, len(self._rows.keys) - self._room))
        if top != self._top:
            self._top = top
            self.refresh()
