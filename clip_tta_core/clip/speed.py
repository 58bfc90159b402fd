"""About how many pictures a second a model answers on this machine, told before it is downloaded.

A guess from two numbers: what a picture costs, declared here, and how fast the machine multiplies matrices,
measured once. What a run really takes is counted by the run itself.
"""

from __future__ import annotations

import time
from functools import cache

import torch

from clip_tta_core.clip.aside import aside
from clip_tta_core.clip.loading import MINI, choose_device
from clip_tta_core.clip.precision import choose_autocast

OPERATIONS = {  # floating-point operations of one picture forward, as torch counts them
    MINI: 38e6,
    "ViT-B-32": 8.8e9,
    "ViT-B-16": 35e9,
    "ViT-L-14": 162e9,
    "RN50": 12e9,
    "ViT-B-16-SigLIP": 35e9,
    "MobileCLIP-S1": 9.3e9,
}
# What encoders reach of that rate, as measured on two cores; mini-CLIP's products are small.
SHARE, SHARE_OF_MINI = 0.8, 0.4
SECONDS = 0.12  # to measure the machine
SIDE = {"cpu": 768, "cuda": 4096, "mps": 2048}


def pictures_per_second(model: str) -> float | None:
    """Zero-shot answers a second on the best device here, to one significant digit; None where unknown."""
    operations = OPERATIONS.get(model.partition("/")[0])
    if operations is None:
        return None
    share = SHARE_OF_MINI if model == MINI else SHARE
    return float(f"{share * matmul_rate() / operations:.0e}")


@cache
def matmul_rate() -> float:
    """Operations per second of the best device here in a large product, the fastest of some tries."""
    return aside(_measure, choose_device())


def _measure(device: torch.device) -> float:
    side, dtype = SIDE[device.type], choose_autocast(device) or torch.float32
    left, right = (torch.randn(side, side, device=device).to(dtype) for _ in range(2))
    fastest, start = float("inf"), None
    end = time.perf_counter() + SECONDS
    while start is None or time.perf_counter() < end:
        start = time.perf_counter()
        (left @ right)[0, 0].item()  # asks for a number, so that the device has to be done
        fastest = min(fastest, time.perf_counter() - start)
    return 2 * side**3 / fastest
