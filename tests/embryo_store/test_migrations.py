"""Stores of every earlier schema version: read as they are, migrated by the first writer, never half-way."""

import gzip
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType

import duckdb
import pytest

import embryo_store
from embryo_store import errors, schema
from embryo_store.cloze_answers import asked_sentences
from embryo_store.downstream_answers import baselines, scores
from embryo_store.suspect_answers import suspects

#: One store a schema version, made by the code of that time: the small world, and a run `other` at one step.
FIXTURES = sorted((Path(__file__).parent / "fixtures").glob("schema-*.duckdb.gz"))

CONTENT = (
    "FROM runs", "FROM checkpoints", "FROM evaluations", "FROM metrics", "FROM datasets", "FROM words",
    "FROM outcomes", "FROM train_log", "FROM vocabularies", "FROM relations", "FROM facts", "FROM lama",
    "FROM sentences", "FROM attention", "FROM word_curve_rescaled", "FROM curve_smooth", "FROM fact_dynamics",
    "FROM lama_top", "FROM lama_p1", "FROM fact_history", "FROM attention_matrix", "FROM at_step(150)",
    "FROM word_birth WHERE percent = 50", "FROM birth_step WHERE percent = 75", "FROM coverage",
    "FROM baselines",
)  # fmt: skip


def version_of(path: Path) -> str:
    with embryo_store.read(path) as reader:
        return str(reader.sql("SELECT value FROM meta WHERE key = 'schema_version'").rows[0][0])


def answers(path: Path) -> dict[str, list[str]]:
    with embryo_store.read(path) as reader:
        return {query: sorted(map(_written, reader.sql(query).rows)) for query in CONTENT}


def _written(row: tuple[object, ...]) -> str:
    """A row, its numbers without the last bits: a mean's hang on the order in which threads sum."""
    return repr(tuple(round(value, 9) if isinstance(value, float) else value for value in row))


@pytest.fixture(scope="session")
def world_and_other(world: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the fixtures hold, made by the code of today."""
    path = tmp_path_factory.mktemp("today") / "results.duckdb"
    commits = [*world.small_world(), world.words_commit(100, {"DT": 0.25}, run="other")]
    embryo_store.commit_all(path, commits)
    return path


@pytest.fixture(params=FIXTURES, ids=lambda path: path.name.split(".")[0])
def old(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    path = tmp_path / "results.duckdb"
    path.write_bytes(gzip.decompress(request.param.read_bytes()))
    return path


def test_there_is_a_fixture_of_every_earlier_version_and_a_migration_to_every_later_one() -> None:
    found = {int(re.findall(r"\d+", path.name)[0]) for path in FIXTURES}
    assert found == set(range(1, schema.SCHEMA_VERSION))
    assert set(schema.MIGRATIONS) == set(range(2, schema.SCHEMA_VERSION + 1))


def test_an_old_store_answers_before_and_after_its_migration_as_a_new_one(
    old: Path, world_and_other: Path
) -> None:
    expected = answers(world_and_other)
    bytes_before, version_before = old.read_bytes(), version_of(old)
    assert answers(old) == expected
    assert old.read_bytes() == bytes_before
    assert embryo_store.migrate(old) == (int(version_before), schema.SCHEMA_VERSION)
    assert version_of(old) == str(schema.SCHEMA_VERSION)
    assert answers(old) == expected
    assert embryo_store.migrate(old) == (schema.SCHEMA_VERSION, schema.SCHEMA_VERSION)


def definitions(path: Path) -> list[tuple[object, ...]]:
    with duckdb.connect(str(path), read_only=True) as connection:
        tables = connection.execute(
            "SELECT table_name, column_name, column_index, data_type, is_nullable, column_default "
            "FROM duckdb_columns() WHERE NOT internal"
        )
        return sorted(map(repr, tables.fetchall()))


def test_a_migrated_store_has_the_tables_and_views_of_a_new_one(old: Path, whole_world: Path) -> None:
    embryo_store.migrate(old)
    assert definitions(old) == definitions(whole_world)


def test_a_commit_migrates_and_an_old_store_can_be_merged(
    old: Path, world: ModuleType, tmp_path: Path
) -> None:
    new = tmp_path / "new.duckdb"
    embryo_store.commit(new, world.words_commit(300, {"DT": 1.0}))
    embryo_store.merge(new, old)
    assert version_of(old) == "1"
    with embryo_store.read(new) as reader:
        assert reader.sql("SELECT max(step), count(DISTINCT run) FROM metrics").rows == ((300, 2),)
    embryo_store.commit(old, world.words_commit(300, {"DT": 1.0}))
    assert version_of(old) == str(schema.SCHEMA_VERSION)


def test_a_user_s_own_table_under_a_new_name_is_told_and_kept(old: Path, world: ModuleType) -> None:
    with duckdb.connect(str(old)) as connection:
        connection.execute("CREATE TABLE cloze (mine INTEGER)")
    with pytest.raises(errors.StoreError, match="cloze"):
        embryo_store.commit(old, world.words_commit(300, {"DT": 1.0}))
    with duckdb.connect(str(old)) as connection:
        assert connection.execute("SELECT value FROM meta WHERE key = 'schema_version'").fetchall() == [
            ("1",)
        ]
        assert connection.execute("FROM cloze").fetchall() == []


MIGRATE = """
import sys, embryo_store
print("in", flush=True)
embryo_store.migrate(sys.argv[1])
print("out", flush=True)
"""


@pytest.mark.parametrize("kills", [3, pytest.param(25, marks=[pytest.mark.slow, pytest.mark.timeout(1800)])])
def test_kill_9_while_migrating_leaves_the_old_store_or_the_new_one(
    tmp_path: Path, world_and_other: Path, killed_inside: Callable[..., Iterator[None]], kills: int
) -> None:
    expected = answers(world_and_other)
    path = tmp_path / "results.duckdb"
    old = gzip.decompress(FIXTURES[0].read_bytes())
    path.write_bytes(old)
    for _ in killed_inside(MIGRATE, path, wanted=kills):
        assert version_of(path) in {"1", str(schema.SCHEMA_VERSION)}
        assert answers(path) == expected
        embryo_store.migrate(path)
        assert answers(path) == expected
        path.write_bytes(old)
        path.with_name(path.name + ".wal").unlink(missing_ok=True)


def test_a_store_from_before_there_was_something_answers_that_there_is_none(old: Path) -> None:
    with embryo_store.read(old) as reader:
        assert asked_sentences(reader, "small") == ()
        assert scores(reader) == suspects(reader, "small") == ()
        assert {baseline.name for baseline in baselines(reader)} == {"paper albert-base"}
