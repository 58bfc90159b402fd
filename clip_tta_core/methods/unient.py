"""UniEnt and UniEnt+: unified entropy optimization. Gao et al., CVPR 2024, arXiv 2404.06065.

    d_i = largest cosine of the source model's feature with a class text;  o_i = 1 - (d_i - min) / (max - min)
    pi_i = probability of the lower of two Gaussians fitted to the o of the batch: how likely i is known
    UniEnt    mean of H over known - beta_ood * mean of H over unknown - beta_reg R
    UniEnt+   mean of pi H - beta_ood * mean of (1 - pi) H - beta_reg R

R is the entropy of the batch's mean prediction. Where one of the two Gaussians holds fewer than two pictures
there is nothing to split, and all count as known. The score shown here is pi; the authors' AUROC is that of
the adapted logits' energy. CLIPTTA's re-implementation splits by the adapted model's
largest probability, and its scripts leave the unknown out: the preset keeps the published split, with
`beta_ood` 0.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from clip_tta_core import losses, optim, scores
from clip_tta_core.clip.classifier import ClipClassifier, Prediction
from clip_tta_core.hparams import knob
from clip_tta_core.methods.base import GradientConfig, Method, register
from clip_tta_core.palette import DOTTED, VERMILION, Look
from clip_tta_core.records import Cost

FEWEST = 8  # pictures that can be split in two


@dataclass(frozen=True)
class UnientConfig(GradientConfig):
    lr: float = knob(1e-3, 0.0, 1e-1, log=True, help="Step size of Adam.")
    steps: int = knob(1, 1, 50, help="Gradient steps per batch.")
    soft: bool = knob(False, help="UniEnt+: weigh every picture by how likely it is known.")
    beta_reg: float = knob(0.5, 0.0, 10.0, help="Weight of the diversity bonus against collapse.")
    beta_ood: float = knob(0.5, 0.0, 10.0, help="Weight of the doubt asked of unknown pictures.")


@register
class Unient(Method[UnientConfig]):
    """Split each batch in known and unknown by how near its pictures are to any class; make the known more
    certain and the unknown less."""

    name, title, family = "unient", "UniEnt", "open set"
    citation = "Gao et al., CVPR 2024, arXiv 2404.06065"
    look = Look(VERMILION, DOTTED, "triangle")
    train = "visual_norm"
    presets = {
        "authors": {},
        "UniEnt+": {"soft": True},
        "CLIPTTA protocol": {"soft": True, "lr": 1e-4, "steps": 10, "beta_ood": 0.0, "beta_reg": 1.0},
    }
    Config = UnientConfig

    @classmethod
    def cost(cls, config: UnientConfig, batch_size: int = 64, batches: int = 16) -> Cost:
        return Cost(1 + config.steps + 1, config.steps)  # the source model is asked first

    def __init__(self, clip: ClipClassifier, config: UnientConfig, rng: torch.Generator) -> None:
        super().__init__(clip, config, rng)
        self.optimizer = torch.optim.Adam(clip.trainable(), lr=config.lr, eps=1e-6)

    def adapt(self, images: Tensor) -> dict[str, float]:
        known = self._known(images)  # (B,)
        weight = known if self.config.soft else (known > 0.5).float()
        skipped = 0
        for _ in self.steps(self.config.steps):
            logits = self.clip.predict(images).logits  # (B, K)
            loss = self._loss(logits, weight)
            self.show(logits, loss=loss)
            skipped += not optim.guarded_step(self.optimizer, loss)
        return {"loss": loss.item(), "known": known.mean().item(), "skipped": float(skipped)}

    def _loss(self, logits: Tensor, weight: Tensor) -> Tensor:
        """The unified entropy of a batch. (B, K), (B,) 1 where known -> ()"""
        entropy = losses.entropy(logits)  # (B,)
        inside, outside = weight * entropy, (1 - weight) * entropy
        if self.config.soft:
            loss = inside.mean() - self.config.beta_ood * outside.mean()
        else:  # a side without pictures adds nothing
            count = weight.sum()
            loss = inside.sum() / count.clamp(min=1)
            loss = loss - self.config.beta_ood * outside.sum() / (len(weight) - count).clamp(min=1)
        if self.config.beta_reg and len(logits) > 1:  # of one image alone it would reward doubt
            loss = loss - self.config.beta_reg * losses.marginal_entropy(logits)
        return loss

    @torch.no_grad()
    def predict(self, images: Tensor) -> Prediction:
        prediction = self.clip.predict(images)
        return Prediction(prediction.logits, prediction.features, self._known(images), 0.5)

    def _known(self, images: Tensor) -> Tensor:
        """How likely each is known: all surely where there is nothing to split. (B, 3, H, W) -> (B,)"""
        nearness = self.clip.zero_shot(images).logits.amax(dim=-1) / self.clip.scale  # (B,)
        sound = nearness.isfinite()
        known = sound.float()
        found = nearness[sound]
        if len(found) >= FEWEST:
            far = 1 - (found - found.min()) / (found.max() - found.min()).clamp(min=1e-12)
            split = scores.two_gaussians(far)
            if split is not None:
                known[sound] = split
        return known
