"""Terminals of all sorts: few colours, a slow line, and text where there is none."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from embryo_tui.app import EmbryoApp
from embryo_tui.cli import main
from embryo_tui.look import Look
from embryo_tui.widgets.heat_map import HeatMap, Thumbnails
from embryo_tui.widgets.ink import ink
from embryo_tui.widgets.plot import Plot


async def test_sixteen_colours_name_curves_and_ink_draws_maps(
    world: Any, store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLORTERM", "")
    async with world.opened(store, Look(screen="attention", step=1000, layer=2, head=3)) as (app, _):
        await world.settle(_)
        pen = ink(app.query_one(HeatMap))
        assert pen.depth == "16"
        assert len({style.color.number for style in pen.series}) == 8
        assert "█" in world.shown(app.query_one(HeatMap))
        assert re.search("[abcd]", world.shown(app.query_one("#head-curves", Plot)).splitlines()[6])


async def test_a_slow_line_gets_256_colours_and_small_maps_only_at_rest(world: Any, store: Path) -> None:
    app = EmbryoApp([store], Look(screen="attention", step=1000, layer=2, head=3), low_bandwidth=True)
    async with app.run_test(size=(160, 45)) as pilot:
        await world.settle(pilot)
        assert ink(app.query_one(HeatMap)).depth == "256"
        small = app.query_one(Thumbnails)
        await pilot.pause(0.4)
        rest = world.shown(small)
        assert rest.strip()
        large = world.shown(app.query_one(HeatMap))
        await pilot.press("home")
        await world.settle(pilot)
        assert world.shown(app.query_one(HeatMap)) != large or app.look.step == 0
        await pilot.pause(0.4)
        assert app.query_one(Thumbnails)._maps.max() < 0.2


@pytest.mark.parametrize(
    ("panel", "said"),
    [
        ("probes", "semantic roles"),
        ("probes", "JJ .120"),
        ("downstream", "GLUE score"),
        ("downstream", "75.67"),
    ],
)
def test_probes_and_downstream_are_printed(
    panel: str, said: str, store: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([str(store), "--print", panel, "--run", "albert-demo", "--width", "100"]) == 0
    assert said in capsys.readouterr().out


def test_a_panel_that_nothing_fills_says_what_would(store: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(store), "--print", "downstream", "--run", "bert-demo"]) == 0
    assert "no evaluator of GLUE" in capsys.readouterr().out
    assert main([str(store), "--print", "probes", "--run", "bert-demo"]) == 0
    assert "embryo-eval --task probe-pos" in capsys.readouterr().out
