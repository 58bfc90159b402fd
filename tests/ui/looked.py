"""A run that was looked into, of which every number is known."""

from __future__ import annotations

import numpy as np

from clip_tta_core import thumbnails
from clip_tta_core.records import Inside, Kept, Plane, RunLog
from tests.ui.drawn import BATCHES, LABELS, known_log

CAPTIONS = ((0.0, 0.5), (0.5, 0.0), (0.0, -0.5), (-0.5, 0.0), (0.4, 0.4))
VARIANCES = {"zero_shot": [0.2] * 6, "tent": [0.2, 0.1, 0.05, 0.04, 0.03, 0.01], "cliptta": [0.25] * 6}
LAYERS = ("conv.norm", "blocks.0.norm1", "norm_post")
SIDE = 16


def place(label: str, batch: int, picture: int) -> tuple[float, float]:
    """Where a picture lies: the frozen model's never move, TENT's slide to the right, a step a batch."""
    x, y = 0.05 * picture, 0.03 * picture - 0.2
    return (x + 0.1 * batch, y) if label == "tent" else (x, y) if label == "zero_shot" else (x, y + 0.02)


def colour(batch: int, picture: int) -> tuple[int, int, int]:
    return 40 * batch, 20 * picture + 20, 120


def looked_log() -> RunLog:
    """Six batches; CLIPTTA's memory holds a picture a batch from the second on, and two at a time."""
    log = known_log()
    log.plane = Plane(np.array(CAPTIONS, dtype=np.float32), 0.42)
    for label in log.series:
        log.inside[label] = [_inside(label, batch) for batch in range(1, BATCHES + 1)]
    for batch in range(1, BATCHES + 1):
        colours = np.array([colour(batch, k) for k in range(len(LABELS))], dtype=np.uint8)
        images = np.broadcast_to(colours[:, None, None], (len(LABELS), SIDE, SIDE, 3)).copy()
        log.sheets[batch - 1] = thumbnails.sheet(images, quality=95)
    return log


def _inside(label: str, batch: int) -> Inside:
    places = np.array([place(label, batch, k) for k in range(len(LABELS))], dtype=np.float32)
    variance = VARIANCES[label][batch - 1]
    if label == "zero_shot":
        return Inside(places, variance)
    drift = tuple(0.1 * batch * (k + 1) for k in range(3))
    layers = LAYERS if batch == 1 else ()
    if label == "tent":
        return Inside(places, variance, drift, layers)
    stored = (Kept(batch, batch % 2, 0.05 * batch),) if batch > 1 else ()
    dropped = ((batch - 2, batch - 2),) if batch > 3 else ()
    return Inside(places, variance, drift, layers, stored, dropped)
