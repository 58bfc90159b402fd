"""What the page says: names and explanations of numbers, and the sentences computed from them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from clip_tta_core.control import Progress
from clip_tta_core.metrics import WINDOW
from clip_tta_core.records import Catalog, Choice, RunConfig, RunLog, Standing

DASH = "–"
FEW = 10  # pictures, known or unknown, of which an AUROC says little


@dataclass(frozen=True)
class Measure:
    """A number the page shows, with what a visitor needs to read it."""

    name: str  # in Outcome.metrics
    title: str
    kind: Literal["share", "number", "count", "seconds"]
    better: Literal["high", "low", ""]
    help: str
    needs: Literal["", "labels", "unknowns"] = ""


MEASURES = (
    Measure(
        "accuracy_window",
        "Accuracy, recent",
        "share",
        "high",
        f"Share of right answers among the last {WINDOW} pictures. Shows best what is happening now.",
        "labels",
    ),
    Measure(
        "accuracy",
        "Accuracy, so far",
        "share",
        "high",
        "Share of right answers since the run began: the number papers report.",
        "labels",
    ),
    Measure(
        "accuracy_batch",
        "Accuracy, each batch",
        "share",
        "high",
        "Share of right answers in each single batch. It jumps, because a batch is small.",
        "labels",
    ),
    Measure(
        "effective_classes",
        "Classes in use",
        "number",
        "",
        "How many classes the recent answers are spread over: e to the entropy of their histogram. "
        "Near 1 everything lands in one class.",
    ),
    Measure(
        "changed",
        "Changed answers",
        "share",
        "",
        "Share of answers that differ from those of CLIP without adaptation.",
    ),
    Measure(
        "ece",
        "Calibration error",
        "share",
        "low",
        "Gap between how sure the model is and how often it is right. 0% is honest.",
        "labels",
    ),
    Measure(
        "drift",
        "Distance walked",
        "number",
        "",
        "How far the trained weights have moved, relative to their size.",
    ),
    Measure(
        "auroc",
        "AUROC",
        "share",
        "high",
        "Chance that a known picture scores higher than an unknown one. 50% is guessing.",
        "unknowns",
    ),
    Measure(
        "fpr95",
        "FPR95",
        "share",
        "low",
        "Share of unknown pictures let through when 95% of the known ones are.",
        "unknowns",
    ),
    Measure(
        "accepted",
        "Accepted",
        "share",
        "",
        "Share of pictures whose score lies above the threshold.",
        "unknowns",
    ),
    Measure("gained", "Gained", "count", "high", "Pictures wrong before, right after adaptation.", "labels"),
    Measure("lost", "Lost", "count", "low", "Pictures right before, wrong after adaptation.", "labels"),
    Measure("seconds", "Time per batch", "seconds", "low", "Time to adapt and predict, mean over the run."),
)
CURVES = tuple(m for m in MEASURES if m.name not in ("gained", "lost", "seconds"))
TABLE = tuple(m for m in MEASURES if m.name not in ("accuracy_window", "accuracy_batch", "drift", "accepted"))


def percent(value: float, digits: int = 0) -> str:
    """0.123 -> '12%', NaN -> a dash."""
    return f"{100 * value:.{digits}f}%" if math.isfinite(value) else DASH


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
        return f"CLIP without adaptation is right on {percent(accuracy)} of the pictures so far."
    used = value_at(log, "zero_shot", "effective_classes", step)
    return f"CLIP without adaptation uses {_classes(used, len(log.class_names))}."


def stream(config: RunConfig, catalog: Catalog) -> str:
    """What a run sees, in one line: pictures, what happens to them, order, length, model."""

    def title(choices: tuple[Choice, ...], name: str) -> str:
        return next((one.title for one in choices if one.name == name), name)

    shift = []
    if config.style != "none":
        shift.append(title(catalog.styles, config.style).lower())
    if config.corruption != "none" and config.schedule == "constant":
        shift.append(f"{title(catalog.corruptions, config.corruption).lower()} {config.severity}")
    elif config.corruption != "none":
        shift.append(f"corruptions {title(catalog.schedules, config.schedule).lower()}")
    parts = [
        f"{title(catalog.sources, config.source)}, {' and '.join(shift) if shift else 'clean'}",
        f"{title(catalog.orders, config.order).lower()}, {config.batches} × {config.batch_size} pictures",
        title(catalog.models, config.model),
        f"answers {'after' if config.predict == 'post' else 'before'} the update",
        f"seed {config.seed}",
    ]
    if config.unknown_source != "none":
        unknown = title(catalog.unknown_sources, config.unknown_source).lower()
        parts.insert(1, f"{percent(config.unknown_share)} unknown ({unknown})")
    if config.episodic:
        parts.append("weights forgotten after every batch")
    return " · ".join(parts)


def turn(progress: Progress) -> str:
    """Where a comparison is: the method at work, its batch and step."""
    if not progress.method:
        return progress.doing
    said = f"{progress.method}, batch {progress.batch} of {progress.batches}"
    return said + (f", step {progress.step} of {progress.steps}" if progress.steps else "")


def ranking(standings: Sequence[Standing], titles: Mapping[str, str], classes: int, planned: int) -> str:
    """Who leads a comparison so far, who does harm and who has collapsed.

    Args:
        standings: the best first.
        titles: {method: title}.
        classes: in the list.
        planned: how many methods take part.
    """
    done = [one for one in standings if one.metrics and one.done == one.total]
    if not done:
        return ""
    frozen = next((one for one in done if one.label == "zero_shot"), None)
    parts = [_leader(done, frozen, titles), _fallen(done, frozen), _collapsed(done, frozen, classes)]
    if len(done) < planned:
        parts.insert(0, f"{len(done)} of {planned} methods have had their turn.")
    return " ".join(part for part in parts if part)


def _leader(done: Sequence[Standing], frozen: Standing | None, titles: Mapping[str, str]) -> str:
    best = done[0].metrics.get("accuracy", math.nan)
    if not math.isfinite(best):
        return ""
    said = f"{titles[done[0].label]} leads: right on {percent(best)} of the pictures"
    if frozen is None or done[0] is frozen:
        return said + "."
    points = round(100 * best) - round(100 * frozen.metrics["accuracy"])
    return f"{said}, {_points(points)} above CLIP left alone."


def _fallen(done: Sequence[Standing], frozen: Standing | None) -> str:
    """How many of the methods are worse than no method."""
    others = [one for one in done if one is not frozen]
    if frozen is None or not others or not math.isfinite(frozen.metrics.get("accuracy", math.nan)):
        return ""
    worse = sum(one.metrics["accuracy"] < frozen.metrics["accuracy"] for one in others)
    return f"{worse} of {len(others)} do worse than CLIP left alone." if worse else ""


def _collapsed(done: Sequence[Standing], frozen: Standing | None, classes: int) -> str:
    before = frozen.metrics["effective_classes"] if frozen else math.inf
    few = sum(
        _gave_up(one.metrics["effective_classes"], before, classes) for one in done if one is not frozen
    )
    if not few:
        return ""
    return f"{few} {'has' if few == 1 else 'have'} collapsed to less than half of the {classes} classes."


def _gave_up(used: float, before: float, classes: int) -> bool:
    """Whether a method uses less than half of the classes, and clearly less than CLIP left alone."""
    return used < 0.5 * classes and used < 0.8 * before


def _collapse(log: RunLog, adapted: list[str], step: int) -> str:
    """Name the method that has given up most classes, when it uses less than half of those there were."""
    used = {name: value_at(log, name, "effective_classes", step) for name in adapted}
    worst = min(adapted, key=lambda name: used[name] if math.isfinite(used[name]) else math.inf)
    before = value_at(log, "zero_shot", "effective_classes", step)
    if not _gave_up(used[worst], before, len(log.class_names)):
        return ""
    return f"{log.titles[worst]} now uses {_classes(used[worst], len(log.class_names))}."


def _accuracy(log: RunLog, adapted: list[str], step: int) -> str:
    """Compare the best adapted method of the recent batches with CLIP left alone."""
    scores = {name: value_at(log, name, "accuracy_window", step) for name in adapted}
    frozen = value_at(log, "zero_shot", "accuracy_window", step)
    if not math.isfinite(frozen) or not all(math.isfinite(score) for score in scores.values()):
        return ""
    best = max(adapted, key=scores.__getitem__)
    points = round(100 * scores[best]) - round(100 * frozen)
    who, mine, alone = log.titles[best], percent(scores[best]), percent(frozen)
    if points > 0:
        return f"{who} is right on {mine} of the recent pictures, {_points(points)} above CLIP left alone."
    if points == 0:
        return f"Nothing gained so far: {who} and CLIP left alone are both right on {alone}."
    if len(adapted) == 1:
        return f"{who} is right on {mine} of the recent pictures, {_points(-points)} below CLIP left alone."
    return f"CLIP left alone does best: right on {alone} of the recent pictures, {who} on {mine}."


def _unknowns(log: RunLog, adapted: list[str], step: int) -> str:
    scores = {name: value_at(log, name, "auroc", step) for name in ("zero_shot", *adapted)}
    scores = {name: score for name, score in scores.items() if math.isfinite(score)}
    if "zero_shot" not in scores or len(scores) < 2:
        return ""
    if min(_count(log.known, step), _count(log.unknown, step)) < FEW:
        return ""
    best = max(scores, key=scores.__getitem__)
    if best == "zero_shot":
        return f"CLIP left alone still tells known from unknown best (AUROC {percent(scores[best])})."
    frozen = percent(scores["zero_shot"])
    return (
        f"{log.titles[best]} tells known from unknown best: AUROC {percent(scores[best])}, before {frozen}."
    )


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
        f"{log.titles[most]} has changed {percent(shares[most])} of CLIP's answers "
        f"and uses {_classes(used, len(log.class_names))}."
    )


def _classes(used: float, total: int) -> str:
    return f"{used:.0f} of {total} classes" if math.isfinite(used) else f"{DASH} of {total} classes"


def _points(points: int) -> str:
    return f"{points} point" if points == 1 else f"{points} points"
