"""A log says of a run what its reports said."""

from __future__ import annotations

import dataclasses
import io
import math

import numpy as np
import pytest
from PIL import Image

from clip_tta_core import metrics, thumbnails
from clip_tta_core.records import Batch, Outcome, Report, RunLog


def report(number: int = 1, losses=(), scores=(0.1, 0.2, 0.3, 0.4), notes=()) -> Report:
    """Four pictures: classes 0, 1, one without a label, one unknown; predicted 0, 0, 2, 1."""
    batch = Batch(
        np.zeros((4, 8, 8, 3), np.uint8),
        np.array([0, 1, -1, -1]),
        tuple("abcd"),
        np.array([False, False, False, True]),
        ("",) * 4,
    )
    probs = np.eye(3, dtype=np.float32)[[0, 0, 2, 1]]
    outcome = Outcome(
        probs, probs, np.array(scores, dtype=np.float32), 0.25, dict(losses), {"accuracy": 0.5}, 2.0
    )
    return Report(number, 3, batch, {"tent": outcome}, "cpu", tuple(notes))


def test_predicted_classes_are_counted_over_the_pictures_that_belong_to_one():
    log = RunLog()
    log.append(report(), 1.0)
    assert log.predicted["tent"] == [(2, 0, 1)]  # the unknown picture's answer is left out
    assert log.truth == [(1, 1, 0)]
    assert log.labelled and log.has_unknowns and log.sizes == [4]
    assert log.known["tent"] == [pytest.approx((0.1, 0.2, 0.3))] and log.unknown["tent"] == [(0.4,)]


def test_a_curve_that_starts_late_or_pauses_keeps_its_place():
    log = RunLog()
    for step, losses in enumerate(({}, {"loss": 1.5}, {}), start=1):
        log.append(report(step, losses), float(step))
    late, *others = log.series["tent"]["loss"], log.series["tent"]["accuracy"]
    assert math.isnan(late[0]) and late[1] == 1.5 and math.isnan(late[2]) and others == [[0.5] * 3]
    assert list(log.series["tent"]) == ["accuracy", "threshold", "seconds", "loss"]  # as they came


def test_scores_keep_their_digits_however_small_they_are():
    log = RunLog()
    log.append(report(scores=(0.001001, 0.001002, 0.001003, -123.4567)), 1.0)
    assert log.known["tent"] == [(0.001001, 0.001002, 0.001003)]
    assert log.unknown["tent"] == [(-123.457,)]


def test_a_source_that_was_opened_says_what_its_labels_mean():
    log = RunLog(class_names=("red", "green", "blue", "a fourth"))
    log.append(report(), 1.0)
    assert log.class_names == ("red", "green", "blue", "a fourth"), "where a report says nothing"
    log.append(dataclasses.replace(report(2), classes=("cat", "dog", "van")), 2.0)
    assert log.class_names == ("cat", "dog", "van")


def test_a_note_is_kept_once():
    log = RunLog()
    for step in (1, 2):
        log.append(report(step, notes=("TENT skipped 1 step.",)), float(step))
    assert log.notes == ["TENT skipped 1 step."]


def test_two_contenders_are_compared_on_the_pictures_both_answered():
    log = RunLog(
        labels=[(0, 1, -1), (2, 2, 2)],
        answers={"a": [(0, 0, 0), (2, 0, 0)], "b": [(1, 1, 1), (2, 2, 0)]},
        sizes=[3, 3],
    )
    assert log.right("a").tolist() == [True, False, True, False, False]
    assert log.right("b").tolist() == [False, True, True, True, False]
    found = log.paired("a", "b")
    assert (found.gained, found.lost) == (2, 1) and found.p == 1.0  # 2 P(X <= 1) of three throws
    assert log.paired("b", "a").gained == 1
    assert log.paired("a", "b", batches=1).gained == log.paired("a", "b", batches=1).lost == 1
    assert log.interval("b") == metrics.wilson(3, 5)


def test_recent_pictures_are_the_last_whatever_the_batches():
    many = metrics.WINDOW
    log = RunLog(labels=[(0,) * many, (0,)], answers={"a": [(0,) * many, (1,)]}, sizes=[many, 1])
    recent = log.right("a", recent=True)
    assert len(recent) == many and recent.sum() == many - 1
    assert log.right("a", batches=1, recent=True).all()


def test_a_comparison_of_nothing_says_nothing():
    found = RunLog().paired("a", "b")
    assert (found.gained, found.lost, found.p) == (0, 0, 1.0)
    assert all(math.isnan(side) for side in RunLog().interval("a"))


def test_answers_labels_and_pictures_of_every_batch_are_kept():
    log = RunLog()
    log.append(report(), 1.0)
    log.append(report(2), 2.0)
    assert log.labels == [(0, 1, -1, -1)] * 2 and log.answers["tent"] == [(0, 0, 2, 1)] * 2
    assert log.confidence["tent"] == [(1.0,) * 4] * 2 and log.names[1] == tuple("abcd")
    for sheet in log.sheets:
        with Image.open(io.BytesIO(sheet)) as picture:
            assert picture.format == "JPEG" and picture.size == (4 * 8, 8)
    assert log.made["torch"] and log.made["date"]


def test_the_earliest_pictures_go_where_there_are_too_many(monkeypatch):
    log = RunLog()
    log.append(report(), 1.0)
    monkeypatch.setattr(thumbnails, "MOST_BYTES", 2 * len(log.sheets[0]))
    for number in (2, 3):
        log.append(report(number), float(number))
    assert log.sheets[0] == b"" and all(log.sheets[1:]) and len(log.sheets) == 3
