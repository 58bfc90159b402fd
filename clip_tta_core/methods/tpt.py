"""TPT: test-time prompt tuning. Shu et al., NeurIPS 2022, arXiv 2209.07511.

For every picture the words before the class name ("a photo of a") become vectors that are learned from many
views of it, and forgotten:

    kept   the tenth of the views with the lowest entropy, chosen once
    loss   entropy of the mean prediction of the kept views
    step   AdamW on the context
    answer with the learned texts, of the picture itself

Only the text encoder is gone through backward, once a picture and step for all classes. For many classes the
knob `candidates` tunes the texts of the likeliest ones alone; the others keep their own. The views are crops,
as for the variants of ImageNet; for its fine-grained data sets the authors also mix them (`augmix`).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import islice
from typing import Literal

import torch
from torch import Tensor

from clip_tta_core import hparams, losses, optim, scores
from clip_tta_core.clip.classifier import ClipClassifier, Prediction
from clip_tta_core.clip.views import encode_views
from clip_tta_core.hparams import knob
from clip_tta_core.memory import LastResult
from clip_tta_core.methods.base import Method, register
from clip_tta_core.records import Cost


@dataclass(frozen=True)
class TptConfig(hparams.Config):
    lr: float = knob(5e-3, 0.0, 1.0, log=True, help="Step size of AdamW.")
    steps: int = knob(1, 1, 20, help="Steps per picture.")
    views: int = knob(64, 1, 128, help="Views of a picture, itself among them.")
    share: float = knob(0.1, 0.01, 1.0, help="Share of the views that are sure enough to count.")
    augmix: bool = knob(
        False, help="Also change the views' colours and shapes, as on fine-grained data sets."
    )
    candidates: int | Literal["all"] = knob(
        "all", 2, 1000, help="Classes whose texts are tuned: a picture's likeliest ones, or all."
    )


@register
class Tpt(Method[TptConfig]):
    """Tune the words of the prompt for every single picture until its sure views agree, then forget them."""

    name, title, family = "tpt", "TPT", "prompts"
    citation = "Shu et al., NeurIPS 2022, arXiv 2209.07511"
    train = "context"
    needs = "texts"
    draws = "views"
    forgets = True
    presets = {
        "authors": {},
        "authors, fine-grained": {"augmix": True},
        "quick": {"views": 16, "candidates": 20},
    }
    Config = TptConfig

    @classmethod
    def cost(cls, config: TptConfig, batch_size: int = 64, batches: int = 16) -> Cost:
        return Cost(config.views, texts=True)

    def __init__(self, clip: ClipClassifier, config: TptConfig, rng: torch.Generator) -> None:
        super().__init__(clip, config, rng)
        self.episode = optim.Episode(clip.trainable(), config.lr)
        self._last = LastResult()

    def adapt(self, images: Tensor) -> dict[str, float]:
        return self._last.of(images, self._answer)[1]

    def predict(self, images: Tensor) -> Prediction:
        return self._last.of(images, self._answer)[0]

    @torch.no_grad()
    def _answer(self, images: Tensor) -> tuple[Prediction, dict[str, float]]:
        """Answers of a batch, each picture with its own prompt, and numbers worth plotting."""
        config = self.config
        source = self.clip.zero_shot(images)
        views = encode_views(self.clip, images, config.views, self.rng, config.augmix)  # (B, V, D)
        ticks = self.steps(len(images) * config.steps)
        logits, taken = [], []
        for features, zero_shot in zip(views, source.logits, strict=True):
            answer, classes = zero_shot.clone(), scores.likeliest(zero_shot, config.candidates)
            taken += self._tune(features, classes, islice(ticks, config.steps))
            if self.episode.moved:
                texts = self.clip.encode_classes(classes=classes)  # (n, D)
                answer[classes] = self.clip.classify(features[:1], texts)[0]
            self.episode.forget()
            logits.append(answer)
        report = {"loss": sum(taken) / max(1, len(taken))}
        report["skipped"] = float(len(images) * config.steps - len(taken))
        return Prediction(torch.stack(logits), views[:, 0]), report

    def _tune(self, features: Tensor, classes: list[int], ticks: Iterable[int]) -> list[float]:
        """Learn the context from one picture's views (V, D). -> losses of the steps taken"""
        logits = self.clip.classify(features, self.clip.text_features[classes])  # (V, n)
        kept = features[scores.surest(logits, self.config.share)]

        def loss() -> Tensor:
            return losses.view_entropy(self.clip.classify(kept, self.clip.encode_classes(classes=classes)))

        return self.episode.learn(loss, ticks)
