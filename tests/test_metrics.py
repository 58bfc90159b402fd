"""Metrics against values by hand and against scikit-learn."""

from __future__ import annotations

import math

import numpy as np
import pytest
from sklearn import metrics as reference

from clip_tta_core import metrics


@pytest.fixture
def two_sides():
    rng = np.random.default_rng(0)
    return rng.normal(1, 1, 300).round(1), rng.normal(0, 1, 200).round(1)  # rounded: with many ties


def test_detection_agrees_with_scikit_learn(two_sides):
    known, unknown = two_sides
    scores, positive = np.concatenate([known, unknown]), np.repeat([1, 0], [300, 200])
    ours = metrics.detection(known, unknown)
    assert ours["auroc"] == pytest.approx(reference.roc_auc_score(positive, scores))
    fpr, tpr, _ = reference.roc_curve(positive, scores, drop_intermediate=False)
    assert ours["fpr95"] == pytest.approx(np.interp(0.95, tpr, fpr))
    assert ours["aupr_in"] == pytest.approx(reference.average_precision_score(positive, scores))
    assert ours["aupr_out"] == pytest.approx(reference.average_precision_score(1 - positive, -scores))
    assert ours["detection_accuracy"] == pytest.approx(((tpr + 1 - fpr) / 2).max())


def test_perfect_separation_and_none_at_all():
    perfect = metrics.detection(np.array([2.0, 3.0]), np.array([0.0, 1.0]))
    assert perfect == {"auroc": 1, "fpr95": 0, "aupr_in": 1, "aupr_out": 1, "detection_accuracy": 1}
    none = metrics.detection(np.ones(3), np.ones(5))
    assert none["auroc"] == 0.5 and none["fpr95"] == 0.95 and none["detection_accuracy"] == 0.5
    assert none["aupr_in"] == 3 / 8 and none["aupr_out"] == 5 / 8  # the shares of the two sides


def test_fpr95_is_read_where_the_curve_first_reaches_95_percent_and_between_its_points_on_a_line():
    nineteen_of_twenty = np.array([5.0] * 19 + [1.0])
    assert metrics.detection(nineteen_of_twenty, np.array([2.0, 3.0, 4.0]))["fpr95"] == 0
    assert metrics.detection(nineteen_of_twenty, np.array([2.0, 6.0]))["fpr95"] == 0.5
    nine_of_ten = np.array([3.0] * 9 + [1.0])  # the curve: (0, 0), (0, 0.9), (0.5, 0.9), (1, 1)
    assert metrics.detection(nine_of_ten, np.array([2.0, 2.0, 1.0, 1.0]))["fpr95"] == pytest.approx(0.75)


def test_detection_depends_on_the_order_of_the_scores_only(two_sides):
    known, unknown = two_sides
    rng = np.random.default_rng(1)
    ours = metrics.detection(known, unknown)
    assert metrics.detection(rng.permutation(known), rng.permutation(unknown)) == ours
    assert metrics.detection(np.exp(known), np.exp(unknown)) == ours
    turned = metrics.detection(-known, -unknown)
    assert turned["auroc"] == pytest.approx(1 - ours["auroc"])
    assert metrics.detection(-unknown, -known)["aupr_in"] == ours["aupr_out"]


@pytest.mark.parametrize("sizes", [(0, 4), (4, 0), (0, 0)])
def test_detection_is_undefined_with_one_side_only(sizes):
    known, unknown = np.ones(sizes[0]), np.zeros(sizes[1])
    assert all(math.isnan(value) for value in metrics.detection(known, unknown).values())
    assert math.isnan(metrics.oscr(known, np.ones(sizes[0], dtype=bool), unknown))


def test_oscr_is_auroc_when_everything_is_classified_right_and_zero_when_nothing_is(two_sides):
    known, unknown = two_sides
    right = np.ones(len(known), dtype=bool)
    assert metrics.oscr(known, right, unknown) == pytest.approx(metrics.detection(known, unknown)["auroc"])
    assert metrics.oscr(known, ~right, unknown) == 0


def test_oscr_is_the_chance_to_be_right_and_above_an_unknown_picture(two_sides):
    known, unknown = two_sides
    right = np.random.default_rng(1).random(len(known)) < 0.6
    above = (known[:, None] > unknown) + 0.5 * (known[:, None] == unknown)  # (N, M)
    assert metrics.oscr(known, right, unknown) == pytest.approx((above * right[:, None]).mean())


def test_collapse_by_hand():
    skewed = metrics.collapse(np.array([0.5, 0.3, 0.2]))
    assert skewed["chi_square"] == pytest.approx(0.14)
    entropy = -sum(p * math.log(p) for p in (0.5, 0.3, 0.2))
    assert skewed["kl_uniform"] == pytest.approx(math.log(3) - entropy)
    assert skewed["effective_classes"] == pytest.approx(math.exp(entropy))
    assert metrics.collapse(np.full(7, 1 / 7))["effective_classes"] == pytest.approx(7)
    single = metrics.collapse(np.array([0.0, 1.0, 0.0]))
    assert single["effective_classes"] == 1 and single["chi_square"] == pytest.approx(2)


def test_calibration_error_by_hand():
    confidence = np.array([0.95, 0.95, 0.55, 0.55])
    right = np.array([True, True, True, False])
    assert metrics.calibration_error(confidence, right) == pytest.approx(0.5 * 0.05 + 0.5 * 0.05)
    assert metrics.calibration_error(np.ones(4), np.ones(4, dtype=bool)) == 0


@pytest.mark.parametrize("k", range(15))
def test_the_calibration_error_has_fifteen_bins(k):
    """Two pictures of one bin make up for each other; two on either side of its edge do not."""

    def error(first, second):  # of which the first is right
        return metrics.calibration_error(np.array([first, second]), np.array([True, False]))

    low, high = k / 15 + 0.005, (k + 1) / 15 - 0.005
    assert error(low, high) == pytest.approx(abs(low - 1 + high) / 2)
    if k < 14:
        beyond = high + 0.01
        assert error(high, beyond) == pytest.approx((1 - high + beyond) / 2)


def one_hot(classes, k=3):
    return np.eye(k, dtype=np.float32)[classes]


def test_a_tally_counts_what_changed_and_what_is_right():
    tally = metrics.Tally()
    labels = np.array([0, 1, 2, 0])
    before, after = one_hot([0, 0, 2, 1]), one_hot([0, 1, 1, 0])
    known = np.zeros(4, dtype=bool)
    numbers = tally.add(after, before, labels, known, np.arange(4.0), 1.5)
    assert numbers["accuracy"] == 0.75 and numbers["gained"] == 2 and numbers["lost"] == 1
    assert numbers["changed"] == 0.75 and numbers["accepted"] == 0.5
    assert numbers["distinct_classes"] == 2 and numbers["largest_share"] == 0.5
    assert math.isnan(numbers["auroc"])
    net = numbers["gained"] - numbers["lost"]
    assert net == (after.argmax(1) == labels).sum() - (before.argmax(1) == labels).sum()
    numbers = tally.add(one_hot([0] * 4), one_hot([0] * 4), labels, known, np.arange(4.0), 1.5)
    assert numbers["accuracy"] == 5 / 8 and numbers["accuracy_batch"] == 0.5


def test_a_score_must_exceed_the_threshold_and_what_changed_is_counted_among_the_unknown_too():
    labels, unknown = np.array([0, 1, -1, -1]), np.array([False, False, True, True])
    scores = np.array([1.0, 2.0, 2.0, 3.0])
    numbers = metrics.Tally().add(one_hot([0, 1, 2, 0]), one_hot([0, 1, 1, 1]), labels, unknown, scores, 2.0)
    assert numbers["accepted"] == 1 / 4 and numbers["changed"] == 2 / 4


def test_the_mean_prediction_of_single_precision_is_taken_in_double():
    probs = np.random.default_rng(0).dirichlet(np.ones(5), metrics.WINDOW).astype(np.float32)
    mean = [math.fsum(column) / metrics.WINDOW for column in probs.T.tolist()]
    nobody = np.zeros(metrics.WINDOW, dtype=bool)
    numbers = metrics.Tally().add(probs, probs, nobody - 1, nobody, np.ones(metrics.WINDOW), 0.0)
    expected = sum(5 * (p - 1 / 5) ** 2 for p in mean)
    assert numbers["chi_square"] == pytest.approx(expected, rel=1e-11)


def test_accuracy_counts_known_pictures_only_and_scores_are_pooled_over_the_stream():
    tally = metrics.Tally()
    unknown = np.array([False, False, True, True])
    labels = np.array([0, 1, -1, -1])
    for shift in (0.0, 10.0):
        scores = np.array([2.0, 2.0, 1.0, 1.0]) + shift
        numbers = tally.add(
            one_hot([0, 0, 2, 2]), one_hot([0, 0, 2, 2]), labels, unknown, scores, 1.5 + shift
        )
    assert numbers["accuracy"] == 0.5
    assert numbers["auroc_batch"] == 1  # within each batch
    assert numbers["auroc"] == 0.75  # over both: the second batch's unknowns lie above the first one's known


def test_over_a_stream_every_number_is_that_of_all_its_pictures_at_once():
    rng, tally = np.random.default_rng(0), metrics.Tally()
    streams = {"known": [], "unknown": [], "right": [], "sure": []}
    for size, share in ((7, 0.4), (1, 0.0), (9, 1.0), (6, 0.5), (8, 0.2), (3, 0.0)):
        probs, before = (rng.dirichlet(np.ones(4), size).astype(np.float32) for _ in range(2))
        unknown, scores = rng.random(size) < share, rng.normal(size=size).round(1).astype(np.float32)
        labels = np.where(unknown, -1, rng.integers(0, 4, size))
        numbers = tally.add(probs, before, labels, unknown, scores, 0.0)
        streams["known"] += scores[~unknown].tolist()
        streams["unknown"] += scores[unknown].tolist()
        streams["right"] += (probs.argmax(1) == labels)[~unknown].tolist()
        streams["sure"] += probs.max(1)[~unknown].tolist()
    known, strange, right, sure = (np.array(values) for values in streams.values())
    assert numbers["accuracy"] == pytest.approx(right.mean())
    assert numbers["ece"] == pytest.approx(metrics.calibration_error(sure, right))
    assert numbers["oscr"] == pytest.approx(metrics.oscr(known, right, strange))
    for name, value in metrics.detection(known, strange).items():
        assert numbers[name] == pytest.approx(value)


@pytest.mark.parametrize("size", [1, 2, 64, 2 * metrics.WINDOW])
def test_recent_numbers_are_of_the_last_pictures_whatever_the_batch_size(size):
    tally, known = metrics.Tally(), np.zeros(size, dtype=bool)

    def add(answer):
        answers = [answer] * size
        return tally.add(
            one_hot(answers), one_hot([0] * size), np.zeros(size, int), known, np.ones(size), 0.5
        )

    rounds = -(-metrics.WINDOW // size)
    for _ in range(rounds):
        numbers = add(0)
    assert numbers["effective_classes"] == 1 and numbers["accuracy_window"] == 1
    for count in range(1, rounds + 1):
        numbers = add(1)
        new = min(1, count * size / metrics.WINDOW)
        assert numbers["accuracy_window"] == 1 - new
        assert numbers["distinct_classes"] == (2 if new < 1 else 1)
    assert numbers["accuracy"] == 0.5 and numbers["largest_share"] == 1
    assert numbers["effective_classes_run"] == pytest.approx(2)  # over the whole run, half and half


def test_classes_in_use_count_answers_and_not_doubt():
    """Two answers of ten classes, each barely ahead: two classes, however flat the probabilities."""
    probs = np.full((8, 10), 0.1, dtype=np.float32)
    probs[::2, 3] += 0.01
    probs[1::2, 7] += 0.01
    labels, known = np.full(8, -1), np.zeros(8, dtype=bool)
    numbers = metrics.Tally().add(probs, probs, labels, known, np.ones(8), 0.0)
    assert numbers["effective_classes"] == pytest.approx(2)
    assert numbers["effective_classes_soft"] > 9.9


def test_mcnemar_agrees_with_the_binomial_test():
    from scipy.stats import binomtest

    for gained, lost in ((0, 0), (1, 0), (0, 5), (3, 9), (12, 12), (200, 150), (5000, 5300), (0, 2000)):
        expected = binomtest(gained, gained + lost).pvalue if gained + lost else 1.0
        assert metrics.mcnemar(gained, lost) == pytest.approx(expected, rel=1e-6, abs=1e-300)
        assert metrics.mcnemar(gained, lost) == metrics.mcnemar(lost, gained)


def test_wilsons_interval_by_hand_and_at_the_edges():
    low, high = metrics.wilson(50, 100)
    assert (low, high) == (pytest.approx(0.4038, abs=1e-4), pytest.approx(0.5962, abs=1e-4))
    assert metrics.wilson(0, 10)[0] == 0 and metrics.wilson(10, 10)[1] == pytest.approx(1)
    assert metrics.wilson(10, 10)[0] == pytest.approx(0.7225, abs=1e-4)
    assert all(math.isnan(side) for side in metrics.wilson(0, 0))


def test_a_batch_of_unknowns_only_leaves_everything_else_undefined():
    unknown = np.ones(3, dtype=bool)
    numbers = metrics.Tally().add(
        one_hot([0, 1, 2]), one_hot([0, 1, 2]), np.full(3, -1), unknown, np.ones(3), 0.5
    )
    assert numbers["accepted"] == 1
    assert all(math.isnan(numbers[name]) for name in ("accuracy", "effective_classes", "auroc", "ece"))


def test_confusion_counts_labelled_pictures_by_truth_and_answer():
    labels, answers = np.array([0, 0, 1, -1, 2, 0]), np.array([0, 2, 1, 1, 0, 2])
    assert metrics.confusion(labels, answers, 3).tolist() == [[1, 0, 2], [0, 1, 0], [1, 0, 0]]


def test_variance_between_classes_by_hand():
    features = np.array([[1.0, 0], [3, 0], [0, 2]])  # class means (2, 0) and (0, 2), mean (4/3, 2/3)
    by_hand = ((2 / 3) ** 2 + (2 / 3) ** 2 + (4 / 3) ** 2 + (4 / 3) ** 2) / 2
    assert metrics.between_class_variance(features, np.array([4, 4, 7])) == pytest.approx(by_hand)
    assert metrics.between_class_variance(features, np.array([4, 4, 4])) == pytest.approx(0)
    assert math.isnan(metrics.between_class_variance(features[:1], np.array([4])))


def test_a_correlation_has_fishers_interval_where_neighbours_do_not_repeat_each_other():
    steps = np.arange(40.0)
    up_and_down, rising = (-1) ** np.arange(40) + 0.02 * steps, steps  # the one's neighbours are opposed
    r, low, high = metrics.correlation(up_and_down, rising)
    assert r == pytest.approx(np.corrcoef(up_and_down, rising)[0, 1])
    z, half = np.arctanh(r), 1.96 / math.sqrt(37)
    assert (low, high) == pytest.approx((np.tanh(z - half), np.tanh(z + half)))


def test_two_series_that_drift_tell_less_than_as_many_pictures_apart():
    smooth = np.cumsum(np.random.default_rng(3).normal(size=(2, 60)), axis=1)
    shuffled = smooth[:, np.random.default_rng(4).permutation(60)]
    r, low, high = metrics.correlation(*smooth)
    same, near, far = metrics.correlation(*shuffled)
    assert r == pytest.approx(same) and high - low > 1.5 * (far - near)


def test_a_correlation_of_what_never_changes_is_none_and_of_three_says_nothing():
    assert all(map(math.isnan, metrics.correlation(np.ones(9), np.arange(9.0))))
    assert metrics.correlation(np.array([1.0, 3, 2]), np.array([1.0, 3, 2])) == (pytest.approx(1), -1, 1)
