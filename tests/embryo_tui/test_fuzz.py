"""Whatever is pressed, clicked and resized, over a store with gaps: the app goes on, its frames are whole."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import duckdb
import pytest
from textual import events
from textual.errors import NoWidget
from textual.keys import _character_to_key
from textual.pilot import Pilot

import embryo_store
from embryo_store.records import Commit, Dataset, Metric, Relation
from embryo_tui.actions import ACTIONS, EVERYWHERE
from embryo_tui.app import EmbryoApp
from embryo_tui.deeds import Deeds
from embryo_tui.export import clipboard
from embryo_tui.look import Look
from embryo_tui.screens.registry import SCREENS
from embryo_tui.widgets.heat_map import HeatMap
from embryo_tui.widgets.panel import Lines
from embryo_tui.widgets.prompt import Prompt

OTHERS = (
    "tab",
    "shift+tab",
    "up",
    "down",
    "enter",
    "pagedown",
    "pageup",
    "escape",
    "ctrl+p",
    "x",
    "ä",
    "delete",
)
SIZES = ((7, 5), (40, 10), (80, 24), (120, 40), (160, 45), (300, 90))
#: Markup, emoji, a combining letter, control characters: what foreign names may hold.
NAME = "a[bold]b[/]🙂é\x1b[31m\n{x}"
MANY, FEW = 20_000, 600
#: Escapes after which whatever lies over the screen must be gone: others may have opened in between.
STUBBORN = 100


def gaps(world: Any) -> Iterator[Commit]:
    """Runs of unequal steps, NaN, a missing layer, one-point curves, no attention, an empty relation."""
    for commit in world.commits("albert-demo", [0, 3, 50, 51, 1000]):
        yield replace(commit, evaluations=[_torn(entry) for entry in commit.evaluations])
    yield from world.commits("foreign", [0, 7, 2000], attention=False)
    yield from world.commits("one-point", [400])
    card, checkpoint = world.card("nothing"), world._checkpoint("nothing", 10)
    relations = [Relation("P0", "[X] [bold]is[/] 🙂 [Y] .", None, NAME), Relation("P1", "", "N-1", "")]
    yield Commit(card, checkpoint, [], Dataset("empty", "d", "facts", "", 0, relations=relations))


def _torn(entry: Any) -> Any:
    metrics = [
        replace(metric, value=float("nan")) if place % 5 == 0 else metric
        for place, metric in enumerate(entry.metrics)
        if metric.layer != 1 or not entry.key.task.startswith("probe")
    ]
    if entry.key.task == "mask-predict":
        metrics.append(Metric("accuracy", 0.5, label=NAME, n=3))
    return replace(entry, metrics=metrics)


@pytest.fixture
def torn_store(tmp_path: Path, world: Any) -> Path:
    path = tmp_path / "torn.duckdb"
    for commit in gaps(world):
        embryo_store.commit(path, commit)
    # No evaluation writes such a name; somebody else's may.
    with duckdb.connect(str(path)) as connection:
        for table in ("runs", "checkpoints", "evaluations", "metrics", "outcomes", "lama", "train_log"):
            connection.execute(f"UPDATE {table} SET run = ? WHERE run = 'foreign'", [NAME])
    return path


def keys(chance: random.Random, count: int) -> list[tuple[str, str]]:
    """Screen and key: every action on every screen where it means something, often enough, in any order.

    What has one key on one screen is pressed more often: a line being typed, or a dialog, takes many away.
    """
    found: list[tuple[str, str]] = []
    wanted = [(view.key, key) for view in SCREENS for key in OTHERS]
    for action in ACTIONS:
        pairs = [
            (view.key, key)
            for view in SCREENS
            for key in action.keys
            if action.id != "quit" and action.where in (view.key, EVERYWHERE)
        ]
        found += pairs * (count // 60 // max(1, len(pairs)))
        wanted += pairs
    found += wanted * ((count - len(found)) // len(wanted))
    found += chance.choices(wanted, k=count - len(found))
    chance.shuffle(found)
    return found


@pytest.mark.parametrize(
    "count", [FEW, pytest.param(MANY, marks=[pytest.mark.slow, pytest.mark.timeout(3000)])]
)
async def test_keys_clicks_and_sizes_never_break_the_app(
    world: Any, torn_store: Path, count: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(clipboard, "copy", lambda *_: "copied")
    chance = random.Random(count)
    done: Counter[str] = Counter()
    carry_out = EmbryoApp._do

    def counted(self: EmbryoApp, action: Any) -> None:
        done[action.id] += 1
        carry_out(self, action)

    monkeypatch.setattr(EmbryoApp, "_do", counted)
    # Clicks and the palette find it, too; it is counted as any other, but the run must go on.
    monkeypatch.setattr(Deeds, "quit", lambda _: None)
    app = EmbryoApp([torn_store])
    seen: Counter[str] = Counter()
    escapes = 0
    async with app.run_test(size=(120, 40)) as pilot:
        await world.settle(pilot)
        for place, (screen, key) in enumerate(keys(chance, count)):
            if app.look.screen != screen and len(app.screen_stack) == 1 and chance.random() < 0.8:
                await app.action_show(screen)
            if app.return_code is not None:
                # It failed; leaving its context raises what it failed with.
                break
            seen[app.look.screen] += 1
            _press(app, key)
            what = chance.random()
            if what < 0.08:
                await _click(app, pilot, chance)
            elif what < 0.10:
                await pilot.resize_terminal(*chance.choice(SIZES))
            if place % 8 == 0:
                await pilot.pause()
            if len(app.screen_stack) == 1:
                escapes = 0
                if isinstance(app.focused, Prompt) and chance.random() < 0.4:
                    # A search takes in all that is typed.
                    _press(app, "escape")
            elif chance.random() < 0.4:
                _press(app, "escape")
                escapes += 1
                assert escapes < STUBBORN, f"{app.screen_stack} stays; the focus is on {app.focused}"
        for _ in range(200):
            # What was pressed last is still on its way.
            await pilot.pause(0.01)
        for _ in range(STUBBORN):
            if len(app.screen_stack) == 1 or app.return_code is not None:
                break
            await pilot.press("escape")
        assert len(app.screen_stack) == 1, f"{app.screen_stack} stays; the focus is on {app.focused}"
        await pilot.resize_terminal(160, 45)
        await pilot.press("escape")
        if app.player.playing:
            await pilot.press("space")
        await pilot.press("1", "a", "0", "end")
        await world.settle(pilot)
        assert app.look.step == app.world.steps[-1]
        few = {
            action.id: done[action.id] for action in ACTIONS if action.id != "quit" and done[action.id] < 50
        }
        # Both are told: a run takes minutes.
        assert (torn(app), few if count == MANY else {}) == ([], {})
    assert count < MANY or set(seen) == {view.key for view in SCREENS}


async def test_every_line_is_as_wide_as_its_widget(world: Any, torn_store: Path) -> None:
    app = EmbryoApp([torn_store])
    async with app.run_test(size=(120, 40)) as pilot:
        await world.settle(pilot)
        for size in SIZES:
            await pilot.resize_terminal(*size)
            for view in SCREENS:
                await app.action_show(view.key)
                await world.settle(pilot)
                assert not torn(app), f"{view.key} at {size}"


async def test_word_pieces_of_wide_letters_leave_a_map_in_its_place(world: Any, store: Path) -> None:
    async with world.opened(store, Look(screen="attention")) as (app, pilot):
        await world.settle(pilot)
        large = app.query_one("#map", HeatMap)
        large.fill(large.matrix + 0, ("日本", "日本語日本語日本語", "🙂") * len(large.matrix))
        assert not torn(app)


def torn(app: EmbryoApp) -> list[str]:
    """The lines that are wider or narrower than their widgets: they would push what stands beside them."""
    return [
        f"line {y} of {widget}: {widget.render_line(y).cell_length} cells for {widget.size.width}"
        for widget in app.query(Lines)
        if widget.display and widget.size.width
        for y in range(widget.size.height)
        if widget.render_line(y).cell_length != widget.size.width
    ]


def _press(app: EmbryoApp, key: str) -> None:
    character = (
        key
        if len(key) == 1
        else {"space": " ", "comma": ",", "full_stop": ".", "question_mark": "?"}.get(key)
    )
    # As a terminal's driver names it: "/" is "slash", and bindings know no other name.
    app.post_message(events.Key(_character_to_key(key) if len(key) == 1 else key, character))


async def _click(app: EmbryoApp, pilot: Pilot[None], chance: random.Random) -> None:
    place = (chance.randrange(app.size.width), chance.randrange(app.size.height))
    if chance.random() < 0.7:
        # A terminal of a few cells may show no widget there; the pilot, unlike a terminal, minds.
        with suppress(NoWidget):
            await pilot.click(offset=place)
    else:
        kind = chance.choice((events.MouseScrollUp, events.MouseScrollDown))
        app.post_message(kind(None, *place, 0, 1, 0, chance.random() < 0.3, False, False, *place))
