"""What is done to a whole store by hand does what it says, whole or not at all, and nothing beside it."""

import gzip
import resource
import subprocess
from collections.abc import Callable, Iterable
from pathlib import Path
from types import ModuleType

import duckdb
import pytest

import embryo_store
from embryo_store import errors, schema

Worker = Callable[..., "subprocess.Popen[str]"]
HERE = Path(__file__).parent


@pytest.fixture
def rich(rich_world: Path, tmp_path: Path) -> Path:
    """A copy of the rich world for one test."""
    path = tmp_path / "results.duckdb"
    path.write_bytes(rich_world.read_bytes())
    return path


def content(path: Path, where: str = "TRUE") -> dict[str, list[str]]:
    """Every row of the tables that name runs, in an order of its own."""
    tables = (
        "runs",
        "checkpoints",
        "evaluations",
        "metrics",
        "outcomes",
        "train_log",
        "lama",
        "attention",
        "cloze",
    )
    with embryo_store.read(path) as reader:
        return {
            table: sorted(repr(row) for row in reader.sql(f"FROM {table} WHERE {where}").rows)
            for table in tables
        }


def test_a_store_that_holds_together_is_read_whole(rich: Path) -> None:
    health = embryo_store.check(rich)
    assert health.problems == ()
    assert (health.schema_version, health.bytes) == (schema.SCHEMA_VERSION, rich.stat().st_size)
    assert set(health.rows) == set(schema.TABLES)
    assert (health.rows["facts"], health.rows["lama"], health.rows["words"]) == (4, 12, 4)


@pytest.mark.parametrize(
    ("statement", "told"),
    [
        ("DELETE FROM runs WHERE run = 'long'", "41 checkpoints of runs"),
        ("DELETE FROM checkpoints WHERE step = 100 AND run = 'small'", "evaluations of checkpoints"),
        ("DELETE FROM evaluations WHERE task = 'lama'", "3 answers to facts without"),
        ("DELETE FROM evaluations WHERE task = 'attention'", "3 attention maps without"),
        ("DELETE FROM evaluations WHERE task = 'cloze'", "6 sentences answered without"),
        ("INSERT INTO evaluations FROM evaluations WHERE step = 0 AND task = 'lama'", "2 evaluations that"),
        ("INSERT INTO metrics FROM metrics WHERE task = 'attention' AND step = 0", "2 numbers that"),
        ("UPDATE evaluations SET status = 'failed' WHERE task = 'attention'", "6 failed evaluations"),
        ("INSERT INTO lama FROM lama WHERE step = 0 AND fact_id = 2", "1 facts that a step answers twice"),
        ("UPDATE lama SET fact_id = 99 WHERE fact_id = 2", "1 answers to facts that"),
        ("UPDATE attention SET size = 3 WHERE step = 0", "4 attention maps of another size"),
        ("UPDATE outcomes SET n = 40 WHERE run = 'small'", "3 outcomes with fewer bits"),
        ("DELETE FROM vocabularies", "checkpoints whose vocabulary"),
    ],
)  # fmt: skip
def test_what_contradicts_itself_is_counted_and_named(rich: Path, statement: str, told: str) -> None:
    with duckdb.connect(str(rich)) as connection:
        connection.execute(statement)
    assert any(problem.startswith(told) or told in problem for problem in embryo_store.check(rich).problems)


def test_what_fits_is_dropped_and_the_rest_stays(rich: Path) -> None:
    before = content(rich)
    assert embryo_store.drop(rich, runs=["small"], steps=[100], tasks=["lama", "attention"]) == 3
    after = content(rich)
    assert {table for table in before if after[table] != before[table]} == {
        "evaluations", "metrics", "lama", "attention"
    }  # fmt: skip
    with embryo_store.read(rich) as reader:
        assert reader.sql("SELECT DISTINCT step FROM lama ORDER BY step").rows == ((0,), (200,))
    assert embryo_store.check(rich).problems == ()


def test_a_dropped_step_or_run_takes_its_checkpoints_and_comes_back_whole(
    rich: Path, world: ModuleType
) -> None:
    before = content(rich)
    embryo_store.drop(rich, steps=[200])
    assert content(rich, "run = 'small'")["checkpoints"] == before["checkpoints"][41:43]
    embryo_store.drop(rich, runs=["small"])
    assert content(rich) == content(rich, "run = 'long'")
    embryo_store.commit_all(rich, world.rich_world())
    assert content(rich) == before
    assert embryo_store.check(rich).problems == ()


@pytest.mark.parametrize(
    "names", [{}, {"runs": ["nobody"]}, {"steps": [7]}, {"runs": ["long"], "tasks": ["lama"]}]
)
def test_dropping_what_is_not_there_is_refused(rich: Path, names: dict[str, list[str]]) -> None:
    before = content(rich)
    with pytest.raises(errors.NothingFound):
        embryo_store.drop(rich, **names)
    assert content(rich) == before


@pytest.mark.parametrize("name", ["", " ", "a\nb", "\x1b[31mred", "\udcff"])
def test_a_run_gets_no_name_that_cannot_be_shown(rich: Path, name: str) -> None:
    before = rich.read_bytes()
    with pytest.raises(errors.BadName, match="is no name for a run"):
        embryo_store.rename(rich, "albert", name)
    assert rich.read_bytes() == before


def test_a_run_is_renamed_everywhere(rich: Path) -> None:
    before = content(rich)
    embryo_store.rename(rich, "small", "it's tiny")
    assert content(rich, "run = 'small'") == {table: [] for table in before}
    expected = {
        table: sorted(row.replace("('small'", '("it\'s tiny"') for row in rows)
        for table, rows in before.items()
    }
    assert content(rich) == expected
    assert embryo_store.check(rich).problems == ()
    for old, new, kind in (("small", "x", errors.NothingFound), ("long", "it's tiny", errors.MergeConflict)):
        with pytest.raises(kind):
            embryo_store.rename(rich, old, new)
    assert content(rich) == expected


def test_a_rewritten_store_loses_nothing_of_a_user_s_own(rich: Path) -> None:
    with duckdb.connect(str(rich)) as connection:
        connection.execute("CREATE VIEW mine AS FROM metrics")
    size = rich.stat().st_size
    with pytest.raises(errors.StoreError, match="the view mine"):
        embryo_store.compact(rich)
    assert rich.stat().st_size == size
    with embryo_store.read(rich) as reader:
        assert reader.sql("FROM mine LIMIT 1").rows


def as_lists(rows: Iterable[object]) -> list[str]:
    """Rows in an order of their own; Parquet knows lists, and no arrays of one length."""
    return sorted(repr(row).replace("(", "[").replace(")", "]") for row in rows)


def test_every_table_is_exported_as_parquet_or_none(rich: Path, tmp_path: Path) -> None:
    folder = tmp_path / "it's out"
    files = embryo_store.export(rich, folder)
    assert [file.stem for file in files] == list(schema.TABLES)
    with duckdb.connect() as connection, embryo_store.read(rich) as reader:
        for file in files:
            exported = connection.execute("FROM read_parquet(?)", [str(file)]).fetchall()
            assert as_lists(exported) == as_lists(reader.sql(f"FROM {file.stem}").rows), file
    with pytest.raises(errors.NotWritable, match="exists already"):
        embryo_store.export(rich, folder)
    with pytest.raises(errors.StoreError):
        embryo_store.export(rich, tmp_path / "absent" / "out")
    for name, kind in (("metrics.parquet", None), ("thesis.tex", errors.NotWritable)):
        left = tmp_path / f"{name}.part" / name
        left.parent.mkdir()
        left.write_text("left")
        if kind is None:
            embryo_store.export(rich, tmp_path / name)
            assert not left.parent.exists()
        else:
            with pytest.raises(kind, match="other things"):
                embryo_store.export(rich, tmp_path / name)
            assert left.read_text() == "left"
            left.unlink()
            left.parent.rmdir()
    assert not list(tmp_path.glob("*.part"))


FULL = """
import resource, sys, embryo_store, small_world
from embryo_store import errors
path, room, action = sys.argv[1], int(sys.argv[2]), sys.argv[3]
resource.setrlimit(resource.RLIMIT_FSIZE, (room, room))
actions = {
    "compact": lambda: embryo_store.compact(path),
    "rename": lambda: embryo_store.rename(path, "small", "other"),
    "export": lambda: embryo_store.export(path, path + ".parquet"),
    "merge": lambda: embryo_store.merge(path, path + ".big"),
    "fold": lambda: embryo_store.fold_in(path),
    "spool": lambda: embryo_store.commit(path, small_world.words_commit(300, {"DT": 1.0}), timeout=0.05),
    "migrate": lambda: embryo_store.migrate(path),
}
try:
    actions[action]()
    print("written")
except errors.StoreError as error:
    print(type(error).__name__, error.exit_code, error)
"""


def on_a_full_disk(worker: Worker, path: Path, room: int, action: str) -> str:
    output, trouble = worker(FULL, path, room, action).communicate(timeout=60)
    assert not trouble
    return output


@pytest.mark.parametrize("action", ["compact", "rename", "export"])
def test_a_disk_that_fills_up_leaves_the_store_and_nothing_else(
    worker: Worker, rich: Path, tmp_path: Path, action: str
) -> None:
    before = content(rich)
    there = {path.name for path in tmp_path.iterdir()}
    said = on_a_full_disk(worker, rich, 100_000 if action != "export" else 1000, action)
    assert said.startswith("StoreFull 3"), said
    assert {path.name for path in tmp_path.iterdir()} == there
    assert content(rich) == before
    assert on_a_full_disk(worker, rich, resource.RLIM_INFINITY, action) == "written\n"


def test_a_disk_that_fills_up_while_another_store_is_taken_in_keeps_the_old_one(
    worker: Worker, rich: Path, world: ModuleType, tmp_path: Path
) -> None:
    embryo_store.commit(rich.with_name(rich.name + ".big"), world.attention_heavy(300))
    before = content(rich)
    said = on_a_full_disk(worker, rich, rich.stat().st_size + 8192, "merge")
    assert said.startswith("StoreFull 3"), said
    assert content(rich) == before
    assert on_a_full_disk(worker, rich, resource.RLIM_INFINITY, "merge") == "written\n"
    assert embryo_store.check(rich).rows["attention"] > 2000


def test_a_disk_that_fills_up_while_a_store_is_migrated_keeps_the_old_one(
    worker: Worker, tmp_path: Path
) -> None:
    path = tmp_path / "old.duckdb"
    path.write_bytes(gzip.decompress((HERE / "fixtures" / "schema-1.duckdb.gz").read_bytes()))
    said = on_a_full_disk(worker, path, 1000, "migrate")
    assert said.startswith("StoreFull 3"), said
    with embryo_store.read(path) as reader:
        assert reader.sql("SELECT value FROM meta WHERE key = 'schema_version'").rows == (("1",),)
    assert on_a_full_disk(worker, path, resource.RLIM_INFINITY, "migrate") == "written\n"
    assert embryo_store.check(path).problems == ()


def test_a_disk_that_fills_up_while_waiting_commits_are_taken_in_keeps_them_waiting(
    worker: Worker, rich: Path, world: ModuleType, tmp_path: Path
) -> None:
    big = world.attention_heavy(300)
    with duckdb.connect(str(rich)):
        said = on_a_full_disk(worker, rich, 10_000, "spool")
        assert said.startswith(("StoreLocked 3", "StoreFull 3")), said
        assert not list(tmp_path.glob("*.spool/*"))
        process = worker(SPOOL, rich)
        assert process.communicate(timeout=60) == ("", "")
    assert len(list(tmp_path.glob("*.spool/*.duckdb"))) == 1
    before = content(rich)
    said = on_a_full_disk(worker, rich, rich.stat().st_size + 8192, "fold")
    assert said.startswith("StoreFull 3"), said
    assert len(list(tmp_path.glob("*.spool/*.duckdb"))) == 1
    assert content(rich) == before
    assert on_a_full_disk(worker, rich, resource.RLIM_INFINITY, "fold") == "written\n"
    with embryo_store.read(rich) as reader:
        assert reader.sql("SELECT count(*) FROM attention WHERE step = 300").rows == (
            (sum(payload.maps.shape[0] * payload.maps.shape[1] for payload in big.evaluations[0].payloads),),
        )


SPOOL = """
import sys, embryo_store, small_world
embryo_store.commit(sys.argv[1], small_world.attention_heavy(300), timeout=0.05)
"""
