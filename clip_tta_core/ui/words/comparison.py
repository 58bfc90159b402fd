"""What a comparison says: whose turn it is, who leads, who does harm.

All of it of one stream: no seed but its own is in the numbers, so no sentence says that a method is better
than another, only that it was on this stream.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Mapping, Sequence

from clip_tta_core import metrics
from clip_tta_core.control import Progress
from clip_tta_core.records import Standing
from clip_tta_core.ui.words.numbers import DASH, SURE, has_collapsed, in_points, listed, percent

MOST_NAMED = 3  # methods that are as good as the leader


def turn(progress: Progress, titles: Mapping[str, str]) -> str:
    """Where a comparison is: the method at work, its batch and step. Titles are by label."""
    if not progress.label:
        return progress.doing
    said = f"{titles.get(progress.label, progress.label)}, batch {progress.batch} of {progress.batches}"
    return said + (f", step {progress.step} of {progress.steps}" if progress.steps else "")


def ranking(standings: Sequence[Standing], titles: Mapping[str, str], classes: int, planned: int) -> str:
    """Who leads a comparison so far, who does harm and who has collapsed.

    Args:
        standings: the best first.
        titles: {label: title}.
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


def places(standings: Sequence[Standing]) -> list[str]:
    """Each one's place by accuracy as far as the pictures tell: "1", or "2–5" among others too close to it.

    A method comes after all that are ahead of it for certain, and before all that it is ahead of.

    Returns:
        a place for each; "" of one without a number, or on its way.
    """
    whole = [
        one
        for one in standings
        if one.done == one.total and math.isfinite(one.metrics.get("accuracy", math.nan))
    ]

    def place(standing: Standing) -> str:
        if standing not in whole:
            return ""
        first = 1 + sum(_is_ahead(other, standing) for other in whole)
        last = len(whole) - sum(_is_ahead(standing, other) for other in whole)
        return str(first) if first == last else f"{first}{DASH}{last}"

    return list(map(place, standings))


def _leader(done: Sequence[Standing], frozen: Standing | None, titles: Mapping[str, str]) -> str:
    """The best method, and those that the pictures do not tell from it."""
    best = done[0].metrics.get("accuracy", math.nan)
    if not math.isfinite(best):
        return ""
    title, share = titles.get(done[0].label, done[0].label), percent(best, 1)
    if done[0] is frozen:
        return f"No method is better than zero-shot CLIP on this stream: right on {share} of the pictures."
    if frozen is not None and not _differs(done[0]):
        return f"Too few pictures to tell a method from zero-shot CLIP: {title} is right on {share}."
    close = [one for one in done[1:] if one is not frozen and not _is_ahead(done[0], one)]
    text = f"On this stream {title} {'is at the top' if close else 'leads'}: right on {share} of the pictures"
    if frozen is not None:
        points = round(100 * best, 1) - round(100 * frozen.metrics["accuracy"], 1)
        text += f", {in_points(round(points, 1))} above zero-shot CLIP"
    if not close:
        return text + "."
    level = [one for one in close if one.metrics.get("accuracy") == best]
    others = listed([titles.get(one.label, one.label) for one in (level or close)[:MOST_NAMED]])
    more = len(level or close) - MOST_NAMED
    others += f" and {more} more" if more > 0 else ""
    return text + (f"; level with it: {others}." if level else f"; too close to tell from it: {others}.")


def _fallen(done: Sequence[Standing], frozen: Standing | None) -> str:
    """How many of the methods are worse than no method, as far as the pictures tell."""
    others = [one for one in done if one is not frozen]
    if frozen is None or not others:
        return ""
    worse = sum(_gain(one) < 0 and _differs(one) for one in others)
    if not worse:
        return ""
    return f"{worse} of {len(others)} {'is' if worse == 1 else 'are'} worse than zero-shot CLIP."


def _collapsed(done: Sequence[Standing], frozen: Standing | None, classes: int) -> str:
    before = _classes_used(frozen) if frozen else math.inf
    few = sum(has_collapsed(_classes_used(one), before, classes) for one in done if one is not frozen)
    if not few:
        return ""
    return f"{few} {'has' if few == 1 else 'have'} collapsed to less than half of the {classes} classes."


def _classes_used(standing: Standing) -> float:
    """Over the whole stream: where it is sorted, the recent pictures are of few classes."""
    numbers = standing.metrics
    return numbers.get("effective_classes_run", numbers.get("effective_classes", math.nan))


def _gain(standing: Standing) -> int:
    """Pictures gained over zero-shot CLIP, less those lost."""
    return _pairs(standing)[0] - _pairs(standing)[1]


def _differs(standing: Standing) -> bool:
    """Whether a method is better or worse than zero-shot CLIP: McNemar's test on the same pictures."""
    return _is_sure(*_pairs(standing))


def _is_ahead(one: Standing, other: Standing) -> bool:
    """Whether one method is better than another, for certain.

    Each has its pairs with zero-shot CLIP only. Two methods can differ on no more pictures than both together
    differ from it on; McNemar's test of as many pairs asks for the most.
    """
    pairs, difference = sum(_pairs(one)) + sum(_pairs(other)), _gain(one) - _gain(other)
    return difference > 0 and _is_sure((pairs + difference) // 2, (pairs - difference) // 2)


@functools.lru_cache(4096)  # of each two methods, at every update of the page
def _is_sure(gained: int, lost: int) -> bool:
    return metrics.mcnemar(gained, lost) < SURE


def _pairs(standing: Standing) -> tuple[int, int]:
    """Pictures that a method gained and lost against zero-shot CLIP; none where nothing is labelled."""
    counts = (standing.metrics.get(name, math.nan) for name in ("gained", "lost"))
    gained, lost = (int(count) if math.isfinite(count) else 0 for count in counts)
    return gained, lost
