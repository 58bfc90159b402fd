"""What a comparison says: whose turn it is, who leads, who does harm."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from clip_tta_core.control import Progress
from clip_tta_core.records import Standing
from clip_tta_core.ui.words.numbers import has_collapsed, in_points, percent


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
        parts.insert(0, f"{len(done)} of {planned} methods are done.")
    return " ".join(part for part in parts if part)


def _leader(done: Sequence[Standing], frozen: Standing | None, titles: Mapping[str, str]) -> str:
    best = done[0].metrics.get("accuracy", math.nan)
    if not math.isfinite(best):
        return ""
    said = f"{titles[done[0].label]} leads: right on {percent(best)} of the pictures"
    if frozen is None or done[0] is frozen:
        return said + "."
    points = round(100 * best) - round(100 * frozen.metrics["accuracy"])
    return f"{said}, {in_points(points)} above zero-shot CLIP."


def _fallen(done: Sequence[Standing], frozen: Standing | None) -> str:
    """How many of the methods are worse than no method."""
    others = [one for one in done if one is not frozen]
    if frozen is None or not others or not math.isfinite(frozen.metrics.get("accuracy", math.nan)):
        return ""
    worse = sum(one.metrics["accuracy"] < frozen.metrics["accuracy"] for one in others)
    return f"{worse} of {len(others)} are worse than zero-shot CLIP." if worse else ""


def _collapsed(done: Sequence[Standing], frozen: Standing | None, classes: int) -> str:
    before = frozen.metrics["effective_classes"] if frozen else math.inf
    few = sum(
        has_collapsed(one.metrics["effective_classes"], before, classes) for one in done if one is not frozen
    )
    if not few:
        return ""
    return f"{few} {'has' if few == 1 else 'have'} collapsed to less than half of the {classes} classes."
