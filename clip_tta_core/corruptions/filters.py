"""Building blocks that several corruptions share: Gaussian filter, zoom, motion streaks, warps.

Layers are single fields (n, n) or pictures (n, n, 3); planes are pictures turned to (3, n, n). What comes out
is float32, in the unit of what went in.
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Literal

import numpy as np
import torch
import torch.nn.functional as F

Border = Literal["edge", "symmetric", "reflect"]  # numpy.pad's words: aaa|abc, cba|abc, dcb|abc


def gaussian(layer: np.ndarray, sigma: float) -> np.ndarray:
    """Gaussian filter, cut off at four `sigma` pixels, the edge pixel repeated outside. (n, n[, 3])"""
    radius = int(4 * sigma + 0.5)
    return separable(layer, gaussian_matrix(len(layer), sigma, radius, "edge")) if radius else layer


def separable(layer: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    """Apply a linear filter, given as an (n, n) matrix, along the rows and along the columns. (n, n[, 3])

    A dense product costs less than shifting the picture once per tap, whatever the width and the border of
    the filter.
    """
    if layer.ndim == 2:
        return matrix @ layer @ matrix.T
    return to_pixels(matrix @ to_planes(layer) @ matrix.T)


@lru_cache(maxsize=64)
def gaussian_matrix(n: int, sigma: float, radius: int, border: Border) -> np.ndarray:
    """The 1-D Gaussian filter as a float32 (n, n) matrix, with what lies outside folded back inside."""
    taps = np.exp(-np.square(np.arange(-radius, radius + 1) / sigma) / 2)
    inside = np.pad(np.arange(n), radius, mode=border)  # (n + 2 radius,) which pixel stands there
    matrix = np.zeros((n, n))
    for tap, weight in enumerate(taps / taps.sum()):
        np.add.at(matrix, (np.arange(n), inside[tap : tap + n]), weight)
    matrix = matrix.astype(np.float32)
    matrix.setflags(write=False)  # shared by every caller
    return matrix


def zoom(planes: np.ndarray, factor: float) -> np.ndarray:
    """Enlarge the middle of squares by `factor` >= 1, keeping their size. float32 (C, n, n) -> (C, n, n)

    Bilinear, with the corners of the crop on the corners of the enlargement.
    """
    n = planes.shape[-1]
    crop = math.ceil(n / factor)
    size = round(crop * factor)
    near, far = (n - crop) // 2, (size - n) // 2
    middle = torch.from_numpy(planes[:, near : near + crop, near : near + crop])[None]
    enlarged = F.interpolate(middle, (size, size), mode="bilinear", align_corners=True)
    return enlarged[0, :, far : far + n, far : far + n].numpy()


def streak(levels: np.ndarray, radius: float, sigma: float, angle: float) -> np.ndarray:
    """Motion blur as ImageMagick does it: each pixel averages what lies ahead of it. uint8 in, uint8 out

    The kernel is one-sided, half a Gaussian that starts at the pixel itself, and reads whole pixels only. So
    the content also moves, by about 0.8 `sigma` against the direction of `angle` (degrees, y grows
    downwards).
    """
    count = 2 * math.ceil(radius) + 1
    steps = np.arange(count)
    weights = np.exp(-np.square(steps / sigma) / 2)
    weights = (weights / weights.sum()).astype(np.float32)
    right = np.ceil(steps * math.cos(math.radians(angle)) - 0.5).astype(int)
    down = np.ceil(steps * math.sin(math.radians(angle)) - 0.5).astype(int)

    n = len(levels)
    margins = [(count, count)] * 2 + [(0, 0)] * (levels.ndim - 2)
    padded = np.pad(levels, margins, mode="edge").astype(np.float32)
    blurred, term = np.zeros(levels.shape, np.float32), np.zeros(levels.shape, np.float32)
    for weight, x, y in zip(weights, count + right, count + down, strict=True):
        blurred += np.multiply(padded[y : y + n, x : x + n], weight, out=term)
    return (blurred + 1e-3).astype(np.uint8)


def warp(layer: np.ndarray, rows: np.ndarray, columns: np.ndarray, border: Border) -> np.ndarray:
    """Read a picture at fractional positions, bilinearly; `rows` and `columns` are (n, n) pixels. (n, n, 3)

    Outside, the picture is mirrored: about its edge pixels ("reflect") or about its rim ("symmetric").
    """
    n = len(layer)
    grid = np.stack([columns, rows], axis=-1)[None]  # (1, n, n, 2)
    if border == "reflect":
        grid, aligned = 2 * grid / max(n - 1, 1) - 1, True
    else:
        grid, aligned = (2 * grid + 1) / n - 1, False
    grid = torch.from_numpy(grid.astype(np.float32))
    planes = torch.from_numpy(to_planes(layer))[None]  # (1, 3, n, n)
    read = F.grid_sample(planes, grid, mode="bilinear", padding_mode="reflection", align_corners=aligned)
    return to_pixels(read[0].numpy())


def to_planes(pixels: np.ndarray) -> np.ndarray:
    """(n, n, 3) -> float32 (3, n, n)"""
    return np.ascontiguousarray(np.moveaxis(pixels, -1, 0), dtype=np.float32)


def to_pixels(planes: np.ndarray) -> np.ndarray:
    """(3, n, n) -> (n, n, 3)"""
    return np.moveaxis(planes, 0, -1)
