"""Numbers as sentences say them."""

from __future__ import annotations

import math
from collections.abc import Sequence

DASH = "–"
# The p of a paired test below which a sentence says that one method is better. Stricter than the usual 0.05,
# because sentences ask at every batch and of several methods.
SURE = 0.01
MOST_DIGITS = 2  # of a percentage


def percent(value: float, digits: int = 0) -> str:
    """0.123 -> '12%', NaN -> a dash. What is not quite all, or none, does not read so: 0.996 -> '99.6%'."""
    if not math.isfinite(value):
        return DASH
    is_whole = round(100 * value, digits) in (0, 100)
    if is_whole and value not in (0, 1) and digits < MOST_DIGITS:
        return percent(value, digits + 1)
    return f"{100 * value:.{digits}f}%"


def in_points(points: float) -> str:
    """1 -> '1 point', 0.5 -> '0.5 points'."""
    return f"{points:g} point" if points == 1 else f"{points:g} points"


def listed(names: Sequence[str]) -> str:
    """'a', 'a and b', 'a, b and c'"""
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)


def has_collapsed(used: float, before: float, classes: float) -> bool:
    """Whether a method answers with less than half of the classes, clearly less than zero-shot CLIP."""
    return used < 0.5 * classes and used < 0.8 * before
