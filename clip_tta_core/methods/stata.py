"""StatA: realistic adaptation with a statistical anchor. Zanella et al., CVPR 2025, arXiv 2501.03729.

A batch may show few of the classes. Every class is a Gaussian with a mean m and a diagonal covariance S;
where pictures speak for the class these are the pictures', else they stay the text's. With y the zero-shot
probabilities, z the answers and n_c how many pictures z gives to class c,

    rounds x   z_i  proportional to  y_i exp(weight log N(x_i; m, S) + laplacian / 2k ((W + W') z)_i), 5 times
               b_c  = n_c / (anchor + n_c)
               m_c  = unit(b_c unit(mean of the x by z_c) + (1 - b_c) t_c)
               S_c  = b_c (mean of (x - m_c)^2 by z_c) + (1 - b_c) (S_0 + (t_c - m_c)^2)
    and z once more

W holds the cosines of every picture's k nearest others, S_0 the variance of the pictures about the texts.
A batch is answered by itself; nothing stays from one to the next.

Made for few classes in a batch; where pictures are corrupted, and the texts are what is wrong, its authors'
idea hurts: ADAPT reports 22.4 % on ImageNet-C where CLIP has 25.5.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from clip_tta_core import hparams
from clip_tta_core.assignment import nearest_links
from clip_tta_core.clip.classifier import ClipClassifier, Prediction
from clip_tta_core.gaussians import log_density, squared_deviation
from clip_tta_core.hparams import knob
from clip_tta_core.memory import LastResult
from clip_tta_core.methods.base import Method, register

INNER = 5  # times the answers are refined between two looks at the classes


@dataclass(frozen=True)
class StatAConfig(hparams.Config):
    anchor: float = knob(1.0, 0.0, 1e4, help="Pictures of a class at which they count as much as its text.")
    weight: float = knob(0.02, 0.0, 1.0, help="Weight of the Gaussians; 0 leaves zero-shot and neighbours.")
    laplacian: float = knob(1.0, 0.0, 20.0, help="Pull of the neighbours.")
    neighbours: int = knob(3, 1, 50, help="Nearest pictures of the batch that pull.")
    rounds: int = knob(10, 1, 100, help="Times the classes are fitted.")


@register
class StatA(Method[StatAConfig]):
    """Fit a Gaussian to every class that a batch shows and leave the others at their texts; neighbours agree.
    Nothing is trained, and it is at its best when few classes come at a time."""

    name, title, family = "stata", "StatA", "training-free"
    citation = "Zanella et al., CVPR 2025, arXiv 2501.03729"
    presets = {"authors": {}}
    Config = StatAConfig

    def __init__(self, clip: ClipClassifier, config: StatAConfig, rng: torch.Generator) -> None:
        super().__init__(clip, config, rng)
        self._last = LastResult()

    @torch.no_grad()
    def adapt(self, images: Tensor) -> dict[str, float]:
        source = self.clip.zero_shot(images)
        logits, trust = self._last.of(images, self._assign)
        seen = trust > 0
        changed = (logits.argmax(dim=-1) != source.logits.argmax(dim=-1)).float().mean()
        return {
            "anchor_weight": 1 - trust.mean().item(),  # of the texts, over all classes
            "anchor_weight_seen": 1 - trust[seen].mean().item() if seen.any() else 1.0,
            "classes": float(seen.sum()),
            "changed": changed.item(),
        }

    @torch.no_grad()
    def predict(self, images: Tensor) -> Prediction:
        return Prediction(self._last.of(images, self._assign)[0], self.clip.zero_shot(images).features)

    def _assign(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Logits (B, K) of a batch and how far each class is its pictures' (K,).

        A picture that is not finite keeps its zero-shot logits and speaks to no other.
        """
        source = self.clip.zero_shot(images)
        sound = source.features.isfinite().all(dim=-1).nonzero().flatten()  # (N,)
        if not len(sound):
            return source.logits, source.logits.new_zeros(self.clip.num_classes)
        logits, trust = self._fit(source.features[sound], source.logits[sound])
        return source.logits.index_copy(0, sound, logits), trust

    def _fit(self, features: Tensor, zero_shot: Tensor) -> tuple[Tensor, Tensor]:
        config, texts = self.config, self.clip.text_features
        answers = zero_shot.softmax(dim=-1)  # (N, K)
        pull = self._neighbours(features)  # (N, N)
        first = (squared_deviation(features, texts, answers).sum(dim=0) / len(features)).clamp(
            min=1e-9
        )  # (D,)
        means, variances = texts, first.expand_as(texts)
        for _ in range(config.rounds):
            answers = self._refine(zero_shot, answers, log_density(features, means, variances), pull).softmax(
                -1
            )
            trust = self._trust(answers)
            means, variances = self._classes(features, answers, trust, first)
        density = log_density(features, means, variances)
        return self._refine(zero_shot, answers, density, pull), trust

    def _trust(self, answers: Tensor) -> Tensor:
        """How far each class is its pictures' and not its text's, by how many it has. (N, K) -> (K,)"""
        counts = answers.argmax(dim=-1).bincount(minlength=answers.shape[1]).float()
        return torch.where(counts > 0, counts / (self.config.anchor + counts), counts)

    def _neighbours(self, features: Tensor) -> Tensor:
        """Cosines of the nearest others, both ways, over 2k. (N, D) -> (N, N)"""
        nearest = min(self.config.neighbours, len(features) - 1)
        if not nearest:
            return features.new_zeros(1, 1)
        cosines = (features @ features.T).fill_diagonal_(-2.0)  # less than any: nobody is his own neighbour
        links = nearest_links(cosines, nearest)
        return self.config.laplacian * (links + links.T) / (2 * nearest)

    def _refine(self, zero_shot: Tensor, answers: Tensor, density: Tensor, pull: Tensor) -> Tensor:
        """Answers to Gaussians and neighbours, as logits. 3 x (N, K), (N, N) -> (N, K)"""
        for _ in range(INNER):
            logits = zero_shot + self.config.weight * density + pull @ answers
            answers = logits.softmax(dim=-1)
        return logits

    def _classes(
        self, features: Tensor, answers: Tensor, trust: Tensor, first: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Means and variances of the classes, 2 x (K, D), as far as each is trusted (K,) to its pictures."""
        texts, trust = self.clip.text_features, trust[:, None]
        mass = answers.sum(dim=0)[:, None].clamp(min=1e-12)  # (K, 1)
        own = F.normalize(answers.T @ features / mass, dim=-1)
        means = F.normalize(trust * own + (1 - trust) * texts, dim=-1)
        spread = squared_deviation(features, means, answers) / mass
        variances = trust * spread + (1 - trust) * (first + (texts - means) ** 2)
        return means, variances.clamp(min=1e-9)
