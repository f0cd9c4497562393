"""Whatever is pressed, clicked and resized: the app goes on."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest

from embryo_tui.actions import ACTIONS
from embryo_tui.app import EmbryoApp
from embryo_tui.screens.registry import SCREENS

OTHERS = ("tab", "shift+tab", "up", "down", "enter", "pagedown", "pageup", "escape")


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(3))
async def test_random_keys_clicks_and_sizes_never_break_the_app(world: Any, store: Path, seed: int) -> None:
    chance = random.Random(seed)
    keys = [key for action in ACTIONS for key in action.keys if action.id != "quit"]
    keys += [str(number) for number in range(1, len(SCREENS) + 1)] * 4 + [*OTHERS] * 2
    app = EmbryoApp(store)
    async with app.run_test(size=(120, 40)) as pilot:
        await world.settle(pilot)
        for _ in range(1500):
            what = chance.random()
            if what < 0.85:
                await pilot.press(chance.choice(keys))
            elif what < 0.97:
                await pilot.click(
                    offset=(chance.randrange(app.size.width), chance.randrange(app.size.height))
                )
            else:
                size = (chance.choice((7, 40, 80, 160, 300)), chance.choice((5, 10, 24, 45, 90)))
                await pilot.resize_terminal(*size)
            if len(app.screen_stack) > 1:
                await pilot.press("escape")
        await pilot.resize_terminal(120, 40)
        await pilot.press("1", "end")
        await world.settle(pilot)
        assert app.look.step == app.world.steps[-1]
