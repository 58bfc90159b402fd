"""The outlines of drops: which steps of brightness are edges."""

from __future__ import annotations

import numpy as np

from clip_tta_core.corruptions.glints import outlines


def step(height: int, length: int = 16) -> np.ndarray:
    """Black on the left, a level on the right; a Sobel filter answers with four times the step."""
    levels = np.zeros((16, 16), np.uint8)
    levels[:length, 8:] = height
    return levels


def test_an_edge_is_a_step_of_more_than_a_quarter_of_the_strong_threshold():
    assert not outlines(step(37)).any() and outlines(step(38)).any()  # 148 and 152, the threshold is 150


def test_a_weak_edge_counts_where_it_touches_a_strong_one():
    levels = step(40)
    levels[8:, 8:] = 20  # an answer of 80, above the weak threshold of 50
    assert outlines(levels)[12].any() and not outlines(step(20)).any()
    levels[8:, 8:] = 12  # 48
    assert not outlines(levels)[12].any()
