"""Sentences are computed from the numbers, and say nothing the numbers do not."""

import math

import pytest

from clip_tta_core.records import RunLog
from clip_tta_core.ui.words import run as words


def log_with(**curves: dict[str, float]) -> RunLog:
    """A log of one step: log_with(tent={"accuracy_window": 0.1}, ...)"""
    titles = {"zero_shot": "CLIP, zero-shot", "tent": "TENT", "cliptta": "CLIPTTA"}
    series = {
        method: {name: [value] for name, value in numbers.items()} for method, numbers in curves.items()
    }
    return RunLog(
        class_names=tuple("abcdefghijklmnopqrst"), titles=titles, series=series, sizes=[64], total=1
    )


def test_a_collapse_and_the_winner_are_named_with_their_numbers():
    log = log_with(
        zero_shot={"accuracy_window": 0.14, "effective_classes": 12.0},
        tent={"accuracy_window": 0.06, "effective_classes": 2.6},
        cliptta={"accuracy_window": 0.32, "effective_classes": 17.0},
    )
    assert words.sentence(log, 0) == (
        "TENT now uses 3 of 20 classes. "
        "CLIPTTA is right on 32% of the recent pictures, 18 points above zero-shot CLIP."
    )


def test_a_method_that_loses_is_not_praised():
    log = log_with(
        zero_shot={"accuracy_window": 0.96, "effective_classes": 19.0},
        tent={"accuracy_window": 0.93, "effective_classes": 19.0},
        cliptta={"accuracy_window": 0.95, "effective_classes": 19.0},
    )
    assert (
        words.sentence(log, 0)
        == "Zero-shot CLIP does best: right on 96% of the recent pictures, CLIPTTA on 95%."
    )


def test_points_agree_with_the_percentages_shown():
    log = log_with(zero_shot={"accuracy_window": 0.144}, tent={"accuracy_window": 0.156})
    assert (
        words.sentence(log, 0)
        == "TENT is right on 16% of the recent pictures, 2 points above zero-shot CLIP."
    )


def test_without_labels_it_speaks_of_changes():
    log = log_with(
        zero_shot={"effective_classes": 5.0, "accuracy_window": math.nan},
        tent={"effective_classes": 4.0, "changed": 0.25, "accuracy_window": math.nan},
    )
    # 4 of 20 is a collapse only beside what CLIP itself uses: 4 is not below 80 % of 5.
    assert (
        words.sentence(log, 0)
        == "TENT has changed 25% of zero-shot CLIP's predictions and uses 4 of 20 classes."
    )


def with_scores(log: RunLog, pictures: int) -> RunLog:
    """The log as if so many known pictures, and as many unknown ones, had been scored."""
    log.known = log.unknown = {name: [(0.5,) * pictures] for name in log.series}
    return log


def test_an_auroc_of_a_few_pictures_is_not_spoken_of():
    numbers = {"accuracy_window": 0.5, "effective_classes": 19.0}
    log = log_with(zero_shot={**numbers, "auroc": 0.7}, cliptta={**numbers, "auroc": 1.0})
    assert "AUROC" not in words.sentence(with_scores(log, words.FEW - 1), 0)
    assert "AUROC" in words.sentence(with_scores(log, words.FEW), 0)


def test_unknowns_are_covered():
    log = log_with(
        zero_shot={"accuracy_window": 0.5, "auroc": 0.7, "effective_classes": 19.0},
        cliptta={"accuracy_window": 0.5, "auroc": 0.84, "effective_classes": 19.0},
    )
    said = words.sentence(with_scores(log, 20), 0)
    assert "CLIPTTA separates known from unknown images best: AUROC 84%, zero-shot CLIP 70%." in said


@pytest.mark.parametrize("step", [-1, 1, 99])
def test_a_step_that_is_not_there_says_nothing(step):
    assert words.sentence(log_with(zero_shot={"accuracy": 0.5}), step) == ""


def test_an_undefined_number_is_a_dash():
    assert words.percent(math.nan) == "–"
    assert words.percent(0.123) == "12%"
