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
PROBES = replace(WORDS, screen="probes", step=400, layer=3)
KNOWLEDGE = replace(WORDS, screen="knowledge", step=400)
ATTENTION = replace(WORDS, screen="attention", step=1000, layer=2, head=3)
BOTH = ("albert-demo", "bert-demo")
SCREENS = {
    "overview": Look(step=400),
    "overview-two-runs": Look(step=700, run="albert-demo", runs=BOTH, smoothing="mean", mark=100),
    "words": WORDS,
    "words-rescaled-since-a": replace(WORDS, rescaled=True, mark=20, scale="linear"),
    "words-tags-two-runs": replace(WORDS, grouping="tag", runs=BOTH, scale="log"),
    "words-bands-of-frequency": replace(
        WORDS, grouping="band", smoothing="ema", rise="log", window=(5.0, 700.0)
    ),
    "probes": PROBES,
    "probes-since-a-filtered": replace(PROBES, mark=20, difference=True, filter="/speech|NN/"),
    "downstream": replace(WORDS, screen="downstream", step=400),
    "knowledge": KNOWLEDGE,
    "knowledge-fates": replace(KNOWLEDGE, below="dynamics", hidden=frozenset({"P37"})),
    "knowledge-ledger": replace(KNOWLEDGE, step=1000, mark=100, below="ledger"),
    "attention": ATTENTION,
    "attention-sentence": replace(ATTENTION, sentence=1, statistic="entropy"),
    "attention-difference": replace(ATTENTION, mark=10, difference=True),
}


@pytest.mark.parametrize("name", SCREENS)
def test_looks(name: str, world: Any, store: Path, snap_compare: Any) -> None:
    assert snap_compare(EmbryoApp([store], SCREENS[name]), terminal_size=(160, 45), run_before=world.settle)


@pytest.mark.parametrize("name", ["overview", "words", "probes", "downstream", "knowledge", "attention"])
def test_looks_in_a_small_terminal(name: str, world: Any, store: Path, snap_compare: Any) -> None:
    assert snap_compare(EmbryoApp([store], SCREENS[name]), terminal_size=(80, 24), run_before=world.settle)


@pytest.mark.parametrize("name", ["words", "attention-difference"])
def test_looks_in_light(name: str, world: Any, store: Path, snap_compare: Any) -> None:
    async def lit(pilot: Pilot[None]) -> None:
        await world.settle(pilot)
        await pilot.press("t")
        await world.settle(pilot)

    assert snap_compare(EmbryoApp([store], SCREENS[name]), terminal_size=(120, 36), run_before=lit)


@pytest.mark.parametrize("name", ["words-tags-two-runs", "attention-difference"])
def test_looks_without_colour(
    name: str, world: Any, store: Path, snap_compare: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    assert snap_compare(EmbryoApp([store], SCREENS[name]), terminal_size=(120, 36), run_before=world.settle)


def test_the_help_looks(world: Any, store: Path, snap_compare: Any) -> None:
    async def asked(pilot: Pilot[None]) -> None:
        await world.settle(pilot)
        await pilot.press("question_mark")

    assert snap_compare(EmbryoApp([store], WORDS), terminal_size=(100, 40), run_before=asked)
