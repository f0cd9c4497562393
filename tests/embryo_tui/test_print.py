"""``--print`` shows what a look asks for: every number is compared with the formula that made the store."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import duckdb
import pytest

from embryo_tui.cli import main
from embryo_tui.export import looks
from embryo_tui.look import Look
from embryo_tui.text.show import PANELS


def three(value: float) -> str:
    return f"{value:.3f}".lstrip("0")


def change(value: float) -> str:
    return f"{value:+.3f}".replace("0.", ".", 1)


class Printed:
    """What a command printed, on which stream, and its rows by their first words."""

    def __init__(self, capsys: pytest.CaptureFixture[str], *arguments: str) -> None:
        self.code = main([*arguments, "--width", "140"])
        self.out, self.err = capsys.readouterr()

    def row(self, name: str) -> list[str]:
        """The cells of the one row that holds a name."""
        found = [line for line in self.out.splitlines() if f"  {name}  " in line]
        assert len(found) == 1, self.out
        return [cell.strip() for cell in found[0].split("  ") if cell.strip()]


def printed(capsys: pytest.CaptureFixture[str], store: Path, panel: str, *more: str) -> Printed:
    found = Printed(capsys, str(store), "--print", panel, "--run", "albert-demo", *more)
    assert found.code == 0, found.err
    return found


def test_words_by_task_grouping_and_filter_with_the_change_since_a(
    world: Any, store: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = ("--step", "400", "--mark", "100", "--set", "grouping=form", "--set", "filter=past*")
    found = printed(capsys, store, "words", *asked, "--set", "word_task=mask-predict")
    here, before = (world.accuracy("mask-predict", "VBD", step) for step in (400, 100))
    assert found.row("past tense")[2:5] == ["past tense", three(here), change(here - before)]
    assert "since 100" in found.out
    assert "past participle" in found.out
    assert "base form" not in found.out
    assert "reconstruction" not in found.out
    assert "half of the final accuracy" in found.out
    assert found.err == ""
    rescaled = printed(capsys, store, "words", *asked, "--set", "rescaled=true")
    last = world.accuracy("reconstruct", "VBD", 1000)
    assert three(world.accuracy("reconstruct", "VBD", 400) / last) in rescaled.out
    assert "reconstruction" in rescaled.out


def test_knowledge_by_relation_from_a(world: Any, store: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = printed(capsys, store, "knowledge", "--mark", "100", "--set", "relation=P36")
    right = {step: sum(world.known("P36", name, step) for name in world.CAPITALS) / 8 for step in (100, 1000)}
    assert found.row("capital")[2:4] == [three(right[1000]), change(right[1000] - right[100])]
    assert "official language" not in found.out
    assert "turned from step 100 to 1,000" in found.out
    turned = found.out.partition("turned from")[2]
    known = world.known
    expected = {name for name in world.CAPITALS if known("P36", name, 100) != known("P36", name, 1000)}
    assert {line.split()[1] for line in turned.splitlines()[1:] if line.strip()} == expected
    facts = found.out.partition("at step 1,000")[2].partition("turned from")[0]
    assert ["✓", "France", "paris", "1", ".750"] in [line.split()[:5] for line in facts.splitlines()]
    nothing = printed(capsys, store, "knowledge", "--set", "relation=P99")
    assert "no relation 'P99'. There is: P36, P37" in nothing.out
    searched = printed(capsys, store, "knowledge", "--set", "filter=Norway").out.partition("turned from")[2]
    assert "France" not in searched


def test_attention_by_statistic_layer_and_head_with_the_change_since_a(
    world: Any, store: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = ("--set", "statistic=diagonal", "--layer", "2", "--head", "3", "--mark", "100")
    found = printed(capsys, store, "attention", *asked)
    last, before = (world.statistic(2, 3, step) for step in (1000, 100))
    numbers = [line.split() for line in found.out.splitlines() if line.strip().startswith("2 ")]
    assert numbers == [["2", three(last)], ["2", change(last - before)]]
    assert "entropy" not in found.out
    beyond = printed(capsys, store, "attention", "--layer", "99", "--set", "filter=diag")
    assert "has no layer 99; layer 3 is shown" in beyond.err
    assert "entropy" not in beyond.out


def test_probes_by_task_layer_and_protocol(
    world: Any, store: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = ("--set", "probe=probe-srl", "--layer", "2", "--mark", "20", "--step", "400")
    found = printed(capsys, store, "probes", *asked, "--set", "filter=DT")
    here, before = (world.f1("probe-srl", 2, step) for step in (400, 20))
    assert [line.split() for line in found.out.splitlines() if line.startswith("      2  ")] == [
        ["2", three(here), change(here - before)]
    ]
    assert "constituents" not in found.out
    labels = found.out.partition("semantic roles, layer 2 at")[2]
    assert "DT" in labels
    assert "JJ" not in labels
    other = printed(capsys, store, "probes", "--set", "protocol=tenney")
    assert "nothing stored of F1, protocol tenney" in other.out


def test_overview_and_downstream_by_filter_and_mark(
    world: Any, store: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = printed(capsys, store, "overview", "--step", "400", "--mark", "100", "--set", "filter=mask*")
    here, before = (world.pooled("mask-predict", step, list(world.TAGS)) for step in (400, 100))
    row = next(line.split() for line in found.out.splitlines() if "mask-predict" in line)
    assert row[:3] == ["mask-predict", three(here), change(here - before)]
    assert "held-out" not in found.out
    scores = printed(capsys, store, "downstream", "--mark", "0", "--set", "filter=CoLA")
    assert scores.row("CoLA")[1:3] == [
        f"{100 * world.glue(0, 1000):.2f}",
        f"{100 * world.glue(0, 1000):+.2f}",
    ]
    assert "MRPC" not in scores.out


def test_a_look_is_printed_as_it_was_saved(
    store: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "look.toml"
    path.write_text(
        looks.to_toml(Look(screen="words", step=333, run="bert-demo", runs=("bert-demo",), filter="noun"))
    )
    found = Printed(capsys, str(store), "--print", "words", "--look", str(path))
    assert found.code == 0
    assert "albert-demo" not in found.out
    assert "proper noun" in found.out
    assert "determiner" not in found.out
    assert found.err == "embryo-tui: bert-demo has no step 333; step 200 is shown.\n"


def test_what_a_panel_goes_without_is_said(store: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = printed(capsys, store, "attention", "--set", "grouping=form", "--set", "smoothing=ema")
    assert found.err == "embryo-tui: --print attention goes without grouping, smoothing.\n"
    assert printed(capsys, store, "attention", "--mark", "333").err == (
        "embryo-tui: albert-demo has no step 333 to compare with; step 200 stands for it.\n"
    )


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (("--layer", "0"), "layer is 1 or more, not 0"), (("--head=-1",), "head is 1 or more, not -1"),
        (("--set", "filter=/[/"), "no regular expression"),
        (("--set", "screen=wods"), "screen is one of overview"),
        (("--set", "fact=17"), 'such as ["P36", "France", "Paris"]'),
        (("--run", "gpt"), "holds no run 'gpt'"),
    ],
)  # fmt: skip
def test_what_cannot_be_taken_is_refused(
    more: tuple[str, ...], said: str, store: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = Printed(capsys, str(store), "--print", "words", *more)
    assert (found.code, found.out) == (2, "")
    assert said in found.err


@pytest.mark.parametrize("panel", PANELS)
def test_what_a_foreign_store_says_commands_no_terminal(
    store: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], panel: str
) -> None:
    path = Path(shutil.copy(store, tmp_path / "foreign.duckdb"))
    with duckdb.connect(str(path)) as connection:
        said = "chr(27) || ']0;owned' || chr(7) || chr(155) || '2J' ||"
        for table, column in (("vocabularies", "token"), ("relations", "template"), ("facts", "subject")):
            connection.execute(f"UPDATE {table} SET {column} = {said} {column}")
        for table in ("runs", "checkpoints", "evaluations", "metrics", "lama", "attention", "train_log"):
            connection.execute(f"UPDATE {table} SET run = {said} run")
    found = Printed(capsys, str(path), "--print", panel)
    assert found.code == 0
    assert "?]0;owned??2J" in found.out
    assert not set(found.out) & {"\x1b", "\x07", "\x9b"}
