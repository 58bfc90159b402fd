"""Light on drops: the relief that makes smooth blobs of noise look like water on a lens."""

from __future__ import annotations

import numpy as np

from clip_tta_core.corruptions import filters

MEAN = np.full((3, 3), 1 / 9)
EMBOSS = np.array([[-2, -1, 0], [-1, 1, 1], [0, 1, 2]])


def relief(drops: np.ndarray) -> np.ndarray:
    """How light plays on drops, as if lit from a corner: float32 levels. uint8 (n, n) -> (n, n)

    The distance to the nearest outline, spread evenly over all levels and embossed.
    """
    depth = np.trunc(_correlate(distance(outlines(drops), reach=20), MEAN) + 1e-3).astype(int)
    embossed = np.clip(_correlate(_equalized(depth).astype(np.float32), EMBOSS), 0, 255)
    return np.round(_correlate(embossed, MEAN))


def outlines(levels: np.ndarray, weak: float = 50, strong: float = 150) -> np.ndarray:
    """Canny's edges, one pixel wide. uint8 (n, n) -> bool (n, n)

    Canny, "A Computational Approach to Edge Detection", PAMI 1986, with the 1-norm for the gradient's size.
    """
    across = np.array([[-1, 0, 1], [-2, 0, 2], [-1, 0, 1]])
    gx = _correlate(levels.astype(np.float32), across, border="edge")
    gy = _correlate(levels.astype(np.float32), across.T, border="edge")
    size = np.abs(gx) + np.abs(gy)

    n = len(levels)
    padded = np.pad(size, 1)

    def neighbour(down: int, right: int) -> np.ndarray:
        return padded[1 + down : 1 + down + n, 1 + right : 1 + right + n]

    # Keep the crest: a pixel must beat its neighbours along the gradient, in the nearest of four directions.
    flat, steep = np.abs(gy) < np.tan(np.pi / 8) * np.abs(gx), np.abs(gy) > np.tan(3 * np.pi / 8) * np.abs(gx)
    crest = np.select(
        [flat, steep, gx * gy > 0],
        [
            (size > neighbour(0, -1)) & (size >= neighbour(0, 1)),
            (size > neighbour(-1, 0)) & (size >= neighbour(1, 0)),
            (size > neighbour(-1, -1)) & (size > neighbour(1, 1)),
        ],
        (size > neighbour(-1, 1)) & (size > neighbour(1, -1)),
    )
    # Weak crests count if they touch, through others, a strong one.
    candidates = crest & (size > weak)
    edges = candidates & (size > strong)
    while True:
        grown = candidates & _dilated(edges)
        if (grown == edges).all():
            return edges
        edges = grown


def distance(marked: np.ndarray, reach: int) -> np.ndarray:
    """Euclidean distance to the nearest marked pixel, at most `reach`. bool (n, n) -> float32 (n, n)"""
    squares = np.where(marked, 0, np.float32(reach**2))
    for _ in range(2):  # along the columns, then, transposed, along the rows
        padded = np.pad(squares, ((reach, reach), (0, 0)), constant_values=reach**2)
        for shift in range(-reach, reach + 1):
            shifted = padded[reach + shift : reach + shift + len(squares)]
            np.minimum(squares, shifted + shift**2, out=squares)
        squares = np.ascontiguousarray(squares.T)
    return np.sqrt(squares)


def _equalized(depth: np.ndarray) -> np.ndarray:
    """Levels from 0 to 255, each used about equally often; a single level stays. int (n, n) -> (n, n)"""
    counts = np.bincount(depth.ravel())
    above = np.cumsum(counts) - counts[depth.min()]  # pixels from the second lowest level up to each
    return np.round(255 * above / above[-1])[depth] if above[-1] else depth


def _correlate(layer: np.ndarray, kernel: np.ndarray, border: filters.Border = "reflect") -> np.ndarray:
    """Slide a 3x3 kernel over a layer. float32 (n, n) -> float32 (n, n)"""
    n = len(layer)
    padded = np.pad(layer, 1, mode=border)
    terms = (
        np.float32(weight) * padded[row : row + n, column : column + n]
        for (row, column), weight in np.ndenumerate(kernel)
        if weight
    )
    return sum(terms, np.zeros_like(layer))


def _dilated(marked: np.ndarray) -> np.ndarray:
    """Mark the eight neighbours of every marked pixel too. bool (n, n) -> bool (n, n)"""
    tall = np.pad(marked, 1)
    tall = tall[:-2] | tall[1:-1] | tall[2:]  # (n, n + 2)
    return tall[:, :-2] | tall[:, 1:-1] | tall[:, 2:]
