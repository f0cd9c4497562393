"""Masks against the released procedure, written out slowly, and against what they promise."""

import random
from collections import Counter

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tpu_train import draws, masking
from tpu_train.recipe import Data

LENGTH = 64
DATA = Data(length=LENGTH, max_predictions=20)


def sequences(
    count: int, seed: int, words: float = 0.7
) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.int64]]:
    """Word starts and segments of ``[CLS] A [SEP] B [SEP]`` with A and B of equal length."""
    half = (LENGTH - 3) // 2
    segments = np.zeros((count, LENGTH), dtype=np.int64)
    segments[:, 1 : 1 + half] = 1
    segments[:, 2 + half : 2 + 2 * half] = 2
    starts = np.random.default_rng(seed).random((count, LENGTH)) < words
    starts[:, [1, 2 + half]] = True
    return starts & (segments > 0), segments


def released(
    starts: npt.NDArray[np.bool_], segments: npt.NDArray[np.int64], data: Data, draw: random.Random
) -> set[int]:
    """``create_masked_lm_predictions`` of google-research/albert, from its definition, for one sequence."""
    words: list[list[int]] = []
    for position in np.flatnonzero(segments):
        if starts[position]:
            words.append([])
        words[-1].append(int(position))
    length = int(segments.astype(bool).sum()) + 3
    wanted = min(data.max_predictions, max(1, round(length * data.masked_share)))
    chances = [1 / n for n in range(1, data.ngram + 1)]
    places = list(range(len(words)))
    draw.shuffle(places)
    covered: set[int] = set()
    for place in places:
        if len(covered) >= wanted:
            break
        available = min(data.ngram, len(words) - place)
        n = draw.choices(range(1, available + 1), chances[:available])[0]
        while n and len(covered) + sum(map(len, words[place : place + n])) > wanted:
            n -= 1
        taken = {position for word in words[place : place + n] for position in word}
        if n and not taken & covered:
            covered |= taken
    return covered


def run_lengths(chosen: npt.NDArray[np.bool_]) -> Counter[int]:
    """How often each number of neighbouring chosen tokens stands in the rows."""
    found: Counter[int] = Counter()
    for row in chosen:
        edges = np.flatnonzero(np.diff(np.concatenate(([0], row.astype(int), [0]))))
        found.update((edges[1::2] - edges[::2]).tolist())
    return found


def test_masks_are_distributed_as_the_released_procedure_makes_them() -> None:
    count = 6000
    starts, segments = sequences(count, seed=1)
    lengths = np.full(count, 63)
    mine = masking.choose(starts, segments, lengths, draws.fold(5, np.arange(count)), DATA)
    draw = random.Random(2)
    theirs = np.zeros_like(mine)
    for row in range(count):
        theirs[row, list(released(starts[row], segments[row], DATA, draw))] = True
    assert mine.sum(axis=1).mean() == pytest.approx(theirs.sum(axis=1).mean(), abs=0.02)
    a, b = run_lengths(mine), run_lengths(theirs)
    total = sum(a.values())
    for size in range(1, 8):
        spread = 4 * np.sqrt(2 * max(a[size], 1)) / total
        assert a[size] / total == pytest.approx(b[size] / sum(b.values()), abs=spread)
    np.testing.assert_allclose(mine.mean(axis=0), theirs.mean(axis=0), atol=4 * np.sqrt(2 * 0.15 / count))


def test_ngrams_follow_one_over_n() -> None:
    np.testing.assert_allclose(masking.ngram_distribution(DATA), [6 / 11, 3 / 11, 2 / 11])
    longest = Data(length=LENGTH, max_predictions=20, favor_shorter_ngrams=False)
    np.testing.assert_allclose(masking.ngram_distribution(longest), [2 / 11, 3 / 11, 6 / 11])


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 10**6),
    words=st.floats(0.2, 1.0),
    ngram=st.integers(1, 4),
    limit=st.integers(1, 20),
    cross=st.booleans(),
)
def test_words_are_whole_and_limits_hold(
    seed: int, words: float, ngram: int, limit: int, cross: bool
) -> None:
    data = Data(length=LENGTH, max_predictions=limit, ngram=ngram, ngrams_cross_segments=cross)
    starts, segments = sequences(20, seed, words)
    chosen = masking.choose(starts, segments, np.full(20, 63), draws.fold(seed, np.arange(20)), data)
    assert not chosen[segments == 0].any()
    assert (chosen.sum(axis=1) <= min(limit, 9)).all()
    word_of = np.cumsum(starts, axis=1)
    for row in range(20):
        inside = segments[row] > 0
        for word in np.unique(word_of[row, inside]):
            assert len(set(chosen[row, inside & (word_of[row] == word)])) == 1


def test_exactly_the_wanted_number_is_masked_where_words_are_single_pieces() -> None:
    starts, segments = sequences(200, 3, words=1.0)
    chosen = masking.choose(starts, segments, np.full(200, 63), draws.fold(1, np.arange(200)), DATA)
    assert set(chosen.sum(axis=1).tolist()) == {round(63 * 0.15)}


def test_ngrams_stay_in_their_segment_if_told_so() -> None:
    count = 6000
    starts, segments = sequences(count, 6, words=1.0)
    half = (LENGTH - 3) // 2

    def bridged(cross: bool) -> float:
        """How often the last word of A and the first of B are both chosen, as against neighbours inside A."""
        data = Data(length=LENGTH, max_predictions=2, ngram=2, ngrams_cross_segments=cross)
        chosen = masking.choose(starts, segments, np.full(count, 63), draws.fold(1, np.arange(count)), data)
        over = (chosen[:, half] & chosen[:, half + 2]).sum()
        inside = (chosen[:, 1 : half - 1] & chosen[:, 2:half]).sum() / (half - 2)
        return float(over / inside)

    assert bridged(cross=True) == pytest.approx(1.0, abs=0.5)
    assert bridged(cross=False) < 0.3


def test_eight_tenths_become_masks_one_tenth_is_random_one_tenth_stays() -> None:
    rows = 4000
    ids = np.random.default_rng(0).integers(5, 500, (rows, LENGTH))
    starts, segments = sequences(rows, 4)
    keys = draws.fold(9, np.arange(rows))
    chosen = masking.choose(starts, segments, np.full(rows, 63), keys, DATA)
    ordinary = np.arange(5, 500)
    positions, used = masking.in_order(chosen, DATA.max_predictions)
    made = masking.apply(ids, positions, used, keys, DATA, mask_id=4, ordinary=ordinary)
    np.testing.assert_array_equal(made.ids[~chosen], ids[~chosen])
    before, after = ids[chosen], made.ids[chosen]
    spread = 4 * np.sqrt(0.16 / len(before))
    assert (after == 4).mean() == pytest.approx(0.8, abs=spread)
    assert (after == before).mean() == pytest.approx(0.1 + 0.1 / 495, abs=spread)
    others = after[(after != 4) & (after != before)]
    assert len(others) / len(before) == pytest.approx(0.1 * 494 / 495, abs=spread)
    assert others.min() >= 5
    assert np.histogram(others, bins=5)[0].std() / (len(others) / 5) < 0.1
    used = made.weights.astype(bool)
    rows_of = np.broadcast_to(np.arange(rows)[:, None], used.shape)[used]
    np.testing.assert_array_equal(ids[rows_of, made.positions[used]], made.labels[used])
    assert used.sum() == chosen.sum()


def test_a_mask_depends_on_its_own_key_alone() -> None:
    starts, segments = sequences(64, 8)
    keys = draws.fold(2, np.arange(64))
    together = masking.choose(starts, segments, np.full(64, 63), keys, DATA)
    alone = masking.choose(starts[9:10], segments[9:10], np.full(1, 63), keys[9:10], DATA)
    np.testing.assert_array_equal(together[9:10], alone)


def test_positions_drawn_twice_are_uniform_and_independent() -> None:
    rows = 4000
    inside = np.zeros((rows, LENGTH), dtype=bool)
    inside[:, [1, 2, 5, 6, 9, 10, 11, 20, 30, 40]] = True
    data = Data(length=LENGTH, max_predictions=4, masked_share=0.25, masked_twice=True)
    lengths = np.full(rows, 12)
    keys = draws.fold(3, np.arange(rows))
    positions, used = masking.drawn_twice(inside, lengths, keys, data)
    assert used.sum(axis=1).tolist() == [3] * rows
    counts = np.bincount(positions[used], minlength=LENGTH)
    assert set(np.flatnonzero(counts)) == set(np.flatnonzero(inside[0]))
    assert counts[counts > 0] == pytest.approx(rows * 3 / 10, abs=5 * np.sqrt(rows * 0.3))
    twice = np.mean([len(set(row[:3])) < 3 for row in positions])
    assert twice == pytest.approx(1 - 0.9 * 0.8, abs=0.035)


def test_a_token_chosen_twice_is_masked_if_either_choice_says_so() -> None:
    ids = np.arange(100, 140, dtype=np.int64)[None].repeat(2000, axis=0)
    positions = np.full((2000, 2), 7)
    data = Data(length=40, max_predictions=2, replaced_by_mask=0.5, replaced_by_random=0.0)
    keys = draws.fold(3, np.arange(2000))
    made = masking.apply(ids, positions, np.ones((2000, 2), bool), keys, data, 4, np.arange(5, 90))
    assert (made.labels == 107).all()
    assert (made.ids[:, 7] == 4).mean() == pytest.approx(0.75, abs=0.05)
