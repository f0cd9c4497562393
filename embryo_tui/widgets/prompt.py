"""The line into which a search is typed: it filters while it is typed."""

from __future__ import annotations

from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.message import Message
from textual.widgets import Input


class Prompt(Input):
    """Takes the footer's place while it is open."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "give_up", show=False),
        Binding("tab,down,up", "done", show=False),
    ]

    class Closed(Message):
        """Typing is over; ``kept`` is False where it was given up."""

        def __init__(self, kept: bool) -> None:
            """``kept``: whether the text stays."""
            super().__init__()
            self.kept = kept

    def __init__(self) -> None:
        """Hidden until it is asked for."""
        super().__init__(
            placeholder="part of a name, a glob (*noun*), or /regular expression/ – Enter keeps, Esc drops",
            compact=True,
            id="prompt",
        )
        self.display = False

    def action_give_up(self) -> None:
        """Closes without a filter."""
        self.post_message(self.Closed(False))

    def action_done(self) -> None:
        """Closes and keeps the filter."""
        self.post_message(self.Closed(True))
