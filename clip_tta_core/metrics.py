"""What a run is judged by: numpy in, plain numbers out; NaN where a number is undefined.

Letters: N pictures, K classes. Labels are -1 where unknown; probs are rows that sum to 1.
"""

from __future__ import annotations

import math

import numpy as np

WINDOW = 256  # pictures that count as recent, whatever the batch size


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


def effective(counts: np.ndarray) -> float:
    """How many classes answers are spread over: e to the entropy of their histogram. (K,) counts -> 1 to K

    Hill's diversity of order 1. Unlike that of the mean prediction (`collapse`) it counts answers, so a model
    that gives two classes only is at 2, however unsure it is.
    """
    shares = counts[counts > 0] / counts.sum()
    return math.exp(-(shares * np.log(shares)).sum()) if len(shares) else math.nan


def entropies(probs: np.ndarray) -> np.ndarray:
    """Entropy of each prediction, in nats. (..., K) -> (...)"""
    probs = probs.astype(np.float64)
    return -(probs * np.log(np.where(probs > 0, probs, 1))).sum(axis=-1)


def truth_rising(probs: np.ndarray, source_probs: np.ndarray, labels: np.ndarray) -> float:
    """Share of labelled pictures whose own class is more probable than to the source. 2 x (B, K), (B,)"""
    rows = np.flatnonzero(labels >= 0)
    return float((probs > source_probs)[rows, labels[rows]].mean()) if len(rows) else math.nan


def mcnemar(gained: int, lost: int) -> float:
    """How likely pairs that differ split as unevenly by chance: McNemar's exact test, two-sided.

    p = min(1, 2 P(X <= min(gained, lost))), X binomial of gained + lost throws of a fair coin.
    Source: McNemar, Psychometrika 1947; the exact form as in Fagerland et al., BMC Med. Res. Meth. 2013.
    """
    pairs, fewer = gained + lost, min(gained, lost)
    log_top = math.lgamma(pairs + 1) - math.lgamma(fewer + 1) - math.lgamma(pairs - fewer + 1)
    term, total = 1.0, 0.0  # of the largest term of the sum, from there down
    for k in range(fewer, -1, -1):
        total += term
        term *= k / (pairs - k + 1)
        if term < 1e-17 * total:
            break
    return min(1.0, 2 * total * math.exp(log_top - pairs * math.log(2)))


def wilson(right: int, count: int, z: float = 1.96) -> tuple[float, float]:
    """Where a share of `right` in `count` may truly lie, with 95 % confidence at z = 1.96.

    Source: Wilson, JASA 1927. Holds for few pictures and for shares near 0 and 1; (NaN, NaN) of none.
    """
    if not count:
        return math.nan, math.nan
    share, spread = right / count, z * z / count
    middle = (share + spread / 2) / (1 + spread)
    half = z * math.sqrt(share * (1 - share) / count + spread / (4 * count)) / (1 + spread)
    return max(0.0, middle - half), min(1.0, middle + half)


def auroc_error(auroc: float, known: int, unknown: int) -> float:
    """Standard error of an AUROC over so many known and unknown pictures.

    Source: Hanley and McNeil, Radiology 1982, eq. 2: with Q1 = A / (2 - A) and Q2 = 2 A^2 / (1 + A), the
    variance is (A (1 - A) + (known - 1) (Q1 - A^2) + (unknown - 1) (Q2 - A^2)) / (known unknown).
    """
    square = auroc * auroc
    same_known = (known - 1) * (auroc / (2 - auroc) - square)
    same_unknown = (unknown - 1) * (2 * square / (1 + auroc) - square)
    return math.sqrt(max(0.0, auroc * (1 - auroc) + same_known + same_unknown) / (known * unknown))


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


def confusion(labels: np.ndarray, answers: np.ndarray, classes: int) -> np.ndarray:
    """How often each true class (row) got each answer (column), labelled pictures only. -> int64 (K, K)"""
    labelled = labels >= 0
    pairs = labels[labelled] * classes + answers[labelled]
    return np.bincount(pairs, minlength=classes * classes).reshape(classes, classes)


def between_class_variance(features: np.ndarray, answers: np.ndarray) -> float:
    """How far apart the classes that a model answers lie: the mean squared distance of their mean features
    from the mean of all, each class alike. (N, D), (N,) -> NaN of fewer than two pictures

    What Mint raises (Bao et al., NeurIPS 2025, arXiv 2510.22127), of one batch; labels are not needed.
    """
    if len(features) < 2:
        return math.nan
    used, which = np.unique(answers, return_inverse=True)
    sums = np.zeros((len(used), features.shape[1]))
    np.add.at(sums, which, features)
    means = sums / np.bincount(which)[:, None]  # (C, D)
    return float(((means - features.mean(axis=0)) ** 2).sum(axis=1).mean())


def correlation(first: np.ndarray, second: np.ndarray) -> tuple[float, float, float]:
    """Pearson's correlation of two series, and where it may truly lie with 95 % confidence. (N,), (N,)

    Neighbours in a series are alike, so N of them tell less than N apart would: they count as
    N (1 - a b) / (1 + a b), a and b the series' correlations with themselves one step later, and never as
    more than N. The interval is Fisher's, from there; -1 to 1 where three or fewer are left.
    Sources: Bartlett, J. R. Stat. Soc. 1935; Fisher, Metron 1921.

    Returns:
        correlation, low, high; all NaN where one series never changes.
    """
    if len(first) < 3 or not np.ptp(first) or not np.ptp(second):
        return math.nan, math.nan, math.nan
    r = float(np.corrcoef(first, second)[0, 1])
    alike = _with_the_next(first) * _with_the_next(second)
    count = min(1.0, (1 - alike) / (1 + alike)) * len(first)
    if count <= 3:
        return r, -1.0, 1.0
    centre, half = np.arctanh(np.clip(r, -1 + 1e-12, 1 - 1e-12)), 1.96 / math.sqrt(count - 3)
    return r, float(np.tanh(centre - half)), float(np.tanh(centre + half))


def _with_the_next(series: np.ndarray) -> float:
    """A series' correlation with itself one step later."""
    centred = series - series.mean()
    return float((centred[1:] * centred[:-1]).sum() / (centred**2).sum())


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


def recent(probs: np.ndarray, predicted: np.ndarray, labels: np.ndarray) -> dict[str, float]:
    """What the last n of N pictures say: their probabilities (n, K), n > 0; all classes and labels (N,)."""
    counts = np.bincount(predicted[-len(probs) :])
    soft = collapse(probs.mean(axis=0, dtype=np.float64))
    return {
        "accuracy_window": accuracy(predicted[-len(probs) :], labels[-len(probs) :]),
        **soft,
        "effective_classes": effective(counts),
        "effective_classes_run": effective(np.bincount(predicted)),
        "effective_classes_soft": soft["effective_classes"],
        "largest_share": float(counts.max() / counts.sum()),
        "distinct_classes": float((counts > 0).sum()),
    }


class Tally:
    """Everything seen of one method over a stream, boiled down to the numbers of a report."""

    def __init__(self) -> None:
        self._predicted = np.zeros(0, dtype=np.int64)  # of the pictures that belong to a class, as all below
        self._labels = np.zeros(0, dtype=np.int64)
        self._confidence = np.zeros(0, dtype=np.float32)
        self._scores = np.zeros(0, dtype=np.float32)  # the highest first, as the next two
        self._right = np.zeros(0, dtype=bool)
        self._unknown_scores = np.zeros(0, dtype=np.float32)  # of the pictures that do not
        self._recent = np.zeros((0, 0))  # probabilities of the last WINDOW of them
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
        before_now = self._recent if len(self._recent) else probs[:0]
        self._recent = np.concatenate([before_now, probs[known]])[-WINDOW:]
        gained, lost = flips(before[known], predicted[known], labels[known])
        self._gained, self._lost = self._gained + gained, self._lost + lost
        self._changed += int((predicted != before).sum())
        self._seen += len(probs)
        self._batch_auroc.append(detection(scores[known], scores[unknown])["auroc"])
        return {
            "accuracy": accuracy(self._predicted, self._labels),
            "accuracy_batch": accuracy(predicted[known], labels[known]),
            "entropy": float(entropies(probs).mean()),
            "truth_rising": truth_rising(probs[known], source_probs[known], labels[known]),
            **self._recent_numbers(),
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

    def _recent_numbers(self) -> dict[str, float]:
        if not len(self._recent):  # their names, as any one picture has them
            one = np.zeros(1, dtype=np.int64)
            return dict.fromkeys(recent(np.ones((1, 1)), one, one), math.nan)
        return recent(self._recent, self._predicted, self._labels)

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
