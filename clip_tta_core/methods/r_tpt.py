"""R-TPT: robust test-time prompt tuning. Sheng et al., CVPR 2025, arXiv 2504.11195.

As TPT tunes the words of the prompt for every picture, with two changes that make it hold against attacks:

    kept   the tenth of the views with the lowest entropy, chosen once
    loss   mean of the kept views' own entropies, so that views in conflict do not pull against each other
    rho_v  mean of the 20 largest cosines between view v and other views, by the frozen encoder
    answer sum over all views of softmax(rho / 0.01)_v times their logits with the learned texts

A view of an attacked picture that shows what the others show is worth more than the picture itself. The
released code leaves a view out of its own neighbours where their cosine is 1 or more, which rounding often
misses; here it is always left out.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from clip_tta_core import losses, scores
from clip_tta_core.clip.classifier import Prediction
from clip_tta_core.clip.views import encode_views
from clip_tta_core.hparams import knob
from clip_tta_core.methods.base import register
from clip_tta_core.methods.per_picture import PerPicture, PerPictureConfig, Study
from clip_tta_core.records import Cost


@dataclass(frozen=True)
class RTptConfig(PerPictureConfig):
    lr: float = knob(5e-3, 0.0, 1.0, log=True, help="Step size of AdamW.")
    steps: int = knob(1, 1, 20, help="Steps per picture.")
    views: int = knob(64, 1, 128, help="Views of a picture, itself among them.")
    share: float = knob(0.1, 0.01, 1.0, help="Share of the views that are sure enough to learn from.")
    augmix: bool = knob(False, help="Also change the views' colours and shapes.")
    neighbours: int = knob(20, 1, 127, help="Nearest views that tell how reliable a view is.")
    temperature: float = knob(
        0.01, 1e-4, 10.0, log=True, help="Softness of the views' weights; smaller trusts fewer views."
    )
    candidates: int | Literal["all"] = knob(
        "all", 2, 1000, help="Classes whose texts are tuned: a picture's likeliest ones, or all."
    )


@register
class RTpt(PerPicture[RTptConfig]):
    """Tune the prompt until each sure view is certain by itself, and listen to the views that resemble the
    others: made for pictures that were attacked."""

    name, title, family = "r_tpt", "R-TPT", "prompts"
    citation = "Sheng et al., CVPR 2025, arXiv 2504.11195"
    train = "context"
    needs = "texts"
    presets = {"authors": {}, "quick": {"views": 16, "candidates": 20}}
    Config = RTptConfig

    @classmethod
    def cost(cls, config: RTptConfig, batch_size: int = 64, batches: int = 16) -> Cost:
        return Cost(config.views, texts=True)

    def studies(self, images: Tensor, source: Prediction) -> Iterator[Study]:
        config = self.config
        views = encode_views(self.clip, images, config.views, self.rng, config.augmix)  # (B, V, D)
        for features, zero_shot in zip(views, source.logits, strict=True):
            yield self._study(features, zero_shot)

    def _study(self, features: Tensor, zero_shot: Tensor) -> Study:
        """Of one picture's views (V, D), the picture itself first, and its zero-shot logits (K,)."""
        config = self.config
        classes = scores.likeliest(zero_shot, config.candidates)
        logits = self.clip.classify(features, self.clip.text_features[classes])  # (V, n)
        kept = features[scores.surest(logits, config.share)]
        weights = reliability(features, config.neighbours, config.temperature)  # (V,)

        def loss() -> Tensor:
            texts = self.clip.encode_classes(classes=classes)
            return losses.entropy(self.clip.classify(kept, texts)).mean()

        def answer() -> tuple[Tensor, Tensor]:
            if len(features) == 1 and not self.episode.moved:
                return zero_shot, features[0]
            texts = self.clip.text_features.clone()  # (K, D)
            if self.episode.moved:
                texts[classes] = self.clip.encode_classes(classes=classes)
            return weights @ self.clip.classify(features, texts), features[0]

        return Study(loss, answer, {"own_weight": weights[0].nan_to_num().item()})


def reliability(features: Tensor, neighbours: int, temperature: float) -> Tensor:
    """Weights of a picture's views, larger for what resembles the others. (V, D) -> (V,) of sum 1"""
    if len(features) == 1:
        return features.new_ones(1)
    cosines = (features @ features.T).fill_diagonal_(-torch.inf)
    nearest = cosines.topk(min(neighbours, len(features) - 1), dim=-1).values  # (V, n)
    return (nearest.mean(dim=-1) / temperature).softmax(dim=-1)
