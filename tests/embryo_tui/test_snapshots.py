"""How every screen looks, on a store with known values: large and small, dark and light.

`pytest --snapshot-update` draws them anew; look at the report before you keep them.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from textual.pilot import Pilot

from embryo_tui.app import EmbryoApp
from embryo_tui.look import Look

WORDS = Look(screen="words", step=200, run="albert-demo", runs=("albert-demo",))
KNOWLEDGE = replace(WORDS, screen="knowledge", step=400)
ATTENTION = replace(WORDS, screen="attention", step=1000, layer=2, head=3)
BOTH = ("albert-demo", "bert-demo")
SCREENS = {
    "overview": Look(step=400),
    "overview-two-runs": Look(step=700, run="albert-demo", runs=BOTH, smooth=True, mark=100),
    "words": WORDS,
    "words-rescaled-since-a": replace(WORDS, rescaled=True, mark=20, scale="linear"),
    "words-tags-two-runs": replace(WORDS, grouping="tag", runs=BOTH, scale="log"),
    "knowledge": KNOWLEDGE,
    "knowledge-ledger": replace(KNOWLEDGE, step=1000, mark=100, below="ledger"),
    "attention": ATTENTION,
    "attention-sentence": replace(ATTENTION, sentence=1, statistic="entropy"),
    "attention-difference": replace(ATTENTION, mark=10, difference=True),
}


@pytest.mark.parametrize("name", SCREENS)
def test_looks(name: str, world: Any, store: Path, snap_compare: Any) -> None:
    assert snap_compare(EmbryoApp(store, SCREENS[name]), terminal_size=(160, 45), run_before=world.settle)


@pytest.mark.parametrize("name", ["overview", "words", "knowledge", "attention"])
def test_looks_in_a_small_terminal(name: str, world: Any, store: Path, snap_compare: Any) -> None:
    assert snap_compare(EmbryoApp(store, SCREENS[name]), terminal_size=(80, 24), run_before=world.settle)


@pytest.mark.parametrize("name", ["words", "attention-difference"])
def test_looks_in_light(name: str, world: Any, store: Path, snap_compare: Any) -> None:
    async def lit(pilot: Pilot[None]) -> None:
        await world.settle(pilot)
        await pilot.press("t")
        await world.settle(pilot)

    assert snap_compare(EmbryoApp(store, SCREENS[name]), terminal_size=(120, 36), run_before=lit)


@pytest.mark.parametrize("name", ["words-tags-two-runs", "attention-difference"])
def test_looks_without_colour(
    name: str, world: Any, store: Path, snap_compare: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    assert snap_compare(EmbryoApp(store, SCREENS[name]), terminal_size=(120, 36), run_before=world.settle)


def test_the_help_looks(world: Any, store: Path, snap_compare: Any) -> None:
    async def asked(pilot: Pilot[None]) -> None:
        await world.settle(pilot)
        await pilot.press("question_mark")

    assert snap_compare(EmbryoApp(store, WORDS), terminal_size=(100, 40), run_before=asked)
