"""What the cells of a table cost: time on this machine, and of what an operator allows in one run."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from clip_tta_core import engine, limits
from clip_tta_core.control import Control
from clip_tta_core.records import Cost, RunConfig
from clip_tta_core.sweep.cells import Cell
from clip_tta_core.ui.session.site import Site
from clip_tta_core.validation import attack_steps, start_steps


@dataclass(frozen=True)
class Speed:
    """Seconds that this machine takes for a batch of 64: to make it, and for one pass of CLIP over it."""

    stream: float
    forward: float


class Clock:
    """How long cells will take on this machine, which is looked at once, when somebody asks."""

    def __init__(self, site: Site, speed: Speed | None = None) -> None:
        self._site, self._speed = site, speed
        self._lock = threading.Lock()

    def seconds(self, cells: Iterable[Cell]) -> float:
        """About how long cells will take; NaN where the operator allows fewer pictures than a look takes."""
        with self._lock:  # one look at the machine for all who ask
            try:
                self._speed = self._speed or measure(self._site)
            except ValueError:
                return math.nan
        stream, forward = self._speed.stream, self._speed.forward
        seconds, begun = 0.0, set()
        for cell in cells:
            config = cell.config()
            passes = _cost(cell).relative + 3 * attack_steps(config, config.contenders) / config.batches
            seconds += _batches(cell) * (stream + forward * passes)
            start = (cell.model, cell.source, cell.seed, str(cell.pre_step))
            if start not in begun:  # made once, then remembered
                seconds += 3 * forward * start_steps(config)
                begun.add(start)
        return seconds


def measure(site: Site) -> Speed:
    """How fast this machine is: the second of two batches of the frozen model, when all is warm."""
    config = RunConfig(methods={"zero_shot": {}}, batches=2, corruption="fog")
    start, whole, forward = time.monotonic(), 0.0, 0.0
    for report in site.engine(config, Control()):
        whole, start = time.monotonic() - start, time.monotonic()
        forward = report.outcomes["zero_shot"].seconds
    return Speed(max(0.0, whole - forward), forward)


def _batches(cell: Cell) -> float:
    """How many batches of 64 a cell has."""
    return cell.protocol.batches * cell.protocol.batch_size / 64


def _cost(cell: Cell) -> Cost:
    one = {cell.method: cell.settings}
    return engine.costs(one, cell.protocol.batch_size, cell.protocol.batches)[cell.method]


def allowed(cells: Sequence[Cell]) -> Sequence[Cell]:
    """The first cells, as many as the operator allows in one run, and one at least."""
    pictures = steps = 0.0
    for count, cell in enumerate(cells):
        pictures += cell.protocol.batch_size * cell.protocol.batches
        config = cell.config()
        steps += _cost(cell).backwards * cell.protocol.batches
        steps += start_steps(config) + attack_steps(config, config.contenders)
        over = (0 < limits.MAX_IMAGES.value < pictures) or (0 < limits.MAX_STEPS.value < steps)
        if over and count:
            return cells[:count]
    return cells
