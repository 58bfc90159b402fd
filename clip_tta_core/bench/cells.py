"""What a table costs beside its runs: many tiny cells through the local processes of a sweep."""

from __future__ import annotations

import multiprocessing
import os
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from clip_tta_core.sweep.cells import Cell, Protocol, Shift
from clip_tta_core.sweep.folder import Folder
from clip_tta_core.sweep.workers import fill


@dataclass(frozen=True)
class Cost:
    """Of one cell, in milliseconds."""

    wall: float  # from one cell to the next, with all processes at work; without what starts them
    processor: float  # of all processes together, what starts them and the runs themselves included


def measure(count: int, jobs: int) -> Cost:
    """Fill a folder with `count` cells of one batch of four pictures."""
    cells = [Cell("zero_shot", shift=Shift("fog"), protocol=Protocol(4, 1), seed=n) for n in range(count)]
    with tempfile.TemporaryDirectory() as path:
        before, began = _processor_seconds(), 0.0
        for done in fill(Folder(Path(path)), cells, jobs=jobs):
            began = began or time.perf_counter()
            if done.problem:
                raise RuntimeError(f"Bench: a cell failed: {done.problem}")
        wall = time.perf_counter() - began
        for process in multiprocessing.active_children():  # their time is known when they have ended
            process.join()
    return Cost(1000 * wall / count, 1000 * (_processor_seconds() - before) / count)


def _processor_seconds() -> float:
    """Of this process and of its children that have ended."""
    return sum(os.times()[:4])
