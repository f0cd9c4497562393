"""Learning rates and saved steps, against the formulas in float64, and the paper's own numbers."""

import numpy as np
import pytest

from tpu_train import explain, recipe
from tpu_train.recipe import Optimizer, Piece, Save
from tpu_train.schedule import learning_rate, saved_steps


def test_the_learning_rate_is_the_released_one() -> None:
    settings = Optimizer("lamb", learning_rate=0.00176, warmup_steps=3125)
    steps = np.arange(125_001)
    mine = np.array([learning_rate(int(step), 125_000, settings) for step in steps])
    warm = 0.00176 * steps / 3125
    decayed = 0.00176 * (1 - steps / 125_000)
    reference = np.where(steps < 3125, warm, decayed)
    np.testing.assert_allclose(mine, reference, rtol=1e-12)
    assert mine[3124] > mine[3125]  # the decay began at step 0: the rate jumps down where it takes over
    assert mine[0] == mine[125_000] == 0


def test_the_rate_ends_where_it_is_told_to() -> None:
    settings = Optimizer("adamw", learning_rate=1.0, warmup_steps=0, end_learning_rate=0.2)
    assert learning_rate(0, 10, settings) == 1.0
    assert learning_rate(5, 10, settings) == pytest.approx(0.6)
    assert learning_rate(10, 10, settings) == pytest.approx(0.2)


def test_the_papers_numbers_are_derived() -> None:
    base = recipe.load("albert-base")
    assert base.optimizer.learning_rate == pytest.approx(0.00176 * np.sqrt(512 / 4096), rel=1e-9)
    told = explain.explain(base, 16e9)
    for number in (
        "11,813,810",
        "6.222539674e-04",
        "1,000,000 steps",
        "25,000",
        "3.9%",
        "77 would mask 15.0%",
    ):
        assert number in told
    assert "77 of 512 tokens = 15.0%" in explain.explain(
        recipe.load("albert-base", {"data.max_predictions": 77}), 16e9
    )


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("bert-base", ["110,106,428", "128 tokens, 900,000 steps", "512 tokens, 100,000 steps", "77 of 512"]),
        ("electra-base", ["109,483,009 discriminator", "33,740,602 generator", "77 of 512", "[MASK] 85%"]),
    ],
)
def test_other_families_are_explained(name: str, told: list[str]) -> None:
    text = explain.explain(recipe.load(name), 16e9)
    for number in told:
        assert number in text


def test_electras_warm_up_is_multiplied_with_its_decay() -> None:
    settings = Optimizer("adamw", learning_rate=2e-4, warmup_steps=10_000, warmup="multiplies")
    steps = np.arange(766_001)
    mine = np.array([learning_rate(int(step), 766_000, settings) for step in steps])
    reference = 2e-4 * (1 - steps / 766_000) * np.minimum(1, steps / 10_000)
    np.testing.assert_allclose(mine, reference, rtol=1e-12)


def test_every_recipe_that_comes_along_is_sound() -> None:
    assert len(recipe.names()) == 9
    for name in recipe.names():
        loaded = recipe.load(name)
        assert loaded.name == name
        assert saved_steps(loaded.save, loaded.training.steps)[0] == 0
        assert explain.explain(loaded, 1e9)
        assert recipe.from_json(recipe.to_json(loaded), name) == loaded


def test_base_saves_early_steps_densely_and_some_230_in_all() -> None:
    base = recipe.load("albert-base")
    steps = saved_steps(base.save, base.training.steps)
    assert steps[:12] == (0, 1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1000)
    assert {1000, 2000, 20_000, 25_000, 995_000, 1_000_000} <= set(steps)
    assert len(steps) == 227
    assert "1,000 … 20,000 by 1,000, 25,000 … 1,000,000 by 5,000" in explain.plan(base, None)


def test_the_last_step_is_always_saved_and_none_beyond_it() -> None:
    assert saved_steps(Save((0, 3, 50), (Piece(20, 8),)), 21) == (0, 3, 8, 16, 21)


def test_tiny_keeps_thirty_steps_or_more_from_zero() -> None:
    tiny = recipe.load("albert-tiny")
    steps = saved_steps(tiny.save, tiny.training.steps)
    assert len(steps) >= 30
    assert steps[0] == 0


def test_a_schedule_that_goes_on_far_beyond_the_run() -> None:
    assert saved_steps(Save((0,), (Piece(until=10**15, every=2),)), 6) == (0, 2, 4, 6)
