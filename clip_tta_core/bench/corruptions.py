"""How long the corruptions take on one core.

Processor time is counted, of all threads together: neither a busy machine nor a second core changes what is
reported. What is made only once, tables and textures, is made before the clock starts.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from time import process_time

import numpy as np
import torch
from PIL import Image

from clip_tta_core.corruptions import CORRUPTIONS, SEVERITIES, corrupt, corrupt_batch


def measure(size: int = 224, repeats: int = 5) -> list[tuple[str, float]]:
    """Milliseconds per picture for every corruption: mean over severities of the quickest of `repeats`."""
    image = picture(size)

    def milliseconds(name: str) -> float:
        times = np.empty((len(SEVERITIES), repeats))
        for _ in ("warm up", "measure"):
            for (row, seed), _ in np.ndenumerate(times):
                start = process_time()
                corrupt(image, name, SEVERITIES[row], seed)
                times[row, seed] = process_time() - start
        return 1e3 * float(times.min(axis=1).mean())

    with _one_thread():
        return [(name, milliseconds(name)) for name in CORRUPTIONS]


def throughput(size: int = 64, batch: int = 32, severity: int = 5) -> float:
    """Pictures per second through `corrupt_batch`, the fifteen standard corruptions in equal numbers."""
    images = np.repeat(picture(size)[None], batch, axis=0)
    names = [name for name, corruption in CORRUPTIONS.items() if corruption.standard]
    with _one_thread():
        for _ in ("warm up", "measure"):
            start = process_time()
            for name in names:
                corrupt_batch(images, name, severity)
            seconds = process_time() - start
    return len(names) * batch / seconds


def picture(size: int) -> np.ndarray:
    """Something with smooth parts, edges and texture, the same on every machine. uint8 (size, size, 3)"""
    rng = np.random.default_rng(0)
    coarse = Image.fromarray(rng.integers(0, 256, (7, 7, 3), dtype=np.uint8)).resize((size, size))
    return np.clip(np.asarray(coarse) + rng.normal(0, 8, (size, size, 3)), 0, 255).astype(np.uint8)


@contextmanager
def _one_thread() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)
