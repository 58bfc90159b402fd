"""BCA: Bayesian class adaptation. Zhou et al., CVPR 2025, arXiv 2503.09248.

Means m of the classes, at first their texts, and a table P of what a class looks like to CLIP, at first the
identity. A picture x gets

    s = softmax(scale x' m),   p = s P          the answer; y is its largest
    p(y) > move_above:    m_y <- unit((N_y m_y + x) / (N_y + 1)),   N_y <- N_y + 1
    p(y) > weigh_above:   P_y <- (M_y P_y + p) / (M_y + 1),         M_y <- M_y + 1

one picture after the other, so order matters within a batch; p is from before both updates. `predict` gives
a batch just adapted to its answers at their turns, and answers other pictures with what was learned. With
views, x is the mean of those of lowest entropy, not made unit again.

N starts at 20,000, so that a stream of a few thousand pictures leaves the means where they are. That is no
oversight: images lie in another part of the space than texts, a mean with an image's part in it is nearer to
all images, and with N at a few hundred nearly everything is given to one class.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from clip_tta_core import hparams, scores
from clip_tta_core.clip.classifier import ClipClassifier, Prediction
from clip_tta_core.clip.views import encode_views
from clip_tta_core.hparams import knob
from clip_tta_core.memory import LastResult
from clip_tta_core.methods.base import Method, register
from clip_tta_core.records import Cost


@dataclass(frozen=True)
class BcaConfig(hparams.Config):
    move_above: float = knob(0.05, 0.0, 1.01, help="Probability above which a picture moves its class.")
    weigh_above: float = knob(
        0.65, 0.0, 1.01, help="Probability above which a picture enters the prior of its class."
    )
    text_count: float = knob(
        20_000.0, 1.0, 1e6, log=True, help="Pictures that a class's text is worth; few draw all to one."
    )
    prior_count: float = knob(1.0, 0.1, 1e4, log=True, help="Pictures the prior's start is worth.")
    views: int = knob(1, 1, 128, help="Views of a picture, itself among them.")
    share: float = knob(0.1, 0.01, 1.0, help="Share of the views that are sure enough to count.")


@register
class Bca(Method[BcaConfig]):
    """Learn from sure pictures where each class lies and how its predictions usually look, the latter being a
    prior that corrects the next ones. Nothing is trained."""

    name, title, family = "bca", "BCA", "training-free"
    citation = "Zhou et al., CVPR 2025, arXiv 2503.09248"
    draws = "views"
    presets = {"authors": {}, "authors, many views": {"views": 64}}
    Config = BcaConfig

    @classmethod
    def cost(cls, config: BcaConfig, batch_size: int = 64, batches: int = 16) -> Cost:
        return Cost(config.views)

    def __init__(self, clip: ClipClassifier, config: BcaConfig, rng: torch.Generator) -> None:
        super().__init__(clip, config, rng)
        classes = clip.num_classes
        self.means = clip.text_features.clone()  # (K, D) unit rows
        self.mean_counts = [config.text_count] * classes
        self.prior = torch.eye(classes, device=clip.device)  # (K, K) rows of sum 1
        self.prior_counts = [config.prior_count] * classes
        self._seen, self._last = LastResult(), LastResult()

    @torch.no_grad()
    def adapt(self, images: Tensor) -> dict[str, float]:
        source, features, logits = self._seen.of(images, self._look)
        answers, moved, weighed = [], 0, 0
        for x, zero_shot in zip(features, logits, strict=True):  # (D,), (K,)
            answers.append(self._answer(x, zero_shot))
            probs = answers[-1].softmax(dim=-1)
            sure, label = (value.item() for value in probs.max(dim=-1))
            if sure > self.config.move_above:  # not so for what is not a number
                count = self.mean_counts[label]
                self.means[label] = F.normalize((count * self.means[label] + x) / (count + 1), dim=-1)
                self.mean_counts[label] += 1
                moved += 1
            if sure > self.config.weigh_above:
                count = self.prior_counts[label]
                self.prior[label] = (count * self.prior[label] + probs) / (count + 1)
                self.prior_counts[label] += 1
                weighed += 1
        answers = torch.stack(answers)  # (B, K)
        self._last.keep(images, Prediction(answers, source))
        changed = (answers.argmax(dim=-1) != logits.argmax(dim=-1)).float().mean()
        return {
            "moved": moved / len(images),
            "weighed": weighed / len(images),
            "prior_diagonal": self.prior.diagonal().mean().item(),
            "changed": changed.item(),
        }

    @torch.no_grad()
    def predict(self, images: Tensor) -> Prediction:
        if self._last.knows(images):
            return self._last.result
        source, features, logits = self._seen.of(images, self._look)
        answers = [self._answer(x, zero_shot) for x, zero_shot in zip(features, logits, strict=True)]
        return Prediction(torch.stack(answers), source)

    def _look(self, images: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Features of the pictures and of what is classified, 2 x (B, D), and the latter's logits (B, K)."""
        if self.config.views == 1:
            source = self.clip.zero_shot(images)
            return source.features, source.features, source.logits
        views = encode_views(self.clip, images, self.config.views, self.rng)  # (B, V, D)
        chosen = scores.surest(self.clip.classify(views), self.config.share)[..., None]  # (B, n, 1)
        features = views.take_along_dim(chosen, 1).mean(dim=1)
        return views[:, 0], features, self.clip.classify(features)

    def _answer(self, feature: Tensor, zero_shot: Tensor) -> Tensor:
        """Logits whose softmax is p; zero-shot's own where nothing was learned. (D,), (K,) -> (K,)"""
        moved = self.clip.classify(feature, self.means - self.clip.text_features)  # (K,)
        return ((zero_shot + moved)[:, None] + self.prior.log()).logsumexp(dim=0)
