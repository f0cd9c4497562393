"""``embryo-eval db``: what it says, what it does to the store, and how it ends."""

from datetime import UTC, datetime
from pathlib import Path

import duckdb
import pytest

import embryo_store
from embryo_store.records import Checkpoint, Commit, Evaluation, Key, Metric, Run
from evaluators.cli import main


def commit(run: str, step: int, value: float = 0.5) -> Commit:
    moment = datetime(2026, 1, 2, tzinfo=UTC)
    made = Evaluation(
        Key(run, step, "mlm", "text"), f"made of {value}", {}, moment, moment, "host", "cpu", "float32", {},
        metrics=(Metric("accuracy", value),),
    )  # fmt: skip
    return Commit(Run(run, "albert", "here"), Checkpoint(run, step, "here", "w", "v", 1), [made])


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two runs of two steps, in the working folder."""
    monkeypatch.chdir(tmp_path)
    embryo_store.commit_all("results.duckdb", [commit(run, step) for run in ("a", "b") for step in (0, 100)])
    return tmp_path / "results.duckdb"


def values(store: Path) -> list[tuple[object, ...]]:
    with embryo_store.read(store) as reader:
        return list(reader.sql("SELECT run, step, value FROM metrics ORDER BY ALL").rows)


def test_a_store_is_looked_over(store: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["db", "check"]) == 0
    assert "Nothing contradicts anything" in capsys.readouterr().out
    with duckdb.connect(str(store)) as connection:
        connection.execute("DELETE FROM evaluations WHERE run = 'b'")
    assert main(["db", "check", "--db", str(store)]) == 2
    assert main(["--db", "absent.duckdb", "db", "check", str(store)]) == 2
    told = capsys.readouterr().err
    assert told.count("2 numbers without an evaluation that made them") == 2


def test_results_are_dropped_renamed_merged_and_compacted(store: Path, tmp_path: Path) -> None:
    assert main(["db", "drop", "--run", "a", "--step", "100"]) == 0
    assert values(store) == [("a", 0, 0.5), ("b", 0, 0.5), ("b", 100, 0.5)]
    assert main(["db", "rename", "b", "c"]) == 0
    other = tmp_path / "other.duckdb"
    embryo_store.commit(other, commit("a", 0, 0.75))
    assert main(["db", "merge", str(other)]) == 2
    assert main(["db", "merge", str(other), "--rename", "a=d"]) == 0
    assert main(["db", "compact", "--block-size", "16384"]) == 0
    assert values(store) == [("a", 0, 0.5), ("c", 0, 0.5), ("c", 100, 0.5), ("d", 0, 0.75)]
    assert main(["db", "export", "--parquet", "out"]) == 0
    exported = duckdb.sql("SELECT run, step, value FROM 'out/metrics.parquet' ORDER BY ALL").fetchall()
    assert exported == values(store)
    assert main(["db", "migrate"]) == 0


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["check", "--db", "absent.duckdb"], "no results store"),
        (["drop"], "Nothing is named"),
        (["drop", "--run", "z"], "run z"),
        (["rename", "z", "y"], "no run 'z'"),
        (["rename", "a", "b"], "has a run 'b' already"),
        (["merge", "absent.duckdb"], "no results store"),
        (["merge", "results.duckdb", "--rename", "a"], "OLD=NEW"),
        (["export", "--parquet", "."], "exists already"),
    ],
)
def test_what_can_t_be_done_is_said_and_changes_nothing(
    store: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], told: str
) -> None:
    before = values(store)
    assert main(["db", *arguments]) == 2
    assert told in capsys.readouterr().err
    assert values(store) == before


def test_a_range_of_steps_is_not_taken_for_all_of_them(store: Path) -> None:
    assert main(["--steps", "0:50", "db", "drop", "--run", "a"]) == 2
    assert len(values(store)) == 4
