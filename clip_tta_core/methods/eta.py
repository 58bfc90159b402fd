"""ETA: efficient entropy minimization. Niu et al., ICML 2022, arXiv 2204.02610.

    reliable        H_i < E0, with E0 = margin ln K
    not redundant   |cos(m, p_i)| < epsilon, with m the running mean of the probabilities trained on
    loss            mean over both of exp(E0 - H_i) H_i, the weight not differentiated
    m               <- 0.9 m + 0.1 mean of those p_i

Probabilities are those of the scaled logits: of unscaled cosines, which CLIPTTA's re-implementation reads,
all are alike and nothing is ever new. Its diversity bonus is not the authors' and is left out.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from clip_tta_core import losses, optim
from clip_tta_core.clip.classifier import ClipClassifier
from clip_tta_core.hparams import knob
from clip_tta_core.memory import MeanPrediction
from clip_tta_core.methods.base import GradientConfig, Method, register
from clip_tta_core.palette import ORANGE, SOLID, Look


@dataclass(frozen=True)
class EtaConfig(GradientConfig):
    lr: float = knob(1e-3, 0.0, 1e-1, log=True, help="Step size.")
    steps: int = knob(1, 1, 50, help="Gradient steps per batch; each selects afresh.")
    optimizer: optim.OptimizerName = knob("adam", help="The authors use sgd, with momentum 0.9.")
    margin: float = knob(0.4, 0.0, 1.5, help="Entropy below which a picture is reliable, as a share of ln K.")
    epsilon: float | Literal["auto"] = knob(
        "auto", 0.0, 2.0, help="Cosine with what was learned from which a picture is redundant."
    )


@register
class Eta(Method[EtaConfig]):
    """Lower the entropy of pictures that are already fairly sure and unlike what was learned before; the
    surer, the more they count."""

    name, title, family = "eta", "ETA", "entropy minimization"
    citation = "Niu et al., ICML 2022, arXiv 2204.02610"
    look = Look(ORANGE, SOLID, "triangle")
    train = "visual_norm"
    presets = {
        "authors": {"optimizer": "sgd", "lr": 2.5e-4, "epsilon": 0.05},
        "authors, CIFAR": {"optimizer": "sgd", "lr": 5e-3, "epsilon": 0.4},
        "CLIPTTA protocol": {"steps": 10},
    }
    Config = EtaConfig

    def __init__(self, clip: ClipClassifier, config: EtaConfig, rng: torch.Generator) -> None:
        super().__init__(clip, config, rng)
        self.optimizer = optim.make_optimizer(config.optimizer, clip.trainable(), config.lr)
        self.learned = MeanPrediction()

    def adapt(self, images: Tensor) -> dict[str, float]:
        margin = self.config.margin * math.log(self.clip.num_classes)
        report, skipped = {}, 0
        for _ in self.steps(self.config.steps):
            logits = self.clip.predict(images).logits  # (B, K)
            probs = logits.detach().softmax(dim=-1)
            reliable = losses.entropy(logits.detach()) < margin  # (B,)
            chosen = reliable & self.learned.novel(probs, self.config.epsilon)
            shares = torch.stack([reliable, chosen]).float().mean(dim=1).tolist()
            report |= dict(zip(("reliable", "selected"), shares, strict=True))
            if not report["selected"]:
                skipped += 1
                continue
            loss = losses.reliable_entropy(logits[chosen], margin)
            self.show(logits, loss=loss)
            skipped += not optim.guarded_step(self.optimizer, loss)
            self.learned.update(probs[chosen])
            report["loss"] = loss.item()
        return report | {"skipped": float(skipped)}
