"""CLIP-OT: pseudo-labels by optimal transport, one text template at a time. Mishra et al., arXiv 2411.17002.

For each template in turn: logits against its own class texts, codes from these by Sinkhorn's algorithm, a
step of the cross-entropy between the two. The released code computes the logits of the loss with other
texts (the first template's in the first batch, the average in all later ones) and averages prompts before
making them unit; our reading of the paper is implemented here. The templates are those of WATT; the authors
have them in another order and wording.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from clip_tta_core import losses, optim
from clip_tta_core.assignment import sinkhorn
from clip_tta_core.clip.classifier import ClipClassifier, Prediction
from clip_tta_core.clip.prompts import TEMPLATES
from clip_tta_core.hparams import knob
from clip_tta_core.methods.base import GradientConfig, Method, register
from clip_tta_core.palette import BLUE, DOTTED, Look
from clip_tta_core.records import Cost


@dataclass(frozen=True)
class ClipOtConfig(GradientConfig):
    lr: float = knob(1e-4, 0.0, 1e-1, log=True, help="Step size of AdamW.")
    weight_decay: float = knob(0.01, 0.0, 1.0, help="Shrinks the weights a little each step.")
    templates: int = knob(8, 1, 8, help="Prompt templates, one step each.")
    epsilon: float = knob(0.7, 0.05, 10.0, log=True, help="Smoothness of the transport; larger is softer.")
    iterations: int = knob(3, 1, 100, log=True, help="Rounds of Sinkhorn's algorithm.")
    soften: float = knob(
        0.0,
        0.0,
        1.0,
        help="Share of the model's own prediction in the codes, for small or uneven batches.",
    )
    through_codes: bool = knob(False, help="Let gradients flow through the codes, as the released code does.")
    ensemble: bool = knob(
        False,
        help="Predict with the templates' average text, as the authors; off: as every other method.",
    )


@register
class ClipOt(Method[ClipOtConfig]):
    """Share each batch out evenly over the classes by optimal transport and learn the shares as labels, with
    the class texts of one prompt template after another."""

    name, title, family = "clip_ot", "CLIP-OT", "self-training"
    citation = "Mishra et al., 2024, arXiv 2411.17002"
    look = Look(BLUE, DOTTED, "cross")
    train = "visual_norm"
    needs = "texts"
    presets = {
        "authors": {"ensemble": True},
        "authors, gradient through codes": {"ensemble": True, "through_codes": True},
        "small batches": {"soften": 0.5, "templates": 4},
    }
    Config = ClipOtConfig

    @classmethod
    def cost(cls, config: ClipOtConfig, batch_size: int = 64, batches: int = 16) -> Cost:
        return Cost(config.templates + 1, config.templates)

    def __init__(self, clip: ClipClassifier, config: ClipOtConfig, rng: torch.Generator) -> None:
        super().__init__(clip, config, rng)
        self.optimizer = torch.optim.AdamW(
            clip.trainable(), lr=config.lr, eps=1e-6, weight_decay=config.weight_decay
        )
        self.texts = clip.template_features(TEMPLATES["eight"][: config.templates])  # (T, K, D)

    def adapt(self, images: Tensor) -> dict[str, float]:
        if len(images) < 2:  # one picture cannot be shared out evenly: its code would be uniform
            return {"skipped": float(len(self.texts))}
        skipped = 0
        for turn in self.steps(len(self.texts)):
            features = self.clip.encode_image(images)  # (B, D)
            logits = self.clip.classify(features, self.texts[turn])  # (B, K)
            codes = self._codes(logits)  # (B, K)
            loss = losses.soft_cross_entropy(codes, logits).mean()
            self.show(logits, loss=loss)
            skipped += not optim.guarded_step(self.optimizer, loss)
        agreed = (codes.argmax(dim=-1) == logits.argmax(dim=-1)).float().mean()
        return {"loss": loss.item(), "agreed": agreed.item(), "skipped": float(skipped)}

    @torch.no_grad()
    def predict(self, images: Tensor) -> Prediction:
        if not self.config.ensemble:
            return self.clip.predict(images)
        features = self.clip.encode_image(images)
        texts = F.normalize(self.texts.mean(dim=0), dim=-1)  # (K, D)
        return Prediction(self.clip.classify(features, texts), features)

    def _codes(self, logits: Tensor) -> Tensor:
        """Evenly shared pseudo-labels. (B, K) -> rows that sum to 1"""
        codes = sinkhorn(logits / self.config.epsilon, self.config.iterations)
        if self.config.soften:
            codes = torch.lerp(codes, logits.softmax(dim=-1), self.config.soften)
        return codes if self.config.through_codes else codes.detach()
