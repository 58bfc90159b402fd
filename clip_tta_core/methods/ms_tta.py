"""MS-TTA: mean-shift guided adaptation. Han et al., IEEE TCSVT 2026, arXiv 2507.00462.

Reconstructed from the abstract; every number is ours. A batch adapted to enters the bank and the cache
before it is predicted, as `predict` then gives it what `adapt` found.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from clip_tta_core import hparams, losses
from clip_tta_core.assignment import mean_shift
from clip_tta_core.clip.classifier import ClipClassifier, Prediction
from clip_tta_core.hparams import knob
from clip_tta_core.memory import FeatureQueues, LastResult
from clip_tta_core.methods.base import Method, register
from clip_tta_core.palette import DOTTED, SKY, Look


@dataclass(frozen=True)
class MsTtaConfig(hparams.Config):
    neighbours: int = knob(8, 1, 64, help="Nearest features a picture moves towards, itself included.")
    bandwidth: float = knob(0.1, 1e-3, 10.0, log=True, help="Larger counts far neighbours more.")
    centre: bool = knob(True, help="Find neighbours after taking off the direction all pictures share.")
    bank: int = knob(2048, 1, 65536, log=True, help="Past features kept to find neighbours in.")
    blend: float = knob(0.0, 0.0, 1.0, help="Share of the logits that comes from the feature unmoved.")
    shots: int = knob(3, 1, 64, help="Moved features the cache keeps per class.")
    alpha: float = knob(2.0, 0.0, 20.0, help="Weight of the cache's votes.")
    beta: float = knob(5.0, 0.0, 50.0, help="How near a cached feature must be to count.")


@register
class MsTta(Method[MsTtaConfig]):
    """Move every picture's feature towards its nearest neighbours of the stream, doubtful pictures included,
    and let a cache of moved features vote. Reconstructed from the paper's abstract; its numbers are not the
    authors'."""

    name, title, family = "ms_tta", "MS-TTA", "training-free"
    citation = "Han et al., IEEE TCSVT 2026, arXiv 2507.00462"
    look = Look(SKY, DOTTED, "cross")
    presets = {"reconstruction": {}, "half unmoved": {"blend": 0.5}}
    Config = MsTtaConfig

    def __init__(self, clip: ClipClassifier, config: MsTtaConfig, rng: torch.Generator) -> None:
        super().__init__(clip, config, rng)
        classes, dim = clip.text_features.shape
        self.past = torch.zeros(0, dim, device=clip.device)  # (S, D), oldest first
        self.cache = FeatureQueues(classes, config.shots, dim, clip.device)
        self._adapted = LastResult()  # the batch adapted to, with what it got then

    @torch.no_grad()
    def adapt(self, images: Tensor) -> dict[str, float]:
        source = self.clip.zero_shot(images)
        moved = self._move(source.features)  # (B, D)
        logits = self.clip.classify(moved)  # (B, K)
        offers = zip(moved, logits.argmax(dim=-1).tolist(), losses.entropy(logits).tolist(), strict=True)
        for feature, label, entropy in offers:
            self.cache.offer(feature, label, entropy)
        self.past = torch.cat([self.past, _sound(source.features)])[-self.config.bank :]
        self._adapted.keep(images, self._classify(source, moved))
        shift = _sound((source.features * moved).sum(dim=-1, keepdim=True))
        return {
            "moved": (1 - shift).mean().item() if len(shift) else 0.0,
            "memory": float(len(self.cache)),
            "bank": float(len(self.past)),
        }

    @torch.no_grad()
    def predict(self, images: Tensor) -> Prediction:
        if self._adapted.knows(images):
            return self._adapted.result
        source = self.clip.zero_shot(images)
        return self._classify(source, self._move(source.features))

    def _move(self, features: Tensor) -> Tensor:
        """One mean-shift step among the bank and the batch. (B, D) -> (B, D)"""
        candidates = torch.cat([self.past, _sound(features)])  # (S + B, D)
        if not len(candidates):
            return features
        centre = candidates.mean(dim=0) if self.config.centre and len(candidates) > 1 else None
        return mean_shift(features, candidates, self.config.neighbours, self.config.bandwidth, centre)

    def _classify(self, source: Prediction, moved: Tensor) -> Prediction:
        """Logits of moved features, with the cache's votes. (B, D)"""
        logits = self.clip.classify(moved)  # (B, K)
        if self.config.blend:
            logits = torch.lerp(logits, source.logits, self.config.blend)
        votes = self.cache.affinity(moved, self.config.beta).sum(dim=-1)  # (B, K)
        return Prediction(logits + self.config.alpha * votes, F.normalize(moved, dim=-1))


def _sound(rows: Tensor) -> Tensor:
    """The rows that are finite throughout."""
    return rows[rows.isfinite().all(dim=-1)]
