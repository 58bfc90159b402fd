"""Tent: entropy minimization. Wang et al., ICLR 2021, arXiv 2006.10726.

CLIPTTA's open-set runs add a diversity bonus, which the authors do not: `beta_reg`.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from clip_tta_core import losses, optim
from clip_tta_core.clip.classifier import ClipClassifier
from clip_tta_core.hparams import knob
from clip_tta_core.methods.base import GradientConfig, Method, register
from clip_tta_core.palette import SOLID, VERMILION, Look


@dataclass(frozen=True)
class TentConfig(GradientConfig):
    lr: float = knob(1e-3, 0.0, 1e-1, log=True, help="Step size.")
    steps: int = knob(1, 1, 50, help="Gradient steps per batch.")
    optimizer: optim.OptimizerName = knob("adam", help="For ImageNet the authors use sgd.")
    beta_reg: float = knob(0.0, 0.0, 10.0, help="Weight of the diversity bonus; 0 is Tent as published.")


@register
class Tent(Method[TentConfig]):
    """Make every prediction more confident by lowering its entropy; nothing keeps the classes apart."""

    name, title, family = "tent", "TENT", "entropy minimization"
    citation = "Wang et al., ICLR 2021, arXiv 2006.10726"
    look = Look(VERMILION, SOLID, "square")
    train = "visual_norm"
    presets = {
        "authors": {"lr": 1e-3, "steps": 1},
        "authors, ImageNet": {"optimizer": "sgd", "lr": 2.5e-4},
        "CLIPTTA protocol": {"lr": 1e-3, "steps": 10},
        "CLIPTTA protocol, open set": {"lr": 1e-4, "steps": 10, "beta_reg": 1.0},
    }
    Config = TentConfig

    def __init__(self, clip: ClipClassifier, config: TentConfig, rng: torch.Generator) -> None:
        super().__init__(clip, config, rng)
        self.optimizer = optim.make_optimizer(config.optimizer, clip.trainable(), config.lr)

    def adapt(self, images: Tensor) -> dict[str, float]:
        for _ in self.steps(self.config.steps):
            logits = self.clip.predict(images).logits  # (B, K)
            entropy = losses.entropy(logits).mean()
            loss, terms = entropy, {"entropy": entropy}
            if self.config.beta_reg and len(images) > 1:  # of one image alone it would reward doubt
                terms["diversity"] = -self.config.beta_reg * losses.marginal_entropy(logits)
                loss = loss + terms["diversity"]
            self.show(logits, loss=loss, **terms)
            stepped = optim.guarded_step(self.optimizer, loss)
        return {"loss": loss.item(), "entropy": entropy.item(), "skipped": float(not stepped)}
