"""Numbers as sentences say them."""

from __future__ import annotations

import math

DASH = "–"


def percent(value: float, digits: int = 0) -> str:
    """0.123 -> '12%', NaN -> a dash."""
    return f"{100 * value:.{digits}f}%" if math.isfinite(value) else DASH


def in_points(points: int) -> str:
    return f"{points} point" if points == 1 else f"{points} points"


def has_collapsed(used: float, before: float, classes: int) -> bool:
    """Whether a method uses less than half of the classes, and clearly less than zero-shot CLIP."""
    return used < 0.5 * classes and used < 0.8 * before
