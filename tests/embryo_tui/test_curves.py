"""What can be done with curves on every screen: zoom, axes, differences, filters, legends, bands, events."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from textual import events
from textual.geometry import Offset

import embryo_store
from embryo_tui.app import EmbryoApp
from embryo_tui.events import beyond, of_curve
from embryo_tui.filters import matcher
from embryo_tui.look import Look, World
from embryo_tui.raster.axes import ema, smoothed, value_axis
from embryo_tui.sight import axis_of, following, in_sight
from embryo_tui.widgets.bars import Footer
from embryo_tui.widgets.layer_map import LayerMap
from embryo_tui.widgets.plot import Plot
from embryo_tui.widgets.prompt import Prompt
from embryo_tui.widgets.table import Table

STEPS = np.array([0, 1, 2, 5, 10, 20, 50, 100, 200, 400, 700, 1000])
WORLD = World(steps=STEPS, runs=("a",))


@given(
    st.sampled_from(["linear", "log", "symlog"]),
    st.floats(0, 1),
    st.floats(0.05, 8),
    st.floats(-1, 1),
    st.sampled_from(STEPS.tolist()),
)
def test_zooming_and_panning_never_leave_the_steps_and_the_cursor_stays_in_sight(
    scale: Any, part: float, factor: float, by: float, step: int
) -> None:
    look = Look(scale=scale, step=step)
    axis = axis_of(look, WORLD)
    turned = axis.zoomed(part, factor).panned(by)
    look = in_sight(look, WORLD, turned.low, turned.high)
    seen = axis_of(look, WORLD)
    whole = axis_of(replace(look, window=None), WORLD)
    assert whole.low - 1e-6 <= seen.low < seen.high <= whole.high + 1e-6 * whole.high
    assert ((seen.low - 1e-6 <= STEPS) & (seen.high * (1 + 1e-9) >= STEPS)).sum() >= 2
    followed = following(look, WORLD)
    if step > 0 and followed.window is not None:
        assert followed.window[0] * (1 - 1e-9) <= step <= followed.window[1] * (1 + 1e-9)


def test_zooming_keeps_what_is_under_the_mouse_in_its_place() -> None:
    axis = axis_of(Look(scale="symlog"), WORLD)
    assert axis.zoomed(0.3, 0.5).place([axis.value(0.3)])[0] == pytest.approx(0.3)


def test_the_moving_average_is_debiased_and_passes_over_gaps() -> None:
    assert ema([3.0, 3.0, 3.0]).tolist() == pytest.approx([3.0, 3.0, 3.0])
    assert ema([0.0, 1.0], weight=0.5).tolist() == pytest.approx([0.0, 2 / 3])
    found = ema([1.0, float("nan"), 1.0])
    assert np.isnan(found[1])
    assert found[2] == pytest.approx(1.0)
    assert smoothed([1.0, 2.0, 6.0], "mean").tolist() == pytest.approx([1.5, 3.0, 4.0])


@given(st.lists(st.floats(-1e3, 1e3), min_size=2, max_size=20), st.sampled_from(["fitted", "log", "symlog"]))
def test_every_value_axis_holds_the_values_it_is_made_for(values: list[float], rise: Any) -> None:
    axis = value_axis(values, rise=rise)
    wanted = [value for value in values if value > 0] if axis.scale == "log" else values
    places = axis.place(wanted)
    assert ((places >= -1e-6) & (places <= 1 + 1e-6)).all()
    assert axis.ticks(6)


def test_events_are_those_of_the_stores_view(store: Path) -> None:
    with embryo_store.read(store) as reader:
        rows = reader.sql(
            "SELECT step, kind FROM events WHERE run = 'albert-demo' AND task = 'mask-predict' ORDER BY ALL"
        ).rows
        curve = reader.curves("mask-predict", "accuracy", runs=("albert-demo",), labels=("all",))[0]
    assert rows
    assert sorted((event.step, event.kind) for event in of_curve("all", curve.step, curve.value)) == sorted(
        rows
    )


def test_a_curve_that_falls_and_recovers_has_a_dip_and_one_that_goes_nowhere_nothing() -> None:
    steps = np.arange(12)
    values = np.array([0, 0.05, 0.3, 0.8, 0.81, 0.82, 0.5, 0.82, 0.83, 0.83, 0.84, 0.84])
    events = {event.kind: event.step for event in of_curve("x", steps, values)}
    assert events == {"onset": 2, "dip": 6, "plateau": 7, "best": 10}
    assert of_curve("x", steps, np.tile([0.5, 0.6], 6)) == []
    found = of_curve("x", steps, values)
    assert beyond(found, 2, 1).step == 6
    assert beyond(found, 6, -1).step == 2
    assert beyond(found, 0, -1) is None


@pytest.mark.parametrize(
    ("wanted", "names"),
    [
        ("NOUN", {"noun", "proper noun"}), ("*noun", {"noun", "proper noun"}), ("noun*", {"noun"}),
        ("/^(ad|no)/", {"noun", "adverb"}), ("", {"noun", "proper noun", "adverb"}), ("[a]*", {"adverb"}),
    ],
)  # fmt: skip
def test_filters_take_text_globs_and_regular_expressions(wanted: str, names: set[str]) -> None:
    assert {name for name in ("noun", "proper noun", "adverb") if matcher(wanted)(name)} == names


def test_a_broken_regular_expression_says_what_is_wrong() -> None:
    with pytest.raises(ValueError, match="no regular expression"):
        matcher("/(/")


async def test_zoom_by_keys_and_wheel_shows_fewer_steps_and_smoothing_does_not_change_with_it(
    world: Any, store: Path
) -> None:
    async with world.opened(store, Look(screen="words", step=100)) as (app, pilot):
        plot = app.query_one("#word-curves", Plot)
        before = plot.series[0].at(100)
        await pilot.press("z", "s")
        assert plot.frame.across.high < 1000
        assert plot.frame.across.low < 100 < plot.frame.across.high
        narrow = app.look.window
        await pilot.press(">")
        assert app.look.window[0] > narrow[0]
        await pilot.press("end")
        assert app.look.window[1] == pytest.approx(1000)
        assert plot.series[0].at(100) == before
        await pilot.press("0")
        assert app.look.window is None
        plot.post_message(_wheel(plot, 40, 10))
        await pilot.pause()
        assert app.look.window is not None
        await pilot.press("Y")
        assert app.look.rise == "fitted"


def _wheel(plot: Plot, x: int, y: int) -> Any:
    from textual import events

    return events.MouseScrollUp(plot, x, y, 0, -1, 0, False, False, False, screen_x=x, screen_y=y)


async def test_the_difference_from_a_is_signed_in_curves_and_tables(world: Any, store: Path) -> None:
    async with world.opened(store, Look(screen="words", step=100)) as (app, pilot):
        await pilot.press("m", "end", "d")
        await world.settle(pilot)
        change = world.accuracy("mask-predict", "DT", 1000) - world.accuracy("mask-predict", "DT", 100)
        plot = app.query_one("#word-curves", Plot)
        series = next(entry for entry in plot.series if entry.switch == "determiner")
        assert series.at(100)[1] == pytest.approx(0.0)
        assert series.at(1000)[1] == pytest.approx(change)
        assert "change since 100" in plot.heading
        cells = [
            cell.text
            for cell in next(
                r for r in app.query_one("#births", Table).rows if r.key[1] == "determiner"
            ).cells
        ]
        assert f"{change:+.3f}".replace("0.", ".", 1) in cells
        await pilot.press("3")
        await world.settle(pilot)
        layers = app.query_one("#probe-map", LayerMap)
        value = world.f1("probe-pos", world.LAYERS, 1000) - world.f1("probe-pos", world.LAYERS, 100)
        assert layers.values[-1, -1] == pytest.approx(value)


async def test_a_search_narrows_curves_and_rows_while_it_is_typed(world: Any, store: Path) -> None:
    async with world.opened(store, Look(screen="words", step=400)) as (app, pilot):
        await pilot.press("slash", *"*noun")
        prompt, table = app.query_one(Prompt), app.query_one("#births", Table)
        assert prompt.display
        assert {row.key[1] for row in table.rows} == {"noun", "proper noun"}
        assert app.look.step == 400, "letters are typed, not obeyed"
        await pilot.press("enter")
        assert not prompt.display
        assert "matches *noun" in app.query_one(Footer).notice
        await pilot.press("a")
        assert len(table.rows) == 8
        await pilot.press("5")
        await world.settle(pilot)
        await pilot.press("slash", *"/oslo|rome/", "enter")
        await world.settle(pilot)
        assert {row.cells[1].text for row in app.query_one("#facts", Table).rows} == {"Norway", "Italy"}
        await pilot.press("slash", "escape")
        assert app.look.filter == ""


async def test_a_search_that_comes_in_one_burst_is_typed_not_obeyed(world: Any, store: Path) -> None:
    async with world.opened(store, Look(screen="words", step=400)) as (app, pilot):
        for letter in "/mnN":
            app.post_message(events.Key("slash" if letter == "/" else letter, letter))
        async with asyncio.timeout(10):
            while app.look.filter != "mnN":
                await pilot.pause(0.01)
        assert (app.look.step, app.look.mark) == (400, None)


async def test_curves_are_switched_off_by_row_by_legend_and_by_list(world: Any, store: Path) -> None:
    async with world.opened(store, Look(screen="words", step=400)) as (app, pilot):
        table = app.query_one("#births", Table)
        await pilot.press("down", "enter")
        assert app.look.hidden == {table.chosen[1]}
        await pilot.press("1")
        await world.settle(pilot)
        plot = app.query_one("#headline", Plot)
        line = world.shown(plot).splitlines()[1]
        await pilot.mouse_down(plot, offset=Offset(line.index("reconstruct"), 1))
        await pilot.mouse_up(plot, offset=Offset(line.index("reconstruct"), 1))
        assert "reconstruct" in app.look.hidden
        assert "○ reconstruct" in world.shown(plot)
        assert "reconstruct" not in [name for name, _, _ in plot.legend]
        await pilot.press("f", "o", "escape")
        assert [name for name, _, _ in plot.legend] == []
        await pilot.press("a")
        assert len(plot.legend) == 4


async def test_events_are_jumped_to_and_listed(world: Any, store: Path) -> None:
    async with world.opened(store, Look(screen="overview", step=0)) as (app, pilot):
        await pilot.press("n")
        first = app.look.step
        assert first in {event.step for event in app.view.events}
        assert f"{first:,}: " in app.query_one(Footer).notice
        await pilot.press("n", "N")
        assert app.look.step == first
        await pilot.press("E")
        listed = app.screen.query_one(Table)
        assert len(listed.rows) == len(app.view.events)
        await pilot.press("pagedown", "pagedown", "enter")
        assert app.look.step == app.view.events[-1].step


async def test_a_checkpoint_whose_numbers_are_all_wrong_is_an_event(world: Any, tmp_path: Path) -> None:
    """One step evaluated with another checkpoint's file: every curve leaves its course there."""
    path = tmp_path / "results.duckdb"
    steps = [*range(0, 1000, 50)]
    for commit in world.commits("albert-demo", steps):
        swapped = [e for e in commit.evaluations if e.key.task in ("mask-predict", "reconstruct", "mlm")]
        if commit.checkpoint.step == 600:
            early = list(world.words_commit("albert-demo", 0).evaluations)
            swapped = [replace(entry, key=replace(entry.key, step=600)) for entry in early]
        embryo_store.commit(path, replace(commit, evaluations=swapped))
    async with world.opened(path, Look(step=950)) as (app, pilot):
        await world.settle(pilot)
        assert {event.step for event in app.view.events if event.kind == "suspect"} == {600}
        app.push_screen  # noqa: B018
        await pilot.press("E")
        assert any("suspect" in cell.text for row in app.screen.query_one(Table).rows for cell in row.cells)


async def test_runs_that_differ_by_seed_alone_become_a_band(world: Any, tmp_path: Path) -> None:
    path = tmp_path / "results.duckdb"
    for run in ("bert-seed-1", "albert-seed-2", "albert-seed-3"):
        for commit in world.commits(run, [0, 10, 100, 1000], attention=False):
            embryo_store.commit(path, commit)
    async with world.opened(path, Look(run="albert-seed-2", step=100)) as (app, pilot):
        assert set(app.world.kin) == {"albert-seed-2", "albert-seed-3"}
        await pilot.press("B")
        await world.settle(pilot)
        plot = app.query_one("#headline", Plot)
        band = next(entry for entry in plot.series if entry.switch == "mask-predict")
        assert "×2" in band.name
        value = world.pooled("mask-predict", 100, list(world.TAGS))
        assert band.at(100)[1] == pytest.approx(value)
        assert band.low is not None
        assert (band.low <= band.y + 1e-12).all()


async def test_probes_show_tasks_layers_labels_and_mistakes(world: Any, store: Path) -> None:
    async with world.opened(store, Look(screen="probes", step=400, layer=2)) as (app, pilot):
        await world.settle(pilot)
        tasks = {
            row.key: [cell.text for cell in row.cells] for row in app.query_one("#probe-table", Table).rows
        }
        assert tasks["semantic roles"][2] == f"{world.f1('probe-srl', 2, 400):.3f}"[1:]
        labels = app.query_one("#probe-labels", Table)
        assert [row.key for row in labels.rows] == ["NN", "DT", "JJ"]
        assert labels.rows[0].cells[3].text == "JJ .120"
        assert "majority .200" in labels.heading
        layers = app.query_one("#probe-map", LayerMap)
        at = list(world.STEPS).index(400)
        assert layers.values[:, at].argmax() == world.LAYERS
        assert layers.values[:, 0].argmax() == 0, "early layers are ahead at the beginning"
        await pilot.press("full_stop", "v", "w")
        await world.settle(pilot)
        assert (app.look.layer, app.look.probe, app.look.probe_metric) == (3, "probe-const", "selectivity")
        assert "selectivity" in app.query_one("#probe-tasks", Plot).heading
        await pilot.click(layers, offset=(8, 3))
        await world.settle(pilot)
        assert app.look.layer == world.LAYERS
        assert app.look.step < 400


async def test_downstream_shows_the_score_its_tasks_and_the_best_step(world: Any, store: Path) -> None:
    async with world.opened(store, Look(screen="downstream", step=1000)) as (app, pilot):
        await world.settle(pilot)
        rows = {
            row.key[1]: [cell.text for cell in row.cells]
            for row in app.query_one("#downstream-table", Table).rows
        }
        score = 100 * sum(world.glue(place, 1000) for place in range(8)) / 8
        assert rows["GLUE score"][3] == f"{score:.2f}"
        assert rows["GLUE score"][5] == "700"
        assert rows["MRPC"][3] == f"{100 * world.glue(2, 1000):.2f}"
        assert "×" in world.shown(app.query_one("#glue", Plot))


async def test_bands_of_frequency_are_words_too(world: Any, store: Path) -> None:
    async with world.opened(store, Look(screen="words", step=100, grouping="band")) as (app, pilot):
        await world.settle(pilot)
        rows = {row.key[1]: [cell.text for cell in row.cells] for row in app.query_one("#births", Table).rows}
        assert list(rows) == list(world.BANDS)
        _, final, half = world.BANDS["rank 50-99"]
        assert rows["rank 50-99"][2] == f"{world.risen(final, half, 100):.3f}"[1:]
        assert rows["rank 50-99"][3] == "100"


async def test_fates_of_facts_are_counted_and_listed(world: Any, store: Path) -> None:
    async with world.opened(store, Look(screen="knowledge", step=1000, below="dynamics")) as (app, pilot):
        await world.settle(pilot)
        table = app.query_one("#life", Table)
        fates = {row.cells[1].text: row.cells[3].text for row in table.rows}
        assert fates["Norway"] == "forgotten"
        assert fates["France"] == "learned"
        assert fates["Peru"] == "never learned"
        assert table.heading.startswith("1 forgotten")


async def test_forgotten_facts_of_all_relations_stand_in_one_list(world: Any, store: Path) -> None:
    async with world.opened(store, Look(screen="knowledge", step=1000, below="dynamics")) as (app, pilot):
        await pilot.press("b")
        await world.settle(pilot)
        table = app.query_one("#life", Table)
        listed = [tuple(cell.text for cell in row.cells[1:]) for row in table.rows]
        assert listed == [
            ("Peru", "spanish", "official language", "10", "4/12"),
            ("Norway", "oslo", "capital", "100", "3/12"),
        ]
        assert "facts forgotten: 2" in table.heading
        assert "all relations" in table.heading
        for searched, said in (("oslo", "facts forgotten: 1 of 2"), ("tokyo", "facts forgotten: 0 of 2")):
            await pilot.press("slash", *searched, "enter")
            await world.settle(pilot)
            assert said in table.heading
            await pilot.press("slash", *(["backspace"] * len(searched)), "enter")


async def test_the_strongest_head_is_found_by_one_key(world: Any, store: Path) -> None:
    async with world.opened(store, Look(screen="attention", step=1000)) as (app, pilot):
        await world.settle(pilot)
        await pilot.press("w")
        assert (app.look.layer, app.look.head) == (2, 3)


async def test_playing_goes_round_where_that_is_wanted(world: Any, store: Path) -> None:
    async with world.opened(store, Look(step=1000)) as (app, pilot):
        await pilot.press("L", "space")
        assert isinstance(app, EmbryoApp)
        app.player.tick()
        app.look = replace(app.look, step=1000)
        app.player.tick()
        assert app.look.step == 0
