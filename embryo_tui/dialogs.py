"""Lists to choose from, over the screen: events, curves. Know rows; the app says what a choice does."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Container
from textual.screen import ModalScreen
from textual.widgets import Static

from embryo_tui.widgets.table import Column, Row, Table

Rows = Callable[[], Sequence[Row]]


class Choose(ModalScreen[Hashable]):
    """A table; Enter or a click gives its row's key to ``chosen``, and closes where that is wanted."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q", "dismiss", "Close", show=False),
        Binding("a", "all", show=False),
        Binding("o", "only", show=False),
    ]

    def __init__(
        self,
        title: str,
        columns: Sequence[Column],
        rows: Rows,
        hint: str,
        *,
        stays: Callable[[Hashable, bool], None] | None = None,
    ) -> None:
        """``rows`` are asked for anew after each choice. ``stays``: carries a choice out without closing; its
        second value says that this row is wanted alone (``o``); the key None stands for all (``a``).
        """
        super().__init__()
        self._title, self._columns, self._make, self._hint, self._stays = title, columns, rows, hint, stays

    def compose(self) -> ComposeResult:
        """A table and what its keys do."""
        with Container(id="choose"):
            yield Table("choices", self._title, self._columns, "none here", click_enters=True)
            yield Static(self._hint, id="choose-hint")

    def on_mount(self) -> None:
        """Fills the table."""
        self._fill()
        self.query_one(Table).focus()

    def _fill(self) -> None:
        table = self.query_one(Table)
        rows = self._make()
        table.fill(rows, table.chosen if table.chosen is not None else rows[0].key if rows else None)

    @on(Table.Activated)
    def _take_row(self, message: Table.Activated) -> None:
        message.stop()
        if not self.is_current:
            # A second Enter, on its way while the first one closed the list.
            return
        if self._stays is None:
            self.dismiss(message.key)
        else:
            self._stays(message.key, False)
            self._fill()

    @on(Table.Chosen)
    def _keep_row(self, message: Table.Chosen) -> None:
        message.stop()

    def action_all(self) -> None:
        """Everything again."""
        if self._stays is not None:
            self._stays(None, False)
            self._fill()

    def action_only(self) -> None:
        """The chosen row alone."""
        if self._stays is not None:
            self._stays(self.query_one(Table).chosen, True)
            self._fill()

    def on_click(self, event: object) -> None:
        """A click beside the list closes it."""
        if getattr(event, "widget", None) is self and self.is_current:
            self.dismiss(None)
