"""What befalls a store while the app is open: a quiet notice, what was read stays, and all is well after."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from textual.pilot import Pilot

import embryo_store
from embryo_tui.look import Look
from embryo_tui.widgets.bars import Footer
from embryo_tui.widgets.table import Table

LOCK = "import duckdb, sys; c = duckdb.connect(sys.argv[1]); print('held', flush=True); sys.stdin.read()"
LOOK = Look(screen="knowledge", step=1000, run="albert-demo", relation="P36")


async def until(pilot: Pilot[None], true: Callable[[], bool], seconds: float = 20) -> None:
    async with asyncio.timeout(seconds):
        while not true():
            await pilot.pause(0.02)


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("embryo_tui.data.PATIENCE", 0.1)
    monkeypatch.setattr("embryo_tui.data.RETRY", 0.1)


async def test_a_store_that_another_client_locks_is_waited_for(world: Any, store: Path) -> None:
    async with world.opened(store, LOOK) as (app, pilot):
        facts, footer = app.query_one("#facts", Table), app.query_one(Footer)
        before = world.shown(facts)
        with subprocess.Popen(
            [sys.executable, "-c", LOCK, str(store)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        ) as other:
            assert other.stdout is not None
            assert other.stdin is not None
            assert other.stdout.readline() == "held\n"
            await pilot.press("6")
            await until(pilot, lambda: footer.urgent)
            assert "results.duckdb" in footer.notice
            await pilot.press("5", "left", "right")
            assert world.shown(facts) == before
            other.stdin.close()
            other.wait(15)
        await until(pilot, lambda: not footer.notice)
        await pilot.press("6")
        await world.settle(pilot)
        assert "reading" not in world.shown(app.query_one("#map"))


async def test_a_compacted_store_shows_what_it_showed(world: Any, store: Path) -> None:
    async with world.opened(store, LOOK) as (app, pilot):
        facts = app.query_one("#facts", Table)
        before = world.shown(facts)
        await asyncio.to_thread(embryo_store.compact, store)
        await until(pilot, lambda: "was replaced" in app.query_one(Footer).notice)
        await world.settle(pilot)
        assert world.shown(facts) == before
        assert app.look.step == 1000


async def test_a_store_replaced_by_rubbish_is_told_of_and_a_good_one_read_again(
    world: Any, store: Path, tmp_path: Path
) -> None:
    good, rubbish = tmp_path / "good.duckdb", tmp_path / "rubbish"
    for commit in world.commits("bert-demo", [0, 5]):
        embryo_store.commit(good, commit)
    rubbish.write_text("no database at all " * 500)
    async with world.opened(store, LOOK) as (app, pilot):
        footer = app.query_one(Footer)
        rubbish.replace(store)
        await until(pilot, lambda: footer.urgent)
        assert "not a DuckDB file" in footer.notice
        assert app.is_running
        assert app.return_code is None
        good.replace(store)
        await until(pilot, lambda: app.world.runs == ("bert-demo",) and not footer.urgent)
        await world.settle(pilot)
        assert app.look.run == "bert-demo"
        assert app.look.step == 5
        assert "France" in world.shown(app.query_one("#facts", Table))
