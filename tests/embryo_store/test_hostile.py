"""Somebody else's file is somebody else's program: it may lie, but it may not act, and it may not last."""

import random
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import duckdb
import pytest

import embryo_store
from embryo_store import errors


def planted(store: Path, *statements: str) -> Path:
    with duckdb.connect(str(store)) as connection:
        for statement in statements:
            connection.execute(statement)
    return store


def everything(path: Path) -> None:
    """All that the app asks of a store."""
    with embryo_store.read(path, query_seconds=20) as reader:
        reader.runs()
        reader.coverage()
        reader.curves("mask-predict")
        reader.word_curves("mask-predict", "group", rescaled=True)
        reader.births("mask-predict", "class")
        reader.relations()
        reader.facts_at("small", 100, "P36")
        reader.biography("small", 1)
        reader.ledger("small", 0, 200)
        reader.fact_dynamics("small", "P36")
        reader.attention_sentences("small")
        reader.attention_at("small", 100)
        reader.head_film("small", 1, 1)
        reader.head_statistic("small", "diagonal")


@pytest.mark.parametrize(
    "macro",
    [
        "avg(x) AS 42",
        "Sum(x) AS 42",
        '"+"(a, b) AS 7',
        "coalesce_(x) AS 1, list(x) AS 5",
        "duckdb_functions() AS TABLE SELECT 1 AS function_name, true AS internal",
        "duckdb_tables() AS TABLE SELECT 'main' AS schema_name, 'meta' AS table_name, false AS temporary",
    ],
)
def test_macros_under_the_names_of_functions_are_refused(store: Path, macro: str) -> None:
    for part in macro.split(", ") if ", list" in macro else [macro]:
        planted(store, f"CREATE MACRO {part}")
    with pytest.raises(errors.HostileStore):
        everything(store)
    with pytest.raises(errors.HostileStore):
        embryo_store.ensure_writable(store)


PLANT_IN_LOG = """
import duckdb, os, sys
connection = duckdb.connect(sys.argv[1])
connection.execute("CREATE MACRO avg(x) AS 42")
os._exit(1)
"""


def test_macros_in_a_log_left_beside_the_store_are_refused(store: Path) -> None:
    everything(store)
    subprocess.run([sys.executable, "-c", PLANT_IN_LOG, str(store)], check=False)
    assert store.with_name(store.name + ".wal").exists()
    with pytest.raises(errors.HostileStore):
        everything(store)


def test_a_user_s_own_macros_are_welcome(store: Path) -> None:
    planted(store, "CREATE MACRO my_share(a, b) AS a / b", "CREATE VIEW mine AS FROM metrics")
    everything(store)


def test_a_view_in_the_place_of_a_table_is_refused(store: Path) -> None:
    planted(store, "ALTER TABLE metrics RENAME TO hidden", "CREATE VIEW metrics AS FROM hidden")
    with pytest.raises(errors.HostileStore, match="metrics"):
        everything(store)


def test_a_table_of_other_columns_is_told_not_shown(store: Path) -> None:
    planted(store, "DROP TABLE metrics", "CREATE TABLE metrics (run INTEGER)")
    with pytest.raises(errors.StoreError):
        everything(store)


@pytest.mark.parametrize(
    "view",
    [
        "SELECT content AS run FROM read_text('{secret}')",
        "SELECT * FROM read_csv('{secret}')",
        "SELECT * FROM '{secret}'",
        "SELECT * FROM glob('/*')",
        "SELECT getenv('HOME')",
    ],
)
def test_a_view_reads_no_file(store: Path, tmp_path: Path, view: str) -> None:
    secret = tmp_path / "secret.csv"
    secret.write_text("a,b\ntop,secret\n")
    try:
        planted(store, f"CREATE OR REPLACE VIEW curve AS {view.format(secret=secret)}")
    except duckdb.Error:
        planted(store, "CREATE OR REPLACE VIEW curve AS SELECT 1 AS run")
    with pytest.raises(errors.StoreError) as caught:
        everything(store)
    assert "top,secret" not in str(caught.value)


@pytest.mark.parametrize(
    "statement",
    [
        "COPY metrics TO '{folder}/out.csv'",
        "EXPORT DATABASE '{folder}/out'",
        "ATTACH '{folder}/out.duckdb' AS other",
        "INSTALL httpfs",
        "LOAD httpfs",
        "SET enable_external_access = true",
        "RESET lock_configuration",
        "SET memory_limit = '100GB'",
        "SELECT * FROM read_blob('/etc/passwd')",
        "CREATE TABLE mine (i INTEGER)",
        "DELETE FROM metrics",
        "DROP TABLE metrics",
    ],
)
def test_free_sql_changes_nothing_and_reaches_nothing(store: Path, tmp_path: Path, statement: str) -> None:
    before = store.read_bytes()
    with pytest.raises(errors.BadQuery), embryo_store.read(store) as reader:
        reader.sql(statement.format(folder=tmp_path))
    assert store.read_bytes() == before
    assert not list(tmp_path.glob("out*"))


def test_names_of_the_caller_s_own_variables_are_no_tables(store: Path) -> None:
    columns = {"secret": [1, 2, 3]}
    assert columns
    with pytest.raises(errors.BadQuery), embryo_store.read(store) as reader:
        reader.sql("FROM columns")


@pytest.mark.parametrize(
    "query",
    [
        "SELECT count(*) FROM range(1000000) AS a, range(1000000) AS b, range(1000) AS c",
        "WITH RECURSIVE r AS (SELECT 1 AS i UNION ALL SELECT i + 1 FROM r) SELECT max(i) FROM r",
        "SELECT list(i) FROM range(100000000000) AS t(i)",
        "SELECT length(repeat('x', 100000000000))",
        "SELECT range(0, 100000000000)",
    ],
)
def test_an_endless_query_is_stopped(store: Path, query: str) -> None:
    began = time.monotonic()
    with pytest.raises(errors.StoreError), embryo_store.read(store, query_seconds=0.5) as reader:
        reader.sql(query)
    assert time.monotonic() - began < 20


SURVIVE = """
import sys, embryo_store
from embryo_store import errors
try:
    with embryo_store.read(sys.argv[1], query_seconds=10) as reader:
        for run in reader.runs():
            reader.curves("mask-predict")
            reader.fact_dynamics(run.run, "P36")
            reader.head_film(run.run, 1, 1)
except errors.StoreError as error:
    sys.exit(error.exit_code)
"""


def damaged(whole: bytes, chance: random.Random) -> bytes:
    if chance.random() < 0.3:
        return whole[: chance.randrange(1, len(whole))]
    changed = bytearray(whole)
    for _ in range(chance.choice([1, 8, 64])):
        changed[chance.randrange(len(changed))] = chance.randrange(256)
    return bytes(changed)


@pytest.mark.parametrize("count", [12, pytest.param(300, marks=pytest.mark.slow)])
def test_damaged_files_end_in_a_message(
    whole_world: Path, tmp_path: Path, worker: Callable[..., "subprocess.Popen[str]"], count: int
) -> None:
    whole = whole_world.read_bytes()
    chance = random.Random(count)
    outcomes: list[int] = []
    for place in range(count):
        path = tmp_path / f"{place}.duckdb"
        path.write_bytes(damaged(whole, chance))
        process = worker(SURVIVE, path)
        _, trouble = process.communicate(timeout=240)
        assert process.returncode in (0, 2, 3), trouble
        outcomes.append(process.returncode)
        path.unlink()
    assert set(outcomes) >= {2}
