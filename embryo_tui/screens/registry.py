"""Which screens there are: their order gives their number keys."""

from __future__ import annotations

from embryo_tui.screens.attention import Attention
from embryo_tui.screens.downstream import Downstream
from embryo_tui.screens.knowledge import Knowledge
from embryo_tui.screens.overview import Overview
from embryo_tui.screens.probes import Probes
from embryo_tui.screens.view import View
from embryo_tui.screens.words import Words

SCREENS: tuple[type[View], ...] = (Overview, Words, Probes, Downstream, Knowledge, Attention)


def screen(key: str) -> type[View]:
    """The screen of that name.

    Raises:
        KeyError: no such screen.
    """
    return {view.key: view for view in SCREENS}[key]
