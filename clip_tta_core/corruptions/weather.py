"""Weather: what stands in the air or on the lens between the camera and the scene."""

from __future__ import annotations

import numpy as np

from clip_tta_core.corruptions import filters, glints, ice
from clip_tta_core.corruptions.base import corruption, quantize

LUMA = np.array([0.299, 0.587, 0.114], np.float32)
WATER = np.array([175, 238, 238], np.float32)  # levels of red, green and blue
MUD = np.array([63, 42, 20], np.float32)


@corruption(
    "Snow",
    at_224=(
        (0.1, 0.3, 3, 0.5, 10, 4, 0.8),
        (0.2, 0.3, 2, 0.5, 12, 4, 0.7),
        (0.55, 0.3, 4, 0.9, 12, 8, 0.7),
        (0.55, 0.3, 4.5, 0.85, 12, 8, 0.65),
        (0.55, 0.3, 2.5, 0.85, 12, 12, 0.55),
    ),
    at_64=(
        (0.1, 0.2, 1, 0.6, 8, 3, 0.8),
        (0.1, 0.2, 1, 0.5, 10, 4, 0.8),
        (0.15, 0.3, 1.75, 0.55, 10, 4, 0.7),
        (0.25, 0.3, 2.25, 0.6, 12, 6, 0.65),
        (0.3, 0.3, 1.25, 0.65, 14, 12, 0.6),
    ),
    at_32=(
        (0.1, 0.2, 1, 0.6, 8, 3, 0.95),
        (0.1, 0.2, 1, 0.5, 10, 4, 0.9),
        (0.15, 0.3, 1.75, 0.55, 10, 4, 0.9),
        (0.25, 0.3, 2.25, 0.6, 12, 6, 0.85),
        (0.3, 0.3, 1.25, 0.65, 14, 12, 0.8),
    ),
    lengths=("size", "radius", "sigma"),
)
def snow(
    image: np.ndarray,
    rng: np.random.Generator,
    mean: float,
    sd: float,
    size: float,
    threshold: float,
    radius: float,
    sigma: float,
    keep: float,
) -> np.ndarray:
    """Falling snow: white streaks in front of a scene that has itself turned paler.

    Flakes are noise of the given `mean` and `sd`, enlarged to `size` pixels and cut off below `threshold`,
    that fall while the shutter is open (`radius`, `sigma`).
    """
    field = mean + sd * rng.standard_normal((1, *image.shape[:2]), dtype=np.float32)
    layer = filters.zoom(field, max(size, 1))[0]
    flakes = quantize(np.where(layer < threshold, 0, 255 * layer))
    flakes = filters.streak(flakes, radius, sigma, angle=rng.uniform(-135, -45)).astype(np.float32)
    flakes += flakes[::-1, ::-1]  # the layer and itself turned by 180 degrees

    levels = image.astype(np.float32)
    white = 1.5 * (levels @ LUMA) + 127.5  # (n, n), may exceed 255
    paler = keep * levels + (1 - keep) * np.maximum(levels, white[..., None])
    return quantize(paler + flakes[..., None])


@corruption(
    "Frost",
    at_224=((1, 0.4, 224), (0.8, 0.6, 224), (0.7, 0.7, 224), (0.65, 0.7, 224), (0.6, 0.75, 224)),
    at_64=(
        (1, 0.3, 64 / 0.3),
        (0.9, 0.4, 64 / 0.3),
        (0.8, 0.45, 64 / 0.3),
        (0.75, 0.5, 64 / 0.3),
        (0.7, 0.55, 64 / 0.3),
    ),
    at_32=((1, 0.2, 160), (1, 0.3, 160), (0.9, 0.4, 160), (0.85, 0.4, 160), (0.75, 0.45, 160)),
)
def frost(image: np.ndarray, rng: np.random.Generator, keep: float, add: float, span: float) -> np.ndarray:
    """Ice crystals on the window: frost is added to the scene, which grows brighter and loses contrast.

    The two weights, `keep` and `add`, do not sum to 1. `span` is how much of the window is seen, in pixels of
    its texture.
    """
    return quantize(np.float32(keep) * image + np.float32(add) * ice.window(rng, len(image), span))


@corruption(
    "Fog",
    at_224=((1.5, 2), (2, 2), (2.5, 1.7), (2.5, 1.5), (3, 1.4)),
    at_64=((0.4, 3), (0.7, 3), (1, 2.5), (1.5, 2), (2, 1.75)),
    at_32=((0.2, 3), (0.5, 3), (0.75, 2.5), (1, 2), (1.5, 1.75)),
)
def fog(image: np.ndarray, rng: np.random.Generator, amount: float, decay: float) -> np.ndarray:
    """Fog banks: drifting brightness over the whole picture, and everything behind it paler."""
    n = len(image)
    banks = plasma(rng, 1 << (n - 1).bit_length(), decay)[:n, :n]
    brightest = image.max() / 255
    return quantize(
        (image + (255 * amount) * banks[..., None]) * np.float32(brightest / (brightest + amount))
    )


@corruption(
    "Spatter",
    at_224=(
        (0.65, 0.3, 4, 0.69, 0.6, 0),
        (0.65, 0.3, 3, 0.68, 0.6, 0),
        (0.65, 0.3, 2, 0.68, 0.5, 0),
        (0.65, 0.3, 1, 0.65, 1, 1.5),
        (0.67, 0.4, 1, 0.65, 1, 1.5),
    ),
    at_64=(
        (0.62, 0.1, 0.7, 0.7, 0.6, 0),
        (0.65, 0.1, 0.8, 0.7, 0.6, 0),
        (0.65, 0.3, 1, 0.69, 0.6, 0),
        (0.65, 0.1, 0.7, 0.68, 1, 0.6),
        (0.65, 0.1, 0.5, 0.67, 1, 0.6),
    ),
    at_32=(
        (0.62, 0.1, 0.7, 0.7, 0.5, 0),
        (0.65, 0.1, 0.8, 0.7, 0.5, 0),
        (0.65, 0.3, 1, 0.69, 0.5, 0),
        (0.65, 0.1, 0.7, 0.69, 1, 0.6),
        (0.65, 0.1, 0.5, 0.68, 1, 0.6),
    ),
    lengths=("blur", "rim"),
    standard=False,
)
def spatter(
    image: np.ndarray,
    rng: np.random.Generator,
    mean: float,
    sd: float,
    blur: float,
    threshold: float,
    strength: float,
    rim: float,
) -> np.ndarray:
    """Drops on the lens: glittering water when it is mild, opaque mud when it is severe.

    Drops are where noise of the given `mean` and `sd`, smoothed by `blur`, exceeds `threshold`. Mud has a
    `rim`.
    """
    liquid = filters.gaussian(mean + sd * rng.standard_normal(image.shape[:2], dtype=np.float32), blur)
    if rim:
        mud = filters.gaussian((liquid > threshold).astype(np.float32), rim)
        mud = np.where(mud < 0.8, 0, strength * mud)[..., None]
        return quantize(image * (1 - mud) + mud * MUD)
    drops = quantize(np.where(liquid < threshold, 0, 255 * liquid))
    glitter = drops * glints.relief(drops)
    return quantize(image + (strength / max(glitter.max(), 1)) * glitter[..., None] * WATER)


def plasma(rng: np.random.Generator, size: int, decay: float) -> np.ndarray:
    """Clouds by diamond-square on a torus, float32 (size, size) from 0 to 1; `size` is a power of two.

    The displacement is the square of an amplitude that falls by `decay` per octave: smoother for larger
    decay.
    """
    field = np.zeros((size, size), np.float32)
    step, amplitude = size, 100.0

    def noise(count: int) -> np.ndarray:
        return rng.uniform(-(amplitude**2), amplitude**2, (count, count)).astype(np.float32)

    while step > 1:
        half, count = step // 2, size // step
        corners = field[::step, ::step]  # (count, count)
        row_pairs = corners + np.roll(corners, -1, axis=0)
        centres = (row_pairs + np.roll(row_pairs, -1, axis=1)) / 4 + noise(count)
        field[half::step, half::step] = centres
        field[::step, half::step] = (
            corners + np.roll(corners, -1, axis=1) + centres + np.roll(centres, 1, axis=0)
        ) / 4 + noise(count)
        field[half::step, ::step] = (
            corners + np.roll(corners, -1, axis=0) + centres + np.roll(centres, 1, axis=1)
        ) / 4 + noise(count)
        step, amplitude = half, amplitude / decay
    field -= field.min()
    return field / max(field.max(), 1e-9)  # a single pixel is 0
