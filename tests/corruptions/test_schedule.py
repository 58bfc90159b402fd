"""Schedules: what each promises, on streams short and long."""

import re
from collections import Counter

import pytest

from clip_tta_core.corruptions import CORRUPTIONS
from clip_tta_core.corruptions.schedule import SCHEDULES, plan

STANDARD = list(CORRUPTIONS)[:15]


def test_schedules_introduce_themselves():
    assert list(SCHEDULES) == ["constant", "in_turn", "gradual", "random", "mixed", "change"]
    assert len({schedule.title for schedule in SCHEDULES.values()}) == 6
    assert all(
        schedule.meaning.endswith(".") and "\n" not in schedule.meaning for schedule in SCHEDULES.values()
    )


@pytest.mark.parametrize("schedule", SCHEDULES)
@pytest.mark.parametrize("n", [0, 1, 2, 7, 135, 1000])
def test_plans_are_as_long_as_the_stream_and_name_known_corruptions(schedule, n):
    steps = plan(schedule, "fog", 4, n, seed=3)
    assert len(steps) == n
    assert all(
        name in CORRUPTIONS and 1 <= severity <= 4 or (name, severity) == ("none", 0)
        for name, severity in steps
    )


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_plans_repeat_from_their_seed(schedule):
    assert plan(schedule, "snow", 5, 100, seed=1) == plan(schedule, "snow", 5, 100, seed=1)


def test_constant_is_one_corruption():
    assert plan("constant", "fog", 3, 4) == [("fog", 3)] * 4
    assert plan("constant", "none", 3, 4) == [("none", 0)] * 4


def test_in_turn_gives_the_fifteen_equal_stretches_in_order():
    steps = plan("in_turn", "none", 5, 150)
    assert steps == [(name, 5) for name in STANDARD for _ in range(10)]
    stretches = Counter(name for name, _ in plan("in_turn", "none", 5, 100)).values()
    assert set(stretches) == {6, 7}


def test_gradual_rises_and_falls_before_the_next():
    steps = plan("gradual", "none", 5, 135)
    assert [severity for _, severity in steps] == [1, 2, 3, 4, 5, 4, 3, 2, 1] * 15
    assert [name for name, _ in steps[::9]] == STANDARD


def test_gradual_rises_to_the_chosen_severity_only():
    assert [severity for _, severity in plan("gradual", "none", 1, 15)] == [1] * 15
    assert [severity for _, severity in plan("gradual", "none", 3, 75)][:5] == [1, 2, 3, 2, 1]


def test_random_uses_all_fifteen_and_the_seed_decides():
    first = plan("random", "none", 2, 600, seed=0)
    counts = Counter(name for name, _ in first)
    assert set(counts) == set(STANDARD) and min(counts.values()) > 20
    assert first != plan("random", "none", 2, 600, seed=1)
    assert first[:50] == plan("random", "none", 2, 50, seed=0)  # a longer stream starts alike


def test_change_is_clean_up_to_the_middle():
    assert plan("change", "fog", 5, 6) == [("none", 0)] * 3 + [("fog", 5)] * 3


def test_wrong_words_raise_one_sentence():
    with pytest.raises(ValueError, match="^Unknown schedule 'gradul'. Did you mean 'gradual'?"):
        plan("gradul", "fog", 5, 10)
    with pytest.raises(ValueError, match="^Unknown corruption 'snwo'. Did you mean 'snow'?"):
        plan("constant", "snwo", 5, 10)
    for severity in (0, 6, 2.0, True):
        sentence = f"plan: severity must be a whole number from 1 to 5, got {severity}."
        with pytest.raises(ValueError, match=f"^{re.escape(sentence)}$"):
            plan("gradual", "fog", severity, 10)


@pytest.mark.parametrize("n", [7, 150, 1000])
def test_mixed_is_what_comes_in_turn_in_another_order(n):
    mixed, in_turn = plan("mixed", "none", 5, n, seed=2), plan("in_turn", "none", 5, n)
    assert Counter(mixed) == Counter(in_turn) and mixed != in_turn
    assert mixed != plan("mixed", "none", 5, n, seed=3)
