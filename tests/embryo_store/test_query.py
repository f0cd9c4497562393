"""Answers on the small world, whose numbers are known by hand."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import embryo_store
from embryo_store import errors

Rows = Callable[[str], list[tuple[Any, ...]]]


def test_a_run_card_holds_the_recipe_and_the_saved_steps(whole_world: Path) -> None:
    with embryo_store.read(whole_world) as reader:
        (card,) = reader.runs()
    assert (card.run, card.family, card.layers, card.heads) == ("small", "albert", 1, 2)
    assert card.recipe == {"name": "albert-tiny", "lr": 0.001}
    assert card.steps.tolist() == [0, 100, 200]


def test_curves_are_narrowed_and_ascend(whole_world: Path) -> None:
    with embryo_store.read(whole_world) as reader:
        determiner, whole = reader.curves("mask-predict", "accuracy", labels=["DT", "all"])
        loss = reader.curves("train-log", "loss")[0]
        assert reader.curves("mask-predict", runs=[]) == ()
        assert reader.curves("mask-predict", dataset="elsewhere") == ()
    assert (determiner.label, determiner.n, determiner.layer) == ("DT", 1, None)
    assert determiner.step.tolist() == [0, 100, 200]
    assert determiner.value.tolist() == [0.0, 1.0, 1.0]
    assert whole.value.tolist() == pytest.approx([0.0, 0.4, 0.55])
    assert np.isnan(whole.stderr).all()
    assert loss.step.tolist() == [50, 100, 150, 200]
    assert loss.value.tolist() == [9.0, 8.0, 7.0, 6.0]


def test_groups_weigh_their_tags_by_words(whole_world: Path) -> None:
    with embryo_store.read(whole_world) as reader:
        classes = {curve.label: curve for curve in reader.word_curves("mask-predict", "class")}
        nouns = {curve.label: curve for curve in reader.word_curves("mask-predict", "group", rescaled=True)}[
            "noun"
        ]
        forms = [curve.label for curve in reader.word_curves("mask-predict", "form")]
        tags = [curve.label for curve in reader.word_curves("mask-predict", "tag")]
    assert set(classes) == {"function", "content"}
    assert classes["content"].value.tolist() == pytest.approx([0, 0.2, 0.4])
    assert classes["content"].n == 3
    assert classes["content"].stderr.tolist() == pytest.approx([np.sqrt(3 * 0.01) / 3] * 3)
    assert nouns.value.tolist() == pytest.approx([0, 0.5, 1])
    assert forms == ["past tense"]
    assert tags == ["DT", "NN", "NNS", "VBD"]


def test_a_birth_names_the_interval_in_which_it_happened(whole_world: Path) -> None:
    with embryo_store.read(whole_world) as reader:
        births = {birth.label: birth for birth in reader.births("mask-predict", "tag", fraction=0.75)}
        with pytest.raises(ValueError, match="whole percent"):
            reader.births("mask-predict", "tag", fraction=0.333)
    assert (births["DT"].after, births["DT"].step, births["DT"].final) == (0, 100, 1.0)
    assert (births["NN"].after, births["NN"].step, births["NN"].final) == (100, 200, 0.6)


@settings(max_examples=60, deadline=None)
@given(
    values=st.lists(st.one_of(st.none(), st.floats(-1, 1, width=16)), min_size=1, max_size=8),
    percent=st.integers(1, 100),
)
def test_a_birth_is_the_first_point_at_its_share_of_the_last(
    small_connection: Any, values: list[float | None], percent: int
) -> None:
    small_connection.execute("DELETE FROM metrics")
    for step, value in enumerate(values):
        small_connection.execute(
            "INSERT INTO metrics (run, step, task, dataset, protocol, seed, metric, label, value) "
            "VALUES ('r', ?, 't', '', 'paper', 0, 'm', 'all', ?)",
            [step, value],
        )
    found = small_connection.execute(
        "SELECT step, after, final FROM birth_step WHERE percent = ?", [percent]
    ).fetchall()
    points = [(step, value) for step, value in enumerate(values) if value is not None]
    if not points:
        assert found == []
        return
    final = points[-1][1]
    enough = final * percent / 100 * (1 - 1e-12)
    born = [place for place, (_, value) in enumerate(points) if final > 0 and value >= enough]
    if not born:
        assert found == [(None, None, final)]
    else:
        after = points[born[0] - 1][0] if born[0] else None
        assert found == [(points[born[0]][0], after, final)]


def test_smoothing_takes_three_points_and_rescaling_the_last(rows: Rows) -> None:
    smooth = rows("SELECT value FROM curve_smooth WHERE task = 'train-log' AND metric = 'loss' ORDER BY step")
    assert smooth == [(8.5,), (8.0,), (7.0,), (6.5,)]
    rescaled = rows("SELECT value, final FROM curve_rescaled WHERE label = 'NN' ORDER BY step")
    assert [value for value, _ in rescaled] == pytest.approx([0, 0.5, 1])
    assert rows("SELECT DISTINCT final FROM curve_rescaled WHERE label = 'NN'") == [(0.6,)]


def test_at_a_step_the_nearest_earlier_result_shows(rows: Rows) -> None:
    shown = rows("SELECT DISTINCT task, step FROM at_step(199) ORDER BY task")
    assert shown == [("attention", 100), ("lama", 100), ("mask-predict", 100), ("train-log", 150)]
    assert rows("SELECT count(*) FROM at_step(-1)") == [(0,)]


def test_bits_of_outcomes_fall_on_their_words(rows: Rows) -> None:
    page = (Path(__file__).parents[2] / "docs" / "sql.md").read_text("utf-8")
    query = page[page.index("WITH bits") : page.index("GROUP BY run, step, from_rank")]
    columns = query[query.index("SELECT run, step, w.rank") : query.index("FROM bits")]
    by_word = rows(
        query.replace(columns, "SELECT w.form, bits[w.word_id + 1]::INTEGER ") + "WHERE step = 200"
    )
    assert sorted(by_word) == [("Cats", 0), ("The", 1), ("cat", 1), ("sat", 0)]


def test_relations_count_the_facts_that_were_answered(whole_world: Path) -> None:
    with embryo_store.read(whole_world) as reader:
        cards = {card.relation: card for card in reader.relations()}
    assert (cards["P36"].facts, cards["P103"].facts) == (3, 1)
    assert cards["P36"].template == "The capital of [X] is [Y] ."
    assert (cards["P36"].type, cards["P36"].name) == ("1-1", "capital")


def test_facts_at_a_step_show_answers_as_text(whole_world: Path) -> None:
    with embryo_store.read(whole_world) as reader:
        facts = reader.facts_at("small", 99, "P36", top=2)
        assert reader.facts_at("small", -1, "P36") is None
        assert reader.facts_at("small", 100, "P999") is None
    assert facts is not None
    assert facts.step == 0
    assert facts.subject == ("France", "Italy", "Norway")
    assert facts.gold_rank.tolist() == [5, 1, 1]
    assert facts.tokens == (("the", "[CLS]"), ("rome", "[CLS]"), ("oslo", "[CLS]"))
    assert facts.logps.shape == (3, 2)


def test_a_biography_follows_one_fact(whole_world: Path) -> None:
    with embryo_store.read(whole_world) as reader:
        life = reader.biography("small", 1, top=1)
        widths = {top: reader.biography("small", 1, top=top).logps.shape[1] for top in (0, 5, 12)}
        assert reader.biography("small", 99) is None
        assert reader.biography("other", 1) is None
    assert life is not None
    assert (life.subject, life.object, life.template) == ("France", "paris", "The capital of [X] is [Y] .")
    assert life.step.tolist() == [0, 100, 200]
    assert life.gold_rank.tolist() == [5, 1, 1]
    assert life.tokens == (("the",), ("paris",), ("paris",))
    assert life.echo == ("the paris",) * 3
    assert widths == {0: 0, 5: 5, 12: 10}


def test_a_fact_is_found_in_whichever_dataset_holds_it(world: ModuleType, store: Path) -> None:
    commit = world.lama_commit(100, world.RANKS[1])
    assert commit.dataset is not None
    only = np.array([1])
    paper = commit.evaluations[0]
    answers = paper.payloads[0]
    facts = replace(
        answers.facts, relation=("P36",), subject=("Italy",), object=("rome",), uuid=(None,)
    )  # fmt: skip
    columns = {
        name: getattr(answers, name)[only]
        for name in ("gold_rank", "gold_logp", "gold_rank_common", "gold_logp_common", "tokens", "logps")
    }
    fewer = replace(answers, facts=facts, echo={}, **columns)
    made = replace(paper, key=replace(paper.key, dataset="a few"), payloads=(fewer,))
    embryo_store.commit(
        store, replace(commit, evaluations=[made], dataset=replace(commit.dataset, dataset="a few"))
    )
    with embryo_store.read(store) as reader:
        france, italy = (reader.biography("small", fact) for fact in (1, 2))
        assert reader.biography("small", 99) is None
    assert france is not None
    assert italy is not None
    assert (france.subject, france.step.tolist()) == ("France", [0, 100, 200])
    assert (italy.subject, italy.step.tolist()) == ("Italy", [100])


def test_a_fact_s_history_and_its_ten_answers_are_text(rows: Rows) -> None:
    history = (
        "SELECT step, answer, is_right, gold_rank FROM fact_history WHERE subject = 'France' ORDER BY step"
    )
    assert rows(history) == [
        (0, "the", False, 5), (100, "paris", True, 1), (200, "paris", True, 1),
    ]  # fmt: skip
    best = rows(
        "SELECT place, token, logp FROM lama_top WHERE subject = 'Italy' AND step = 200 ORDER BY place"
    )
    assert [place for place, _, _ in best] == list(range(1, 11))
    assert [token for _, token, _ in best[:3]] == ["the", "[CLS]", "[SEP]"]
    assert [logp for _, _, logp in best[:2]] == pytest.approx([-0.123, -1.123])


def test_coverage_counts_what_is_done_failed_and_missing(world: ModuleType, store: Path) -> None:
    embryo_store.commit(store, world.words_commit(300, {"DT": 1.0}))
    (failed,) = world.attention_commit(200).evaluations
    failed = replace(failed, status="failed", error="no memory", metrics=(), payloads=())
    embryo_store.commit(store, replace(world.attention_commit(200), evaluations=[failed]))
    query = (
        "SELECT * EXCLUDE (run, dataset, protocol, seed) FROM coverage WHERE protocol = 'paper' ORDER BY task"
    )
    with embryo_store.read(store) as reader:
        assert reader.sql(query).rows == (
            ("attention", 2, 1, 1, 4, 100), ("lama", 3, 0, 1, 4, 200),
            ("mask-predict", 4, 0, 0, 4, 300), ("train-log", 3, 0, 1, 4, 200),
        )  # fmt: skip


def test_the_ledger_names_what_was_learned_and_forgotten(whole_world: Path) -> None:
    with embryo_store.read(whole_world) as reader:
        ledger = reader.ledger("small", 0, 250)
        assert reader.ledger("small", 100, 100) == ()
        assert reader.ledger("small", 0, 200, relation="P103") == ()
    assert [(entry.subject, entry.change, entry.answer_a, entry.answer_b) for entry in ledger] == [
        ("France", "learned", "the", "paris"),
        ("Italy", "forgotten", "rome", "the"),
    ]


def test_fact_dynamics_name_each_kind(whole_world: Path) -> None:
    with embryo_store.read(whole_world) as reader:
        kinds = {fact.subject: fact for fact in reader.fact_dynamics("small", "P36")}
        never = reader.fact_dynamics("small", "P103")[0]
    assert {subject: fact.kind for subject, fact in kinds.items()} == {
        "France": "learned",
        "Italy": "forgotten",
        "Norway": "static",
    }
    assert (kinds["France"].first_right, kinds["France"].right, kinds["France"].steps) == (100, 2, 3)
    assert (never.kind, never.first_right, never.right) == ("never learned", None, 0)


@pytest.mark.parametrize(
    ("series", "kind"),
    [
        ("0" * 20, "never learned"),
        ("1" * 20, "static"),
        ("0" * 10 + "1" * 10, "learned"),
        ("0" * 9 + "1011111101" + "1", "learned"),
        ("0" * 9 + "1001111001" + "1", "oscillating"),
        ("1" * 17 + "100", "forgotten"),
        ("1" * 18 + "10", "oscillating"),
        ("0" * 19 + "1", "learned"),
    ],
)
def test_the_kinds_of_dynamics_are_as_documented(small_connection: Any, series: str, kind: str) -> None:
    for table in ("lama", "facts", "evaluations"):
        small_connection.execute(f"DELETE FROM {table}")
    small_connection.execute("INSERT INTO facts VALUES (1, 'P1', 's', 'o', NULL)")
    for step, right in enumerate(series):
        small_connection.execute(
            "INSERT INTO lama VALUES ('r', ?, 'd', 0, 1, ?, -1, NULL, NULL, "
            "[1,2,3,4,5,6,7,8,9,10], [1,2,3,4,5,6,7,8,9,10], NULL)",
            [step, 1 if right == "1" else 7],
        )
        for protocol in ("paper", "lama"):
            small_connection.execute(
                "INSERT INTO evaluations VALUES ('r', ?, 'lama', 'd', ?, 0, '', '', '{}', 'done', NULL, "
                "now()::TIMESTAMP, now()::TIMESTAMP, '', '', '', '{}')",
                [step, protocol],
            )
    found = small_connection.execute("SELECT kind, n_right, steps FROM fact_dynamics").fetchall()
    assert found == [(kind, series.count("1"), len(series))]


def test_precision_follows_from_the_answers(rows: Rows) -> None:
    found = rows(
        "SELECT n, n_right, p1, p10, mrr, p1_common FROM lama_p1 WHERE relation = 'P36' ORDER BY step"
    )
    assert found[0] == pytest.approx((3, 2, 2 / 3, 1, (1 / 5 + 1 + 1) / 3, 2 / 3))
    assert [row[2] for row in found] == pytest.approx([2 / 3, 1, 2 / 3])


def test_attention_of_every_head_and_one_head_over_time(world: ModuleType, whole_world: Path) -> None:
    with embryo_store.read(whole_world) as reader:
        assert [(s.sentence_id, s.text, s.pieces) for s in reader.attention_sentences("small")] == [
            (0, "mean", ("[CLS]", "[SEP]")),
            (1, "one", ("[CLS]", "[SEP]")),
        ]
        shown = reader.attention_at("small", 150)
        one = reader.attention_at("small", 100, sentence_id=1)
        film = reader.head_film("small", 1, 1)
        diagonal = reader.head_statistic("small", "diagonal")
        assert reader.attention_at("small", -1) is None
        assert reader.attention_at("small", 100, sentence_id=9) is None
        assert len(reader.head_film("small", 7, 1).step) == 0
        assert reader.head_statistic("small", "absent").value.size == 0
    assert shown is not None
    assert one is not None
    assert shown.step == 100
    np.testing.assert_allclose(shown.maps, world.attention_maps(100), atol=4e-3)
    np.testing.assert_allclose(one.maps, world.attention_maps(100)[:, ::-1], atol=4e-3)
    assert film.step.tolist() == [0, 100, 200]
    np.testing.assert_allclose(
        (film.maps / 255.0) ** 2, [world.attention_maps(s)[0, 0] for s in film.step], atol=4e-3
    )
    assert diagonal.value.shape == (3, 1, 2)
    assert diagonal.value[:, 0, 0].tolist() == [0.5, 0.75, 1.0]


def test_free_sql_takes_parameters_and_a_limit(whole_world: Path) -> None:
    with embryo_store.read(whole_world) as reader:
        table = reader.sql(
            "SELECT step, label FROM curve WHERE label = $label ORDER BY step", {"label": "DT"}, limit=2
        )
        whole = reader.sql("SELECT step FROM curve WHERE label = ?", ["DT"], limit=3)
        arrays = reader.arrays("SELECT step FROM checkpoints ORDER BY step")
    assert table.columns == ("step", "label")
    assert table.rows == ((0, "DT"), (100, "DT"))
    assert table.truncated
    assert not whole.truncated
    assert arrays["step"].tolist() == [0, 100, 200]


def test_numbers_of_one_answer_serve_for_the_next_question(whole_world: Path) -> None:
    with embryo_store.read(whole_world) as reader:
        (curve,) = reader.curves("mask-predict", labels=np.array(["DT"]))
        step = curve.step[1]
        assert isinstance(step, np.int64)
        facts, maps = reader.facts_at("small", step, "P36"), reader.attention_at("small", step)
        assert facts is not None
        assert maps is not None
        assert (facts.step, maps.step) == (100, 100)
        assert len(reader.ledger("small", curve.step[0], curve.step[1])) == 1
        asked = reader.sql("SELECT step FROM checkpoints WHERE step = ? AND ?", [step, np.bool_(True)])
        named = reader.arrow("SELECT $value AS value", {"value": np.float32(0.5)})
    assert asked.rows == ((100,),)
    assert named.to_pylist() == [{"value": 0.5}]


@pytest.mark.parametrize("query", ["", ";", "-- nothing", "SELECT '\ud800'"])
@pytest.mark.parametrize("ask", ["sql", "arrays", "pandas", "arrow"])
def test_what_is_no_query_is_told(whole_world: Path, query: str, ask: str) -> None:
    with pytest.raises(errors.BadQuery), embryo_store.read(whole_world) as reader:
        getattr(reader, ask)(query)


def test_a_reader_that_is_closed_says_so(whole_world: Path) -> None:
    with embryo_store.read(whole_world) as reader:
        pass
    for question in (reader.runs, lambda: reader.sql("SELECT 1"), lambda: reader.arrow("SELECT 1")):
        with pytest.raises(errors.BadQuery, match="closed"):
            question()


def test_free_sql_comes_as_pandas_and_arrow(whole_world: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    query = "SELECT step, label, value FROM curve WHERE label = $label ORDER BY step"
    with embryo_store.read(whole_world) as reader:
        frame = reader.pandas(query, {"label": "DT"})
        table = reader.arrow(query, {"label": "DT"})
        rows = reader.sql(query, {"label": "DT"}).rows
        assert reader.arrow("SELECT 1 AS one").to_pylist() == [{"one": 1}]
        monkeypatch.setattr("embryo_store.query.find_spec", lambda _: None)
        for answer in (reader.pandas, reader.arrow):
            with pytest.raises(errors.MissingPackage, match="pip install"):
                answer(query, {"label": "DT"})
    assert [tuple(row) for row in frame.itertuples(index=False)] == list(rows)
    assert [tuple(row.values()) for row in table.to_pylist()] == list(rows)
