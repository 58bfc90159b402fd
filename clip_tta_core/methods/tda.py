"""TDA: a training-free dynamic adapter. Karmanov et al., CVPR 2024, arXiv 2403.18293.

Pictures are taken in one by one, as by the authors: each enters the caches first and is classified then, so
the later pictures of a batch see the earlier ones and not the other way round. `predict` gives a batch just
adapted to the predictions it got there, and classifies other pictures with the caches as they are. The
authors' out-of-distribution benchmarks average 64 augmented views of a picture; here a picture is one view.
Their mask counts probabilities above 0.03, which for 10 classes is below chance: hence the "auto".
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from clip_tta_core import hparams, losses
from clip_tta_core.clip.classifier import ClipClassifier, Prediction
from clip_tta_core.hparams import knob
from clip_tta_core.memory import FeatureQueues, LastResult
from clip_tta_core.methods.base import Method, register
from clip_tta_core.palette import DASHED, GREEN, Look


@dataclass(frozen=True)
class TdaConfig(hparams.Config):
    alpha_positive: float = knob(2.0, 0.0, 20.0, help="Weight of the confident features' votes.")
    beta_positive: float = knob(5.0, 0.0, 50.0, help="How near a confident feature must be to count.")
    shots_positive: int = knob(3, 1, 64, help="Confident features kept per class.")
    alpha_negative: float = knob(0.117, 0.0, 20.0, help="Weight of the doubtful features' votes against.")
    beta_negative: float = knob(1.0, 0.0, 50.0, help="How near a doubtful feature must be to count.")
    shots_negative: int = knob(2, 1, 64, help="Doubtful features kept per class.")
    doubt_low: float = knob(
        0.2, 0.0, 0.7, help="Entropy (nats over log2 of the classes) above which a picture is doubtful."
    )
    doubt_high: float = knob(0.5, 0.0, 0.7, help="Entropy up to which a doubtful picture is kept.")
    mask_low: float | Literal["auto"] = knob(
        "auto",
        0.0,
        1.0,
        help="Probability from which doubt speaks against a class; auto is 0.03, or chance if more.",
    )


@register
class Tda(Method[TdaConfig]):
    """Keep a few confident features per class and let new pictures be drawn to them; keep a few doubtful ones
    too, and push away from the classes these may show. Nothing is trained."""

    name, title, family = "tda", "TDA", "training-free"
    citation = "Karmanov et al., CVPR 2024, arXiv 2403.18293"
    look = Look(GREEN, DASHED, "cross")
    presets = {
        "authors": {"mask_low": 0.03},
        "authors, EuroSAT": {"mask_low": 0.03, "alpha_positive": 4.0, "beta_positive": 8.0},
        "authors, DTD": {"mask_low": 0.03, "alpha_positive": 2.0, "beta_positive": 3.0},
        "authors, Caltech": {"mask_low": 0.03, "alpha_positive": 5.0, "beta_positive": 5.0},
    }
    Config = TdaConfig

    def __init__(self, clip: ClipClassifier, config: TdaConfig, rng: torch.Generator) -> None:
        super().__init__(clip, config, rng)
        classes, dim = clip.text_features.shape
        self.positive = FeatureQueues(classes, config.shots_positive, dim, clip.device)
        self.negative = FeatureQueues(classes, config.shots_negative, dim, clip.device)
        # What each doubtful feature speaks against.
        self.masks = torch.zeros(classes, config.shots_negative, classes, device=clip.device)
        self._adapted = LastResult()  # the batch adapted to, with what its pictures got when they came

    @torch.no_grad()
    def adapt(self, images: Tensor) -> dict[str, float]:
        source = self.clip.zero_shot(images)
        entropy = losses.entropy(source.logits)  # (B,)
        labels = source.logits.argmax(dim=-1).tolist()
        probs = source.logits.softmax(dim=-1)  # (B, K)
        logits = []
        for i, (label, doubt) in enumerate(zip(labels, entropy.tolist(), strict=True)):
            self._remember(source.features[i], probs[i], label, doubt)
            logits.append(self._vote(source.logits[i : i + 1], source.features[i : i + 1]))
        logits = torch.cat(logits)  # (B, K)
        self._adapted.keep(images, Prediction(logits, source.features))
        changed = (logits.argmax(dim=-1) != source.logits.argmax(dim=-1)).float().mean()
        return {
            "positive": float(len(self.positive)),
            "negative": float(len(self.negative)),
            "changed": changed.item(),
        }

    @torch.no_grad()
    def predict(self, images: Tensor) -> Prediction:
        if self._adapted.knows(images):
            return self._adapted.result
        source = self.clip.zero_shot(images)
        return Prediction(self._vote(source.logits, source.features), source.features)

    def _remember(self, feature: Tensor, probs: Tensor, label: int, entropy: float) -> None:
        """Offer one picture to the caches. (D,), (K,)"""
        config = self.config
        self.positive.offer(feature, label, entropy)
        if config.doubt_low < entropy / math.log2(len(probs)) < config.doubt_high:
            place = self.negative.offer(feature, label, entropy)
            if place is not None:
                low = max(0.03, 1 / len(probs)) if config.mask_low == "auto" else config.mask_low
                self.masks[label, place] = ((probs > low) & (probs < 1)).float()

    def _vote(self, logits: Tensor, features: Tensor) -> Tensor:
        """Zero-shot logits corrected by the caches. (B, K), (B, D) -> (B, K)"""
        config = self.config
        if len(self.positive):
            votes = self.positive.affinity(features, config.beta_positive).sum(dim=-1)  # (B, K)
            logits = logits + config.alpha_positive * votes
        if len(self.negative):
            near = self.negative.affinity(features, config.beta_negative)  # (B, K, S)
            logits = logits - config.alpha_negative * torch.einsum("bks,ksc->bc", near, self.masks)
        return logits
