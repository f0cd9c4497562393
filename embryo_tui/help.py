"""All keys on one page, out of the registry of actions."""

from __future__ import annotations

from typing import ClassVar

from rich.table import Table
from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.screen import ModalScreen
from textual.widgets import Static

from embryo_tui.actions import ACTIONS, EVERYWHERE, Action, key_name
from embryo_tui.screens.names import BORN

#: What is to be said of a screen beside its keys.
NOTES = {"words": f"Words stand in the order of their birth. {BORN[0].upper()}{BORN[1:]}."}


class Help(ModalScreen[None]):
    """The keys of this screen, those of everywhere, and those of the other screens."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,question_mark,q,f1", "dismiss", "Close", show=False),
        Binding("down,j", "scroll(1)", show=False),
        Binding("up,k", "scroll(-1)", show=False),
    ]

    def __init__(self, screens: tuple[tuple[str, str], ...], here: str) -> None:
        """``screens``: key and title of each; ``here``: the one that is shown."""
        super().__init__()
        self._screens, self._here = screens, here

    def compose(self) -> ComposeResult:
        """One scrolling page."""
        with VerticalScroll(id="help"):
            yield Static(self._page())

    def action_scroll(self, by: int) -> None:
        """Moves the page."""
        self.query_one("#help").scroll_relative(y=3 * by, animate=False)

    def _page(self) -> Table:
        page = Table.grid(padding=(0, 2))
        page.add_column(justify="right", no_wrap=True)
        page.add_column()
        for number, (_, title) in enumerate(self._screens, 1):
            page.add_row(Text(str(number), "bold"), f"Screen: {title}")
        page.add_row(Text("tab", "bold"), "The next panel; ↑ ↓ or j k choose a row in it")
        page.add_row(Text("ctrl+p", "bold"), "Command palette")
        _section(page, "Everywhere", tuple(action for action in ACTIONS if action.where == EVERYWHERE))
        for key, title in sorted(self._screens, key=lambda entry: entry[0] != self._here):
            _section(page, title, tuple(action for action in ACTIONS if action.where == key))
            if key in NOTES:
                page.add_row("", Text(NOTES[key], "dim"))
        page.add_row("", "")
        page.add_row(
            "", Text("Mouse: drag the track or any curve, click rows, fields, maps, keys and runs.", "dim")
        )
        return page


def _section(page: Table, title: str, actions: tuple[Action, ...]) -> None:
    if actions:
        page.add_row("", "")
        page.add_row("", Text(title, "bold underline"))
    for action in actions:
        page.add_row(Text(" ".join(key_name(key) for key in action.keys), "bold"), action.description)
