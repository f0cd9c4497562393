"""Which screens there are: their order gives their number keys. Each is loaded when it is first shown."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from embryo_tui.screens.view import View


@dataclass(frozen=True)
class Entry:
    """A screen by name: its class bears the title, and lies in the module of the key."""

    key: str
    title: str

    def view(self) -> type[View]:
        """The screen itself."""
        found: type[View] = getattr(import_module(f"embryo_tui.screens.{self.key}"), self.title)
        return found


SCREENS: tuple[Entry, ...] = tuple(
    Entry(title.lower(), title)
    for title in ("Overview", "Words", "Probes", "Downstream", "Knowledge", "Attention")
)


def view_of(key: str) -> type[View]:
    """The screen of that name.

    Raises:
        KeyError: no such screen.
    """
    return {entry.key: entry for entry in SCREENS}[key].view()
