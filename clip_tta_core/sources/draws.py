"""Random numbers for many pictures at once, picture i's depending on (seed, i) and nothing else.

A generator hands out numbers in the order it is asked, so a picture would depend on its batch. A hash of
(seed, i, number of the question) does not. The hash is the output step of SplitMix64 (Steele, Lea and Flood,
OOPSLA 2014): a few whole-array operations.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

GOLDEN = np.uint64(0x9E3779B97F4A7C15)  # 2^64 over the golden ratio: consecutive counters land far apart


Indices = Sequence[int] | np.ndarray  # (N,) whole numbers: which pictures of a world


class Draws:
    """One column of numbers per question asked, one number per index; the order of the questions matters."""

    def __init__(self, seed: int, indices: Indices, stream: int = 0) -> None:
        """Streams of one seed are unrelated: what a caption draws leaves the picture as it is."""
        indices = np.asarray(indices, dtype=np.int64).astype(np.uint64)
        with np.errstate(over="ignore"):
            start = _mix(np.array([seed % 2**64], np.uint64) + np.uint64(stream % 2**64) * GOLDEN)
            self._keys = _mix(start + indices * GOLDEN)  # (N,)
        self._asked = 0

    def __len__(self) -> int:
        return len(self._keys)

    def uniform(self, low: float = 0.0, high: float = 1.0) -> np.ndarray:
        """float32 (N,) in [low, high)."""
        self._asked += 1
        with np.errstate(over="ignore"):
            bits = _mix(self._keys + np.uint64(self._asked) * GOLDEN)
        unit = (bits >> np.uint64(40)).astype(np.float32) * np.float32(2.0**-24)
        return low + unit * np.float32(high - low)

    def integers(self, count: int) -> np.ndarray:
        """int64 (N,) in 0 .. count - 1."""
        return np.minimum((self.uniform() * count).astype(np.int64), count - 1)

    def happens(self, probability: float) -> np.ndarray:
        """bool (N,), True with the given probability."""
        return self.uniform() < probability


def _mix(bits: np.ndarray) -> np.ndarray:
    """SplitMix64's output function. uint64 -> uint64, every input bit reaches every output bit"""
    with np.errstate(over="ignore"):
        bits = (bits ^ (bits >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        bits = (bits ^ (bits >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        return bits ^ (bits >> np.uint64(31))
