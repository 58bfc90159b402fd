"""Pictures of a batch on one small sheet, as the page shows them and files keep them."""

from __future__ import annotations

import io
import math

import numpy as np
from PIL import Image

ACROSS = 16  # pictures in a row, at most
TILE = 72  # pixels a side, at most
MOST_BYTES = 8_000_000  # that one run keeps of all its sheets


def columns(count: int) -> int:
    """Pictures in a row of a sheet of so many."""
    return max(1, min(ACROSS, count))


def sheet(images: np.ndarray, across: int = ACROSS, tile: int = TILE, quality: int = 82) -> bytes:
    """Pictures side by side, so many in a row and none enlarged, as a JPEG file. uint8 (B, H, W, 3)"""
    across, tile = max(1, min(across, len(images))), min(tile, *images.shape[1:3])
    paper = Image.new("RGB", (across * tile, math.ceil(len(images) / across) * tile), (128, 128, 128))
    for i, image in enumerate(images):
        picture = Image.fromarray(image).resize((tile, tile), Image.Resampling.BILINEAR)
        paper.paste(picture, (i % across * tile, i // across * tile))
    return _jpeg(paper, quality)


def shrunk(content: bytes, count: int, tile: int, quality: int) -> bytes:
    """A sheet that `sheet` made of `count` pictures, ACROSS in a row, with smaller ones, as a JPEG file."""
    size = (columns(count) * tile, math.ceil(count / columns(count)) * tile)
    with Image.open(io.BytesIO(content)) as paper:
        return _jpeg(paper if paper.width <= size[0] else paper.resize(size, Image.Resampling.BOX), quality)


def _jpeg(paper: Image.Image, quality: int) -> bytes:
    out = io.BytesIO()
    paper.save(out, "JPEG", quality=quality)
    return out.getvalue()


def coarse(images: np.ndarray, side: int, shown: int) -> np.ndarray:
    """Pictures in `side` pixels a side, enlarged so that each is seen. -> uint8 (B, shown, shown, 3)"""

    def one(image: np.ndarray) -> np.ndarray:
        small = Image.fromarray(image).resize((side, side), Image.Resampling.BICUBIC)
        return np.asarray(small.resize((shown, shown), Image.Resampling.NEAREST))

    return np.stack([one(image) for image in images])
