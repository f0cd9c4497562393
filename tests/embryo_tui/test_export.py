"""What is taken along: SQL, commands, looks, CSV and LaTeX."""

from __future__ import annotations

import asyncio
import csv
import io
import os
import shlex
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import duckdb
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

import embryo_store
from embryo_store.behind import spelled
from embryo_tui.app import EmbryoApp
from embryo_tui.cli import main, parser
from embryo_tui.export import clipboard, files, looks
from embryo_tui.look import Look
from embryo_tui.widgets.bars import Footer
from embryo_tui.widgets.panel import Content

NAME = st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=8)
LOOKS = st.builds(
    Look,
    screen=st.sampled_from(["words", "attention"]),
    step=st.integers(0, 10**7),
    run=NAME,
    runs=st.lists(NAME, max_size=3).map(tuple),
    mark=st.none() | st.integers(0, 10),
    window=st.none() | st.just((0.5, 1000.0)),
    hidden=st.frozensets(NAME, max_size=3),
    filter=NAME,
    fact=st.none() | st.tuples(NAME, NAME, NAME),
    asked=st.none() | st.tuples(NAME, st.integers(1, 9)),
    smoothing=st.sampled_from(["off", "ema"]),
    difference=st.booleans(),
    statistic=st.none() | NAME,
)


@given(LOOKS)
@example(Look(screen="words", step=0, run="-:"))
def test_a_look_survives_its_file_and_its_command(tmp_path_factory: Any, look: Look) -> None:
    path = tmp_path_factory.getbasetemp() / "look.toml"
    path.write_text(looks.to_toml(look), encoding="utf-8")
    assert looks.load(path) == look
    words = shlex.split(looks.command(look, [Path("results.duckdb")]))
    options = parser().parse_args(words[1:])
    from embryo_tui.cli import look_of

    assert look_of(options) == look


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("screen = ", "no TOML"), ("colour = 1", "no setting 'colour'"), ("step = 'x'", "whole number"),
        ("scale = 'cubic'", "one of linear, log, symlog"), ("runs = 'a'", "list of names"),
        ("window = [1]", "two steps"), ("difference = 1", "true or false"), ("layer = true", "whole number"),
    ],
)  # fmt: skip
def test_a_bad_look_is_refused_with_what_was_expected(
    text: str, said: str, tmp_path: Path, store: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "look.toml"
    path.write_text(text)
    assert main([str(store), "--look", str(path)]) == 2
    assert said in capsys.readouterr().err
    assert main([str(store), "--look", str(tmp_path / "none.toml")]) == 2


CONTENT = Content("P@1 & more_50%", ("step", "a & b"), ((0, 0.5), (10, None), (20, float("nan"))))


def test_csv_holds_numbers_in_full_and_gaps_as_nothing() -> None:
    rows = list(csv.reader(io.StringIO(files.as_csv(CONTENT))))
    assert rows == [["step", "a & b"], ["0", "0.5"], ["10", ""], ["20", ""]]


def test_latex_escapes_what_it_would_obey_and_sets_numbers_right() -> None:
    text = files.as_latex(CONTENT)
    assert r"P@1 \& more\_50\%" in text
    assert r"\begin{tabular}{rr}" in text
    assert r"0 & 0.500 \\" in text
    assert r"10 & -- \\" in text
    many = Content("t", ("step",), tuple((step,) for step in range(1000)))
    assert 10 < files.as_latex(many).count("\\\\") <= files.LATEX_ROWS + 2
    assert r"999 \\" in files.as_latex(many)


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    first = files.write_new(tmp_path, "Words: P@1", ".csv", "1")
    second = files.write_new(tmp_path, "Words: P@1", ".csv", "2")
    assert (first.name, second.name) == ("words-p-1.csv", "words-p-1-2.csv")
    assert first.read_text() == "1"
    assert sorted(path.name for path in tmp_path.iterdir()) == [second.name, first.name]


def test_values_are_spelled_as_sql_reads_them() -> None:
    query = "SELECT '?', $1, ? -- $2?\n, \"$1\", $name"
    assert spelled("SELECT '?', ?, ?", [None, "it's"]) == "SELECT '?', NULL, 'it''s';"
    assert spelled("SELECT $2, $1, [$1]", [1, [2.5, True]]) == "SELECT [2.5, TRUE], 1, [1];"
    assert spelled("SELECT $name, '$name'", {"name": 3}) == "SELECT 3, '$name';"
    assert query.count("?") == 3


async def test_the_sql_behind_every_panel_gives_rows_in_a_plain_client(
    world: Any, store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copied: list[str] = []
    monkeypatch.setattr(clipboard, "copy", lambda text, *_: copied.append(text) or "copied")
    async with world.opened(store, Look(screen="words", step=400)) as (app, pilot):
        for key in "123456":
            await pilot.press(key)
            await world.settle(pilot)
            for panel in list(app.view.query("Panel")):
                if panel.display and panel.parent.display:
                    panel.focus()
                    count = len(copied)
                    await pilot.press("c")
                    async with asyncio.timeout(10):
                        while len(copied) == count:
                            await pilot.pause(0.01)
    assert len(copied) >= 18
    plain = duckdb.connect(str(store), read_only=True)
    for text in copied:
        assert text.startswith("-- ")
        answers = [plain.execute(statement).fetchall() for statement in duckdb.extract_statements(text)]
        assert any(answers), text
    plain.close()


async def test_tables_looks_and_commands_are_written_beside_the_user(
    world: Any, store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "here"
    folder.mkdir()
    monkeypatch.chdir(folder)
    monkeypatch.setenv("TERM", "linux")
    monkeypatch.delenv("TMUX", raising=False)
    async with world.opened(store, Look(screen="words", step=400)) as (app, pilot):
        for key, suffix in (("X", ".csv"), ("T", ".tex"), ("W", ".toml"), ("C", ".sh"), ("c", ".sql")):
            await pilot.press(key)
            async with asyncio.timeout(10):
                while not list(folder.glob(f"*{suffix}")):
                    await pilot.pause(0.01)
        await pilot.pause()
        assert "written to" in app.query_one(Footer).notice
    path = next(folder.glob("*.csv"))
    assert path.name == "words-born-half-of-final-accuracy-demo-heldout-400.csv"
    rows = list(csv.DictReader(path.open()))
    determiner = next(row for row in rows if row["words"] == "determiner")
    assert float(determiner["here"]) == pytest.approx(world.accuracy("mask-predict", "DT", 400), abs=1e-12)
    assert (determiner["born"], determiner["after"], determiner["count"]) == ("20", "10", "1476")
    assert looks.load(next(folder.glob("*.toml"))).step == 400
    assert "--screen words --step 400" in next(folder.glob("*.sh")).read_text()
    folder.chmod(0o500)


async def test_every_panel_of_numbers_is_exported_in_full(world: Any, store: Path) -> None:
    look = Look(screen="attention", step=1000, mark=100, layer=2, head=3)
    async with world.opened(store, look) as (app, pilot):
        await world.settle(pilot)
        heads = app.query_one("#head-grid").content()
        assert heads.columns == ("layer", "head", "diagonal", "diagonal at A")
        assert len(heads.rows) == world.LAYERS * world.HEADS
        expected = (2, 3, world.statistic(2, 3, 1000), world.statistic(2, 3, 100))
        assert heads.rows[world.HEADS + 2] == pytest.approx(expected)
        large, small = app.query_one("#map").content(), app.query_one("#thumbnails").content()
        truth = world.maps(1000)[1]
        # A byte holds the square root: 0.004 off at most.
        assert [row[1:] for row in large.rows] == [pytest.approx(row.tolist(), abs=4e-3) for row in truth[2]]
        assert large.columns == ("piece", *(str(place) for place in range(1, world.SIZE + 1)))
        assert len(small.rows) == world.HEADS * world.SIZE
        assert small.rows[2 * world.SIZE + 4] == (3, *large.rows[4])
        await pilot.press("e")
        await world.settle(pilot)
        assert app.query_one("#map").content().columns[1:4] == ("[CLS]", "the", "cat")
        await pilot.press("5")
        await world.settle(pilot)
        facts = app.query_one("#facts").content()
        assert facts.columns == ("subject", "object", "rank", "p", "predictions")
        assert facts.rows[0][:4] == ("France", "paris", 1, pytest.approx(0.75, abs=1e-3))
        assert facts.rows[0][4].startswith("paris 0.7498  city 0.2501")
        await pilot.press("b")
        await world.settle(pilot)
        turned = app.query_one("#life").content()
        assert turned.columns[0] == "turned"
        assert {row[0] for row in turned.rows} == {"learned", "forgotten"}


async def test_the_command_of_the_sample_store_opens_the_sample_store(
    world: Any, store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copied: list[str] = []
    monkeypatch.setattr(clipboard, "copy", lambda text, *_: copied.append(text) or "copied")
    app = EmbryoApp([store], Look(screen="words", step=400), named=("--demo",))
    async with app.run_test() as pilot:
        await world.settle(pilot)
        await pilot.press("C")
        async with asyncio.timeout(10):
            while not copied:
                await pilot.pause(0.01)
    assert copied[0].startswith("embryo-tui --demo --screen words --step 400")
    assert parser().parse_args(shlex.split(copied[0])[1:]).demo


async def test_a_fact_is_named_by_what_it_says_since_numbers_differ_from_store_to_store(
    world: Any, store: Path
) -> None:
    fact = ("P36", "Italy", "rome")
    async with world.opened(store, Look(screen="knowledge", step=1000, fact=fact)) as (app, pilot):
        await world.settle(pilot)
        life = app.query_one("#life")
        assert "The capital of Italy is" in life.heading
        app.query_one("#facts").focus()
        await pilot.press("down")
        assert app.look.fact == ("P36", "Norway", "oslo")
        app.turn(replace(app.look, fact=("P36", "Atlantis", "poseidonis")))
        await world.settle(pilot)
        assert "was not asked P36, Atlantis → poseidonis" in world.shown(life)
        app.turn(replace(app.look, fact=fact))
        await world.settle(pilot)
        assert "The capital of Italy is" in life.heading
        assert len(life.rows) == len(world.STEPS)


def test_a_copy_goes_by_osc_52_by_tmux_or_into_a_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent: list[str] = []
    monkeypatch.delenv("TMUX", raising=False)
    monkeypatch.delenv("TERM_PROGRAM", raising=False)
    monkeypatch.setenv("TERM", "xterm-256color")
    assert "clipboard" in clipboard.copy("SELECT 1", "q", ".sql", sent.append, tmp_path)
    assert sent == ["SELECT 1"]
    assert "q.sql" in clipboard.copy("x" * 100_000, "q", ".sql", sent.append, tmp_path)
    monkeypatch.setenv("TERM", "linux")
    assert "q-2.sql" in clipboard.copy("SELECT 1", "q", ".sql", sent.append, tmp_path)
    assert len(sent) == 1


@pytest.mark.skipif(os.name != "posix", reason="tmux")
def test_inside_tmux_text_goes_into_its_buffer(tmp_path: Path) -> None:
    import shutil

    if shutil.which("tmux") is None:
        pytest.skip("no tmux here")
    socket = str(tmp_path / "s")
    script = (
        "from pathlib import Path; from embryo_tui.export.clipboard import copy;"
        f"Path({str(tmp_path / 'said')!r}).write_text(copy('SELECT 42', 'q', '.sql', print, Path('.')))"
    )
    try:
        subprocess.run(
            [
                "tmux",
                "-S",
                socket,
                "-f",
                "/dev/null",
                "new-session",
                "-d",
                f"{sys.executable} -c {shlex.quote(script)}; tmux wait-for -S done; sleep 60",
            ],
            check=True,
        )
        subprocess.run(["tmux", "-S", socket, "wait-for", "done"], check=True, timeout=60)
        shown = subprocess.run(
            ["tmux", "-S", socket, "show-buffer"], capture_output=True, text=True, check=True
        )
    finally:
        subprocess.run(["tmux", "-S", socket, "kill-server"], check=False)
    assert shown.stdout == "SELECT 42"
    assert "tmux" in (tmp_path / "said").read_text()


def test_the_sql_of_an_answer_is_that_of_the_query_that_ran(store: Path) -> None:
    from embryo_store.behind import statements

    with embryo_store.read(store) as reader:
        found = statements(reader, lambda asked: asked.facts_at("albert-demo", 400, "P36"))
    assert any("'albert-demo'" in statement and "'P36'" in statement for statement in found)
    assert all("$" not in statement and "?" not in statement for statement in found)


def test_what_differs_from_a_fresh_look_is_written_and_nothing_else() -> None:
    assert looks.settings(Look(step=5)) == {"screen": "overview", "step": 5}
    assert looks.settings(replace(Look(), hidden=frozenset({"b", "a"})))["hidden"] == ["a", "b"]
