"""Choosing steps, and the order that fills curves in."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evaluators.errors import InputError
from evaluators.steps import Steps, coarse_to_fine

SAVED = [0, 1, 2, 4, 8, 100, 200, 300]


@pytest.mark.parametrize(
    ("text", "chosen"),
    [
        ("0:300:100", [0, 100, 200, 300]),
        ("1:9:1", [1, 2, 4, 8]),
        ("0:8", [0, 1, 2, 4, 8]),
        ("0:1_000:200", [0, 200]),
    ],
)
def test_a_range_includes_its_end_and_skips_absent_steps(text: str, chosen: list[int]) -> None:
    assert list(Steps.parse_range(text).of(SAVED)) == chosen


@pytest.mark.parametrize("text", ["5", "1:2:3:4", "a:b", "10:5:1", "0:10:0", ""])
def test_other_ranges_are_refused(text: str) -> None:
    with pytest.raises(InputError, match="--steps"):
        Steps.parse_range(text)


def test_a_step_that_no_run_has_is_refused_with_the_nearest_ones() -> None:
    with pytest.raises(InputError, match=r"Step 150 was not saved. Nearest: a has 100 and 200; b has 7\."):
        Steps(single=(150,)).check({"a": SAVED, "b": [7]})
    Steps(single=(7,)).check({"a": SAVED, "b": [7]})
    with pytest.raises(InputError, match="a has 8 from 0 to 300"):
        Steps.parse_range("400:500:1").check({"a": SAVED})


@given(st.lists(st.integers(0, 10**6), unique=True, max_size=200))
def test_levels_hold_every_step_once_and_begin_with_the_whole_width(steps: list[int]) -> None:
    ordered = sorted(steps)
    levels = coarse_to_fine(ordered)
    assert sorted(step for level in levels for step in level) == ordered
    if len(ordered) > 1:
        assert set(levels[0]) == {ordered[0], ordered[-1]}
    places = {step: place for place, step in enumerate(ordered)}
    reach = len(ordered) - 1
    shown: list[int] = []
    for level in levels:
        shown = sorted([*shown, *(places[step] for step in level)])
        gaps = [after - before for before, after in pairwise(shown)]
        assert max(gaps, default=0) <= reach + 1, "every level halves the gaps that the one before it left"
        reach = reach / 2
