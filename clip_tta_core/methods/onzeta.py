"""OnZeta: online zero-shot transfer. Qian & Hu, ECCV 2024, arXiv 2408.13320.

Pictures come one after the other. The i-th, x, is answered with what the earlier ones left, and then changes
it. With the texts t, a vision proxy w_c of each class, at first its text, and a dual d_c, at first 0,

    p_t      softmax(scale x' t + d)
    p_v      softmax(x' w / temperature)
    answer   b p_v + (1 - b) p_t,     b = beta sqrt(i / length)
    d        max(0, d - dual_rate / sqrt(i) (p_t - balance / K))
    w        unit(w - proxy_rate / sqrt(i) / temperature (p_v - p_t) x)

Order matters within a batch, as with the authors. `predict` gives a batch just adapted to its answers at
their turns, and answers other pictures with proxies and duals as they are. b needs the length of the stream;
after it, b stays at beta.

The duals raise every class that is given less often than balance / K. A stream of few classes is pushed away
from them: with a single one it goes wrong by design. The authors' first steps are so long that rounding is
amplified: equal runs on two machines may differ in some answers.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from clip_tta_core import hparams
from clip_tta_core.clip.classifier import ClipClassifier, Prediction
from clip_tta_core.clip.prompts import TEMPLATES
from clip_tta_core.hparams import knob
from clip_tta_core.memory import LastResult
from clip_tta_core.methods.base import Method, register


@dataclass(frozen=True)
class OnZetaConfig(hparams.Config):
    beta: float = knob(0.8, 0.0, 1.0, help="Share of the vision proxies in the last picture's answer.")
    dual_rate: float = knob(20.0, 0.0, 100.0, help="How strongly classes are handed out evenly.")
    proxy_rate: float = knob(0.5, 0.0, 10.0, help="How fast the vision proxies learn.")
    temperature: float = knob(0.04, 1e-3, 1.0, log=True, help="Of the vision proxies; CLIP's is 0.01.")
    balance: float = knob(1.0, 0.0, 1.0, help="Share of its even part that every class is to get.")
    length: int = knob(1024, 1, 10**7, log=True, help="Pictures the stream will have.")
    ensemble: bool = knob(
        False, help="Read seven sentences per class, as the authors; off: as every other method."
    )


@register
class OnZeta(Method[OnZetaConfig]):
    """Hand the classes out evenly over the stream, and learn from each picture where pictures of a class lie,
    away from the texts. Nothing in the model is trained; wrong where few classes come."""

    name, title, family = "onzeta", "OnZeta", "training-free"
    citation = "Qian & Hu, ECCV 2024, arXiv 2408.13320"
    presets = {"authors": {"ensemble": True}, "few classes": {"balance": 0.1}}
    Config = OnZetaConfig

    def __init__(self, clip: ClipClassifier, config: OnZetaConfig, rng: torch.Generator) -> None:
        super().__init__(clip, config, rng)
        self.texts = clip.ensemble_features(TEMPLATES["seven"]) if config.ensemble else clip.text_features
        self.proxies = self.texts.clone()  # (K, D) unit rows
        self.duals = torch.zeros(len(self.texts), device=clip.device)  # (K,)
        self.seen = 0
        self._last = LastResult()

    @torch.no_grad()
    def adapt(self, images: Tensor) -> dict[str, float]:
        features, logits = self._look(images)
        answers = []
        for x, text in zip(features, logits, strict=True):  # (D,), (K,)
            sound = bool(x.isfinite().all())
            self.seen += sound
            answers.append(self._answer(x, text))
            if sound:
                self._learn(x, text)
        answers = torch.stack(answers)  # (B, K)
        self._last.keep(images, Prediction(answers, features))
        changed = (answers.argmax(dim=-1) != logits.argmax(dim=-1)).float().mean()
        return {
            "dual_largest": self.duals.max().item(),
            "dual_mean": self.duals.mean().item(),
            "duals": float((self.duals > 0).sum()),
            "proxy_share": self._share(),
            "changed": changed.item(),
        }

    @torch.no_grad()
    def predict(self, images: Tensor) -> Prediction:
        if self._last.knows(images):
            return self._last.result
        features, logits = self._look(images)
        return Prediction(self._answer(features, logits), features)

    def _look(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Features (B, D) and zero-shot logits (B, K)."""
        source = self.clip.zero_shot(images)
        if self.config.ensemble:
            return source.features, self.clip.classify(source.features, self.texts)
        return source.features, source.logits

    def _share(self) -> float:
        """Of the proxies in the answer."""
        return self.config.beta * math.sqrt(min(1.0, self.seen / self.config.length))

    def _answer(self, features: Tensor, logits: Tensor) -> Tensor:
        """Logits whose softmax is the mixture; zero-shot's if nothing was learned. (..., D), (..., K)"""
        share = torch.tensor(self._share(), device=logits.device)
        text = logits + self.duals
        proxy = (features @ self.proxies.T / self.config.temperature).log_softmax(dim=-1)
        level = text.logsumexp(dim=-1, keepdim=True)
        return torch.logaddexp(text + (1 - share).log(), proxy + level + share.log())

    def _learn(self, feature: Tensor, logits: Tensor) -> None:
        """Move duals and proxies by one picture, both by what they were before it. (D,), (K,)"""
        config, pace = self.config, math.sqrt(self.seen)
        text = (logits + self.duals).softmax(dim=-1)  # (K,)
        proxy = (self.proxies @ feature / config.temperature).softmax(dim=-1)
        self.duals = (self.duals - config.dual_rate / pace * (text - config.balance / len(text))).clamp(min=0)
        step = config.proxy_rate / pace / config.temperature
        self.proxies = F.normalize(self.proxies - step * torch.outer(proxy - text, feature), dim=-1)
