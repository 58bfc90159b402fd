"""Blur: optics and movement between the scene and the sensor."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from clip_tta_core.corruptions import filters
from clip_tta_core.corruptions.base import corruption, quantize


@corruption(
    "Defocus blur",
    at_224=((3, 0.1), (4, 0.5), (6, 0.5), (8, 0.5), (10, 0.5)),
    at_64=((0.5, 0.6), (1, 0.1), (1.5, 0.1), (2.5, 0.01), (3, 0.1)),
    at_32=((0.3, 0.4), (0.4, 0.5), (0.5, 0.6), (1, 0.2), (1.5, 0.1)),
    lengths=("radius",),
)
def defocus_blur(image: np.ndarray, radius: float, rim: float) -> np.ndarray:
    """A lens out of focus: every point of light spreads over a disk."""
    kernel = disk(radius, rim)
    n, reach = len(image), len(kernel) // 2
    margins = ((reach, reach), (reach, reach), (0, 0))
    padded = filters.to_planes(np.pad(image, margins, mode="reflect"))  # (3, n + 2 reach, n + 2 reach)
    size = (_fast_length(n + 2 * reach),) * 2
    spectrum = np.fft.rfft2(padded, size) * np.fft.rfft2(kernel, size)
    blurred = np.fft.irfft2(spectrum, size)[:, 2 * reach : 2 * reach + n, 2 * reach : 2 * reach + n]
    return quantize(filters.to_pixels(blurred))


@corruption(
    "Glass blur",
    at_224=((0.7, 1, 2), (0.9, 2, 1), (1, 2, 3), (1.1, 3, 2), (1.5, 4, 2)),
    at_64=((0.1, 1, 1), (0.5, 1, 1), (0.6, 1, 2), (0.7, 2, 1), (0.9, 2, 2)),
    at_32=((0.05, 1, 1), (0.25, 1, 1), (0.4, 1, 1), (0.25, 1, 2), (0.4, 1, 2)),
    lengths=("sigma", "reach"),
)
def glass_blur(
    image: np.ndarray, rng: np.random.Generator, sigma: float, reach: float, rounds: int
) -> np.ndarray:
    """Frosted glass: pixels are scrambled among their neighbours, with a slight blur before and after."""
    smooth = quantize(filters.gaussian(image, sigma)).reshape(-1, 3)  # (n * n, 3)
    origin = scrambled(rng, len(image), max(round(reach), 1), rounds)
    return quantize(filters.gaussian(smooth[origin].reshape(image.shape), sigma))


@corruption(
    "Motion blur",
    at_224=((10, 3), (15, 5), (15, 8), (15, 12), (20, 15)),
    at_64=((10, 1), (10, 1.5), (10, 2), (10, 2.5), (12, 3)),
    at_32=((6, 1), (6, 1.5), (6, 2), (8, 2), (9, 2.5)),
    lengths=("radius", "sigma"),
)
def motion_blur(image: np.ndarray, rng: np.random.Generator, radius: float, sigma: float) -> np.ndarray:
    """A camera shaken while the shutter was open: everything smears along one line, mostly sideways."""
    return filters.streak(image, radius, sigma, angle=rng.uniform(-45, 45))


@corruption(
    "Zoom blur",
    at_224=((0.01, 12), (0.01, 16), (0.02, 11), (0.02, 13), (0.03, 11)),
    at_64=((0.01, 7), (0.01, 12), (0.01, 16), (0.01, 21), (0.01, 26)),
    at_32=((0.01, 7), (0.01, 12), (0.01, 16), (0.01, 21), (0.01, 26)),
)
def zoom_blur(image: np.ndarray, step: float, count: int) -> np.ndarray:
    """A camera rushing forwards: the mean of the picture and of ever closer views of it.

    The first of the `count` views is the picture itself, which therefore counts twice.
    """
    planes = filters.to_planes(image)
    total = planes.copy()
    for k in range(count):
        # 1 + k step, but for a hair that the benchmark's arithmetic adds and that decides a rounding
        total += filters.zoom(planes, 1 + k * ((1 + step) - 1))
    return quantize(filters.to_pixels(total / (count + 1)))


@corruption(
    "Gaussian blur",
    at_224=(1, 2, 3, 4, 6),
    at_64=(0.5, 0.75, 1, 1.25, 1.5),
    at_32=(0.4, 0.6, 0.7, 0.8, 1),
    lengths=("sigma",),
    standard=False,
)
def gaussian_blur(image: np.ndarray, sigma: float) -> np.ndarray:
    """A soft blur without direction or rim: every point of light spreads over a bell curve."""
    return quantize(filters.gaussian(image, sigma))


def scrambled(rng: np.random.Generator, n: int, reach: int, rounds: int) -> np.ndarray:
    """Which pixel ends up where when glass scrambles an n x n picture: flat indices, int (n * n,)

    Every round scans the sites from the last to the first and copies onto each the pixel at an offset of
    -reach to reach - 1 rows and columns. A site met earlier has been overwritten by then, so copies travel.
    (The benchmark was meant to swap pixels, but copies them; it shows.)

    Instead of scanning, follow links: `link[n * n + p]` says where pixel p after its visit came from, which
    is either a pixel before the round, `link[q] = q`, or another after its visit. Jumping along links doubles
    their length.
    """
    origin = np.arange(n * n)
    sites = np.arange(reach + 1, n - reach + 1)
    sites = sites[:, None] * n + sites  # (m, m)
    for _ in range(rounds):
        rows, columns = rng.integers(-reach, reach, (2, *sites.shape))
        found = sites + rows * n + columns
        link = np.concatenate([np.arange(n * n)] * 2)
        link[n * n + sites] = np.where(found > sites, n * n + found, found)
        while (link[n * n :] >= n * n).any():
            link[n * n :] = link[link[n * n :]]
        origin = origin[link[n * n :]]
    return origin


@lru_cache(maxsize=64)
def disk(radius: float, rim: float) -> np.ndarray:
    """A filled disk whose rim is softened by a small Gaussian of `rim` pixels, float32 (2R + 1, 2R + 1).

    The softening mirrors at the border of the benchmark's grid, which a disk of radius 8 or 10 touches:
    weight leaks in there, the sum exceeds 1 and the picture brightens by one percent. That is part of the
    benchmark.
    """
    reach, soft = (8, 1) if radius <= 8 else (int(np.ceil(radius)), 2)
    grid = np.arange(-reach, reach + 1)
    inside = np.square(grid)[:, None] + np.square(grid) <= radius**2
    kernel = filters.separable(
        (inside / inside.sum()).astype(np.float32), filters.gaussian_matrix(len(grid), rim, soft, "reflect")
    )
    empty = min(int(np.argmax(kernel.any(axis=0))), reach)  # columns without weight at either end
    return kernel[empty : len(grid) - empty, empty : len(grid) - empty]


def _fast_length(n: int) -> int:
    """The smallest length >= n without prime factors above 5: a Fourier transform's favourites."""
    while True:
        rest = n
        for prime in (2, 3, 5):
            while rest % prime == 0:
                rest //= prime
        if rest == 1:
            return n
        n += 1
