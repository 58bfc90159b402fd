"""Mint: against the collapse of variance. Bao et al., NeurIPS 2025, arXiv 2510.22127.

Under corruption the features of different classes draw together. With the features z of a batch, their
predicted classes y, the running means m_c of the classes and m of all (this batch included, as constants),
and weights a_i = 1 / (classes in the batch x pictures of y_i in the batch),

    loss     -(sum of a |z - m|^2 - sum of a |z - m_y|^2)      minus the variance between the classes
    g        running mean over all batches of the loss's gradient at the source weights
    step     lr g / (|g| + 1e-8), from the source weights: Adam's first, so about lr whatever g's size
    answer   scale z' t', with z' after the step and t'_c = unit((1 - r) t_c + r m'_c)

where m'_c is the running mean of the features z' that were predicted as c, and r = n / (prior + n) after n
pictures. Weights go back to the source's after each batch; the running means stay, so batches of one work.

A prior of 10,000 suits a stream of that length (the authors'); a shorter one hardly moves the texts. On
streams that mix corruptions one step for all fits none well: see Ramen.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from clip_tta_core import hparams, optim
from clip_tta_core.clip.classifier import ClipClassifier, Prediction
from clip_tta_core.clip.prompts import TEMPLATES
from clip_tta_core.gaussians import ClassMeans
from clip_tta_core.hparams import knob
from clip_tta_core.memory import LastResult
from clip_tta_core.methods.base import Method, register


@dataclass(frozen=True)
class MintConfig(hparams.Config):
    lr: float = knob(0.007, 0.0, 0.1, help="How far every weight moves from the original, about.")
    prior: float = knob(
        10_000.0, 1.0, 1e6, log=True, help="Pictures after which class means and texts count alike."
    )
    prototypes: bool = knob(True, help="Mix the class means of the stream into the texts.")
    ensemble: bool = knob(
        False, help="Read seven sentences per class, as the authors; off: as every other method."
    )


@register
class Mint(Method[MintConfig]):
    """Push the mean features of the predicted classes apart by one step from the original weights, along the
    average gradient of the whole stream; works from a single picture on."""

    name, title, family = "mint", "Mint", "feature statistics"
    citation = "Bao et al., NeurIPS 2025, arXiv 2510.22127"
    train = "visual_norm"
    presets = {
        "authors": {"ensemble": True},
        "authors, ViT-L": {"ensemble": True, "lr": 0.015},
        "short stream": {"prior": 1000.0},
    }
    Config = MintConfig

    def __init__(self, clip: ClipClassifier, config: MintConfig, rng: torch.Generator) -> None:
        super().__init__(clip, config, rng)
        self.texts = clip.ensemble_features(TEMPLATES["seven"]) if config.ensemble else clip.text_features
        self.start = optim.copies(clip.trainable())
        self.gradient = [torch.zeros_like(p) for p in self.start]  # the running mean
        self.batches = 0
        classes, width = self.texts.shape
        self.before = ClassMeans(classes, width, clip.device)  # of features at the source weights
        self.after = ClassMeans(classes, width, clip.device)  # of features after the step
        self._last = LastResult()

    def adapt(self, images: Tensor) -> dict[str, float]:
        weights = self.clip.trainable()
        next(self.steps(1))
        features = self.clip.encode_image(images)  # (B, D)
        logits = self.clip.classify(features.detach(), self.texts)  # (B, K)
        labels = logits.argmax(dim=-1)
        sound = features.detach().isfinite().all(dim=-1)
        self.before.add(features.detach()[sound], labels[sound])
        between, within = self._variances(features, labels)
        self.show(logits, loss=-between)
        gradient = torch.autograd.grad(-between, weights)
        taken = bool(torch.stack([g.isfinite().all() for g in gradient]).all())
        if taken:
            self.batches += 1
            for mean, new in zip(self.gradient, gradient, strict=True):
                mean.lerp_(new, 1 / self.batches)
        self._answer(images, learn=True)
        return {
            "loss": -between.item() if taken else 0.0,
            "between": between.item() if taken else 0.0,
            "within": within.item() if taken else 0.0,
            "pseudo_classes": float(labels.unique().numel()),
            "skipped": float(not taken),
        }

    @torch.no_grad()
    def predict(self, images: Tensor) -> Prediction:
        if self._last.knows(images):
            return self._last.result
        return self._answer(images, learn=False)

    def _variances(self, features: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        """Variance between the classes and within them, each class of the batch alike. (B, D), (B,)"""
        counts = labels.bincount(minlength=len(self.texts))  # (K,)
        weight = 1 / ((counts > 0).sum() * counts[labels])  # (B,)
        within = (weight * (features - self.before.means()[labels]).square().sum(dim=-1)).sum()
        total = (weight * (features - self.before.mean()).square().sum(dim=-1)).sum()
        return total - within, within

    @torch.no_grad()
    def _answer(self, images: Tensor, learn: bool) -> Prediction:
        """Predict after the step, and go back to the source weights."""
        weights = self.clip.trainable()
        for p, g in zip(weights, self.gradient, strict=True):
            p.sub_(self.config.lr * g / (g.abs() + 1e-8))
        try:
            features = self.clip.encode_image(images)  # (B, D)
        finally:
            optim.put_back(weights, self.start)
        if learn:
            sound = features.isfinite().all(dim=-1)
            labels = self.clip.classify(features, self.texts).argmax(dim=-1)
            self.after.add(features[sound], labels[sound])
        prediction = Prediction(self.clip.classify(features, self._prototypes()), features)
        if learn:
            self._last.keep(images, prediction)
        return prediction

    def _prototypes(self) -> Tensor:
        """Texts with the class means mixed in. -> (K, D) unit rows"""
        if not self.config.prototypes:
            return self.texts
        share = self.after.total / (self.config.prior + self.after.total)
        return F.normalize((1 - share) * self.texts + share * self.after.means(), dim=-1)
