"""Two stores become one that means the same, or stay as they were."""

from dataclasses import replace
from pathlib import Path
from types import ModuleType

import duckdb
import pytest

import embryo_store
from embryo_store import errors

TABLES = (
    "runs", "checkpoints", "evaluations", "metrics", "datasets", "words", "outcomes", "train_log",
    "vocabularies", "relations", "facts", "lama", "sentences", "attention", "baselines",
)  # fmt: skip


def content(path: Path) -> dict[str, list[str]]:
    with embryo_store.read(path) as reader:
        return {table: sorted(repr(row) for row in reader.sql(f"FROM {table}").rows) for table in TABLES}


def planted(store: Path, *statements: str) -> Path:
    with duckdb.connect(str(store)) as connection:
        for statement in statements:
            connection.execute(statement)
    return store


@pytest.fixture
def other(world: ModuleType, tmp_path: Path) -> Path:
    """Another store, with two runs of one step."""
    path = tmp_path / "other.duckdb"
    embryo_store.commit_all(path, [world.words_commit(0, {"DT": 0.5}, run=run) for run in ("a", "b")])
    return path


def test_merging_translates_facts_and_adds_runs(world: ModuleType, tmp_path: Path) -> None:
    one, two = tmp_path / "one.duckdb", tmp_path / "two.duckdb"
    first = world.lama_commit(0, world.RANKS[0])
    answers = first.evaluations[0].payloads[0]
    names = answers.facts
    turned = replace(
        names, relation=names.relation[::-1], subject=names.subject[::-1], object=names.object[::-1],
        uuid=names.uuid[::-1],
    )  # fmt: skip
    embryo_store.commit(one, first)
    other = world.lama_commit(0, world.RANKS[1], replace(world.RUN, run="other"))
    paper = replace(other.evaluations[0], payloads=(replace(answers, facts=turned),))
    embryo_store.commit(two, replace(other, evaluations=[paper, other.evaluations[1]]))
    query = "SELECT subject, gold_rank, answer FROM fact_history WHERE run = 'other' ORDER BY subject"
    with embryo_store.read(two) as reader:
        before = reader.sql(query).rows
    embryo_store.merge(one, two)
    with embryo_store.read(one) as reader:
        assert reader.sql(query).rows == before
        assert [card.run for card in reader.runs()] == ["other", "small"]
        assert reader.sql("SELECT count(*) FROM facts").rows == ((4,),)


def test_merging_equal_results_changes_nothing_and_unequal_ones_are_refused_or_renamed(
    world: ModuleType, store: Path, whole_world: Path, tmp_path: Path
) -> None:
    before = content(store)
    embryo_store.merge(store, whole_world)
    assert content(store) == before
    other = tmp_path / "other.duckdb"
    embryo_store.commit(other, world.words_commit(100, {"DT": 0.5}, inputs="inputs-2"))
    with pytest.raises(errors.MergeConflict, match="small step 100 mask-predict"):
        embryo_store.merge(store, other)
    assert content(store) == before
    embryo_store.merge(store, other, rename={"small": "it's another"})
    with embryo_store.read(store) as reader:
        (curve,) = reader.curves("mask-predict", runs=["it's another"], labels=["DT"])
        assert len(reader.runs()) == 2
    assert curve.value.tolist() == [0.5]


def test_merging_something_else_is_refused(store: Path, tmp_path: Path) -> None:
    with duckdb.connect(str(tmp_path / "sales.duckdb")) as connection:
        connection.execute("CREATE TABLE sales (amount INTEGER)")
    with pytest.raises(errors.NotAStore):
        embryo_store.merge(store, tmp_path / "sales.duckdb")
    with pytest.raises(errors.StoreMissing):
        embryo_store.merge(store, tmp_path / "absent.duckdb")


def test_a_store_is_not_merged_with_itself(store: Path) -> None:
    (store.parent / "hard.duckdb").hardlink_to(store)
    for same in (store.parent / "." / store.name, store.parent / "hard.duckdb"):
        with pytest.raises(errors.MergeConflict, match="are the same store"):
            embryo_store.merge(store, same)


@pytest.mark.parametrize(
    ("rename", "kind"),
    [
        ({"a": "c", "b": "c"}, errors.MergeConflict),
        ({"a": "b"}, errors.MergeConflict),
        ({"z": "y"}, errors.NothingFound),
    ],
    ids=["two to one", "to a name of its own", "of none"],
)
def test_renaming_makes_no_run_of_two(
    store: Path, other: Path, rename: dict[str, str], kind: type[errors.StoreError]
) -> None:
    before = content(store)
    with pytest.raises(kind):
        embryo_store.merge(store, other, rename=rename)
    assert content(store) == before
    embryo_store.merge(store, other, rename={"a": "b", "b": "a"})
    assert embryo_store.check(store).problems == ()


def test_two_trainings_of_one_name_do_not_become_one_run(
    world: ModuleType, store: Path, tmp_path: Path
) -> None:
    before = content(store)
    longer = replace(world.RUN, total_steps=400, recipe={**world.RUN.recipe, "steps": 400})
    later = replace(world.words_commit(300, {"DT": 1.0}), run=longer)
    embryo_store.commit(tmp_path / "other.duckdb", later)
    with pytest.raises(errors.MergeConflict, match="small model or recipe"):
        embryo_store.merge(store, tmp_path / "other.duckdb")
    assert content(store) == before
    # The same weights at one step: it is the same run, trained on.
    embryo_store.commit(tmp_path / "other.duckdb", replace(world.log_commit(100, 0), run=longer))
    embryo_store.merge(store, tmp_path / "other.duckdb")
    with embryo_store.read(store) as reader:
        (card,) = reader.runs()
    assert (card.total_steps, card.steps.tolist()) == (400, [0, 100, 200, 300])


def test_what_failed_there_takes_nothing_away_that_was_done_here(
    world: ModuleType, store: Path, tmp_path: Path
) -> None:
    before = content(store)
    other = tmp_path / "other.duckdb"
    for commit in world.small_world():
        failed = [
            replace(made, status="failed", error="out of memory", metrics=(), payloads=())
            for made in commit.evaluations
        ]
        embryo_store.commit(other, replace(commit, evaluations=failed))
    embryo_store.merge(store, other)
    assert content(store) == before
    # But what was done there stands in for a failure.
    embryo_store.merge(other, store)
    assert content(other) == before


def test_what_waits_beside_either_store_is_taken_along(world: ModuleType, store: Path, other: Path) -> None:
    for place, run in ((store, "small"), (other, "a")):
        spool = place.with_name(place.name + ".spool")
        spool.mkdir()
        commit = world.words_commit(100, {"DT": 0.25}, run=run, inputs="inputs-2")
        embryo_store.commit(spool / f"{1:020}-1.duckdb", commit)
    conflicting = store.with_name("conflicting.duckdb")
    embryo_store.commit(conflicting, world.words_commit(100, {"DT": 0.25}))
    with pytest.raises(errors.MergeConflict, match="small step 100 mask-predict"):
        embryo_store.merge(store, conflicting)
    embryo_store.merge(store, other)
    with embryo_store.read(store) as reader:
        rows = reader.sql(
            "SELECT run, value FROM metrics WHERE step = 100 AND label = 'DT' ORDER BY run"
        ).rows
    assert rows == (("a", 0.25), ("small", 0.25))


def test_published_numbers_of_a_user_s_own_are_merged_step_by_step(store: Path, other: Path) -> None:
    with embryo_store.read(store) as reader:
        published = reader.sql("SELECT count(*) FROM baselines").rows
    for place, step, value in ((store, 100, 0.5), (other, 100, 0.75), (other, 200, 0.8)):
        planted(place, f"INSERT INTO baselines VALUES ('mine', 'mlm', 'loss', 'all', {step}, {value}, 'us')")
    embryo_store.merge(store, other)
    with embryo_store.read(store) as reader:
        rows = reader.sql("SELECT step, value FROM baselines WHERE name = 'mine' ORDER BY step").rows
        assert reader.sql("SELECT count(*) FROM baselines WHERE name <> 'mine'").rows == published
    assert rows == ((100, 0.5), (200, 0.8))


def test_what_a_foreign_file_says_moves_no_cursor(store: Path, world: ModuleType, tmp_path: Path) -> None:
    run = "\x1b]0;owned\x07\x1b[2J"
    for place, inputs in ((store, "inputs-1"), (tmp_path / "other.duckdb", "inputs-2")):
        embryo_store.commit(place, world.words_commit(0, {"DT": 1.0}, run="a", inputs=inputs))
        for table in ("runs", "checkpoints", "evaluations"):
            planted(place, f"UPDATE {table} SET run = '{run}' WHERE run = 'a'")
    with pytest.raises(errors.MergeConflict) as caught:
        embryo_store.merge(store, tmp_path / "other.duckdb")
    assert "\\x1b]0;owned" in str(caught.value)
    assert "\x1b" not in str(caught.value)
