"""A log says of a run what its reports said."""

from __future__ import annotations

import math

import numpy as np
import pytest

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


def test_a_note_is_kept_once():
    log = RunLog()
    for step in (1, 2):
        log.append(report(step, notes=("TENT skipped 1 step.",)), float(step))
    assert log.notes == ["TENT skipped 1 step."]
