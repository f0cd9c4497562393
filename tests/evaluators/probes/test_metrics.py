"""F1 by hand, intervals, mistakes, and the control task."""

import numpy as np
import pytest

from evaluators.probes.control import control_labels
from evaluators.probes.metrics import commonest_mistakes, confusion, f1_by_label, majority_label, micro_f1

GOLD = np.array([0, 0, 0, 1, 1, 2, 2, 2, 2, 3])
GUESS = np.array([0, 0, 1, 1, 2, 2, 2, 2, 0, 2])
SENTENCE = np.array([0, 0, 1, 1, 1, 2, 2, 3, 3, 3])
ALL = np.ones(4, dtype=np.bool_)


def test_micro_f1_over_all_labels_is_accuracy() -> None:
    (score,) = micro_f1(GOLD, [GUESS], SENTENCE, ALL)
    assert score.value == pytest.approx(6 / 10)
    assert score.n == 10
    assert score.low < score.value < score.high


def test_micro_f1_over_some_labels_counts_what_was_predicted_and_what_was_gold_among_them() -> None:
    among = np.array([True, True, False, False])
    (score,) = micro_f1(GOLD, [GUESS], SENTENCE, among)
    # Gold among {0, 1}: 5. Predicted among them: 5 (three times 0, twice 1). Right: 3.
    assert score.value == pytest.approx(2 * 3 / (5 + 5))
    assert score.n == 5
    (never,) = micro_f1(GOLD, [np.full(10, 2)], SENTENCE, np.array([False, False, False, True]))
    assert (never.value, never.n) == (0.0, 1)


def test_f1_by_label_against_a_count_by_hand() -> None:
    table = confusion(GOLD, GUESS, 4)
    assert table.tolist() == [[2, 1, 0, 0], [0, 1, 1, 0], [1, 0, 3, 0], [0, 0, 1, 0]]
    found = f1_by_label(table)
    # 0: precision 2/3, recall 2/3. 1: 1/2, 1/2. 2: 3/5, 3/4. 3: never predicted.
    assert found == {0: (pytest.approx(2 / 3), 3), 1: (0.5, 2), 2: (pytest.approx(2 / 3), 4), 3: (0.0, 1)}
    assert commonest_mistakes(table, 2) == [(0, 1, 1), (1, 2, 1)]
    assert len(commonest_mistakes(table, 50)) == 4
    assert majority_label(GOLD) == 2


def test_the_interval_is_that_of_sentences_not_of_targets() -> None:
    """Forty sentences of ten targets that are right or wrong together: as wide as for forty targets."""
    right = np.arange(40) % 2 == 0
    gold = np.zeros(400, dtype=np.int64)
    together, apart = np.repeat(~right, 10).astype(np.int64), np.tile(~right[:10], 40).astype(np.int64)
    sentence = np.repeat(np.arange(40), 10)
    clustered, spread = micro_f1(gold, [together, apart], sentence, np.ones(2, dtype=np.bool_))
    assert clustered.value == spread.value == 0.5
    assert clustered.stderr == pytest.approx(np.sqrt(0.25 / 40), rel=0.1)
    assert spread.stderr == pytest.approx(0, abs=1e-9)


def test_ninety_five_of_a_hundred_intervals_hold_the_true_value() -> None:
    random = np.random.default_rng(0)
    held = 0
    for trial in range(200):
        guess = (random.random(300) > 0.7).astype(np.int64)
        (score,) = micro_f1(
            np.zeros(300, np.int64), [guess], np.arange(300), np.ones(2, np.bool_), seed=trial
        )
        held += score.low <= 0.7 <= score.high
    assert 180 <= held <= 199


def test_a_control_tag_belongs_to_the_word_alone_and_follows_the_tags_shares() -> None:
    train = np.repeat([0, 2, 5], [50, 30, 20])
    forms = [f"word{i}" for i in range(20_000)]
    found = control_labels(forms, train, 0)
    shares = np.bincount(found, minlength=6) / len(found)
    assert shares == pytest.approx([0.5, 0, 0.3, 0, 0, 0.2], abs=0.02)
    assert control_labels(forms[500:600][::-1], train, 0).tolist() == found[500:600][::-1].tolist()
    assert (control_labels(forms, train, 1) != found).mean() > 0.5
