"""One picture, looked at closely: what is said of it, and of which pictures it can be said."""

import dataclasses

import numpy as np
import pytest

from clip_tta_core.logs import open_log
from clip_tta_core.records import Batch, Glimpse, Outcome, Remembered, Report, RunConfig, RunLog, Step
from clip_tta_core.ui.session.closer import closer, find
from clip_tta_core.ui.session.course import Course
from clip_tta_core.ui.wire.encode import plain

NAMES = ("cat", "dog", "bird")
# Logits (2, 0, -9), (0, 1, -9), (1, 0, -9): two of three answer the first class, nobody the last.
PROBS = np.exp([[2.0, 0, -9], [0, 1.0, -9], [1.0, 0, -9]])
PROBS = (PROBS / PROBS.sum(axis=1, keepdims=True)).astype(np.float32)
LATER = np.eye(3, dtype=np.float32)
FEATURES = np.array([[1.0, 0], [0, 1.0], [0.6, 0.8]], dtype=np.float32)
BATCH = Batch(
    np.zeros((3, 8, 8, 3), np.uint8), np.array([1, 1, -1]), ("a", "", "c"), np.zeros(3, bool), ("fog 5",) * 3
)


def outcome(probs: np.ndarray) -> Outcome:
    return Outcome(probs, FEATURES, np.zeros(3, np.float32), 0.0, {}, {}, 1.0)


@pytest.fixture
def log() -> RunLog:
    made = open_log(RunConfig(batches=2, batch_size=3, class_names=NAMES))
    outcomes = {"zero_shot": outcome(PROBS), "tent": outcome(LATER), "cliptta": outcome(PROBS)}
    made.append(Report(1, 2, BATCH, outcomes, "cpu"), 1.0)
    return made


def test_it_has_every_method_s_probabilities_the_likeliest_classes_first(log):
    looked = find(log, None, 1)
    assert looked
    told = plain(closer(log, looked, 0))
    assert [row["name"] for row in told["rows"]] == ["cat", "dog", "bird"]
    assert [row["really"] for row in told["rows"]] == [False, True, False]
    assert told["rows"][0]["probs"] == {"zero_shot": 0.8808, "tent": 1.0, "cliptta": 0.8808}
    assert told["really"] == "dog" and told["applied"] == "fog 5" and told["name"] == "a"
    assert plain(closer(log, looked, 1))["name"] == "Image 2", "a picture without a name has its number"


def test_pulls_are_those_of_each_loss_and_say_whether_they_lead_to_the_truth(log):
    looked = find(log, None, 1)
    assert looked
    tent, contrast, _ = plain(closer(log, looked, 0))["pulls"]
    assert tent["to"] == [["cat", pytest.approx(0.21, abs=1e-3)]], "to what it answers"
    assert tent["away"][0] == ["dog", pytest.approx(-0.21, abs=1e-3)] and tent["truth"] == -1
    assert contrast["to"] == [["cat", pytest.approx(0.119, abs=1e-3)]], "less: the class is frequent"
    right, unlabelled = closer(log, looked, 1), closer(log, looked, 2)
    assert right and {pull.truth for pull in right.pulls[:2]} == {1}
    assert unlabelled and {pull.truth for pull in unlabelled.pulls} == {None}


def test_neighbours_are_the_memory_s_nearest_by_its_own_method_s_features(log):
    pictures = np.zeros((2, 4, 4, 3), np.uint8)
    memory = Remembered(pictures, np.array([2, 0]), np.ones(2, np.float32), np.array([[0.6, 0.8], [1.0, 0]]))
    looked = find(log, None, 1)
    assert looked
    told = plain(closer(log, looked, 0, {"cliptta": memory}))["neighbours"]
    assert [(one["label"], one["near"], one["of"]) for one in told] == [
        ("cat", 1, "CLIPTTA"),
        ("bird", 0.6, "CLIPTTA"),
    ]
    assert plain(closer(log, looked, 0))["neighbours"] == []


def test_a_batch_under_way_has_the_probabilities_of_now(log):
    course, batch = Course(), dataclasses.replace(BATCH)
    done = {"zero_shot": outcome(PROBS)}
    course.take(Glimpse(2, 2, batch, done, {}))
    course.take(Glimpse(2, 2, batch, done, {}, Step("tent", 1, 3, LATER, {"loss": 1.0})))
    looked = find(log, course, 2)
    assert looked
    told = plain(closer(log, looked, 0))
    assert told["under_way"] == "tent" and told["rows"][0]["probs"] == {"zero_shot": 0.8808, "tent": 1.0}


def test_there_is_nothing_to_say_of_what_is_not_kept(log):
    assert find(log, None, 2) is None
    looked = find(log, Course(), 1)
    assert looked and closer(log, looked, 3) is None and closer(log, looked, -1) is None
