"""DOTA: distributional test-time adaptation. Han et al., NeurIPS 2025, arXiv 2409.19375.

Every class is a Gaussian that grows with the stream: a picture belongs to each class by its zero-shot
probability (`gaussians.ClassGaussians`). With the classes' means m, P the inverse of
(1 - ridge) x the mean covariance + ridge x identity, and c the shares counted so far,

    f_c      x' P m_c - m_c' P m_c / 2
    answer   zero-shot logits + min(rho mean(c) / n, eta) f

Pictures are taken one after the other, as by the authors: each is answered with what the earlier ones left,
and learned from then, so order matters within a batch too. `predict` gives a batch just adapted to those
answers, and answers other pictures with the Gaussians as they are. With views, x is each of the n views of
lowest entropy, all of which are learned from, each by its own probabilities; the zero-shot logits are their
mean, and f is that of their mean feature, which is not made unit again.

Means start at 0.001 in every direction, as in the authors' code, or at the texts. Before the first picture P
is the inverse of the covariance alone. The authors' code has settings per data set; published are ImageNet's
and EuroSAT's. A released option that fits the least confident pictures with their true labels is no
adaptation at test time and left out. It needs many pictures of a class: with ten per class, caches such as
TDA's do better.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from clip_tta_core import hparams, scores
from clip_tta_core.clip.classifier import ClipClassifier, Prediction
from clip_tta_core.clip.views import encode_views
from clip_tta_core.gaussians import ClassGaussians, Covariance
from clip_tta_core.hparams import knob
from clip_tta_core.memory import LastResult
from clip_tta_core.methods.base import Method, register
from clip_tta_core.records import Cost


@dataclass(frozen=True)
class DotaConfig(hparams.Config):
    eta: float = knob(0.3, 0.0, 10.0, help="Weight of the Gaussians at most; 0 is zero-shot.")
    rho: float = knob(0.02, 1e-4, 1.0, log=True, help="Weight they gain with each picture of a class.")
    variance: float = knob(2e-3, 1e-5, 1.0, log=True, help="Of every class at first.")
    ridge: float = knob(1e-4, 1e-7, 0.5, log=True, help="Share of the identity in what is inverted.")
    start: Literal["constant", "texts"] = knob("constant", help="Where the means of the classes start.")
    covariance: Covariance = knob(
        "auto",
        help="Mean of the classes' own, as the authors; or one for all, which takes less memory. Auto "
        "keeps the classes' own up to 256 MB.",
    )
    views: int = knob(1, 1, 128, help="Views of a picture; crops with AugMix beside the picture itself.")
    share: float = knob(0.1, 0.01, 1.0, help="Share of the views that are sure enough to count.")


@register
class Dota(Method[DotaConfig]):
    """Estimate where the pictures of every class lie, and let that speak the more, the more have been seen.
    Nothing is trained."""

    name, title, family = "dota", "DOTA", "training-free"
    citation = "Han et al., NeurIPS 2025, arXiv 2409.19375"
    draws = "views"
    presets = {
        "authors, ImageNet": {"eta": 0.2, "rho": 0.005},
        "authors, ImageNet variants": {"eta": 0.2, "rho": 0.005, "views": 64},
        "authors, EuroSAT": {"eta": 3.0, "rho": 0.05},
        "from the texts": {"start": "texts"},
    }
    Config = DotaConfig

    @classmethod
    def cost(cls, config: DotaConfig, batch_size: int = 64, batches: int = 16) -> Cost:
        return Cost(config.views)

    def __init__(self, clip: ClipClassifier, config: DotaConfig, rng: torch.Generator) -> None:
        super().__init__(clip, config, rng)
        texts = clip.text_features
        means = texts if config.start == "texts" else torch.full_like(texts, 1e-3)
        self.classes = ClassGaussians(means, config.variance, config.covariance)
        self.precision = self.classes.precision()
        self._seen, self._last = LastResult(), LastResult()

    @torch.no_grad()
    def adapt(self, images: Tensor) -> dict[str, float]:
        features, logits, kept = self._seen.of(images, self._look)
        answers = []
        for x, base in zip(kept, logits, strict=True):  # (n, D), (K,)
            answers.append(self._answer(x, base))
            if x.isfinite().all():
                self.classes.add(x, self.clip.classify(x).softmax(dim=-1))
                self.precision = self.classes.precision(self.config.ridge)
        answers = torch.stack(answers)  # (B, K)
        self._last.keep(images, Prediction(answers, features))
        changed = (answers.argmax(dim=-1) != logits.argmax(dim=-1)).float().mean()
        return {
            "gaussian_weight": self._weight(kept.shape[1]),
            "count": self.classes.counts.mean().item(),
            "changed": changed.item(),
        }

    @torch.no_grad()
    def predict(self, images: Tensor) -> Prediction:
        if self._last.knows(images):
            return self._last.result
        features, logits, kept = self._seen.of(images, self._look)
        answers = [self._answer(x, base) for x, base in zip(kept, logits, strict=True)]
        return Prediction(torch.stack(answers), features)

    def _look(self, images: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Features (B, D) and zero-shot logits (B, K) of the pictures, features of what counts (B, n, D)."""
        if self.config.views == 1:
            source = self.clip.zero_shot(images)
            return source.features, source.logits, source.features[:, None]
        views = encode_views(self.clip, images, self.config.views, self.rng, augmix=True)  # (B, V, D)
        logits = self.clip.classify(views)  # (B, V, K)
        chosen = scores.surest(logits, self.config.share)[..., None]  # (B, n, 1)
        return views[:, 0], logits.take_along_dim(chosen, 1).mean(dim=1), views.take_along_dim(chosen, 1)

    def _weight(self, views: int) -> float:
        """How much the Gaussians count."""
        return min(self.config.rho * self.classes.counts.mean().item() / views, self.config.eta)

    def _answer(self, kept: Tensor, logits: Tensor) -> Tensor:
        """(n, D), (K,) -> (K,)"""
        fit = self.classes.scores(kept.mean(dim=0, keepdim=True), self.precision)[0]  # (K,)
        return logits + self._weight(len(kept)) * fit
