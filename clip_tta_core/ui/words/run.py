"""One or two sentences on what just happened in a run, computed from its numbers."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from clip_tta_core.records import RunLog
from clip_tta_core.ui.words.numbers import DASH, has_collapsed, in_points, percent

FEW = 10  # pictures, known or unknown, of which an AUROC says little


def value_at(log: RunLog, method: str, curve: str, step: int) -> float:
    """A curve's value at a step (0 for the first batch), NaN where there is none."""
    values = log.series.get(method, {}).get(curve, ())
    return values[step] if 0 <= step < len(values) else math.nan


def sentence(log: RunLog, step: int) -> str:
    """One or two sentences on what the numbers say at a step (0 for the first batch)."""
    adapted = [name for name in log.series if name != "zero_shot"]
    if not log.series or not 0 <= step < len(log):
        return ""
    if not adapted:
        return _alone(log, step)
    parts = [_collapse(log, adapted, step), _accuracy(log, adapted, step), _unknowns(log, adapted, step)]
    said = [part for part in parts if part] or [_changes(log, adapted, step)]
    return " ".join(said[:2])


def _alone(log: RunLog, step: int) -> str:
    accuracy = value_at(log, "zero_shot", "accuracy", step)
    if math.isfinite(accuracy):
        return f"Zero-shot CLIP is right on {percent(accuracy)} of the pictures so far."
    used = value_at(log, "zero_shot", "effective_classes", step)
    return f"Zero-shot CLIP uses {_classes(used, len(log.class_names))}."


def _collapse(log: RunLog, adapted: list[str], step: int) -> str:
    """Name the method that has given up most classes, when it uses less than half of those there were."""
    used = {name: value_at(log, name, "effective_classes", step) for name in adapted}
    worst = min(adapted, key=lambda name: used[name] if math.isfinite(used[name]) else math.inf)
    before = value_at(log, "zero_shot", "effective_classes", step)
    if not has_collapsed(used[worst], before, len(log.class_names)):
        return ""
    return f"{log.titles[worst]} now uses {_classes(used[worst], len(log.class_names))}."


def _accuracy(log: RunLog, adapted: list[str], step: int) -> str:
    """Compare the best adapted method of the recent batches with zero-shot CLIP."""
    scores = {name: value_at(log, name, "accuracy_window", step) for name in adapted}
    frozen = value_at(log, "zero_shot", "accuracy_window", step)
    if not math.isfinite(frozen) or not all(math.isfinite(score) for score in scores.values()):
        return ""
    best = max(adapted, key=scores.__getitem__)
    points = round(100 * scores[best]) - round(100 * frozen)
    who, mine, alone = log.titles[best], percent(scores[best]), percent(frozen)
    if points > 0:
        return f"{who} is right on {mine} of the recent pictures, {in_points(points)} above zero-shot CLIP."
    if points == 0:
        return f"Nothing gained so far: {who} and zero-shot CLIP are both right on {alone}."
    if len(adapted) == 1:
        return f"{who} is right on {mine} of the recent pictures, {in_points(-points)} below zero-shot CLIP."
    return f"Zero-shot CLIP does best: right on {alone} of the recent pictures, {who} on {mine}."


def _unknowns(log: RunLog, adapted: list[str], step: int) -> str:
    scores = {name: value_at(log, name, "auroc", step) for name in ("zero_shot", *adapted)}
    scores = {name: score for name, score in scores.items() if math.isfinite(score)}
    if "zero_shot" not in scores or len(scores) < 2:
        return ""
    if min(_count(log.known, step), _count(log.unknown, step)) < FEW:
        return ""
    best = max(scores, key=scores.__getitem__)
    auroc, frozen = percent(scores[best]), percent(scores["zero_shot"])
    if best == "zero_shot":
        return f"Zero-shot CLIP still separates known from unknown images best (AUROC {auroc})."
    who = log.titles[best]
    return f"{who} separates known from unknown images best: AUROC {auroc}, zero-shot CLIP {frozen}."


def _count(scores: Mapping[str, Sequence[Sequence[float]]], step: int) -> int:
    """Pictures that have been scored up to a step; every method scores the same ones."""
    return sum(len(batch) for batch in next(iter(scores.values()))[: step + 1])


def _changes(log: RunLog, adapted: list[str], step: int) -> str:
    shares = {name: value_at(log, name, "changed", step) for name in adapted}
    shares = {name: share for name, share in shares.items() if math.isfinite(share)}
    if not shares:
        return ""
    most = max(shares, key=shares.__getitem__)
    used = value_at(log, most, "effective_classes", step)
    return (
        f"{log.titles[most]} has changed {percent(shares[most])} of zero-shot CLIP's predictions "
        f"and uses {_classes(used, len(log.class_names))}."
    )


def _classes(used: float, total: int) -> str:
    return f"{used:.0f} of {total} classes" if math.isfinite(used) else f"{DASH} of {total} classes"
