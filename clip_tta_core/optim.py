"""Steps that several methods take: guarded gradient steps, sharpness-aware steps, weight averages."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from typing import Literal

import torch
from torch import Tensor

OptimizerName = Literal["adam", "sgd"]


def make_optimizer(
    name: OptimizerName, parameters: Sequence[Tensor], lr: float, momentum: float = 0.9
) -> torch.optim.Optimizer:
    """Adam with an epsilon that half precision can hold, or descent with momentum."""
    if name == "adam":
        return torch.optim.Adam(parameters, lr=lr, eps=1e-6)
    return torch.optim.SGD(parameters, lr=lr, momentum=momentum)


def guarded_step(optimizer: torch.optim.Optimizer, loss: Tensor) -> bool:
    """Back-propagate `loss` and step, unless the loss or a gradient is not finite.

    Returns:
        whether the step was taken; if not, weights and optimizer state are as before.
    """
    finite = _backward(optimizer, loss)
    if finite:
        optimizer.step()
    optimizer.zero_grad(set_to_none=True)
    return finite


def sharp_step(
    optimizer: torch.optim.Optimizer, loss: Tensor, again: Callable[[], Tensor | None], rho: float
) -> Tensor | None:
    """One step of sharpness-aware minimization: descend by the gradient found a little uphill.

        g = gradient of `loss` at w
        w' = w + rho g / |g|            one norm over all weights
        step from w with the gradient of `again()` at w'

    Source: Foret et al., ICLR 2021, arXiv 2010.01412. The weights are put back bit for bit before the step.

    Args:
        optimizer: takes the step and says which weights there are.
        loss: () at the weights as they are.
        again: computes the loss once more, at the perturbed weights; None if nothing is left to learn.
        rho: length of the way uphill.

    Returns:
        the second loss, or None when no step was taken because nothing was left or something was not finite;
        weights and optimizer state are then as before.
    """
    if not _backward(optimizer, loss):
        optimizer.zero_grad(set_to_none=True)
        return None
    weights = [p for p in parameters_of(optimizer) if p.grad is not None]
    kept = copies(weights)
    try:
        with torch.no_grad():
            gradients = [p.grad for p in weights if p.grad is not None]
            length = torch.stack([gradient.norm() for gradient in gradients]).norm() + 1e-12
            for p, gradient in zip(weights, gradients, strict=True):
                p.add_(gradient * (rho / length))
        second = again()
        finite = second is not None and _backward(optimizer, second)
    finally:
        put_back(weights, kept)
    if finite:
        optimizer.step()
    optimizer.zero_grad(set_to_none=True)
    return second if finite else None


def _backward(optimizer: torch.optim.Optimizer, loss: Tensor) -> bool:
    """Fresh gradients of `loss`; whether it and they are finite."""
    optimizer.zero_grad(set_to_none=True)
    if not loss.requires_grad or not torch.isfinite(loss):
        return False
    loss.backward()
    return gradients_finite(parameters_of(optimizer))


class Episode:
    """Trains parameters for one picture and gives them their values back: learn, use, forget.

    Every picture has a fresh AdamW, at PyTorch's own epsilon and with the weight decay of its own.
    """

    def __init__(self, parameters: Sequence[Tensor], lr: float, weight_decay: float = 0.01) -> None:
        self.parameters = list(parameters)
        self.start = copies(parameters)
        self.lr = lr
        self.weight_decay = weight_decay

    def learn(
        self,
        loss: Callable[[], Tensor],
        steps: Iterable[object],
        show: Callable[[Tensor], None] = lambda loss: None,
    ) -> list[float]:
        """Take a step on `loss()` for each of `steps`. -> the losses of those that could be taken

        Args:
            loss: () with the weights as they are.
            steps: one item a step.
            show: is given each loss before its step.
        """
        optimizer = torch.optim.AdamW(self.parameters, lr=self.lr, weight_decay=self.weight_decay)
        taken = []
        with torch.enable_grad():
            for _ in steps:
                value = loss()
                show(value)
                if guarded_step(optimizer, value):
                    taken.append(value.item())
        return taken

    @property
    def moved(self) -> bool:
        """Whether anything has been learned."""
        return any(not torch.equal(p, start) for p, start in zip(self.parameters, self.start, strict=True))

    def forget(self) -> None:
        """Back to the start."""
        put_back(self.parameters, self.start)


def parameters_of(optimizer: torch.optim.Optimizer) -> list[Tensor]:
    """Everything an optimizer moves."""
    return [p for group in optimizer.param_groups for p in group["params"]]


def flat(tensors: Iterable[Tensor]) -> Tensor:
    """All numbers of several tensors in a row; keeps gradients. -> (N,)"""
    return torch.cat([tensor.flatten() for tensor in tensors])


def copies(parameters: Iterable[Tensor]) -> list[Tensor]:
    """The values of parameters, to compare with or to return to."""
    return [p.detach().clone() for p in parameters]


@torch.no_grad()
def put_back(parameters: Sequence[Tensor], values: Sequence[Tensor]) -> None:
    """Give parameters the values of an earlier `copies`."""
    for p, value in zip(parameters, values, strict=True):
        p.copy_(value)


@torch.no_grad()
def ema_update(teacher: Sequence[Tensor], student: Sequence[Tensor], rate: float) -> None:
    """Move each teacher weight towards the student's: (1 - rate) teacher + rate student, in place."""
    for slow, fast in zip(teacher, student, strict=True):
        slow.lerp_(fast, rate)


@torch.no_grad()
def drift(parameters: Sequence[Tensor], start: Sequence[Tensor]) -> float:
    """How far weights are from where they started, relative to their norm then."""
    pairs = list(zip(parameters, start, strict=True))
    moved = torch.stack([(p - q).square().sum() for p, q in pairs]).sum()
    size = torch.stack([q.square().sum() for _, q in pairs]).sum()
    return math.sqrt(moved.item() / max(size.item(), 1e-12))


def gradients_finite(parameters: Iterable[Tensor]) -> bool:
    """Whether every gradient that exists is finite: one reduction, so one wait for the device."""
    sums = [p.grad.sum() for p in parameters if p.grad is not None]
    return not sums or bool(torch.isfinite(torch.stack(sums)).all())
