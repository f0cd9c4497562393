"""What a user sees: every number on the screen is compared with the formula that made the store."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path
from typing import Any

import pytest
from textual.command import CommandList

import embryo_store
from embryo_tui.actions import ACTIONS, EVERYWHERE
from embryo_tui.app import EmbryoApp
from embryo_tui.look import Look
from embryo_tui.palette import Palette
from embryo_tui.questions import Question
from embryo_tui.screens.registry import SCREENS
from embryo_tui.widgets.bars import Bar, Footer
from embryo_tui.widgets.heads import HeadGrid
from embryo_tui.widgets.heat_map import HeatMap
from embryo_tui.widgets.plot import Plot
from embryo_tui.widgets.scrubber import Scrubber
from embryo_tui.widgets.table import Table


def row(table: Table, key: object) -> list[str]:
    return next([cell.text for cell in row.cells] for row in table.rows if row.key == key)


def three(value: float) -> str:
    return f"{value:.3f}".lstrip("0")


async def test_the_cursor_begins_at_the_last_step_and_the_headlines_show_its_values(
    world: Any, store: Path
) -> None:
    async with world.opened(store) as (app, pilot):
        assert app.look.step == 1000
        text = world.shown(app.query_one("#headline", Plot))
        for task in ("mask-predict", "reconstruct"):
            assert f"{task} {world.pooled(task, 1000, list(world.TAGS)):.3f}" in text
        await pilot.press("left", "left")
        assert app.look.step == 400
        text = world.shown(app.query_one("#headline", Plot))
        assert f"mask-predict {world.pooled('mask-predict', 400, list(world.TAGS)):.3f}" in text
        assert "12/12" in world.shown(app.query_one("#coverage", Table))
        assert "412k weights" in world.shown(app.query_one("#card"))


@pytest.mark.parametrize(
    ("keys", "step"),
    [
        (("home",), 0), (("home", "right", "right"), 2), (("home", "l", "l", "h"), 1), (("[",), 1),
        (("[", "]"), 1000), (("left",), 700), (("end", "right"), 1000), (("home", "left"), 0),
        (("g", "G"), 1000),
    ],
)  # fmt: skip
async def test_keys_move_the_cursor_over_saved_steps(
    world: Any, store: Path, keys: tuple[str, ...], step: int
) -> None:
    async with world.opened(store) as (app, pilot):
        await pilot.press(*keys)
        assert app.look.step == step
        assert f"{step:,}" in world.shown(app.query_one(Scrubber))


async def test_the_mouse_moves_the_cursor_on_the_track_and_on_curves(world: Any, store: Path) -> None:
    async with world.opened(store) as (app, pilot):
        track = app.query_one(Scrubber)
        line = world.shown(track).splitlines()[0]
        await pilot.mouse_down(track, offset=(line.index("┯"), 0))
        assert app.look.step == 0
        await pilot.hover(track, offset=(line.index("●"), 0))
        await pilot.mouse_up(track, offset=(line.index("●"), 0))
        assert app.look.step == 1000
        await pilot.click(app.query_one("#loss", Plot), offset=(6, 8))
        assert app.look.step == 0


async def test_words_stand_in_order_of_birth_with_their_values_at_the_cursor(world: Any, store: Path) -> None:
    async with world.opened(store, Look(screen="words", step=200)) as (app, pilot):
        await world.settle(pilot)
        table = app.query_one("#births", Table)
        assert [key[1] for key in (line.key for line in table.rows)][:3] == [
            "conjunction",
            "determiner",
            "preposition",
        ]
        determiner = row(table, ("albert-demo", "determiner"))
        assert determiner[2] == three(world.accuracy("mask-predict", "DT", 200))
        assert determiner[3:5] == ["20", "10"]
        verbs = [tag for tag in world.TAGS if tag.startswith("VB")]
        assert row(table, ("albert-demo", "verb"))[2] == three(world.pooled("mask-predict", 200, verbs))
        await pilot.press("w")
        await world.settle(pilot)
        assert row(table, ("albert-demo", "determiner"))[2] == three(world.accuracy("reconstruct", "DT", 200))
        await pilot.press("y")
        await world.settle(pilot)
        rescaled = world.accuracy("reconstruct", "DT", 200) / world.accuracy("reconstruct", "DT", 1000)
        assert row(table, ("albert-demo", "determiner"))[2] in (three(rescaled), "1.000")
        await pilot.press("y", "w", "v")
        await world.settle(pilot)
        assert {line.key[1] for line in table.rows} == {"function", "content", "punctuation"}


async def test_a_mark_compares_two_steps(world: Any, store: Path) -> None:
    async with world.opened(store, Look(screen="words", step=100)) as (app, pilot):
        await pilot.press("m", "right", "right")
        await world.settle(pilot)
        change = world.accuracy("mask-predict", "DT", 400) - world.accuracy("mask-predict", "DT", 100)
        cells = row(app.query_one("#births", Table), ("albert-demo", "determiner"))
        assert f"{change:+.3f}".replace("0.", ".", 1) in cells
        await pilot.press("M")
        assert (app.look.step, app.look.mark) == (100, 400)


async def test_facts_show_their_answers_at_the_cursor(world: Any, store: Path) -> None:
    async with world.opened(store, Look(screen="knowledge", step=400)) as (app, pilot):
        await world.settle(pilot)
        facts = app.query_one("#facts", Table)
        norway = next(line for line in facts.rows if line.cells[1].text == "Norway")
        assert [cell.text for cell in norway.cells][:5] == ["✓", "Norway", "oslo", "1", ".750"]
        assert norway.cells[5].text.startswith("oslo .75")
        await pilot.press("right")
        await world.settle(pilot)
        norway = next(line for line in facts.rows if line.cells[1].text == "Norway")
        assert norway.cells[0].text == "·"
        assert norway.cells[5].text.startswith("the .50")
        right = sum(world.known("P36", country, 700) for country in world.CAPITALS)
        assert row(app.query_one("#relations", Table), "P36")[2] == three(right / len(world.CAPITALS))


async def test_a_fact_has_a_biography_and_its_rows_move_the_cursor(world: Any, store: Path) -> None:
    async with world.opened(store, Look(screen="knowledge", step=1000)) as (app, pilot):
        await world.settle(pilot)
        life = app.query_one("#life", Table)
        assert "The capital of France is" in life.heading
        marks = {line.key: line.cells[0].text for line in life.rows}
        assert marks == {step: "✓" if step >= 20 else "·" for step in world.STEPS}
        life.focus()
        await pilot.press("up", "up")
        assert app.look.step == 400


async def test_the_ledger_names_what_was_learned_and_forgotten_between_two_steps(
    world: Any, store: Path
) -> None:
    async with world.opened(store, Look(screen="knowledge", step=100)) as (app, pilot):
        await pilot.press("m", "end", "b")
        await world.settle(pilot)
        turned = {
            (line.cells[0].text, line.cells[1].text, line.cells[4].text)
            for line in app.query_one("#life", Table).rows
        }
        expected, named = set(), {"P36": "capital", "P37": "official language"}
        for relation, subject, _ in world.FACTS:
            before, after = (world.known(relation, subject, step) for step in (100, 1000))
            if before != after:
                expected.add(("+" if after else "−", subject, named[relation]))
        assert turned == expected
        assert ("−", "Norway", "capital") in turned
        await pilot.press("slash", *"nowhere", "enter")
        await world.settle(pilot)
        assert f"none of the {len(turned)} facts that turned matches" in world.shown(app.query_one("#life"))


async def test_the_diagonal_head_is_seen_as_number_and_as_map(world: Any, store: Path) -> None:
    async with world.opened(store, Look(screen="attention", step=1000, layer=2, head=3)) as (app, pilot):
        await world.settle(pilot)
        grid = app.query_one("#head-grid", HeadGrid)
        assert grid.values.argmax() == 1 * world.HEADS + 2
        assert f"{world.statistic(2, 3, 1000):.2f}" in world.shown(grid)
        matrix = app.query_one("#map", HeatMap).matrix
        assert (matrix.argmax(axis=1) == range(world.SIZE)).all()
        await pilot.press("home")
        await world.settle(pilot)
        matrix = app.query_one("#map", HeatMap).matrix
        assert matrix.max() - matrix.min() < 0.05
        await pilot.press("up", "comma", "comma")
        assert (app.look.layer, app.look.head) == (1, 1)
        await pilot.press("e")
        await world.settle(pilot)
        assert "garden" in world.shown(app.query_one("#map", HeatMap))


async def test_small_maps_end_where_their_panel_does(world: Any, store: Path) -> None:
    async with world.opened(store, Look(screen="attention"), size=(160, 45)) as (app, pilot):
        await world.settle(pilot)
        panel = app.query_one("#thumbnails")
        for width in (160, 134, 132, 131):
            await pilot.resize_terminal(width, 45)
            lines = [panel.render_line(y) for y in range(panel.size.height)]
            assert {strip.cell_length for strip in lines} == {panel.size.width}


async def test_the_difference_of_two_steps_is_signed(world: Any, store: Path) -> None:
    async with world.opened(store, Look(screen="attention", step=1000, layer=2, head=3)) as (app, pilot):
        await pilot.press("m", "home", "d")
        await world.settle(pilot)
        matrix = app.query_one("#map", HeatMap).matrix
        assert matrix.diagonal().max() < -0.7
        assert f"{world.statistic(2, 3, 0) - world.statistic(2, 3, 1000):+.2f}" in world.shown(
            app.query_one("#head-grid")
        )


async def test_a_run_without_a_result_at_the_step_shows_the_nearest_earlier_one_and_says_so(
    world: Any, store: Path
) -> None:
    async with world.opened(store, Look(run="bert-demo", runs=("bert-demo", "albert-demo"), step=1000)) as (
        app,
        pilot,
    ):
        await world.settle(pilot)
        assert app.look.step == 1000
        plot = app.query_one("#headline", Plot)
        value = world.pooled("mask-predict", 700, list(world.TAGS), "bert-demo")
        assert f"mask-predict bert-demo {value:.3f}" in world.shown(plot)
        assert "700 shown for 1k" in plot.heading


async def test_runs_are_overlaid_and_taken_away_again(world: Any, store: Path) -> None:
    async with world.opened(store) as (app, pilot):
        plot = app.query_one("#loss", Plot)
        assert len(plot.legend) == 1
        await pilot.press("o")
        await world.settle(pilot)
        assert [name for name, _, _ in plot.legend] == ["albert-demo", "bert-demo"]
        await pilot.press("r")
        await world.settle(pilot)
        assert app.look.run == "bert-demo"
        assert "bert-demo" in app.query_one("#card").heading
        await pilot.press("o")
        assert app.look.runs == ("bert-demo",)
        assert app.look.step in world.STEPS[::2]


async def test_playing_goes_from_the_first_step_to_the_last_and_stops(world: Any, store: Path) -> None:
    async with world.opened(store, Look(step=200)) as (app, pilot):
        await pilot.press("+", "space")
        assert "■ 8/s" in world.shown(app.query_one(Scrubber))
        async with asyncio.timeout(10):
            while "▶" not in world.shown(app.query_one(Scrubber)):
                await pilot.pause(0.02)
        assert app.look.step == 1000
        await pilot.press("space")
        assert app.look.step < 1000, "playing from the end begins anew"


async def test_a_slow_store_never_holds_up_the_cursor(
    world: Any, store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    blocked, asked, ask = threading.Event(), threading.Event(), Question.ask

    def slow(self: Question[Any], reader: Any) -> Any:
        asked.set()
        assert blocked.wait(20)
        return ask(self, reader)

    async with world.opened(store, Look(screen="knowledge", step=1000)) as (app, pilot):
        monkeypatch.setattr(Question, "ask", slow)
        await pilot.press("6")
        await asyncio.to_thread(asked.wait, 10)
        for key in ("left", "left", "left"):
            await pilot.press(key)
        assert app.look.step == 200
        assert "200" in world.shown(app.query_one(Scrubber))
        blocked.set()
        await world.settle(pilot)
        assert f"{world.statistic(2, 3, 200):.2f}" in world.shown(app.query_one("#head-grid"))


async def test_what_an_evaluation_commits_appears_without_moving_the_cursor(world: Any, store: Path) -> None:
    async with world.opened(store, Look(step=400)) as (app, pilot):
        for commit in world.commits("albert-demo", [1500]):
            await asyncio.to_thread(embryo_store.commit, store, commit)
        async with asyncio.timeout(2.5):
            while "of 13" not in world.shown(app.query_one(Scrubber)):
                await pilot.pause(0.02)
        assert app.look.step == 400
        assert "10 of 13" in world.shown(app.query_one(Scrubber))
        await world.settle(pilot)
        await pilot.press("end")
        value = world.pooled("mask-predict", 1500, list(world.TAGS))
        assert f"mask-predict {value:.3f}" in world.shown(app.query_one("#headline", Plot))


async def test_a_deleted_store_is_told_of_and_read_again_when_it_is_back(world: Any, store: Path) -> None:
    async with world.opened(store) as (app, pilot):
        away = store.rename(store.with_name("away.duckdb"))
        footer = app.query_one(Footer)
        async with asyncio.timeout(5):
            while "cannot be read" not in footer.notice:
                await pilot.pause(0.02)
        await pilot.press("left")
        assert app.look.step == 700
        assert "mask-predict" in world.shown(app.query_one("#headline", Plot))
        away.rename(store)
        async with asyncio.timeout(5):
            while footer.notice:
                await pilot.pause(0.02)


async def test_every_key_is_in_the_help_the_palette_and_where_it_matters_in_the_footer(
    world: Any, store: Path
) -> None:
    async with world.opened(store) as (app, pilot):
        for view in SCREENS:
            await app.action_show(view.key)
            await world.settle(pilot)
            footer = app.query_one(Footer).text
            assert all(
                action.hint in footer for action in ACTIONS if action.where == view.key and action.hint
            )
            palette = {command.title for command in app.get_system_commands(app.screen)}
            wanted = {action.description for action in ACTIONS if action.where in (view.key, EVERYWHERE)}
            assert wanted <= palette
        await pilot.press("question_mark")
        text = "\n".join(
            str(cell)
            for column in app.screen.query_one("#help Static").content.columns
            for cell in column.cells
        )
        assert all(action.description in text for action in ACTIONS)
        await pilot.press("escape")
        assert len(app.screen_stack) == 1


async def test_the_mouse_alone_changes_screens_runs_and_settings(world: Any, store: Path) -> None:
    async with world.opened(store) as (app, pilot):
        top = app.query_one("#top", Bar)
        await pilot.click(top, offset=(world.shown(top).index("Words"), 0))
        await world.settle(pilot)
        assert app.look.screen == "words"
        await pilot.click(top, offset=(world.shown(top).index("bert-demo"), 0))
        await world.settle(pilot)
        assert app.look.runs == ("albert-demo", "bert-demo")
        footer = app.query_one(Footer)
        await pilot.click(footer, offset=(world.shown(footer).index("task"), 0))
        assert app.look.word_task == "reconstruct"
        table = app.query_one("#births", Table)
        await pilot.click(table, offset=(4, 2))
        await pilot.click(table, offset=(4, 2))
        assert len(app.look.hidden) == 1
        await app.action_show("attention")
        await world.settle(pilot)
        await pilot.click("#thumbnails", offset=(40, 4))
        assert app.look.head > 1


async def test_an_empty_store_says_what_to_run(world: Any, tmp_path: Path) -> None:

    path = tmp_path / "empty.duckdb"
    for commit in world.commits("albert-demo", [0]):
        embryo_store.commit(path, commit)
        break
    async with EmbryoApp([path]).run_test(size=(100, 30)) as pilot:
        await world.settle(pilot)
        app = pilot.app
        for key, what in (
            ("3", "embryo-eval --task probe-pos"),
            ("4", "no evaluator of GLUE"),
            ("5", "embryo-eval --task lama"),
            ("6", "embryo-eval --task attention"),
        ):
            await pilot.press(key)
            await world.settle(pilot)
            body = "\n".join(world.shown(widget) for widget in app.query("Panel") if widget.display)
            assert what in body


async def test_until_the_store_has_answered_no_screen_claims_that_nothing_is_stored(
    world: Any, store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    go, ask = threading.Event(), Question.ask

    def slow(self: Question[Any], reader: Any) -> Any:
        assert go.wait(20)
        return ask(self, reader)

    monkeypatch.setattr(Question, "ask", slow)
    async with EmbryoApp([store]).run_test(size=(120, 36)) as pilot:
        for view in SCREENS:
            await pilot.app.run_action(f"show('{view.key}')")
            await pilot.pause()
            text = "\n".join(world.shown(widget) for widget in pilot.app.query("Panel, Scrubber"))
            assert "reading" in text
            assert "nothing stored" not in text
            assert "no saved steps" not in text
        go.set()


async def test_a_run_without_attention_shows_none_of_another_runs(world: Any, store: Path) -> None:
    async with world.opened(store, Look(screen="attention", step=200)) as (app, pilot):
        await world.settle(pilot)
        assert app.query_one("#head-grid", HeadGrid).values.size
        await pilot.press("r")
        await world.settle(pilot)
        assert app.look.run == "bert-demo"
        assert not app.query_one("#head-grid", HeadGrid).values.size
        assert not app.query_one("#map", HeatMap).matrix.size
        assert "embryo-eval --task attention" in world.shown(app.query_one("#map", HeatMap))


async def test_a_palette_that_is_gone_before_it_looked_for_commands_ends_nothing(
    world: Any, store: Path
) -> None:
    async with world.opened(store, Look(step=100)) as (app, pilot):
        await pilot.press("ctrl+p")
        palette = app.screen
        assert isinstance(palette, Palette)
        await palette.query(CommandList).remove()
        await palette._gather_commands("").wait()


async def test_what_was_asked_for_and_is_not_there_is_said_once(world: Any, store: Path) -> None:
    asked = Look(screen="attention", run="albert-demo", step=333, layer=99, head=9, mark=333)
    async with world.opened(store, asked) as (app, pilot):
        assert (app.look.step, app.look.layer, app.look.head) == (400, world.LAYERS, world.HEADS)
        footer = app.query_one(Footer)
        for said in (
            "no step 333: 400 is shown",
            "no layer 99: 3 is shown",
            "no head 9: 4 is shown",
            "for A: 200",
        ):
            assert said in footer.notice
        footer.take_back(footer.notice)
        await pilot.press("r")
        await world.settle(pilot)
        assert not footer.notice


async def test_the_screen_says_what_being_born_means(world: Any, store: Path) -> None:
    async with world.opened(store, Look(screen="words", step=200), size=(80, 24)) as (app, pilot):
        await world.settle(pilot)
        assert "Born: half of final accuracy" in world.shown(app.query_one("#births"))
        await pilot.press("question_mark")
        text = "\n".join(
            str(cell)
            for column in app.screen.query_one("#help Static").content.columns
            for cell in column.cells
        )
        assert "first saved step at half of the final accuracy; after: the saved step before it" in text
