"""The command palette, for terminals of any size."""

from __future__ import annotations

from typing import Any

from textual.command import CommandList, CommandPalette


class Palette(CommandPalette):
    """Textual's own, which ends the app where its list is paged through in a terminal without room for it."""

    def _select_or_command(self, event: Any = None) -> None:
        # A second Enter, on its way while the first one closed the palette.
        if self.is_current:
            super()._select_or_command(event)

    def _action_command_list(self, action: str) -> None:
        if self.query_one(CommandList).scrollable_content_region.area:
            super()._action_command_list(action)
