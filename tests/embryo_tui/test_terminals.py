"""Terminals of all sorts: few colours, a slow line, and text where there is none."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

import embryo_store
from embryo_tui.app import EmbryoApp
from embryo_tui.cli import PANELS, main
from embryo_tui.look import Look
from embryo_tui.widgets.heat_map import HeatMap, Thumbnails
from embryo_tui.widgets.ink import ink
from embryo_tui.widgets.panel import Lines
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


async def test_names_in_a_store_do_not_steer_the_terminal(
    world: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    hostile, path = "a\x1b]52;c;aGFsbG8=\x07b\x9b31m\tc\r", tmp_path / "hostile.duckdb"
    for commit in world.commits(hostile, [0, 10]):
        embryo_store.commit(path, commit)
    async with EmbryoApp([path], Look(step=10)).run_test(size=(160, 45)) as pilot:
        for key in "123456":
            await pilot.press(key)
            await world.settle(pilot)
            shown = "".join(world.shown(widget) for widget in pilot.app.query(Lines) if widget.display)
            assert "a]52;c;aGFsbG8=b31mc" in shown
            assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f]", shown)
    for panel in PANELS:
        assert main([str(path), "--print", panel, "--step", "7"]) == 0
        printed = "".join(capsys.readouterr())
        assert "a]52;c;aGFsbG8=b31mc" in printed
        assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f]", printed)
