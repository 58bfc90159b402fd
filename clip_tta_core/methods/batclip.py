"""BATCLIP: bimodal online adaptation of both towers. Maharana et al., ICCV 2025, arXiv 2412.02837.

    loss = mean entropy - match * mean over present classes of m_c . t_c
                        - separate * sum over ordered pairs of present classes of 1 - cos(m_c, m_c')

m_c is the mean of the pictures predicted as c, with features as long as the encoder makes them; t_c the
class text, encoded anew, with gradients, in every step.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import reduce

import torch
import torch.nn.functional as F
from torch import Tensor

from clip_tta_core import losses, optim
from clip_tta_core.clip.classifier import ClipClassifier, Prediction
from clip_tta_core.hparams import knob
from clip_tta_core.methods.base import GradientConfig, Method, register
from clip_tta_core.palette import BLUE, DASHED, Look
from clip_tta_core.records import Cost


@dataclass(frozen=True)
class BatclipConfig(GradientConfig):
    lr: float = knob(1e-3, 0.0, 1e-1, log=True, help="Step size of Adam; large for small batches.")
    steps: int = knob(1, 1, 50, help="Gradient steps per batch.")
    weight_decay: float = knob(0.01, 0.0, 1.0, help="Shrinks the weights a little each step.")
    decoupled: bool = knob(
        True, help="Shrink beside the gradient step (AdamW), or within the gradient (Adam with L2)."
    )
    match: float = knob(1.0, 0.0, 10.0, help="Weight of the means' match with their class texts.")
    separate: float = knob(1.0, 0.0, 10.0, help="Weight of the distance between the classes' means.")
    unit_means: bool = knob(
        False, help="Match with means of length one; as published, their length (about 10) counts."
    )
    average_pairs: bool = knob(
        False, help="Average over pairs of classes; as published, they add up: 90 pairs for 10 classes."
    )


@register
class Batclip(Method[BatclipConfig]):
    """Train the norms of both towers: confident predictions, pictures near the text of their predicted class,
    and the classes' pictures far from each other."""

    name, title, family = "batclip", "BATCLIP", "feature statistics"
    citation = "Maharana et al., ICCV 2025, arXiv 2412.02837"
    look = Look(BLUE, DASHED, "diamond")
    train = "norm"
    needs = "texts"
    presets = {
        "authors": {},
        "authors, CIFAR-100": {"lr": 5e-4, "decoupled": False},
        "authors, ImageNet": {"lr": 5e-4},
        "balanced": {"lr": 1e-4, "average_pairs": True, "unit_means": True},
    }
    Config = BatclipConfig

    @classmethod
    def cost(cls, config: BatclipConfig, batch_size: int = 64, batches: int = 16) -> Cost:
        return Cost(config.steps + 1, config.steps, texts=True)

    def __init__(self, clip: ClipClassifier, config: BatclipConfig, rng: torch.Generator) -> None:
        super().__init__(clip, config, rng)
        adam = torch.optim.AdamW if config.decoupled else torch.optim.Adam
        self.optimizer = adam(clip.trainable(), lr=config.lr, eps=1e-6, weight_decay=config.weight_decay)
        self.texts = clip.text_features  # (K, D), as the text tower encodes them by now

    def adapt(self, images: Tensor) -> dict[str, float]:
        skipped = 0
        for _ in self.steps(self.config.steps):
            logits, terms = self._terms(images)
            loss = reduce(torch.add, terms.values())
            self.show(logits, loss=loss, **terms)
            skipped += not optim.guarded_step(self.optimizer, loss)
        with torch.no_grad():
            self.texts = self.clip.encode_classes()
        report = {name: term.item() for name, term in terms.items()}
        return {"loss": loss.item(), **report, "skipped": float(skipped)}

    @torch.no_grad()
    def predict(self, images: Tensor) -> Prediction:
        features = self.clip.encode_image(images)
        return Prediction(self.clip.classify(features, self.texts), features)

    def _terms(self, images: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        """Logits (B, K), and the weighted terms of the loss."""
        config = self.config
        texts = self.clip.encode_classes()  # (K, D)
        raw = self.clip.encode_image(images, unit=False)  # (B, D)
        logits = self.clip.classify(F.normalize(raw, dim=-1), texts)  # (B, K)
        present, which = logits.detach().argmax(dim=-1).unique(return_inverse=True)  # (C,), (B,)
        members = F.one_hot(which, len(present)).to(raw.dtype)  # (B, C)
        means = members.T @ raw / members.sum(dim=0)[:, None]  # (C, D)
        matched = F.normalize(means, dim=-1) if config.unit_means else means
        return logits, {
            "entropy": losses.entropy(logits).mean(),
            "match": -config.match * (matched * texts[present]).sum(dim=-1).mean(),
            "separation": -config.separate * losses.class_separation(means, config.average_pairs),
        }
