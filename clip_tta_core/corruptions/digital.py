"""Digital: exposure, colour, geometry and coding, after the light has been turned into numbers."""

from __future__ import annotations

import io

import numpy as np
from PIL import Image

from clip_tta_core.corruptions import filters
from clip_tta_core.corruptions.base import corruption, quantize


@corruption(
    "Brightness",
    at_224=(0.1, 0.2, 0.3, 0.4, 0.5),
    at_64=(0.1, 0.2, 0.3, 0.4, 0.5),
    at_32=(0.05, 0.1, 0.15, 0.2, 0.3),
)
def brightness(image: np.ndarray, amount: float) -> np.ndarray:
    """Glaring daylight: the value of every pixel rises, its hue and saturation stay.

    Value is the largest channel, so keeping the others' ratios to it means scaling all three by new over old
    value.
    """
    old = np.arange(256, dtype=np.float32)
    new = np.minimum(old + np.float32(255 * amount), 255)
    gain = new / np.maximum(old, 1)  # (256,) by old value
    brightened = image * gain[_value(image)][..., None]
    brightened[~image.any(axis=-1)] = new[0]  # black has no hue to keep
    return quantize(brightened)


@corruption(
    "Contrast",
    at_224=(0.4, 0.3, 0.2, 0.1, 0.05),
    at_64=(0.4, 0.3, 0.2, 0.1, 0.05),
    at_32=(0.75, 0.5, 0.4, 0.3, 0.15),
)
def contrast(image: np.ndarray, share: float) -> np.ndarray:
    """Flat light: every channel is drawn towards its own mean, until little but that mean is left."""
    mean = image.mean(axis=(0, 1)).astype(np.float32)  # (3,)
    return quantize((image - mean) * np.float32(share) + mean)


@corruption(
    "Elastic transform",
    at_224=(
        (488, 170.8, 24.4),  # multiples of 244, a slip that is part of the benchmark
        (488, 19.52, 48.8),
        (12.2, 2.44, 4.88),
        (17.08, 2.44, 4.88),
        (29.28, 2.44, 4.88),
    ),
    at_64=((0, 0, 5.12), (3.2, 19.2, 3.84), (6.4, 5.12, 3.84), (6.4, 1.92, 1.92), (10.24, 1.92, 1.28)),
    at_32=((0, 0, 2.56), (1.6, 6.4, 2.24), (2.56, 1.92, 1.92), (3.2, 1.28, 1.6), (3.2, 0.96, 0.96)),
    lengths=("alpha", "sigma", "jitter"),
)
def elastic_transform(
    image: np.ndarray, rng: np.random.Generator, alpha: float, sigma: float, jitter: float
) -> np.ndarray:
    """A picture on a rubber sheet: the whole is sheared and shifted, and small parts are stretched.

    `jitter` bounds how far each corner of a triangle moves, and with it the affine map. The local
    displacement is noise in [-1, 1], smoothed by `sigma` and multiplied by `alpha`.
    """
    n = len(image)
    y, x = np.indices((n, n))
    centre, half = n // 2, max(n // 3, 1)
    corners = centre + half * np.array([[1, 1], [1, -1], [-1, -1]])  # (3, 2) of (x, y)
    moved = corners + rng.uniform(-jitter, jitter, (3, 2))
    # The picture follows the corners, so a pixel shows what the inverse map finds. (3, 2): [x, y, 1] -> there
    back = np.linalg.solve(np.column_stack([moved, np.ones(3)]), corners)
    columns, rows = back[0, :, None, None] * x + back[1, :, None, None] * y + back[2, :, None, None]
    sheared = filters.warp(image, rows, columns, border="reflect")
    if alpha == 0:
        return quantize(sheared)

    fields = rng.uniform(-1, 1, (2, n, n)).astype(np.float32)
    smooth = filters.gaussian_matrix(n, sigma, int(3 * sigma + 0.5), "symmetric")
    dx, dy = (alpha * filters.separable(field, smooth) for field in fields)
    return quantize(filters.warp(sheared, y + dy, x + dx, border="symmetric"))


@corruption(
    "Pixelate",
    at_224=(0.6, 0.5, 0.4, 0.3, 0.25),
    at_64=(0.9, 0.8, 0.7, 0.6, 0.5),
    at_32=(0.95, 0.9, 0.85, 0.75, 0.65),
)
def pixelate(image: np.ndarray, share: float) -> np.ndarray:
    """Low resolution: the picture shrinks to fewer pixels, which are then shown enlarged."""
    n = len(image)
    small = max(int(n * share), 1)
    shrunk = Image.fromarray(image).resize((small, small), Image.Resampling.BOX)
    return np.array(shrunk.resize((n, n), Image.Resampling.BOX))


@corruption(
    "JPEG compression",
    at_224=(25, 18, 15, 10, 7),
    at_64=(65, 58, 50, 40, 25),
    at_32=(80, 65, 58, 50, 40),
)
def jpeg_compression(image: np.ndarray, quality: int) -> np.ndarray:
    """A file made too small: blocks, ripples around edges, and colour at half resolution."""
    file = io.BytesIO()
    Image.fromarray(image).save(file, "JPEG", quality=quality)
    return np.array(Image.open(file))


@corruption(
    "Saturate",
    at_224=((0.3, 0), (0.1, 0), (2, 0), (5, 0.1), (20, 0.2)),
    at_64=((0.3, 0), (0.1, 0), (2, 0), (5, 0.1), (30, 0.2)),
    at_32=((0.3, 0), (0.1, 0), (1.5, 0), (2, 0.1), (2.5, 0.2)),
    standard=False,
)
def saturate(image: np.ndarray, gain: float, offset: float) -> np.ndarray:
    """Washed out or garish colours: saturation is scaled and raised, hue and brightness stay.

    A pixel's saturation is its chroma (largest minus smallest channel) over its value (largest channel).
    """
    value = _value(image).astype(np.float32)[..., None]  # (n, n, 1)
    below = value - image  # (n, n, 3) how far each channel lies below the value
    chroma = np.maximum(np.maximum(below[..., :1], below[..., 1:2]), below[..., 2:])  # (n, n, 1)
    saturation = chroma / np.maximum(value, 1)
    wanted = np.clip(saturation * np.float32(gain) + np.float32(offset), 0, 1) * value
    grey = chroma[..., 0] == 0  # grey counts as red, hue 0: green and blue alone fall
    below[grey, 1:] = 1
    chroma[grey] = 1
    return quantize(value - below * (wanted / chroma))


def _value(image: np.ndarray) -> np.ndarray:
    """The largest channel of every pixel, V of HSV. uint8 (n, n, 3) -> uint8 (n, n)"""
    return np.maximum(np.maximum(image[..., 0], image[..., 1]), image[..., 2])
