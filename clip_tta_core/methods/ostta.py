"""OSTTA: the wisdom of crowds in entropy minimization. Lee et al., ICCV 2023, arXiv 2308.06879.

    selected   p_i,c - p0_i,c >= delta, with c the source model's class of picture i and p0 its probabilities
    loss       mean of H over selected - beta_reg R, with R the entropy of the batch's mean prediction

R and its weight are those of the public re-implementation. CLIPTTA's learns from everything when nothing is
selected; here, as published, it then learns from nothing.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from clip_tta_core import losses, optim
from clip_tta_core.clip.classifier import ClipClassifier
from clip_tta_core.hparams import knob
from clip_tta_core.methods.base import GradientConfig, Method, register
from clip_tta_core.palette import DASHED, VERMILION, Look
from clip_tta_core.records import Cost


@dataclass(frozen=True)
class OsttaConfig(GradientConfig):
    lr: float = knob(1e-3, 0.0, 1e-1, log=True, help="Step size of Adam.")
    steps: int = knob(1, 1, 50, help="Gradient steps per batch.")
    delta: float = knob(
        0.0, -1.0, 1.0, help="Gain in the original class's probability from which a picture is trusted."
    )
    beta_reg: float = knob(0.5, 0.0, 10.0, help="Weight of the diversity bonus against collapse.")


@register
class Ostta(Method[OsttaConfig]):
    """Lower the entropy only of pictures that have not lost confidence in the class the original model gave
    them: those that have are likely unknown or wrong."""

    name, title, family = "ostta", "OSTTA", "open set"
    citation = "Lee et al., ICCV 2023, arXiv 2308.06879"
    look = Look(VERMILION, DASHED, "diamond")
    train = "visual_norm"
    presets = {"authors": {}, "CLIPTTA protocol": {"steps": 10, "lr": 1e-4, "beta_reg": 1.0}}
    Config = OsttaConfig

    @classmethod
    def cost(cls, config: OsttaConfig, batch_size: int = 64, batches: int = 16) -> Cost:
        return Cost(1 + config.steps + 1, config.steps)  # the source model is asked first

    def __init__(self, clip: ClipClassifier, config: OsttaConfig, rng: torch.Generator) -> None:
        super().__init__(clip, config, rng)
        self.optimizer = torch.optim.Adam(clip.trainable(), lr=config.lr, eps=1e-6)

    def adapt(self, images: Tensor) -> dict[str, float]:
        before, label = self.clip.zero_shot(images).logits.softmax(dim=-1).max(dim=-1, keepdim=True)  # (B, 1)
        report, skipped = {}, 0
        for _ in self.steps(self.config.steps):
            logits = self.clip.predict(images).logits  # (B, K)
            gain = logits.detach().softmax(dim=-1).gather(1, label) - before  # (B, 1)
            if (
                not self.optimizer.state
            ):  # still the source's weights: what differs is rounding between kernels
                gain = torch.zeros_like(gain)
            trusted = gain.flatten() >= self.config.delta
            report |= {"selected": trusted.float().mean().item(), "gain": gain.nanmean().item()}
            if not report["selected"]:
                skipped += 1
                continue
            loss = losses.entropy(logits[trusted]).mean()
            if self.config.beta_reg and len(images) > 1:  # of one image alone it would reward doubt
                loss = loss - self.config.beta_reg * losses.marginal_entropy(logits)
            self.show(logits, loss=loss)
            skipped += not optim.guarded_step(self.optimizer, loss)
            report["loss"] = loss.item()
        return report | {"skipped": float(skipped)}
