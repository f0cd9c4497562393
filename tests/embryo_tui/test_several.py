"""Several stores beside one another: one list of runs, one cursor; a store in trouble holds up no other."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

import embryo_store
from embryo_tui import cli, several
from embryo_tui.app import EmbryoApp
from embryo_tui.export import clipboard
from embryo_tui.look import Look
from embryo_tui.widgets.bars import Bar, Footer
from embryo_tui.widgets.card import Card
from embryo_tui.widgets.heads import HeadGrid
from embryo_tui.widgets.plot import Plot
from embryo_tui.widgets.table import Table


@pytest.fixture
def other(world: Any, tmp_path: Path) -> Path:
    """A second store: a run of its own, and one that the first has too, with other steps."""
    path = tmp_path / "other.duckdb"
    for commit in [*world.commits("electra-demo", [0, 30, 3000]), *world.commits("albert-demo", [0, 1000])]:
        embryo_store.commit(path, commit)
    return path


def test_files_are_told_apart_by_as_little_of_their_path_as_does() -> None:
    paths = [Path("/a/x/results.duckdb"), Path("/a/y/results.duckdb"), Path("/b/wiki.duckdb")]
    assert several.labels(paths) == ("x/results", "y/results", "wiki")
    assert several.labels(paths[:1]) == ("results",)


def test_only_names_that_two_stores_hold_are_changed() -> None:
    found = several.aliases([("albert", "bert"), ("albert",)], ("a", "b"))
    assert found == ({"albert": "a:albert"}, {"albert": "b:albert"})


async def test_runs_of_both_stand_side_by_side_and_each_answers_from_its_own_store(
    world: Any, store: Path, other: Path
) -> None:
    app = EmbryoApp([store, other], Look(step=-1, screen="words"))
    async with app.run_test(size=(160, 45)) as pilot:
        await world.settle(pilot)
        assert app.world.runs == (
            "results:albert-demo",
            "bert-demo",
            "other:albert-demo",
            "electra-demo",
        )
        await pilot.press("o")
        await world.settle(pilot)
        assert app.world.steps[-1] == 3000
        assert {series.run for series in app.query_one("#word-curves", Plot).series} == set(app.world.runs)
        for name in ("other:albert-demo", "electra-demo"):
            app.turn(Look(screen="knowledge", step=1000, run=name, runs=app.world.runs, relation="P36"))
            await app.action_show("knowledge")
            await world.settle(pilot)
            facts = world.shown(app.query_one("#facts", Table))
            assert "France" in facts
            assert "paris" in facts
        await pilot.press("6")
        await world.settle(pilot)
        # The other store's steps, and no others: its last before the cursor is 30.
        assert "30 shown for 1k" in app.query_one(HeadGrid).heading
        await pilot.press("1")
        await world.settle(pilot)
        assert "electra" in world.shown(app.query_one(Card))


async def test_every_screen_shows_the_runs_of_both(
    world: Any, store: Path, other: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(clipboard, "copy", lambda *_: "copied")
    app = EmbryoApp([store, other], Look(step=1000, run="other:albert-demo", runs=("other:albert-demo",)))
    async with app.run_test(size=(160, 45)) as pilot:
        await world.settle(pilot)
        await pilot.press("o")
        runs = {"results:albert-demo", "other:albert-demo"}
        for key, plot in (("1", "#headline"), ("2", "#word-curves"), ("3", "#probe-tasks"), ("5", "#p1")):
            await pilot.press(key)
            await world.settle(pilot)
            series = app.query_one(plot, Plot).series
            assert runs <= {entry.run for entry in series}
        await pilot.press("3")
        await world.settle(pilot)
        shown = {series.name: series.at(1000) for series in app.query_one("#probe-tasks", Plot).series}
        assert any(
            value and value[1] == pytest.approx(world.f1("probe-pos", 1, 1000)) for value in shown.values()
        )
        await pilot.press("4", "c", "6", "b", "5", "b", "b", "b", "c")
        await world.settle(pilot)
        assert app.is_running


async def test_a_store_in_trouble_is_told_of_and_the_other_goes_on(
    world: Any, store: Path, other: Path
) -> None:
    app = EmbryoApp([store, other], Look(step=-1, screen="words"))
    async with app.run_test(size=(160, 45)) as pilot:
        await world.settle(pilot)
        away = other.rename(other.with_suffix(".away"))
        footer = app.query_one(Footer)
        async with asyncio.timeout(10):
            while "other.duckdb" not in footer.notice:
                await pilot.pause(0.02)
        assert "electra-demo" in app.query_one("#top", Bar).text
        app.turn(Look(screen="words", step=50, run="bert-demo", runs=("bert-demo",)))
        await pilot.press("5")
        async with asyncio.timeout(10):
            while "France" not in world.shown(app.query_one("#facts", Table)):
                await pilot.pause(0.02)
        away.rename(other)
        async with asyncio.timeout(10):
            while footer.notice:
                await pilot.pause(0.02)


async def test_a_compacted_store_s_run_stays_the_chosen_one(world: Any, store: Path, other: Path) -> None:
    app = EmbryoApp([store, other], Look(step=30, run="electra-demo", runs=("electra-demo",)))
    async with app.run_test(size=(160, 45)) as pilot:
        await world.settle(pilot)
        await asyncio.to_thread(embryo_store.compact, other)
        async with asyncio.timeout(10):
            while "was replaced" not in app.query_one(Footer).notice:
                await pilot.pause(0.02)
        await world.settle(pilot)
        assert app.look.run == "electra-demo"
        assert app.look.step == 30


def test_panels_of_all_stores_are_printed_and_a_run_is_looked_for_in_each(
    capsys: pytest.CaptureFixture[str], store: Path, other: Path
) -> None:
    assert cli.main([str(store), str(other), "--print", "words"]) == 0
    text = capsys.readouterr().out
    assert text.index("results\n=======") < text.index("bert-demo") < text.index("other\n=====")
    assert cli.main([str(store), str(other), "--print", "summary", "--run", "electra-demo"]) == 0
    text = capsys.readouterr().out
    assert "electra-demo" in text
    assert "bert-demo" not in text
    assert cli.main([str(store), str(other), "--print", "words", "--run", "none"]) == 2
    assert "electra-demo" in capsys.readouterr().err


def test_one_missing_file_among_several_is_named(
    capsys: pytest.CaptureFixture[str], store: Path, tmp_path: Path
) -> None:
    assert cli.main([str(store), str(tmp_path / "no.duckdb"), "--print", "words"]) == 2
    assert "no.duckdb" in capsys.readouterr().err


def test_the_same_file_twice_is_one_store(capsys: pytest.CaptureFixture[str], store: Path) -> None:
    link = store.with_name("link.duckdb")
    link.symlink_to(store)
    assert cli.main([str(store), str(link), "--print", "summary"]) == 0
    assert "=====" not in capsys.readouterr().out
