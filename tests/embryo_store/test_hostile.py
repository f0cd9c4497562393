"""Somebody else's file is somebody else's program: it may lie, but it may not act, and it may not last."""

import random
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import duckdb
import numpy as np
import pytest

import embryo_store
from embryo_store import errors
from embryo_store.attention_answers import attention_bytes
from embryo_store.windows import attention_window


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


@pytest.mark.parametrize(
    ("statement", "told"),
    [
        ("ALTER TABLE metrics RENAME value TO worth", "metrics should have a column value of type DOUBLE"),
        ("ALTER TABLE metrics ALTER value TYPE VARCHAR", "and has one of type VARCHAR"),
    ],
)
def test_a_table_of_other_columns_is_told_not_shown(store: Path, statement: str, told: str) -> None:
    planted(store, statement)
    for action in (everything, embryo_store.ensure_writable):
        with pytest.raises(errors.NotAStore, match=told):
            action(store)


def test_a_user_s_own_columns_are_welcome(store: Path) -> None:
    planted(store, "ALTER TABLE metrics ADD COLUMN mine INTEGER", "ALTER TABLE metrics ADD COLUMN b VARCHAR")
    everything(store)


def test_maps_and_numbers_of_heads_that_cannot_be_are_left_out(store: Path) -> None:
    planted(
        store,
        "UPDATE attention SET layer = 0 WHERE step = 100 AND head = 1",
        "UPDATE attention SET size = 3 WHERE step = 100 AND head = 2",
        "UPDATE attention SET map = '\\x00'::BLOB WHERE step = 200 AND head = 1",
        "UPDATE metrics SET layer = NULL WHERE task = 'attention' AND head = 2",
        "UPDATE metrics SET head = 0 WHERE task = 'attention' AND head = 1 AND step = 200",
    )
    with embryo_store.read(store) as reader:
        assert reader.attention_at("small", 100) is None
        assert attention_bytes(reader, "small", 100, 0) is None
        film = reader.head_film("small", 1, 1)
        statistic = reader.head_statistic("small", "diagonal")
        windows = attention_window(reader, "small", [0, 100, 200], 0)
    assert (film.step.tolist(), film.maps.shape) == ([0], (1, 2, 2))
    assert (statistic.step.tolist(), statistic.value.shape) == ([0, 100], (2, 1, 1))
    assert [window is None for window in windows] == [False, True, False]


@pytest.mark.parametrize(
    ("statement", "kind"),
    [
        ("UPDATE runs SET recipe = '{'", errors.DamagedStore),
        ("UPDATE runs SET recipe = repeat('[', 100000)", errors.DamagedStore),
        (
            "CREATE OR REPLACE VIEW curve AS SELECT * REPLACE ('x' AS step) FROM metrics",
            errors.DamagedStore,
        ),
        (
            "INSERT INTO metrics SELECT m.* REPLACE (i AS step, 255 AS layer, 65535 AS head) "
            "FROM (FROM metrics WHERE head = 1 LIMIT 1) AS m, range(100) AS t(i)",
            errors.QueryTooLong,
        ),
        (
            "UPDATE attention SET layer = 255, head = 65535, size = 60000, map = repeat('x', 1)::BLOB",
            None,
        ),
        ("UPDATE runs SET recipe = NULL", None),
    ],
)
def test_values_of_no_sense_end_in_a_message_or_in_nothing(
    store: Path, statement: str, kind: type[errors.StoreError] | None
) -> None:
    planted(store, statement)
    if kind is None:
        everything(store)
    else:
        with pytest.raises(kind):
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


def test_a_query_that_wants_more_memory_than_it_may_is_stopped(store: Path) -> None:
    with pytest.raises(errors.QueryTooLong, match="memory"), embryo_store.read(store) as reader:
        reader.sql("SELECT len(list(i)) FROM range(200000000) AS t(i)")


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("enable_external_access", False),
        ("lock_configuration", True),
        ("autoload_known_extensions", False),
        ("autoinstall_known_extensions", False),
        ("allow_community_extensions", False),
        ("allow_unsigned_extensions", False),
        ("allow_persistent_secrets", False),
        ("python_enable_replacements", False),
        ("temp_directory", ""),
    ],
)
def test_guards_stand_behind_one_another(store: Path, setting: str, value: object) -> None:
    with embryo_store.read(store) as reader:
        assert reader.sql(f"SELECT current_setting('{setting}')").rows == ((value,),)


#: Asks each file all there is to ask, and says how that ended.
SURVIVE = """
import sys, embryo_store
from embryo_store import errors
for path in sys.argv[1:]:
    try:
        with embryo_store.read(path, query_seconds=10) as reader:
            reader.coverage(), reader.relations()
            for run in reader.runs():
                reader.curves("mask-predict")
                reader.word_curves("mask-predict", "group", rescaled=True)
                reader.births("mask-predict", "class")
                reader.facts_at(run.run, 100, "P36")
                reader.biography(run.run, 1)
                reader.fact_dynamics(run.run, "P36")
                reader.attention_at(run.run, 100)
                reader.head_film(run.run, 1, 1)
        embryo_store.check(path)
        print(0, flush=True)
    except errors.StoreError as error:
        print(error.exit_code, flush=True)
"""
TOGETHER = 20


def outcomes_of(worker: Callable[..., "subprocess.Popen[str]"], paths: Sequence[Path]) -> list[int]:
    """How reading each file ended. Several are read by one process: a broken one spoils none after it."""
    outcomes: list[int] = []
    for first in range(0, len(paths), TOGETHER):
        some = paths[first : first + TOGETHER]
        process = worker(SURVIVE, *some)
        told, trouble = process.communicate(timeout=240)
        assert process.returncode == 0, (some[len(told.split())], trouble)
        outcomes += map(int, told.split())
    return outcomes


def changed(whole: bytes, chance: random.Random) -> bytearray:
    """A few bytes turned, where there is something."""
    content = bytearray(whole)
    for _ in range(chance.choice([1, 8, 64])):
        place = chance.randrange(len(content))
        while not content[place] and chance.random() < 0.9:
            place = chance.randrange(len(content))
        content[place] = chance.randrange(256)
    return content


def damaged(whole: bytes, chance: random.Random) -> bytes:
    return (
        whole[: chance.randrange(1, len(whole))] if chance.random() < 0.3 else bytes(changed(whole, chance))
    )


HEADERS, HEADER, BLOCK = 3, 4096, 16_384


def checksummed(content: bytes) -> bytes:
    """The same with the checksum of every header and block that is there whole made right: DuckDB's own
    (checksum.cpp).
    """
    mended = bytearray(content)
    first = HEADERS * HEADER
    parts = [(start, HEADER) for start in range(0, first, HEADER)]
    parts += [(start, BLOCK) for start in range(first, len(content) - BLOCK + 1, BLOCK)]
    for start, size in parts:
        if start + size > len(content):
            break
        words = np.frombuffer(mended, dtype="<u8", count=size // 8 - 1, offset=start + 8)
        digest = np.uint64(5381) ^ np.bitwise_xor.reduce(words * np.uint64(0xBF58476D1CE4E5B9))
        mended[start : start + 8] = int(digest).to_bytes(8, "little")
    return bytes(mended)


@pytest.fixture(scope="session")
def dense_bytes(whole_world: Path, tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """The small world in small blocks, so that a byte turned at random matters."""
    path = tmp_path_factory.mktemp("dense") / "results.duckdb"
    path.write_bytes(whole_world.read_bytes())
    embryo_store.compact(path, block_size=BLOCK)
    return path.read_bytes()


def test_the_checksums_that_are_made_right_are_duckdb_s_own(dense_bytes: bytes) -> None:
    assert checksummed(dense_bytes) == dense_bytes


@pytest.mark.parametrize("count", [20, pytest.param(200, marks=pytest.mark.slow)])
@pytest.mark.parametrize("mend", [bytes, checksummed], ids=["damaged", "checksummed"])
def test_damaged_files_end_in_a_message(
    dense_bytes: bytes,
    tmp_path: Path,
    worker: Callable[..., "subprocess.Popen[str]"],
    mend: Callable[[bytes], bytes],
    count: int,
) -> None:
    chance = random.Random(count)
    paths = [tmp_path / f"{place}.duckdb" for place in range(count)]
    for path in paths:
        path.write_bytes(mend(damaged(dense_bytes, chance)))
    outcomes = outcomes_of(worker, paths)
    assert len(outcomes) == count
    assert set(outcomes) <= {0, 2, 3}
    assert 2 in outcomes
