"""Noise: errors of the sensor, drawn for every value of every channel separately."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from clip_tta_core.corruptions.base import corruption, quantize

OUTCOMES = 4096  # equally likely results of counting the photons of one level


@corruption(
    "Gaussian noise",
    at_224=(0.08, 0.12, 0.18, 0.26, 0.38),
    at_64=(0.04, 0.08, 0.12, 0.15, 0.18),
    at_32=(0.04, 0.06, 0.08, 0.09, 0.10),
)
def gaussian_noise(image: np.ndarray, rng: np.random.Generator, sd: float) -> np.ndarray:
    """Sensor noise in low light: every value of every channel gets its own normal error."""
    return quantize(image + (255 * sd) * _normal(rng, image.shape))


@corruption(
    "Shot noise",
    at_224=(60, 25, 12, 5, 3),
    at_64=(250, 100, 50, 30, 15),
    at_32=(500, 250, 100, 75, 50),
)
def shot_noise(image: np.ndarray, rng: np.random.Generator, photons: float) -> np.ndarray:
    """Photon counting noise: light arrives in lumps, and the fewer there are the more a count of them varies.

    `photons` is the mean count at full white; a count is Poisson distributed.
    """
    return photon_levels(photons)[image, rng.integers(OUTCOMES, size=image.shape, dtype=np.uint16)]


@corruption(
    "Impulse noise",
    at_224=(0.03, 0.06, 0.09, 0.17, 0.27),
    at_64=(0.01, 0.02, 0.05, 0.08, 0.14),
    at_32=(0.01, 0.02, 0.03, 0.05, 0.07),
)
def impulse_noise(image: np.ndarray, rng: np.random.Generator, share: float) -> np.ndarray:
    """Dead and hot pixels: a share of all values is lost, half of them to black and half to white."""
    chance = rng.random(image.shape, dtype=np.float32)
    noisy = image.copy()
    noisy[chance < share] = 255
    noisy[chance < share / 2] = 0
    return noisy


@corruption(
    "Speckle noise",
    at_224=(0.15, 0.2, 0.35, 0.45, 0.6),
    at_64=(0.15, 0.2, 0.25, 0.3, 0.35),
    at_32=(0.06, 0.1, 0.12, 0.16, 0.2),
    standard=False,
)
def speckle_noise(image: np.ndarray, rng: np.random.Generator, sd: float) -> np.ndarray:
    """Multiplicative noise, as in radar and ultrasound: the brighter a value, the larger its error."""
    return quantize(image * (1 + np.float32(sd) * _normal(rng, image.shape)))


def _normal(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    return rng.standard_normal(shape, dtype=np.float32)


@lru_cache(maxsize=16)
def photon_levels(photons: float) -> np.ndarray:
    """What a level may turn into when its photons are counted, uint8 (256, OUTCOMES).

    Row v holds the quantiles of a Poisson distribution of mean v photons / 255, as levels. Picking one is
    several times faster than drawing from the distribution, and only events rarer than one in 8192 go
    missing.
    """
    rates = np.maximum(np.arange(256)[:, None] * (photons / 255), 1e-30)  # (256, 1); black has no photons
    counts = np.arange(int(photons + 10 * photons**0.5 + 10))
    log_factorials = np.cumsum(np.log(np.maximum(counts, 1)))
    cumulative = np.exp(counts * np.log(rates) - rates - log_factorials).cumsum(axis=1)  # (256, counts)
    quantiles = (np.arange(OUTCOMES) + 0.5) / OUTCOMES
    counted = np.stack([np.searchsorted(row, quantiles) for row in cumulative])
    levels = quantize(counted * (255 / photons))
    levels.setflags(write=False)  # shared by every caller
    return levels
