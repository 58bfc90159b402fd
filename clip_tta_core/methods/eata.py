"""EATA: efficient entropy minimization that does not forget. Niu et al., ICML 2022, arXiv 2204.02610.

The selection and the weights of ETA, and a penalty on leaving the weights w0 of the source model:

    loss    mean over selected of exp(E0 - H_i) H_i  +  fisher_weight * sum of F (w - w0)^2
    F       mean squared gradient, at w0, of the cross-entropy to the source model's own hard predictions

The paper squares the gradient of each picture, the released code that of each batch of 64 (`fisher_group`).
The authors take F from 2000 clean pictures. A stream brings none, so its first `fisher_size` pictures serve
(ours).
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from clip_tta_core import optim
from clip_tta_core.clip.classifier import ClipClassifier
from clip_tta_core.hparams import knob
from clip_tta_core.methods.base import register
from clip_tta_core.methods.selective import Selective, SelectiveConfig
from clip_tta_core.palette import DASHED, ORANGE, Look
from clip_tta_core.records import Cost


@dataclass(frozen=True)
class EataConfig(SelectiveConfig):
    fisher_weight: float = knob(
        1.0,
        0.0,
        1e4,
        help="Weight of the penalty on forgetting; the authors: 1 for CIFAR, 2000 for ImageNet.",
    )
    fisher_size: int = knob(64, 1, 2000, help="First pictures of the stream that tell which weights matter.")
    fisher_group: int = knob(
        1, 1, 64, help="Pictures whose gradient is squared together: 1 in the paper, 64 in the code."
    )


@register
class Eata(Selective[EataConfig]):
    """Learn from sure and unfamiliar pictures as ETA does, while holding on to the weights that matter most
    to the original model."""

    name, title, family = "eata", "EATA", "entropy minimization"
    citation = "Niu et al., ICML 2022, arXiv 2204.02610"
    look = Look(ORANGE, DASHED, "circle")
    train = "visual_norm"
    presets = {
        "authors": {
            "optimizer": "sgd",
            "lr": 2.5e-4,
            "epsilon": 0.05,
            "fisher_weight": 2000.0,
            "fisher_size": 2000,
            "fisher_group": 64,
        },
        "authors, CIFAR": {
            "optimizer": "sgd",
            "lr": 5e-3,
            "epsilon": 0.4,
            "fisher_weight": 1.0,
            "fisher_size": 2000,
            "fisher_group": 64,
        },
        "CLIPTTA protocol": {"steps": 10},
    }
    Config = EataConfig

    @classmethod
    def cost(cls, config: EataConfig, batch_size: int = 64, batches: int = 16) -> Cost:
        weighed = min(1.0, config.fisher_size / (batch_size * batches))
        return Cost(weighed + config.steps + 1, weighed + config.steps)

    def __init__(self, clip: ClipClassifier, config: EataConfig, rng: torch.Generator) -> None:
        super().__init__(clip, config, rng)
        self.start = clip.fork("visual_norm")  # stays at the source model's weights
        self.squares = torch.zeros_like(optim.flat(self.start.trainable()))  # summed over groups
        self.groups = 0
        self.seen = 0  # pictures that went into the squares

    def adapt(self, images: Tensor) -> dict[str, float]:
        self._weigh(images)
        return super().adapt(images) | {"fisher_pictures": float(self.seen)}

    def terms(self, entropy: Tensor) -> dict[str, Tensor]:
        penalty = self.config.fisher_weight * self.forgetting()
        return {"loss": entropy + penalty, "entropy": entropy, "penalty": penalty}

    def forgetting(self) -> Tensor:
        """Squared way from the source weights, each weighed by its importance. -> ()"""
        moved = optim.flat(self.clip.trainable()) - optim.flat(self.start.trainable()).detach()
        return (self.squares / max(self.groups, 1) * moved**2).sum()

    def _weigh(self, images: Tensor) -> None:
        """Add the squared gradients of a batch at the source weights, until enough pictures were seen."""
        room = self.config.fisher_size - self.seen
        if room <= 0:
            return
        self.seen += min(room, len(images))
        for group in images[:room].split(self.config.fisher_group):
            logits = self.start.predict(group).logits
            loss = F.cross_entropy(logits, logits.detach().argmax(dim=-1))
            gradient = optim.flat(torch.autograd.grad(loss, self.start.trainable()))
            if gradient.isfinite().all():
                self.squares += gradient**2
                self.groups += 1
