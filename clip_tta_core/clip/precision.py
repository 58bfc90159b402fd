"""Which number format a frozen encoder runs in: a GPU's by what it has units for, a CPU's by measurement.

Frozen weights are stored in the format used. Under autocast alone they would be cast anew in every call,
which takes longer on a CPU than float32 throughout. Normalization layers, which methods train, stay float32,
and so do attention on a CPU (clip/attention.py), features, losses and scores.
"""

from __future__ import annotations

import time
from functools import cache
from typing import Literal, get_args

import torch
from open_clip.transformer import Attention
from torch import nn

from clip_tta_core.clip.attention import SelfAttention

Precision = Literal["auto", "float32", "bfloat16"]
GAIN = 1.2  # how much faster bfloat16 must be on a CPU to be worth its rounding
ROWS = 800  # tokens of the measured product: 16 pictures of a ViT-B/32
# A product says how fast a model is where products are what it consists of; convolutions are another matter.
SHARE_OF_LINEAR = 0.9
SMALL = 10_000_000  # weights; an encoder with fewer has products too small to gain


def check(name: str) -> None:
    """Raise one sentence if `name` is no precision."""
    if name not in get_args(Precision):
        raise ValueError(f"Precision must be one of {', '.join(get_args(Precision))}, got '{name}'.")


def choose(visual: nn.Module, device: torch.device, wanted: str = "auto") -> torch.dtype | None:
    """The reduced precision an encoder runs in under autocast; None for float32 throughout.

    On a CPU bfloat16 is twice as fast with AMX or AVX512-BF16 and ten times slower without: a product of the
    encoder's size, timed in both, decides.
    """
    check(wanted)
    if wanted != "auto":
        return torch.bfloat16 if wanted == "bfloat16" else None
    if device.type != "cpu":
        return choose_autocast(device)
    linear = [module.weight for module in visual.modules() if isinstance(module, nn.Linear)]
    inside = sum(weight.numel() for weight in linear)
    inside += sum(
        m.in_proj_weight.numel() for m in visual.modules() if isinstance(m, (SelfAttention, Attention))
    )
    if inside < max(SMALL, SHARE_OF_LINEAR * sum(p.numel() for p in visual.parameters())):
        return None
    largest = max(linear, key=torch.Tensor.numel)
    return torch.bfloat16 if speedup(*largest.shape) >= GAIN else None


def choose_autocast(device: torch.device) -> torch.dtype | None:
    """A GPU's reduced precision: bfloat16 where it has units for it, float16 where it is older; else None.

    Older GPUs only imitate bfloat16. In float16 the classifier scales gradients up on their way through the
    encoder, so that small ones survive. A logit is a hundred times a cosine, and TF32 rounds cosines to three
    digits: it stays off for matrix products (PyTorch's default), which costs autocast nothing.
    """
    if device.type != "cuda":
        return None
    return torch.bfloat16 if torch.cuda.is_bf16_supported(including_emulation=False) else torch.float16


@cache
def speedup(outputs: int, inputs: int) -> float:
    """How many times faster this CPU multiplies (ROWS, inputs) by (inputs, outputs) in bfloat16."""
    seconds = {}
    for dtype in (torch.float32, torch.bfloat16):
        tokens, weight = (torch.randn(n, inputs).to(dtype) for n in (ROWS, outputs))
        nn.functional.linear(tokens, weight)  # the first call also prepares
        seconds[dtype] = min(_timed(tokens, weight) for _ in range(3))
    return seconds[torch.float32] / seconds[torch.bfloat16]


def _timed(tokens: torch.Tensor, weight: torch.Tensor) -> float:
    start = time.perf_counter()
    nn.functional.linear(tokens, weight)
    return time.perf_counter() - start


def store(visual: nn.Module, dtype: torch.dtype | None) -> nn.Module:
    """Keep weights of products and convolutions in the precision autocast would cast them to, in place."""
    if dtype is None:
        return visual
    for module in visual.modules():
        if isinstance(module, (nn.Linear, nn.Conv2d)):
            module.to(dtype)
        elif isinstance(module, (SelfAttention, Attention)):
            module.in_proj_weight.data = module.in_proj_weight.data.to(dtype)
            if module.in_proj_bias is not None:
                module.in_proj_bias.data = module.in_proj_bias.data.to(dtype)
    return visual
