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

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from torch import Tensor

from clip_tta_core import losses, scores
from clip_tta_core.clip.classifier import Prediction
from clip_tta_core.clip.views import encode_views
from clip_tta_core.hparams import knob
from clip_tta_core.methods.base import register
from clip_tta_core.methods.per_picture import PerPicture, PerPictureConfig, Study
from clip_tta_core.records import Cost


@dataclass(frozen=True)
class TptConfig(PerPictureConfig):
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
class Tpt(PerPicture[TptConfig]):
    """Tune the words of the prompt for every single picture until its sure views agree, then forget them."""

    name, title, family = "tpt", "TPT", "prompts"
    citation = "Shu et al., NeurIPS 2022, arXiv 2209.07511"
    views_answer = False
    train = "context"
    needs = "texts"
    presets = {
        "authors": {},
        "authors, fine-grained": {"augmix": True},
        "quick": {"views": 16, "candidates": 20},
    }
    Config = TptConfig

    @classmethod
    def cost(cls, config: TptConfig, batch_size: int = 64, batches: int = 16) -> Cost:
        return Cost(config.views, texts=True)

    def studies(self, images: Tensor, source: Prediction) -> Iterator[Study]:
        config = self.config
        views = encode_views(self.clip, images, config.views, self.rng, config.augmix)  # (B, V, D)
        for features, zero_shot in zip(views, source.logits, strict=True):
            yield self._study(features, zero_shot)

    def _study(self, features: Tensor, zero_shot: Tensor) -> Study:
        """Of one picture's views (V, D), the picture itself first, and its zero-shot logits (K,)."""
        classes = scores.likeliest(zero_shot, self.config.candidates)
        logits = self.clip.classify(features, self.clip.text_features[classes])  # (V, n)
        kept = features[scores.surest(logits, self.config.share)]

        def loss() -> Tensor:
            return losses.view_entropy(self.clip.classify(kept, self.clip.encode_classes(classes=classes)))

        def answer() -> tuple[Tensor, Tensor]:
            answer = zero_shot.clone()
            if self.episode.moved:
                texts = self.clip.encode_classes(classes=classes)  # (n, D)
                answer[classes] = self.clip.classify(features[:1], texts)[0]
            return answer, features[0]

        return Study(loss, answer)
