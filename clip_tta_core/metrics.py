"""What a run is judged by: numpy in, plain numbers out; NaN where a number is undefined.

Letters: N pictures, K classes. Labels are -1 where unknown; probs are rows that sum to 1.
"""

from __future__ import annotations

import math
from collections import deque

import numpy as np

WINDOW = 4  # batches that count as "lately"


def accuracy(predicted: np.ndarray, labels: np.ndarray) -> float:
    """Share of labelled pictures that got their label. (N,), (N,)"""
    labelled = labels >= 0
    return float((predicted == labels)[labelled].mean()) if labelled.any() else math.nan


def collapse(mean_probs: np.ndarray) -> dict[str, float]:
    """How far the mean prediction is from using all classes. (K,) ->

    effective_classes: e to the entropy, K when uniform, 1 when collapsed; kl_uniform: ln K minus the
    entropy, nats; chi_square: K sum (p - 1/K)^2, 0 to K - 1.
    """
    k = len(mean_probs)
    used = mean_probs[mean_probs > 0]
    entropy = float(-(used * np.log(used)).sum())
    return {
        "effective_classes": math.exp(entropy),
        "kl_uniform": math.log(k) - entropy,
        "chi_square": float(k * ((mean_probs - 1 / k) ** 2).sum()),
    }


def calibration_error(confidence: np.ndarray, right: np.ndarray, bins: int = 15) -> float:
    """Expected calibration error over equal-width bins: Guo et al., ICML 2017. (N,) in [0, 1], bool (N,)"""
    if not len(confidence):
        return math.nan
    which = np.minimum((confidence * bins).astype(int), bins - 1)
    gaps = np.bincount(which, weights=confidence - right, minlength=bins)
    return float(np.abs(gaps).sum() / len(confidence))


def flips(before: np.ndarray, after: np.ndarray, labels: np.ndarray) -> tuple[int, int]:
    """Labelled pictures that went wrong to right, and right to wrong; predicted classes (N,) each."""
    labelled = labels >= 0
    was, now = before == labels, after == labels
    return int((labelled & ~was & now).sum()), int((labelled & was & ~now).sum())


def _accepted(scores: np.ndarray, *groups: np.ndarray) -> list[np.ndarray]:
    """How many of each group score at least each threshold. (N,), bool (N,) each -> float (T,) each

    The thresholds are the T different scores, the highest first; equal scores enter together.
    """
    order = np.argsort(-scores, kind="stable")  # merges runs that are sorted already: see Tally
    ranked = scores[order]
    last = np.append(ranked[1:] != ranked[:-1], True)
    return [np.cumsum(group[order], dtype=np.float64)[last] for group in groups]


def _average_precision(hits: np.ndarray, misses: np.ndarray) -> float:
    """Area under precision over recall as a step sum; positives and negatives accepted, (T,) each."""
    recall = np.concatenate([[0], hits / hits[-1]])
    return float((np.diff(recall) * hits / (hits + misses)).sum())


def _false_positives(fpr: np.ndarray, tpr: np.ndarray, at: float) -> float:
    """False positive rate where the true positive rate comes up to `at`, interpolated on the curve from 0."""
    reached = int(np.searchsorted(tpr, at))  # the first: of several points at this height, the best
    before = reached - 1
    slope = (fpr[reached] - fpr[before]) / (tpr[reached] - tpr[before])
    return float(slope * (at - tpr[before]) + fpr[before])


def detection(known: np.ndarray, unknown: np.ndarray) -> dict[str, float]:
    """How well scores tell known from unknown pictures; the known ones are the positive class. (N,), (M,)

    auroc: P(known > unknown) + P(equal) / 2; fpr95: share of unknown pictures accepted where 95 % of the
    known are, interpolated on the curve; aupr_in, aupr_out: average precision with the known, the unknown as
    positive; detection_accuracy: the best mean of both classes' accuracies. All NaN when either side is
    empty.
    """
    if not len(known) or not len(unknown):
        return dict.fromkeys(("auroc", "fpr95", "aupr_in", "aupr_out", "detection_accuracy"), math.nan)
    is_known = np.repeat([True, False], [len(known), len(unknown)])
    hits, alarms = _accepted(np.concatenate([known, unknown]), is_known, ~is_known)
    tpr, fpr = np.concatenate([[0], hits / len(known)]), np.concatenate([[0], alarms / len(unknown)])
    # At or below each threshold, the lowest first: what is accepted when the unknown are looked for.
    found, mistaken = (total[-1] - np.append(0, total[:-1]) for total in (alarms, hits))
    return {
        "auroc": float(np.trapezoid(tpr, fpr)),
        "fpr95": _false_positives(fpr, tpr, 0.95),
        "aupr_in": _average_precision(hits, alarms),
        "aupr_out": _average_precision(found[::-1], mistaken[::-1]),
        "detection_accuracy": float((tpr + 1 - fpr).max() / 2),
    }


def oscr(known: np.ndarray, right: np.ndarray, unknown: np.ndarray) -> float:
    """Open-set classification rate: area of the share of known pictures accepted *and* classified right,
    over the share of unknown pictures accepted. (N,), bool (N,), (M,). Dhamija et al., NeurIPS 2018."""
    if not len(known) or not len(unknown):
        return math.nan
    is_unknown = np.repeat([False, True], [len(known), len(unknown)])
    is_right = np.append(right, np.zeros(len(unknown), dtype=bool))
    sound, alarms = _accepted(np.concatenate([known, unknown]), is_right, is_unknown)
    return float(np.trapezoid(np.append(0, sound / len(known)), np.append(0, alarms / len(unknown))))


class Tally:
    """Everything seen of one method over a stream, boiled down to the numbers of a report."""

    def __init__(self) -> None:
        self._predicted = np.zeros(0, dtype=np.int64)  # of the pictures that belong to a class, as all below
        self._labels = np.zeros(0, dtype=np.int64)
        self._confidence = np.zeros(0, dtype=np.float32)
        self._scores = np.zeros(0, dtype=np.float32)  # the highest first, as the next two
        self._right = np.zeros(0, dtype=bool)
        self._unknown_scores = np.zeros(0, dtype=np.float32)  # of the pictures that do not
        self._lately: deque[np.ndarray] = deque(maxlen=WINDOW)
        self._gained = self._lost = self._changed = self._seen = 0
        self._batch_auroc: list[float] = []

    def add(
        self,
        probs: np.ndarray,
        source_probs: np.ndarray,
        labels: np.ndarray,
        unknown: np.ndarray,
        scores: np.ndarray,
        threshold: float,
    ) -> dict[str, float]:
        """Count one batch and return the numbers of the stream so far.

        Args:
            probs, source_probs: (B, K) the method's and the frozen model's.
            labels: (B,), -1 where there is none.
            unknown: bool (B,), pictures outside the class list.
            scores, threshold: (B,) and a number.
        """
        known = ~unknown
        predicted, before = probs.argmax(axis=1), source_probs.argmax(axis=1)
        self._predicted = np.concatenate([self._predicted, predicted[known]])
        self._labels = np.concatenate([self._labels, labels[known]])
        self._confidence = np.concatenate([self._confidence, probs.max(axis=1)[known]])
        self._rank(scores, (predicted == labels)[known], unknown)
        self._lately.append(probs[known])
        gained, lost = flips(before[known], predicted[known], labels[known])
        self._gained, self._lost = self._gained + gained, self._lost + lost
        self._changed += int((predicted != before).sum())
        self._seen += len(probs)
        self._batch_auroc.append(detection(scores[known], scores[unknown])["auroc"])
        return {
            "accuracy": accuracy(self._predicted, self._labels),
            "accuracy_batch": accuracy(predicted[known], labels[known]),
            **self._lately_numbers(),
            **self._judged_numbers(),
            "changed": self._changed / self._seen,
            "accepted": float((scores > threshold).mean()),
            **detection(self._scores, self._unknown_scores),
            "oscr": oscr(self._scores, self._right, self._unknown_scores),
            "auroc_batch": _mean([auroc for auroc in self._batch_auroc if not math.isnan(auroc)]),
        }

    def _rank(self, scores: np.ndarray, right: np.ndarray, unknown: np.ndarray) -> None:
        """Take in a batch's scores (B,) where they belong: to merge it costs a long stream far less than to
        sort everything anew. `right` is of the known pictures only."""
        known_scores = np.concatenate([self._scores, scores[~unknown]])
        order = np.argsort(-known_scores, kind="stable")
        self._scores = known_scores[order]
        self._right = np.concatenate([self._right, right])[order]
        strange = np.concatenate([self._unknown_scores, scores[unknown]])
        self._unknown_scores = strange[np.argsort(-strange, kind="stable")]

    def _lately_numbers(self) -> dict[str, float]:
        lately = np.concatenate(list(self._lately))
        if not len(lately):
            names = ("accuracy_window", *collapse(np.ones(1)), "largest_share", "distinct_classes")
            return dict.fromkeys(names, math.nan)
        counts = np.bincount(lately.argmax(axis=1))
        return {
            "accuracy_window": accuracy(self._predicted[-len(lately) :], self._labels[-len(lately) :]),
            **collapse(lately.mean(axis=0, dtype=np.float64)),
            "largest_share": float(counts.max() / counts.sum()),
            "distinct_classes": float((counts > 0).sum()),
        }

    def _judged_numbers(self) -> dict[str, float]:
        labelled = self._labels >= 0
        right = (self._predicted == self._labels)[labelled]
        return {
            "ece": calibration_error(self._confidence[labelled], right),
            "gained": float(self._gained) if labelled.any() else math.nan,
            "lost": float(self._lost) if labelled.any() else math.nan,
        }


def _mean(values: list[float]) -> float:
    return float(np.mean(values)) if values else math.nan
