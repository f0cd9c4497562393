"""Sentences that were asked (``embryo-eval cloze``): in the store's answer, on the screen, and as text."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import embryo_store
from embryo_store.cloze_answers import asked_sentences
from embryo_store.records import ClozeAnswers, Commit, Key, Vocabulary
from embryo_tui.cli import main
from embryo_tui.look import Look
from embryo_tui.widgets.plot import Plot
from embryo_tui.widgets.table import Table

PARIS, PAIRS = "The capital of France is [MASK] .", "[MASK] is the capital of [MASK] ."
#: Text, step, and the first word for each mask.
ASKED = (
    (PARIS, 0, ["the"]), (PARIS, 100, ["oslo"]), (PARIS, 1000, ["paris"]),
    (PAIRS, 100, ["rome", "city"]), (PAIRS, 1000, ["cairo", "city"]),
)  # fmt: skip


@pytest.fixture
def asked(world: Any, store: Path) -> Path:
    """The store, with two sentences put to one run at some of its steps."""
    for text, step, words in ASKED:
        tokens = np.tile(np.arange(10), (len(words), 1))
        tokens[:, 0] = [world.TOKENS.index(f"▁{word}") for word in words]
        logps = np.tile(np.log(0.5 / 2.0 ** np.arange(10)), (len(words), 1)).astype(np.float32)
        made = world._evaluation(
            Key("albert-demo", step, "cloze", text), payloads=[ClozeAnswers(tokens, logps)]
        )
        commit = Commit(
            world.card("albert-demo"), world._checkpoint("albert-demo", step), [made],
            vocabulary=Vocabulary("vocab", world.TOKENS),
        )  # fmt: skip
        embryo_store.commit(store, commit)
    return store


def test_the_store_answers_with_every_mask_over_its_steps(asked: Path) -> None:
    with embryo_store.read(asked) as reader:
        found = {(one.text, one.mask): one for one in asked_sentences(reader, "albert-demo", top=3)}
        assert asked_sentences(reader, "bert-demo") == ()
    assert list(found) == [(PARIS, 1), (PAIRS, 1), (PAIRS, 2)]
    paris = found[PARIS, 1]
    assert paris.step.tolist() == [0, 100, 1000]
    assert [tokens[0] for tokens in paris.tokens] == ["▁the", "▁oslo", "▁paris"]
    assert {len(tokens) for tokens in paris.tokens} == {3}
    assert np.exp(paris.logps[2]) == pytest.approx([0.5, 0.25, 0.125], abs=1e-3)


async def test_what_was_asked_is_answered_at_the_cursor(world: Any, asked: Path) -> None:
    async with world.opened(asked, Look(screen="knowledge", step=400, below="asked")) as (app, pilot):
        await world.settle(pilot)
        table, plot = app.query_one("#life", Table), app.query_one("#life-curve", Plot)
        first = [[cell.text for cell in row.cells] for row in table.rows]
        assert [row[:2] for row in first] == [[PARIS, "1"], [PAIRS, "1"], [PAIRS, "2"]]
        assert first[0][2].startswith("oslo .50")
        assert first[0][3] == "100"
        assert [series.name for series in plot.series] == ["paris", "oslo", "the"]
        table.focus()
        await pilot.press("down", "end")
        await world.settle(pilot)
        assert app.look.asked == (PAIRS, 1)
        assert table.rows[1].cells[2].text.startswith("cairo .50")
        assert [series.name for series in plot.series] == ["cairo", "rome"]
        assert "cairo 0.500" in world.shown(plot)
        await pilot.press("b")
        await world.settle(pilot)
        assert "Biography" not in table.heading
        assert "The capital of France is ▁" in table.heading
        assert "Probability of paris" in plot.heading
        await pilot.press("1")
        await world.settle(pilot)
        coverage = [[cell.text for cell in row.cells] for row in app.query_one("#coverage", Table).rows]
        assert [row[:3] for row in coverage if row[0] == "cloze"] == [["cloze", "2 sentences", "5/24"]]


async def test_a_run_that_was_asked_nothing_says_how_to_ask(world: Any, store: Path) -> None:
    async with world.opened(store, Look(screen="knowledge", step=400, below="asked")) as (app, pilot):
        await world.settle(pilot)
        assert "embryo-eval cloze" in world.shown(app.query_one("#life", Table))


def test_text_lists_what_was_asked(asked: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(asked), "--print", "knowledge", "--step", "400", "--width", "140"]) == 0
    told = capsys.readouterr().out.partition("sentences asked")[2].partition("bert-demo")[0]
    rows = [line.split("  ") for line in told.splitlines() if "MASK" in line]
    assert len(rows) == 3
    assert "oslo .50" in "  ".join(rows[0])
    assert main([str(asked), "--print", "overview", "--run", "albert-demo"]) == 0
    row = next(line.split() for line in capsys.readouterr().out.splitlines() if "cloze" in line)
    assert row == ["cloze", "2", "sentences", "5", "0", "24", "1,000"]
