"""The cursor's arithmetic and the registry of actions."""

from __future__ import annotations

from collections import Counter

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from embryo_tui.actions import ACTIONS, EVERYWHERE, after, find, for_screen
from embryo_tui.deeds import Deeds
from embryo_tui.look import Look, World
from embryo_tui.screens.registry import SCREENS
from embryo_tui.steps import around, at_or_before, move, settle

saved = st.lists(st.integers(0, 10_000), min_size=1, max_size=50, unique=True).map(
    lambda steps: np.array(sorted(steps))
)


@given(saved, st.integers(0, 10_000), st.integers(-60, 60))
def test_a_move_ends_on_a_saved_step_and_goes_the_right_way(steps: np.ndarray, start: int, by: int) -> None:
    begin = settle(steps, start)
    end = move(steps, begin, by)
    assert end in steps
    assert (end - begin) * by >= 0
    if 0 <= list(steps).index(begin) + by < len(steps):
        assert move(steps, end, -by) == begin


@given(saved, st.integers(0, 10_000))
def test_what_stands_in_for_a_step_is_the_nearest_earlier_one(steps: np.ndarray, step: int) -> None:
    earlier = [saved_step for saved_step in steps.tolist() if saved_step <= step]
    assert at_or_before(steps, step) == (max(earlier) if earlier else None)


def test_prefetch_takes_the_nearest_first_and_looks_ahead_of_behind() -> None:
    assert around(np.arange(0, 100, 10), 50, 2, 3) == [60, 40, 70, 30, 80]


def test_no_key_means_two_things_on_one_screen() -> None:
    for view in SCREENS:
        keys = Counter(key for action in for_screen(view.key) for key in action.keys)
        keys.update(str(number) for number in range(1, len(SCREENS) + 1))
        assert [key for key, times in keys.items() if times > 1] == []


def test_every_action_has_an_id_of_its_own_and_someone_who_carries_it_out() -> None:
    assert len({action.id for action in ACTIONS}) == len(ACTIONS)
    for action in ACTIONS:
        assert find(action.id) is action
        if action.change is None and action.where == EVERYWHERE:
            assert hasattr(Deeds, action.id)


def test_actions_change_nothing_where_there_is_nothing_to_choose_from() -> None:
    for action in ACTIONS:
        if action.change is not None:
            assert isinstance(action.change(Look(), World()), Look)


def test_choices_go_round() -> None:
    assert after(("a", "b"), "b") == "a"
    assert after(("a", "b"), "c") == "a"
    assert after((), "c") == "c"
