"""Adversarial pictures: small changes that make CLIP wrong. Projected gradient descent.

Madry et al., ICLR 2018, arXiv 1706.06083; as R-TPT (arXiv 2504.11195) and TAPT (arXiv 2411.13136) evaluate:

    start at a random point of the ball around the picture
    repeat: a step up the cross-entropy with the true class, back into the ball and into [0, 1]
    8 bits, as a file of the picture would hold it

What is attacked is any function from pictures to logits; whose, a run says (see `adversary`). R-TPT's code
attacks the prompt tuned for the picture before.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, get_args

import torch
import torch.nn.functional as F
from torch import Tensor

Norm = Literal["linf", "l2"]
TOLERANCE = 1e-3  # of a level: k / 255 * 255 is not always k


@dataclass(frozen=True)
class Attack:
    """How strong an attack is."""

    norm: str = "linf"  # a Norm, which is checked
    epsilon: float = 1 / 255  # radius of the ball, in units of a picture in [0, 1]; 0 attacks nothing
    step: float = 0.25  # length of a step, as a share of epsilon
    iterations: int = 7

    def __post_init__(self) -> None:
        if self.norm not in get_args(Norm):
            raise ValueError(f"Attack: norm must be one of {', '.join(get_args(Norm))}, got {self.norm!r}.")
        for name in ("epsilon", "step"):
            value = getattr(self, name)
            if not (math.isfinite(value) and value >= 0):
                raise ValueError(f"Attack: {name} must be a number of 0 or more, got {value!r}.")
        if self.iterations < 1:
            raise ValueError(f"Attack: iterations must be 1 or more, got {self.iterations!r}.")


def pgd(
    predict: Callable[[Tensor], Tensor],
    images: Tensor,
    labels: Tensor,
    attack: Attack,
    rng: torch.Generator,
) -> Tensor:
    """Attacked pictures on 256 levels, within `epsilon` of the given ones. (B, 3, H, W) -> (B, 3, H, W)

    Every picture is attacked by itself and from a generator of its own, seeded from `rng`: what it becomes
    does not depend on its batch, but for rounding.

    Args:
        predict: (B, 3, H, W) -> logits (B, K), differentiable.
        images: in [0, 1].
        labels: (B,) true classes; a picture of label -1 has none and stays as it is, bit for bit.
        attack: its strength; with epsilon 0 all pictures stay as they are, bit for bit.
        rng: on the CPU.
    """
    seeds = torch.randint(2**62, (len(images),), generator=rng).tolist()
    chosen = (labels >= 0).nonzero().flatten()
    if attack.epsilon == 0 or not len(chosen):
        return images
    clean, truth = images[chosen], labels[chosen]
    noise = torch.stack([_noise(clean[0], seeds[i], attack.norm) for i in chosen.tolist()]).to(clean)
    moved = _within(clean + attack.epsilon * noise, clean, attack)
    for _ in range(attack.iterations):
        moved.requires_grad_(True)
        with torch.enable_grad():
            loss = F.cross_entropy(predict(moved), truth, reduction="sum")
        (gradient,) = torch.autograd.grad(loss, moved)
        way = gradient.sign() if attack.norm == "linf" else gradient / _lengths(gradient)
        moved = _within(moved.detach() + attack.epsilon * attack.step * way, clean, attack)
    attacked = images.clone()
    attacked[chosen] = _quantized(moved, clean, attack)
    return attacked


def _noise(like: Tensor, seed: int, norm: str) -> Tensor:
    """A random point of the unit ball. (3, H, W)"""
    rng = torch.Generator().manual_seed(seed)
    if norm == "linf":
        return 2 * torch.rand(like.shape, generator=rng) - 1
    direction = torch.randn(like.shape, generator=rng)
    radius = torch.rand((), generator=rng) ** (1 / like.numel())
    return radius * direction / direction.norm().clamp(min=1e-12)


def _lengths(changes: Tensor) -> Tensor:
    """Euclidean norms, to divide by. (B, 3, H, W) -> (B, 1, 1, 1)"""
    return changes.flatten(1).norm(dim=1).clamp(min=1e-12)[:, None, None, None]


def _within(moved: Tensor, clean: Tensor, attack: Attack) -> Tensor:
    """Back into the ball around the clean pictures, and into [0, 1]."""
    change = moved - clean
    if attack.norm == "linf":
        change = change.clamp(-attack.epsilon, attack.epsilon)
    else:
        change = change * (attack.epsilon / _lengths(change)).clamp(max=1)
    return (clean + change).clamp(0, 1)


def _quantized(moved: Tensor, clean: Tensor, attack: Attack) -> Tensor:
    """Whole levels of 255, without leaving the ball.

    In L-infinity the next level below, as R-TPT's code writes its files, unless that is outside; in L2 the
    next one towards the clean picture. Clean pictures are on whole levels themselves.
    """
    levels, start = 255 * moved, 255 * clean
    if attack.norm == "linf":
        lowest = (start - 255 * attack.epsilon - TOLERANCE).ceil()
        found = (levels + TOLERANCE).floor().maximum(lowest)
    else:
        below, above = (levels + TOLERANCE).floor(), (levels - TOLERANCE).ceil()
        found = torch.where(levels >= start, below, above)
    return found.clamp(0, 255) / 255
