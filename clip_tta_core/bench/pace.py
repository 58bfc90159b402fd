"""How fast this machine is: as its runs were, else as it multiplies."""

from __future__ import annotations

import math
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass

import torch

from clip_tta_core import engine
from clip_tta_core.clip.loading import choose_device
from clip_tta_core.clip.size import operations
from clip_tta_core.records import RunConfig


@dataclass(frozen=True)
class Estimate:
    """How long a run will take."""

    batch: float  # seconds
    whole: float
    measured: bool  # on a run of its model here; else from the machine's multiplications, which are a bound


class Pace:
    """The seconds that a picture takes through each model's image encoder on this machine.

    Args:
        rate: operations a second of a device, measured once for each.
    """

    def __init__(self, rate: Callable[[str], float] | None = None) -> None:
        self._rate = rate or (lambda device: matmul_rate(torch.device(device), None))
        self._rates: dict[str, float] = {}
        self._measured: dict[tuple[str, str], float] = {}

    def note(self, model: str, device: str, seconds: float, pictures: int) -> None:
        """Unadapted CLIP has taken so many seconds for so many pictures; the quickest counts.

        A first batch pays for much that later ones do not, and so does one of few pictures.
        """
        if seconds > 0 and pictures:
            known = self._measured.get((model, device), math.inf)
            self._measured[model, device] = min(known, seconds / pictures)

    def has_seen(self, config: RunConfig) -> bool:
        """Whether the model of a run has run here."""
        return (config.model, choose_device(config.device).type) in self._measured

    def estimate(self, config: RunConfig) -> Estimate | None:
        """How long a run will take by what its contenders cost; None where nothing is known of its model."""
        device = choose_device(config.device).type
        picture = self._measured.get((config.model, device))
        measured = picture is not None
        if picture is None:
            work = operations(config.model)
            if not work:
                return None
            if device not in self._rates:
                self._rates[device] = self._rate(device)
            picture = work / self._rates[device]
        costs = engine.costs(config.contenders, config.batch_size, config.batches).values()
        batch = picture * config.batch_size * sum(cost.relative for cost in costs)
        return Estimate(batch, batch * config.batches, measured)


def matmul_rate(device: torch.device, dtype: torch.dtype | None) -> float:
    """Operations per second of a large matrix product, in the precision the encoder runs in."""
    side = 1536 if device.type == "cpu" else 8192
    left, right = (torch.randn(side, side, device=device, dtype=dtype or torch.float32) for _ in range(2))
    timed(lambda: left @ right, device)
    return 2 * side**3 / statistics.median(timed(lambda: left @ right, device) for _ in range(7))


def timed(work: Callable[[], object], device: torch.device) -> float:
    """Seconds of the clock on the wall, the device's work included."""
    synchronize(device)
    start = time.perf_counter()
    work()
    synchronize(device)
    return time.perf_counter() - start


def synchronize(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize()
    elif device.type == "mps":
        torch.mps.synchronize()
