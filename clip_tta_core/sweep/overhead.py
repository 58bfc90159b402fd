"""What a table costs beside its runs: python -m clip_tta_core.sweep.overhead [--cells 2500] [--jobs 2]

Cells so small that hardly anything is left but what a sweep does for each: to send it to a process, to open
its stream, to begin and end its run, and to write its file.
"""

from __future__ import annotations

import argparse
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
        others, before, began = multiprocessing.active_children(), _processor_seconds(), 0.0
        for done in fill(Folder(Path(path)), cells, jobs=jobs):
            began = began or time.perf_counter()
            if done.problem:
                raise RuntimeError(f"Overhead: a cell failed: {done.problem}")
        wall = time.perf_counter() - began
        for process in multiprocessing.active_children():
            if process not in others:
                process.join()  # its time is known when it has ended
    return Cost(1000 * wall / count, 1000 * (_processor_seconds() - before) / count)


def _processor_seconds() -> float:
    """Of this process and of its children that have ended."""
    return sum(os.times()[:4])


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m clip_tta_core.sweep.overhead", description="Say what tiny cells of a table cost."
    )
    parser.add_argument("--cells", type=int, default=2500)
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="local processes")
    arguments = parser.parse_args()
    cost = measure(arguments.cells, arguments.jobs)
    print(
        f"{arguments.cells:,} cells of four pictures, jobs: {arguments.jobs}. From one to the next "
        f"{cost.wall:.1f} ms; of processor time {cost.processor:.1f} ms each, runs included."
    )


if __name__ == "__main__":
    main()
