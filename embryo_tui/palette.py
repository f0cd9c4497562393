"""The command palette, for terminals of any size."""

from __future__ import annotations

from typing import Any

from textual import work
from textual.command import CommandList, CommandPalette


class Palette(CommandPalette):
    """Textual's own, which ends the app where its list is paged through in a terminal without room for it,
    and where it is closed before it has looked for its commands.
    """

    def _select_or_command(self, event: Any = None) -> None:
        # A second Enter, on its way while the first one closed the palette.
        if self.is_current:
            super()._select_or_command(event)

    @work(exclusive=True, group=CommandPalette._GATHER_COMMANDS_GROUP)
    async def _gather_commands(self, search_value: str) -> None:
        if self.query(CommandList):
            await CommandPalette._gather_commands.__wrapped__(self, search_value)  # type: ignore[attr-defined]

    def _action_command_list(self, action: str) -> None:
        if self.query_one(CommandList).scrollable_content_region.area:
            super()._action_command_list(action)
