"""Pictures to corrupt: a photograph and flat fields."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
import skimage.data
from PIL import Image

SIZES = (32, 64, 224)


@cache
def photograph(n: int) -> np.ndarray:
    """A portrait with a smooth ground, fine texture, black, white and a saturated orange. uint8 (n, n, 3)"""
    picture = Image.fromarray(skimage.data.astronaut()).crop((100, 0, 400, 300)).resize((n, n))
    pixels = np.array(picture)
    pixels.setflags(write=False)
    return pixels


def flat(n: int, level: int = 128) -> np.ndarray:
    return np.full((n, n, 3), level, np.uint8)


@pytest.fixture(params=SIZES)
def size(request: pytest.FixtureRequest) -> int:
    return request.param


@pytest.fixture
def photo(size: int) -> np.ndarray:
    return photograph(size)


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(0)


def generator(seed: int) -> np.random.Generator:
    """The generator that `corrupt` draws from: a test that draws alike knows what chance decided."""
    return np.random.Generator(np.random.SFC64(seed))


def assert_within_a_level(corrupted: np.ndarray, expected: np.ndarray) -> None:
    """`expected` is in float levels; truncation may fall either way where it is nearly whole."""
    difference = np.abs(corrupted - np.floor(np.clip(expected, 0, 255) + 1e-3))
    assert difference.max() <= 1
    assert (difference > 0).mean() < 0.01


def mean_square(first: np.ndarray, second: np.ndarray) -> float:
    return float(np.square(first.astype(float) - second).mean())
