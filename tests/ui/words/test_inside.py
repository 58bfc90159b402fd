"""The sentence on variance and accuracy says what the interval of their correlation allows."""

import math

import numpy as np
import pytest

from clip_tta_core import metrics
from clip_tta_core.ui.words.inside import tracks

RISING = list(np.linspace(0.1, 0.5, 12) + 0.03 * (-1) ** np.arange(12))


@pytest.mark.parametrize(
    "variance, accuracy, says",
    [
        (RISING, [2 * v for v in RISING], "Here the variance told, without labels, how TENT was doing."),
        (RISING, [1 - v for v in RISING], "misled: it went up where TENT got worse"),
        ([0.1, 0.2] * 6, [0.1, 0.2, 0.2, 0.1] * 3, "did not tell how TENT was doing"),
        (RISING[:7], RISING[:7], "7 labelled batches are too few"),
        (RISING, [math.nan] * 12, "Without labels"),
        ([math.nan] * 12, RISING, "Of one picture there is no variance"),
        ([0.1] * 12, RISING, "One of the two never changed"),
    ],
)
def test_what_is_said(variance, accuracy, says):
    assert says in tracks("TENT", variance, accuracy)


def test_a_loose_tie_is_called_so_with_its_numbers():
    rng = np.random.default_rng(2)
    variance = rng.normal(size=60)
    accuracy = variance + 1.6 * rng.normal(size=60)
    r, low, high = metrics.correlation(variance, accuracy)
    assert 0 < low < 0.5
    said = tracks("TENT", list(variance), list(accuracy))
    assert "but loosely" in said
    assert said.endswith(
        f"Over 60 batches: correlation {r:.2f}, with 95% confidence from {low:.2f} to {high:.2f}."
    )


def test_batches_without_a_number_do_not_count():
    said = tracks("TENT", [*RISING, math.nan], [*RISING, 0.5])
    assert "Over 12 batches" in said
