"""Ice on a window: four drawn textures that stand in for the benchmark's photographs of frost.

Each is a sum of three fields, slow drifts of brightness, feather-like crystals and grain, given the levels,
the tint and (through the fields' shares) the spectrum that were measured on the photographs.
"""

from __future__ import annotations

import math
import threading
from dataclasses import dataclass
from functools import cache

import numpy as np
import torch
from PIL import Image, ImageDraw

from clip_tta_core.corruptions import filters

SIDE = 512  # of a texture, in pixels of a 224 px picture
LUMA = np.array([0.299, 0.587, 0.114])


@dataclass(frozen=True)
class Ice:
    """What one photograph of frost looks like."""

    levels: tuple[float, float, float]  # percentiles 1, 50 and 99 of grey
    tint: tuple[float, float, float]  # mean red, green and blue
    drift: float  # shares of the variance; grain has the rest
    crystals: float
    slope: float  # of the drift's amplitude against frequency, both logarithmic
    strokes: int
    width: tuple[int, int]  # of a stroke, pixels
    length: tuple[float, float]
    dark: float  # share of the strokes that are darker than the ground


ICES = (
    Ice((86, 122, 170), (75, 147, 164), 0.6, 0.3, -2.2, 2600, (1, 2), (5, 40), dark=0.5),  # teal ice
    Ice((147, 213, 239), (198, 202, 212), 0.3, 0.7, -2.5, 4000, (1, 2), (8, 60), dark=0.6),  # white needles
    Ice((90, 160, 220), (145, 160, 173), 0.25, 0.6, -1.8, 4000, (1, 2), (8, 60), dark=0.5),  # grey window
    Ice((33, 96, 198), (98, 109, 121), 0.35, 0.5, -1.8, 2600, (1, 3), (10, 60), dark=0.2),  # ferns on dark
)
DRAWN = (0, 1, 1, 2, 3)  # the benchmark has five photographs, two of which show the same needles

_lock = threading.Lock()


def window(rng: np.random.Generator, side: int, span: float) -> np.ndarray:
    """A random view of a random texture, uint8 (side, side, 3), that shows `span` of its pixels.

    Smaller views are sampled, not averaged, as the benchmark's are: they look rougher than the texture.
    """
    with _lock:  # several visitors may be the first
        texture = _texture(DRAWN[rng.integers(len(DRAWN))])
    left, top = rng.integers(SIDE - math.ceil(span) + 1, size=2)
    box = (left, top, left + span, top + span)
    return np.asarray(texture.transform((side, side), Image.Transform.EXTENT, box, Image.Resampling.BILINEAR))


@cache
def _texture(index: int) -> Image.Image:
    ice, rng = ICES[index], np.random.default_rng(index)
    crystals = _standardized(_crystals(ice, rng))
    grain = rng.standard_normal((SIDE, SIDE))
    sharp = math.sqrt(ice.crystals) * crystals + math.sqrt(1 - ice.drift - ice.crystals) * grain
    sharp = _standardized(filters.gaussian(sharp.astype(np.float32), 0.5))
    field = math.sqrt(ice.drift) * _drift(ice.slope, rng) + math.sqrt(1 - ice.drift) * sharp

    ranks = field.ravel().argsort().argsort().reshape(field.shape)
    normal = torch.special.ndtri(torch.from_numpy((ranks + 0.5) / ranks.size)).numpy()
    low, middle, high = ice.levels
    per_sd = np.where(normal < 0, middle - low, high - middle) / 2.326  # which is the normal's percentile 99
    grey = middle + per_sd * normal
    tint = np.array(ice.tint) / (ice.tint @ LUMA)
    return Image.fromarray(np.clip(grey[..., None] * tint, 0, 255).astype(np.uint8))


def _drift(slope: float, rng: np.random.Generator) -> np.ndarray:
    """Noise without direction whose amplitude follows a power of the frequency. (SIDE, SIDE)"""
    frequency = np.hypot(np.fft.fftfreq(SIDE)[:, None], np.fft.rfftfreq(SIDE))
    frequency[0, 0] = np.inf
    return _standardized(np.fft.irfft2(np.fft.rfft2(rng.standard_normal((SIDE, SIDE))) * frequency**slope))


def _crystals(ice: Ice, rng: np.random.Generator) -> np.ndarray:
    """Straight needles in every direction, each with barbs at 60 degrees. (SIDE, SIDE)"""
    canvas = Image.new("F", (SIDE, SIDE))
    draw = ImageDraw.Draw(canvas)

    def stroke(x: float, y: float, angle: float, length: float, width: int, level: float) -> None:
        end = (x + length * math.cos(angle), y + length * math.sin(angle))
        draw.line((x, y, *end), fill=level, width=width)

    for _ in range(ice.strokes):
        x, y = rng.uniform(-20, SIDE + 20, 2)
        angle, length = rng.uniform(0, 2 * math.pi), rng.uniform(*ice.length)
        width = int(rng.integers(ice.width[0], ice.width[1] + 1))
        level = rng.uniform(0.4, 1) * (-1 if rng.random() < ice.dark else 1)
        stroke(x, y, angle, length, width, level)
        for along in (0.25, 0.45, 0.65, 0.85):
            root = (x + along * length * math.cos(angle), y + along * length * math.sin(angle))
            barb = angle + rng.choice((-1, 1)) * math.pi / 3
            stroke(*root, barb, 0.6 * (1 - along) * length, max(width - 1, 1), 0.9 * level)
    return np.asarray(canvas)


def _standardized(field: np.ndarray) -> np.ndarray:
    return (field - field.mean()) / field.std()
