"""What stands behind an object: plain grounds, gradients, stripes, checks and clouds, for many pictures."""

from __future__ import annotations

from functools import cache

import numpy as np

from clip_tta_core.sources.draws import Draws

KINDS = ("plain", "gradient", "glow", "stripes", "checks", "clouds")
TILE = 256  # side of the cloud and grain tiles, a power of two: wrapping is a bit mask


def pattern(draws: Draws, kinds: np.ndarray, size: int) -> np.ndarray:
    """How much of the second colour each pixel shows. kinds int (N,) into KINDS -> float32 (N, size, size)"""
    angle = draws.uniform(0, 2 * np.pi)
    period = size * np.exp(draws.uniform(np.log(0.12), np.log(0.5)))  # pixels
    phase = draws.uniform(0, 1)
    offsets = draws.integers(TILE), draws.integers(TILE)
    centre = draws.uniform(0.2, 0.8) * size, draws.uniform(0.2, 0.8) * size

    pixels = np.arange(size, dtype=np.float32)
    grid = pixels - size / 2
    cos, sin = np.cos(angle)[:, None, None], np.sin(angle)[:, None, None]
    along = cos * grid[None, None, :] + sin * grid[None, :, None]  # (N, size, size)
    across = cos * grid[None, :, None] - sin * grid[None, None, :]

    field = np.zeros((len(draws), size, size), dtype=np.float32)
    for number, kind in enumerate(KINDS):
        here = kinds == number
        u, v, wave = along[here], across[here], period[here][:, None, None]
        shift = phase[here][:, None, None]
        if kind == "gradient":
            field[here] = np.clip(0.5 + u / (1.2 * size), 0, 1)
        elif kind == "glow":
            dx = pixels - centre[0][here][:, None]
            dy = pixels - centre[1][here][:, None]
            field[here] = np.clip(np.sqrt(dx[:, None, :] ** 2 + dy[:, :, None] ** 2) / (0.8 * size), 0, 1)
        elif kind == "stripes":
            field[here] = _square_wave(u / wave + shift, wave)
        elif kind == "checks":
            first, second = _square_wave(u / wave + shift, wave), _square_wave(v / wave, wave)
            field[here] = first + second - 2 * first * second
        elif kind == "clouds":
            zoom = 40 / wave  # a long period makes large clouds
            columns = (u * zoom).astype(np.int32) + offsets[0][here][:, None, None]
            rows = (v * zoom).astype(np.int32) + offsets[1][here][:, None, None]
            field[here] = clouds()[rows & (TILE - 1), columns & (TILE - 1)]
    return field


def _square_wave(turns: np.ndarray, period: np.ndarray) -> np.ndarray:
    """0 and 1 by halves of a turn, with edges one pixel wide; `period` is a turn's length in pixels."""
    triangle = np.abs(turns - np.floor(turns) - 0.5) * 2  # 1 at whole turns, 0 between
    return np.clip(0.5 + (triangle - 0.5) * period / 2, 0, 1)


@cache
def clouds() -> np.ndarray:
    """A periodic cloudy sky: noise whose amplitude falls with frequency. float32 (TILE, TILE) in [0, 1]"""
    frequency = np.hypot(np.fft.fftfreq(TILE)[:, None], np.fft.rfftfreq(TILE)[None, :])
    frequency[0, 0] = np.inf  # no mean
    white = np.fft.rfft2(np.random.default_rng(0).standard_normal((TILE, TILE)))
    sky = np.fft.irfft2(white / frequency**1.7, s=(TILE, TILE))
    return np.clip(0.5 + 0.25 * sky / sky.std(), 0, 1).astype(np.float32)


def grain(size: int, left: np.ndarray, top: np.ndarray) -> np.ndarray:
    """Standard normal noise, each picture a window of one endless tile. -> float32 (N, size, size, 3)"""
    tile = _grain_tile(size)
    windows = [tile[y : y + size, x : x + size] for x, y in zip(left, top, strict=True)]
    return np.stack(windows) if windows else np.empty((0, size, size, 3), np.float32)


@cache
def _grain_tile(margin: int) -> np.ndarray:
    tile = np.random.default_rng(1).standard_normal((TILE, TILE, 3)).astype(np.float32)
    return np.pad(tile, ((0, margin), (0, margin), (0, 0)), mode="wrap")
