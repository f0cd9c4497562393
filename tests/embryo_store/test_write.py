"""What is committed is what is read; a key is replaced, never doubled; the content follows from commits."""

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta, timezone
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

import embryo_store
from embryo_store import errors
from embryo_store.records import ALL, AttentionMaps, Commit, Facts, Key, Metric, Vocabulary

RESULT_TABLES = (
    "runs", "checkpoints", "evaluations", "metrics", "datasets", "words", "outcomes", "train_log",
    "vocabularies", "relations", "facts", "lama", "sentences", "attention",
)  # fmt: skip

Rows = Callable[[str], list[tuple[Any, ...]]]


def content(path: Path, tables: tuple[str, ...] = RESULT_TABLES) -> dict[str, list[str]]:
    """Every row of every table, in an order of its own."""
    with embryo_store.read(path) as reader:
        return {table: sorted(repr(row) for row in reader.sql(f"FROM {table}").rows) for table in tables}


def test_what_identifies_and_makes_a_number_comes_back(rows: Rows) -> None:
    assert rows("FROM runs") == [
        ("small", "albert", "mlm+sop", 200, 1, 2, 8, 1000, '{"lr":0.001,"name":"albert-tiny"}', "demo",
         "checkpoints/small")
    ]  # fmt: skip
    assert rows("FROM checkpoints WHERE step = 100") == [
        ("small", 100, "checkpoints/small/step-00000100", "weights-small-100", "vocab-1", 1234)
    ]
    (evaluation,) = rows("SELECT * FROM evaluations WHERE task = 'mask-predict' AND step = 100")
    assert evaluation[:8] == ("small", 100, "mask-predict", "sentences", "paper", 0, "data-1", "inputs-1")
    assert json.loads(evaluation[8]) == {"weights": "w", "version": 1}
    assert evaluation[9:11] == ("done", None)
    assert [str(moment) for moment in evaluation[11:13]] == ["2026-01-02 03:04:05"] * 2
    assert evaluation[13:] == ("host", "cpu", "float32", '{"torch":"2.13"}')


def test_numbers_come_back_exactly_and_nan_is_null(world: ModuleType, tmp_path: Path) -> None:
    path = tmp_path / "results.duckdb"
    metrics = (
        Metric("f1", 1 / 3, label="NP", layer=0, n=7, stderr=0.1, low=0.2, high=0.4),
        Metric("f1", float("nan")),
        Metric("loss", float("inf"), layer=12, head=12),
    )
    key = Key("small", 0, "probe", "sentences", "tenney", 3)
    embryo_store.commit(path, Commit(world.RUN, world.checkpoint(0), [world.evaluation(key, *metrics)]))
    with embryo_store.read(path) as reader:
        found = reader.sql("SELECT metric, label, layer, head, value, n, stderr, low, high FROM metrics").rows
    assert found == (
        ("f1", "NP", 0, None, 1 / 3, 7, 0.1, 0.2, 0.4),
        ("f1", ALL, None, None, None, None, None, None, None),
        ("loss", ALL, 12, 12, float("inf"), None, None, None, None),
    )
    assert embryo_store.done(path) == {key: embryo_store.Done("inputs-1", "data-1", "done")}


def test_every_word_keeps_its_place_and_its_bit(world: ModuleType, rows: Rows) -> None:
    words = rows("SELECT word_id, sentence_id, position, form, tag, rank FROM words ORDER BY word_id")
    assert words == [
        (0, 0, 0, "The", "DT", 1),
        (1, 0, 1, "cat", "NN", 2),
        (2, 0, 2, "sat", "VBD", 3),
        (3, 1, 0, "Cats", "NNS", 4),
    ]
    ((n, bits),) = rows("SELECT n, bits FROM outcomes WHERE step = 200")
    assert np.unpackbits(np.frombuffer(bits, np.uint8), count=n).tolist() == [1, 1, 0, 0]


def test_answers_come_back_under_their_facts(world: ModuleType, rows: Rows) -> None:
    answers = rows(
        "SELECT fact_id, relation, subject, object, uuid, gold_rank, gold_logp, gold_rank_common, tokens, "
        "logps, echo FROM lama JOIN facts USING (fact_id) WHERE step = 0 ORDER BY fact_id"
    )
    assert [row[:6] for row in answers] == [
        (1, "P36", "France", "paris", "a", 5),
        (2, "P36", "Italy", "rome", "b", 1),
        (3, "P36", "Norway", "oslo", None, 1),
        (4, "P103", "Ann", "bern", None, 9),
    ]
    assert answers[0][6] == np.float32(-1.609)
    assert list(answers[1][8]) == [8, *range(1, 10)]
    np.testing.assert_allclose(answers[0][9], -np.arange(10) - 0.123, rtol=1e-6)
    assert [row[10] for row in answers] == [[4, 7], None, None, None]


def test_attention_comes_back_within_what_a_byte_can_say(world: ModuleType, tmp_path: Path) -> None:
    path = tmp_path / "results.duckdb"
    maps = np.random.default_rng(0).dirichlet(np.ones(16), size=(3, 4, 16)).astype(np.float32)
    evaluation = world.evaluation(Key("small", 0, "attention", "d"), payloads=(AttentionMaps(0, maps),))
    embryo_store.commit(path, Commit(world.RUN, world.checkpoint(0), [evaluation]))
    with embryo_store.read(path) as reader:
        shown = reader.attention_at("small", 0)
        matrix = reader.sql("SELECT matrix FROM attention_matrix WHERE layer = 2 AND head = 4").rows[0][0]
    assert shown is not None
    assert np.abs(shown.maps - maps).max() <= 3.95e-3
    np.testing.assert_allclose(matrix, shown.maps[1, 3], rtol=1e-5)


def test_the_same_key_is_replaced_and_its_neighbours_stay(world: ModuleType, store: Path) -> None:
    before = content(store)
    again = world.words_commit(100, {"DT": 0.25}, inputs="inputs-2")
    embryo_store.commit(store, again)
    after = content(store)
    assert {table for table in RESULT_TABLES if after[table] != before[table]} == {
        "evaluations", "metrics", "outcomes"
    }  # fmt: skip
    with embryo_store.read(store) as reader:
        found = reader.sql(
            "SELECT label, value FROM metrics WHERE task = 'mask-predict' AND step = 100 ORDER BY label"
        ).rows
        counts = reader.sql(
            "SELECT count(*), count(DISTINCT (run, step, task, dataset, protocol)) FROM evaluations"
        )
    assert found == (("DT", 0.25), ("all", 0.25))
    assert counts.rows[0][0] == counts.rows[0][1]
    assert embryo_store.done(store)[again.evaluations[0].key].inputs_hash == "inputs-2"


def test_committing_the_same_again_changes_nothing(world: ModuleType, store: Path) -> None:
    before = content(store)
    for commit in reversed(world.small_world()):
        embryo_store.commit(store, commit)
    assert content(store) == before


def test_a_protocol_added_later_leaves_the_shared_answers(world: ModuleType, store: Path) -> None:
    before = content(store, ("lama", "facts"))
    added = world.evaluation(Key("small", 100, "lama", "trex", "strict"), Metric("p_at_1", 0.5))
    embryo_store.commit(store, Commit(world.RUN, world.checkpoint(100), [added]))
    assert content(store, ("lama", "facts")) == before


def test_a_failure_is_recorded_and_takes_the_old_result_with_it(world: ModuleType, store: Path) -> None:
    key = Key("small", 100, "attention", "built-in")
    failed = replace(world.evaluation(key, inputs="inputs-2"), status="failed", error="out of memory")
    embryo_store.commit(store, Commit(world.RUN, world.checkpoint(100), [failed]))
    assert embryo_store.done(store)[key] == embryo_store.Done("inputs-2", "data-1", "failed")
    with embryo_store.read(store) as reader:
        assert reader.head_statistic("small", "diagonal").step.tolist() == [0, 200]
        assert reader.head_film("small", 1, 1).step.tolist() == [0, 200]
        shown = reader.attention_at("small", 100)
        (attention,) = [row for row in reader.coverage() if row.task == "attention"]
    assert shown is not None
    assert shown.step == 0
    assert (attention.done, attention.failed, attention.checkpoints) == (2, 1, 3)


def test_reference_rows_are_kept_once_and_runs_are_updated(world: ModuleType, store: Path) -> None:
    commit = world.words_commit(100, {"DT": 0.5})
    longer = replace(
        commit, run=replace(world.RUN, total_steps=999), vocabulary=Vocabulary("vocab-1", ("other",))
    )
    embryo_store.commit(store, longer)
    with embryo_store.read(store) as reader:
        assert reader.runs()[0].total_steps == 999
        assert reader.sql("SELECT count(*) FROM vocabularies").rows == ((len(world.TOKENS),),)
        assert reader.sql("SELECT count(*) FROM words").rows == ((4,),)


def test_facts_are_numbered_by_first_sight_and_shared_between_runs(world: ModuleType, store: Path) -> None:
    answers = world.lama_commit(0, world.RANKS[0]).evaluations[0].payloads[0]
    facts = Facts(("P9", "P36", "P9"), ("New", "Norway", "Newer"), ("oslo",) * 3, (None,) * 3)
    rows = [0, 1, 2]
    fewer = replace(
        answers, facts=facts, gold_rank=answers.gold_rank[rows], gold_logp=answers.gold_logp[rows],
        gold_rank_common=None, gold_logp_common=None, tokens=answers.tokens[rows], logps=answers.logps[rows],
    )  # fmt: skip
    other = replace(world.RUN, run="other")
    evaluation = world.evaluation(Key("other", 0, "lama", "trex"), payloads=(fewer,))
    embryo_store.commit(store, Commit(other, world.checkpoint(0, "other"), [evaluation]))
    with embryo_store.read(store) as reader:
        found = reader.sql("SELECT fact_id, subject FROM facts WHERE fact_id > 2 ORDER BY fact_id").rows
        common = reader.sql("SELECT DISTINCT gold_rank_common FROM lama WHERE run = 'other'").rows
        norway = reader.sql("SELECT DISTINCT run FROM lama WHERE fact_id = 3 ORDER BY run").rows
    assert found == ((3, "Norway"), (4, "Ann"), (5, "New"), (6, "Newer"))
    assert common == ((None,),)
    assert norway == (("other",), ("small",))


def test_times_are_stored_in_utc(world: ModuleType, tmp_path: Path) -> None:
    path = tmp_path / "results.duckdb"
    commit = world.words_commit(0, {"DT": 1.0})
    moment = commit.evaluations[0].started.astimezone(timezone(timedelta(hours=9)))
    embryo_store.commit(path, replace(commit, evaluations=[replace(commit.evaluations[0], started=moment)]))
    with embryo_store.read(path) as reader:
        assert reader.sql("SELECT started = finished FROM evaluations").rows == ((True,),)


@pytest.mark.parametrize(
    "broken", ["other run", "twice", "failed with results", "wrong owner", "wrong shape"]
)
def test_records_that_contradict_one_another_are_refused_before_the_store_is_touched(
    world: ModuleType, tmp_path: Path, broken: str
) -> None:
    commit = world.lama_commit(0, world.RANKS[0])
    paper, lama = commit.evaluations
    answers = paper.payloads[0]
    evaluations = {
        "other run": [replace(paper, key=replace(paper.key, run="other"))],
        "twice": [paper, paper],
        "failed with results": [replace(paper, status="failed")],
        "wrong owner": [replace(paper, key=replace(paper.key, task="mlm"))],
        "wrong shape": [replace(paper, payloads=(replace(answers, gold_rank=answers.gold_rank[:2]),)), lama],
    }[broken]
    with pytest.raises(ValueError, match=r".+"):
        embryo_store.commit(tmp_path / "results.duckdb", replace(commit, evaluations=evaluations))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["", "a\nb", "\x1b[2J", "\udcff"])
def test_a_run_whose_name_cannot_be_shown_is_refused(world: ModuleType, tmp_path: Path, name: str) -> None:
    with pytest.raises(errors.BadName, match="is no name for a run"):
        embryo_store.commit(tmp_path / "results.duckdb", world.words_commit(0, {"DT": 1.0}, run=name))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("metric", "told"),
    [
        (Metric("f1", 0.5, layer=256), "256"),
        (Metric("f1", 0.5, n=2**31), "2147483648"),
        (Metric("f1", 0.5, label="\ud800"), "surrogate"),
    ],
)
def test_a_number_that_has_no_place_is_told_as_it_is_and_nothing_is_kept(
    world: ModuleType, store: Path, metric: Metric, told: str
) -> None:
    before = embryo_store.done(store)
    made = world.evaluation(Key("small", 300, "mlm", "text"), Metric("accuracy", 0.5), metric)
    with pytest.raises(errors.StoreError, match=told):
        embryo_store.commit(store, Commit(world.RUN, world.checkpoint(300), [made]))
    assert embryo_store.done(store) == before


def test_done_is_empty_where_there_is_no_store(tmp_path: Path) -> None:
    assert embryo_store.done(tmp_path / "results.duckdb") == {}
    assert list(tmp_path.iterdir()) == []


def test_making_sure_that_a_store_can_be_written_makes_none(tmp_path: Path) -> None:
    embryo_store.ensure_writable(tmp_path / "results.duckdb")
    assert not (tmp_path / "results.duckdb").exists()
