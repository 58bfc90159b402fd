"""Whether the variance between classes, which needs no labels, told of accuracy in a run."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from clip_tta_core import metrics

FEW = 8  # batches from which a correlation says little
CLOSE = 0.5  # a correlation that is surely above this


def tracks(title: str, variance: Sequence[float], accuracy: Sequence[float]) -> str:
    """One or two sentences on how well a contender's variance goes with its accuracy, batch by batch."""
    pairs = [(v, a) for v, a in zip(variance, accuracy, strict=True) if math.isfinite(v) and math.isfinite(a)]
    if not any(map(math.isfinite, variance)):
        return "Of one picture there is no variance: this needs batches of two or more."
    if not pairs:
        return "Without labels there is no accuracy to hold the variance against."
    if len(pairs) < FEW:
        return f"{len(pairs)} labelled batches are too few to tell whether the variance goes with accuracy."
    r, low, high = metrics.correlation(*np.array(pairs).T)
    if math.isnan(r):
        return "One of the two never changed, so nothing can be said of how they go together."
    numbers = f"correlation {_signed(r)}, with 95% confidence from {_signed(low)} to {_signed(high)}"
    return f"{_verdict(title, low, high)} Over {len(pairs)} batches: {numbers}."


def _verdict(title: str, low: float, high: float) -> str:
    if low > CLOSE:
        return f"Here the variance told, without labels, how {title} was doing."
    if low > 0:
        return f"Here the variance told a little of how {title} was doing: the two go together, but loosely."
    if high < 0:
        return f"Here the variance misled: it went up where {title} got worse."
    return f"Here the variance did not tell how {title} was doing."


def _signed(value: float) -> str:
    return f"{value:.2f}".replace("-", "−")
