"""Sentences are computed from the numbers, and say nothing the numbers do not."""

import math
from collections.abc import Mapping

import numpy as np
import pytest

from clip_tta_core import metrics
from clip_tta_core.records import RunLog
from clip_tta_core.ui.words import run as words

NAMES = tuple("abcdefghijklmnopqrst")
TITLES = {"zero_shot": "Zero-shot CLIP", "tent": "TENT", "cliptta": "CLIPTTA"}


def made(
    right: Mapping[str, list[range]], size: int, batches: int = 1, labels: list[int] | None = None, **curves
) -> RunLog:
    """A log in which each method is right on the pictures of the given ranges, and wrong on all others.

    made({"zero_shot": [range(0, 30)], "tent": [range(10, 60)]}, 64, tent={"auroc": 0.7})
    """
    total = size * batches
    truth = np.arange(total) % len(NAMES) if labels is None else np.array(labels)
    log = RunLog(class_names=NAMES, titles={name: TITLES.get(name, name) for name in right}, total=batches)
    log.sizes, log.labels = [size] * batches, list(map(tuple, truth.reshape(batches, size)))
    log.truth = [tuple(np.bincount(rows, minlength=len(NAMES)).tolist()) for rows in log.labels]
    for name, ranges in right.items():
        correct = np.isin(np.arange(total), [k for part in ranges for k in part])
        answers = np.where(correct, truth, (truth + 1) % len(NAMES))
        log.answers[name] = list(map(tuple, answers.reshape(batches, size)))
        numbers = {"effective_classes": 19.0, **curves.get(name, {})}
        log.series[name] = {curve: [value] * batches for curve, value in numbers.items()}
    return log


def first(count: int) -> list[range]:
    return [range(count)]


# ---- what may be ranked ----


def test_one_picture_in_32_ranks_nobody():
    """14 right against 13, on other pictures: over the whole run it was the other way round."""
    log = made({"zero_shot": first(14), "cliptta": [range(14, 27)]}, 32)
    assert words.sentence(log, 0) == (
        "Too few pictures to tell: of the last 32 pictures, "
        "zero-shot CLIP is right on 43.8% and CLIPTTA on 40.6%."
    )


def test_almost_every_picture_is_not_every_picture():
    """2 of 512 wrong, by all alike: the table says 99.6 %, and so does the sentence."""
    log = made({name: first(510) for name in TITLES}, 64, 8)
    assert words.summary(log) == (
        "Nothing gained, nothing lost: TENT, CLIPTTA and zero-shot CLIP are all right on 99.6% "
        "of all 512 pictures."
    )


def test_the_end_speaks_of_the_whole_run_and_the_middle_of_a_window():
    """A small batch: CLIPTTA gains early on, and loses a little among the last 256 pictures."""
    right = {"zero_shot": [range(0, 60), range(300, 344)], "cliptta": [range(0, 128), range(300, 341)]}
    log = made(right, 8, 48)
    assert words.sentence(log, 47) == (
        "Too few pictures to tell: of the last 256 pictures, "
        "zero-shot CLIP is right on 17.2% and CLIPTTA on 16.0%."
    )
    assert (
        words.summary(log) == "CLIPTTA is right on 44% of all 384 pictures, 17 points above zero-shot CLIP."
    )


def test_sorted_by_class_the_summary_names_both_and_who_is_ahead():
    """The recent pictures favour CLIPTTA, the whole run TENT: the lesson says that TENT is ahead there."""
    right = {
        "zero_shot": first(470),
        "tent": first(580),
        "cliptta": [range(0, 470), range(970, 1024)],
    }
    log = made(right, 64, 16)
    assert words.sentence(log, 15).startswith(
        "CLIPTTA is right on 21% of the last 256 pictures, 21 points above"
    )
    assert words.summary(log) == (
        "TENT is right on 57% of all 1,024 pictures, 11 points above zero-shot CLIP, "
        "and ahead of CLIPTTA (51%)."
    )


def test_two_that_the_pictures_do_not_tell_apart_are_not_ranked():
    right = {"zero_shot": first(300), "tent": first(494), "cliptta": [range(0, 480), range(600, 626)]}
    assert words.summary(made(right, 64, 16)) == (
        "CLIPTTA is right on 49% of all 1,024 pictures, 20 points above zero-shot CLIP; "
        "too few pictures to tell it from TENT (48%)."
    )


def test_ties_are_ties():
    log = made({"zero_shot": first(100), "tent": first(160), "cliptta": first(160)}, 256)
    assert words.summary(log).endswith("above zero-shot CLIP; CLIPTTA is level with it.")
    same = made({"zero_shot": first(100), "tent": first(100)}, 256)
    assert words.summary(same) == (
        "Nothing gained, nothing lost: TENT and zero-shot CLIP are both right on 39% of all 256 pictures."
    )


@pytest.mark.parametrize("differ, ranked", [(7, False), (8, True)])
def test_a_ranking_begins_where_mcnemars_test_is_sure(differ, ranked):
    """Of pictures that only one of the two gets right, 7 to 0 has p = 2 / 128, and 8 to 0 p = 2 / 256."""
    log = made({"zero_shot": first(20), "tent": first(20 + differ)}, 64)
    assert ("above zero-shot CLIP" in words.sentence(log, 0)) == ranked
    assert ("Too few pictures to tell" in words.sentence(log, 0)) != ranked


def test_a_method_that_loses_is_not_praised():
    log = made({"zero_shot": first(240), "tent": first(180), "cliptta": first(200)}, 256)
    assert words.sentence(log, 0) == (
        "Zero-shot CLIP does best: right on 94% of the last 256 pictures, CLIPTTA on 78% and TENT on 70%."
    )


def test_harm_by_one_is_said_where_the_other_is_open():
    log = made({"zero_shot": first(200), "tent": first(100), "cliptta": first(196)}, 256)
    assert words.sentence(log, 0) == (
        "TENT is right on 39% of the last 256 pictures, 39 points below zero-shot CLIP; "
        "too few pictures to tell CLIPTTA from zero-shot CLIP."
    )


def test_no_harm_is_said_where_clip_is_right_already():
    right = {"zero_shot": first(1019), "tent": first(1016), "cliptta": first(1018)}
    assert words.summary(made(right, 64, 16)) == (
        "No harm done: of all 1,024 pictures, "
        "zero-shot CLIP is right on 99.5%, CLIPTTA on 99.4% and TENT on 99.2%."
    )


# ---- collapse ----


def test_a_collapse_and_the_winner_are_named_with_their_numbers():
    right = {"zero_shot": first(36), "tent": first(15), "cliptta": first(82)}
    log = made(right, 256, tent={"effective_classes": 2.6}, cliptta={"effective_classes": 17.0})
    assert words.sentence(log, 0) == (
        "TENT now uses 3 of 20 classes. CLIPTTA is right on 32% of the last 256 pictures, "
        "18 points above zero-shot CLIP; TENT on 6%, 8 points below."
    )
    assert words.summary(log).startswith("TENT ended up using 3 of 20 classes.")


def test_few_classes_are_no_collapse_where_few_were_shown():
    """Sorted by class: of four classes in the window, a method that is right uses four."""
    labels = [k // 16 for k in range(64)]
    right = {"zero_shot": first(30), "tent": first(60)}
    used = {"zero_shot": {"effective_classes": 9.0}, "tent": {"effective_classes": 4.0}}
    assert "uses" not in words.sentence(made(right, 64, labels=labels, **used), 0)
    used["tent"] = {"effective_classes": 1.2}
    log = made(right, 64, labels=labels, **used)
    assert words.sentence(log, 0).startswith("TENT now uses 1 of the 4 that were shown.")


def test_several_that_collapse_are_named_together():
    log = made({"zero_shot": first(30), "tent": first(10), "cliptta": first(10)}, 64)
    for name in ("tent", "cliptta"):
        log.series[name]["effective_classes"] = [2.0]
    assert words.sentence(log, 0).startswith(
        "TENT and CLIPTTA now use less than half of the classes that were shown."
    )


# ---- unknown pictures ----


def with_scores(log: RunLog, pictures: int) -> RunLog:
    """The log as if so many known pictures, and as many unknown ones, had been scored."""
    log.known = log.unknown = {name: [(0.5,) * pictures] for name in log.series}
    return log


def scored(pictures: int, **auroc: float) -> RunLog:
    right = {name: first(250) for name in auroc}
    return with_scores(
        made(right, 256, **{name: {"auroc": value} for name, value in auroc.items()}), pictures
    )


def test_an_auroc_that_fell_comes_before_accuracy():
    """Confident nonsense: accuracy hardly changes, and TENT no longer knows what it does not know."""
    log = scored(200, zero_shot=0.963, tent=0.735, cliptta=0.958)
    assert words.summary(log).startswith(
        "TENT's AUROC fell to 74%, from zero-shot CLIP's 96%; CLIPTTA's is 96%. Nothing gained"
    )
    assert words.sentence(log, 0).startswith("TENT's AUROC fell")


def test_an_auroc_that_rose_names_who_raised_it():
    said = words.summary(scored(500, zero_shot=0.55, tent=0.56, cliptta=0.68))
    assert said.endswith(
        "CLIPTTA separates known from unknown pictures better than zero-shot CLIP: AUROC 68% against 55%."
    )


def test_aurocs_that_the_pictures_do_not_tell_apart_are_not_ranked():
    said = words.summary(scored(60, zero_shot=0.70, cliptta=0.74))
    assert "no method can be told from zero-shot CLIP (AUROC 70%)" in said


def test_an_auroc_of_a_few_pictures_is_not_spoken_of():
    assert "AUROC" not in words.sentence(scored(words.FEW - 1, zero_shot=0.7, cliptta=1.0), 0)
    assert "AUROC" in words.sentence(scored(words.FEW, zero_shot=0.7, cliptta=1.0), 0)


def test_the_error_of_an_auroc_is_that_of_many_draws():
    rng = np.random.default_rng(0)
    draws = [metrics.detection(rng.normal(1, 1, 60), rng.normal(0, 1, 40))["auroc"] for _ in range(800)]
    assert metrics.auroc_error(float(np.mean(draws)), 60, 40) == pytest.approx(np.std(draws), rel=0.12)
    assert metrics.auroc_error(0.5, 1, 1) == 0.5, "one pair is a coin"


# ---- what is not there ----


def test_without_labels_it_speaks_of_changes():
    log = RunLog(class_names=NAMES, titles=TITLES, sizes=[64], total=1)
    log.series = {
        "zero_shot": {"effective_classes": [5.0], "accuracy_window": [math.nan]},
        "tent": {"effective_classes": [4.0], "changed": [0.25], "accuracy_window": [math.nan]},
    }
    # 4 of 20 is a collapse only beside what CLIP itself uses: 4 is not below 80 % of 5.
    said = "TENT has changed 25% of zero-shot CLIP's predictions and uses 4 of 20 classes."
    assert words.sentence(log, 0) == words.summary(log) == said


def test_a_file_without_single_answers_gives_numbers_and_no_ranking():
    log = RunLog(class_names=NAMES, titles=TITLES, sizes=[64], total=1)
    log.series = {"zero_shot": {"accuracy": [0.25]}, "tent": {"accuracy": [0.5]}}
    assert words.summary(log) == "So far zero-shot CLIP is right on 25% and TENT on 50% of the pictures."


def test_alone_zero_shot_clip_says_how_often_it_is_right():
    log = made({"zero_shot": first(32)}, 64, zero_shot={"accuracy": 0.5})
    assert words.sentence(log, 0) == "Zero-shot CLIP is right on 50% of the pictures so far."
    assert words.summary(log) == "Zero-shot CLIP is right on 50% of all 64 pictures."


@pytest.mark.parametrize("step", [-1, 1, 99])
def test_a_step_that_is_not_there_says_nothing(step):
    assert words.sentence(made({"zero_shot": first(3)}, 8), step) == ""


def test_an_empty_log_says_nothing():
    assert words.summary(RunLog()) == ""


def test_an_undefined_number_is_a_dash():
    assert words.percent(math.nan) == "–"
    assert words.percent(0.123) == "12%"


def test_almost_all_is_not_all_and_almost_none_not_none():
    shown = {0.996: "99.6%", 0.9996: "99.96%", 0.003: "0.3%", 1.0: "100%", 0.0: "0%", 0.994: "99%"}
    assert {value: words.percent(value) for value in shown} == shown
    assert words.percent(0.99999) == "100.00%", "there is an end to it"
