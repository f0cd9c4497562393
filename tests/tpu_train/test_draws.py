"""Keyed numbers and permutations: what every replayed batch rests on."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from tpu_train import draws


@settings(max_examples=60, deadline=None)
@given(size=st.integers(1, 3000), seed=st.integers(0, 2**40))
def test_a_permutation_goes_to_every_place_once(size: int, seed: int) -> None:
    sent = draws.permuted(np.arange(size), size, draws.fold(seed, 1))
    assert sorted(sent.tolist()) == list(range(size))


def test_permutations_of_two_epochs_differ_and_mix() -> None:
    first, second = (draws.permuted(np.arange(5000), 5000, draws.fold(7, epoch)) for epoch in (0, 1))
    assert (first == second).mean() < 0.01
    assert abs(np.corrcoef(np.arange(5000), first)[0, 1]) < 0.05


def test_a_draw_depends_on_its_own_key_alone() -> None:
    keys = draws.fold(3, np.arange(100))
    together = draws.uniform(keys, 50)
    np.testing.assert_array_equal(together[17:18], draws.uniform(keys[17:18], 50))
    np.testing.assert_array_equal(together[:, :20], draws.uniform(keys, 20))


def test_draws_are_uniform_over_counters_and_over_keys() -> None:
    table = draws.uniform(draws.fold(draws.fold(11, 5), np.arange(400)), 500)
    assert table.min() >= 0
    assert table.max() < 1
    for shares in (np.histogram(table, bins=20, range=(0, 1))[0] / table.size,):
        np.testing.assert_allclose(shares, 0.05, atol=4 * np.sqrt(0.05 / table.size))
    assert abs(np.corrcoef(table[:-1].ravel(), table[1:].ravel())[0, 1]) < 0.01
    assert abs(np.corrcoef(table[:, :-1].ravel(), table[:, 1:].ravel())[0, 1]) < 0.01
