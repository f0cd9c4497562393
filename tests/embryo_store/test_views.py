"""What follows from the tables: probes, GLUE, sentences asked, what is missing, suspects, events."""

from collections.abc import Callable, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

import embryo_store

Rows = Callable[[str], list[tuple[Any, ...]]]


def test_probes_stand_by_layer_and_mistakes_apart(rich_rows: Rows) -> None:
    found = rich_rows(
        "SELECT layer, value FROM probe_curve WHERE run = 'small' AND step = 100 AND metric = 'f1' ORDER BY 1"
    )
    assert [layer for layer, _ in found] == [0, 1, 2]
    assert [value for _, value in found] == pytest.approx([0.3, 0.4, 0.5])
    assert rich_rows("SELECT DISTINCT metric FROM probe_curve ORDER BY 1") == [("f1",), ("majority",)]
    assert rich_rows(
        "SELECT gold, predicted, layer, n, n_gold FROM confusion WHERE run = 'small' AND step = 0"
    ) == [("NN", "JJ", 1, 7, 50)]


def test_glue_takes_the_paper_s_metric_of_each_task_and_scores_whole_sets_only(
    world: ModuleType, rich_rows: Rows, tmp_path: Path
) -> None:
    tasks = dict(rich_rows("SELECT task, value FROM glue_task WHERE step = 200"))
    assert tasks.pop("mnli") == pytest.approx(75)
    assert tasks.pop("squad2") == pytest.approx(80)
    assert tasks == {
        name: pytest.approx(70) for name in ("cola", "sst2", "mrpc", "stsb", "qqp", "qnli", "rte")
    }
    assert rich_rows("SELECT score FROM glue_score WHERE step = 200")[0][0] == pytest.approx(
        (7 * 70 + 75) / 8
    )
    path = tmp_path / "results.duckdb"
    commit = world.glue_commit(0, 0.5)
    embryo_store.commit(path, world.replace(commit, evaluations=commit.evaluations[:3]))
    with embryo_store.read(path) as reader:
        assert reader.sql("SELECT score, tasks FROM glue_score").rows == ((None, ["cola", "mrpc", "sst2"]),)


def test_a_sentence_asked_is_answered_at_every_mask_and_asked_again_is_replaced(
    world: ModuleType, tmp_path: Path
) -> None:
    path = tmp_path / "results.duckdb"
    embryo_store.commit(path, world.cloze_commit(0))
    query = "SELECT position, place, token, logp FROM cloze_top WHERE place <= 2 ORDER BY position, place"
    with embryo_store.read(path) as reader:
        assert reader.sql(query).rows == (
            (1, 1, "paris", -0.25), (1, 2, "[CLS]", -1.25), (2, 1, "rome", -0.25), (2, 2, "[CLS]", -1.25),
        )  # fmt: skip
    embryo_store.commit(path, world.cloze_commit(0, ("oslo", "bern")))
    embryo_store.commit(path, world.cloze_commit(100))
    with embryo_store.read(path) as reader:
        assert reader.sql("SELECT step, list(token ORDER BY position) FROM cloze_top WHERE place = 1 "
                          "GROUP BY step ORDER BY step").rows == (
            (0, ["oslo", "bern"]), (100, ["paris", "rome"]),
        )  # fmt: skip


def test_the_paper_s_numbers_are_there_and_one_s_own_stay(world: ModuleType, rich_rows: Rows) -> None:
    (nouns,) = rich_rows("SELECT value, source FROM baselines WHERE label = 'noun'")
    assert nouns == (29544, "Chiang et al. 2020, table 3")
    # The paper's own sums: all verb forms of table 4 are table 3's verbs, all relations of table 8 its facts.
    forms = rich_rows("SELECT sum(value) FROM baselines WHERE source LIKE '%table 4'")
    assert forms == [(21405,)]
    assert rich_rows("SELECT sum(value), count(*) FROM baselines WHERE source LIKE '%table 8'") == [
        (20627, 25)
    ]


def test_what_was_done_elsewhere_is_missing_here(rich_rows: Rows) -> None:
    found = rich_rows("SELECT run, task, count(*) FROM unevaluated GROUP BY ALL ORDER BY ALL")
    assert ("long", "lama", 2 * 41) in found
    assert ("small", "mask-predict", 3) not in found
    assert {run for run, _, _ in found} == {"long"}


def test_a_wrong_file_is_suspect_and_nothing_else(world: ModuleType, rich_rows: Rows) -> None:
    found = rich_rows("SELECT run, step, curves_far, curves, metrics FROM suspect_checkpoints")
    assert found == [("long", world.WRONG_STEP, 4, 5, ["mask-predict accuracy", "probe-pos f1"])]


@pytest.fixture
def events_of(small_connection: Any) -> Callable[[Sequence[float]], dict[str, int]]:
    """The events of one curve, given by its values at steps 0, 1, 2 …, by kind."""

    def found(values: Sequence[float]) -> dict[str, int]:
        small_connection.execute("DELETE FROM metrics")
        for step, value in enumerate(values):
            small_connection.execute(
                "INSERT INTO metrics (run, step, task, dataset, protocol, seed, metric, label, value) "
                "VALUES ('r', ?, 't', '', 'paper', 0, 'm', 'all', ?)",
                [step, value],
            )
        return dict(small_connection.execute("SELECT kind, step FROM events").fetchall())

    return found


def test_events_of_a_curve_stand_where_they_are_defined(events_of: Callable[..., dict[str, int]]) -> None:
    rising = [*range(0, 161, 8), 128, *range(144, 161, 4)]
    assert events_of(rising) == {"onset": 2, "plateau": 22, "dip": 21, "best": 20}
    falling = [1000 - value for value in rising]
    assert events_of(falling) == events_of(rising)
    assert events_of([0.0, 1.0, 0.0, 1.0, 0.1, 1.0, 0.2]) == {}
    assert events_of([1.0]) == {}
