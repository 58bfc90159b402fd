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


def _roc(known: np.ndarray, unknown: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """False and true positive rate at every threshold, from (0, 0) to (1, 1); known is positive."""
    scores = np.concatenate([known, unknown])
    order = np.argsort(-scores, kind="stable")
    is_known = np.concatenate([np.ones(len(known)), np.zeros(len(unknown))])[order]
    last = np.append(np.diff(scores[order]) != 0, True)  # equal scores enter together
    tpr = np.cumsum(is_known)[last] / len(known)
    fpr = np.cumsum(1 - is_known)[last] / len(unknown)
    return np.concatenate([[0], fpr]), np.concatenate([[0], tpr])


def _average_precision(positive: np.ndarray, negative: np.ndarray) -> float:
    """Area under precision over recall as a step sum, higher scores are more positive."""
    scores = np.concatenate([positive, negative])
    order = np.argsort(-scores, kind="stable")
    hits = np.concatenate([np.ones(len(positive)), np.zeros(len(negative))])[order]
    last = np.append(np.diff(scores[order]) != 0, True)
    found, seen = np.cumsum(hits)[last], (np.arange(len(hits)) + 1)[last]
    recall = found / len(positive)
    return float((np.diff(np.concatenate([[0], recall])) * found / seen).sum())


def detection(known: np.ndarray, unknown: np.ndarray) -> dict[str, float]:
    """How well scores tell known from unknown pictures; the known ones are the positive class. (N,), (M,)

    auroc: P(known > unknown) + P(equal) / 2; fpr95: share of unknown pictures accepted where 95 % of the
    known are, interpolated on the curve; aupr_in, aupr_out: average precision with the known, the unknown as
    positive; detection_accuracy: the best mean of both classes' accuracies. All NaN when either side is
    empty.
    """
    if not len(known) or not len(unknown):
        return dict.fromkeys(("auroc", "fpr95", "aupr_in", "aupr_out", "detection_accuracy"), math.nan)
    known, unknown = np.asarray(known, dtype=np.float64), np.asarray(unknown, dtype=np.float64)
    fpr, tpr = _roc(known, unknown)
    return {
        "auroc": float(np.trapezoid(tpr, fpr)),
        "fpr95": float(np.interp(0.95, tpr, fpr)),
        "aupr_in": _average_precision(known, unknown),
        "aupr_out": _average_precision(-unknown, -known),
        "detection_accuracy": float((tpr + 1 - fpr).max() / 2),
    }


def oscr(known: np.ndarray, right: np.ndarray, unknown: np.ndarray) -> float:
    """Open-set classification rate: area of the share of known pictures accepted *and* classified right,
    over the share of unknown pictures accepted. (N,), bool (N,), (M,). Dhamija et al., NeurIPS 2018."""
    if not len(known) or not len(unknown):
        return math.nan
    thresholds = np.unique(np.concatenate([known, unknown]))[::-1]

    def accepted(scores: np.ndarray) -> np.ndarray:
        return len(scores) - np.searchsorted(np.sort(scores), thresholds, side="left")

    ccr, fpr = accepted(known[right]) / len(known), accepted(unknown) / len(unknown)
    return float(np.trapezoid(np.concatenate([[0], ccr]), np.concatenate([[0], fpr])))


class Tally:
    """Everything seen of one method over a stream, boiled down to the numbers of a report."""

    def __init__(self) -> None:
        self._predicted = np.zeros(0, dtype=np.int64)  # of the pictures that belong to a class, as all below
        self._labels = np.zeros(0, dtype=np.int64)
        self._confidence = np.zeros(0, dtype=np.float32)
        self._scores = np.zeros(0, dtype=np.float32)
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
        self._scores = np.concatenate([self._scores, scores[known]])
        self._unknown_scores = np.concatenate([self._unknown_scores, scores[unknown]])
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
            "oscr": oscr(self._scores, self._predicted == self._labels, self._unknown_scores),
            "auroc_batch": _mean([auroc for auroc in self._batch_auroc if not math.isnan(auroc)]),
        }

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
