"""SAR: sharpness-aware and reliable entropy minimization. Niu et al., ICLR 2023, arXiv 2302.12400.

    I1 = {H_i < E0} at w, with E0 = margin ln K;  g = gradient of the mean of H over I1
    w' = w + rho g / |g|;  I2 = {i in I1: H'_i < E0} at w'
    step from w with the gradient at w' of the mean of H' over I2
    e <- 0.9 e + 0.1 that mean;  where e falls below e0: back to the weights of the start, e forgotten

e0 is 0.2 nats for the 1000 classes of the paper, hence the share of ln K. After a recovery the authors' code
keeps the old e, so that it recovers again and again, and the momentum, so that the next step goes on from the
weights just left; here both start afresh, as the paper says. The step size is in proportion to the batch at
hand. The authors' follows the nominal batch size, so that a short last batch is not slowed, and is doubled
for batches of one (below 32 pictures only for their ResNets). Where nothing is reliable, nothing moves; their
momentum would. CLIPTTA's re-implementation adapts the last blocks too; its protocol here means the number of
steps.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from clip_tta_core import losses, optim
from clip_tta_core.clip.classifier import ClipClassifier
from clip_tta_core.hparams import knob
from clip_tta_core.methods.base import GradientConfig, Method, register
from clip_tta_core.palette import GREEN, SOLID, Look
from clip_tta_core.records import Cost


@dataclass(frozen=True)
class SarConfig(GradientConfig):
    lr: float = knob(
        1e-3,
        0.0,
        1.0,
        log=True,
        help="Step size of momentum descent for a batch of 64; grows with the batch.",
    )
    steps: int = knob(1, 1, 50, help="Gradient steps per batch.")
    margin: float = knob(0.4, 0.0, 1.5, help="Entropy below which a picture is reliable, as a share of ln K.")
    rho: float = knob(0.05, 0.0, 1.0, help="How far uphill the loss is looked at; 0 looks where it is.")
    recovery: float = knob(
        0.029,
        0.0,
        0.5,
        help="Running entropy, as a share of ln K, below which it starts over; 0 is never.",
    )


@register
class Sar(Method[SarConfig]):
    """Lower the entropy of fairly sure pictures where the loss is flat around the weights, leave the last
    blocks alone, and start over when everything becomes suspiciously certain."""

    name, title, family = "sar", "SAR", "entropy minimization"
    citation = "Niu et al., ICLR 2023, arXiv 2302.12400"
    look = Look(GREEN, SOLID, "diamond")
    train = "visual_norm_lower"
    presets = {"authors": {}, "CLIPTTA protocol": {"steps": 10}}
    Config = SarConfig

    @classmethod
    def cost(cls, config: SarConfig, batch_size: int = 64, batches: int = 16) -> Cost:
        return Cost(2 * config.steps + 1, 2 * config.steps)

    def __init__(self, clip: ClipClassifier, config: SarConfig, rng: torch.Generator) -> None:
        super().__init__(clip, config, rng)
        self.optimizer = optim.make_optimizer("sgd", clip.trainable(), config.lr)
        self.start = optim.copies(clip.trainable())
        self.running: float | None = None  # mean of the entropy trained on
        self.recoveries = 0

    def adapt(self, images: Tensor) -> dict[str, float]:
        for group in self.optimizer.param_groups:
            group["lr"] = self.config.lr * len(images) / 64
        report, skipped = {}, 0
        for _ in self.steps(self.config.steps):
            numbers = self._step(images)
            report |= numbers
            skipped += "loss" not in numbers
        if self.running is not None:
            report["running"] = self.running
        return report | {"recoveries": float(self.recoveries), "skipped": float(skipped)}

    def _step(self, images: Tensor) -> dict[str, float]:
        """One sharpness-aware step on a batch. -> what it selected, and its loss if there was a step"""
        margin = self.config.margin * math.log(self.clip.num_classes)
        logits = self.clip.predict(images).logits  # (B, K)
        entropy = losses.entropy(logits)  # (B,)
        reliable = entropy.detach() < margin
        report = {"reliable": reliable.float().mean().item(), "selected": 0.0}
        if not report["reliable"]:
            return report

        def again() -> Tensor | None:
            # The whole batch, not the reliable part of it: batch normalization needs the others.
            uphill = losses.entropy(self.clip.predict(images).logits)  # (B,)
            chosen = reliable & (uphill.detach() < margin)
            report["selected"] = chosen.float().mean().item()
            return uphill[chosen].mean() if report["selected"] else None

        doubt = entropy[reliable].mean()
        self.show(logits, loss=doubt)
        loss = optim.sharp_step(self.optimizer, doubt, again, self.config.rho)
        if loss is not None:
            report["loss"] = loss.item()
            self._watch(report["loss"])
        return report

    def _watch(self, loss: float) -> None:
        """Follow the loss; start over when it has become too small to be true."""
        self.running = loss if self.running is None else 0.9 * self.running + 0.1 * loss
        if self.running < self.config.recovery * math.log(self.clip.num_classes):
            optim.put_back(self.clip.trainable(), self.start)
            self.optimizer.state.clear()
            self.running = None
            self.recoveries += 1
