"""ULFine: unbiased fitting of class prototypes on long-tailed, mostly unlabelled pictures. arXiv 2505.05062.

The pictures are drawn long-tailed: the most frequent class has ten times as many as the rarest, those with a
label and, several times as many, those without. The encoder stays as it is. Every round:

    fused   (1 - fusion) s z . c + fusion s z . w   prototypes c, a linear probe w of labelled pictures
    means   v_k of class k: half labelled pictures, half those without that the fused logits are sure of
    moved   c_k <- (1 - a_k) c_k + a_k v_k,  a_k = mu P_k / max P,  P the classes named for the unlabelled

No code is public and the rest is ours. Pictures and texts lie apart in CLIP's space (the modality gap), so
the means are shifted by it first, else a prototype that moves attracts all pictures; means of different
classes are pushed apart before they are used, where the paper holds prototypes to be orthogonal. And the
prototypes end in the projection at the end of the image encoder, A with A t_k = c_k: the answers are those
of the prototypes and the model is a plain CLIP, whose logits differ by a factor per picture, as its
features stay unit rows.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from clip_tta_core import hparams
from clip_tta_core.hparams import knob
from clip_tta_core.starts.base import Shots, Start, features_of, frozen, register

PROBE_STEPS = 50
PROBE_LR = 1e-2


@dataclass(frozen=True)
class UlfineConfig(hparams.Config):
    mu: float = knob(0.1, 0.0, 1.0, help="How far the most named class's prototype moves in a round.")
    steps: int = knob(5, 0, 100, help="Rounds.")
    fusion: float = knob(0.5, 0.0, 1.0, help="Share of the linear probe in the logits that name pictures.")
    confidence: float = knob(0.7, 0.0, 1.0, help="From which probability on a named picture is believed.")
    apart: float = knob(0.1, 0.0, 1.0, help="How hard means of different classes are pushed apart.")
    imbalance: float = knob(10.0, 1.0, 100.0, log=True, help="The most frequent class against the rarest.")
    unlabelled: float = knob(4.0, 0.0, 20.0, help="Pictures without a label for each with one.")


@register
class Ulfine(Start[UlfineConfig]):
    """Move the class texts towards what labelled and confidently named pictures look like on average, the
    more often a class is named the further; made for pictures of which few classes have most."""

    name, title = "ulfine", "ULFine"
    citation = "Zhang et al., arXiv 2505.05062"
    fails = (
        "The encoder does not learn, so a shift that destroys its features stays as it is; rare classes, "
        "which are seldom named, hardly move."
    )
    Config = UlfineConfig

    @classmethod
    def draw(
        cls, config: UlfineConfig, shots: int, classes: int, rng: np.random.Generator
    ) -> tuple[np.ndarray, np.ndarray]:
        ranks = rng.permutation(classes) / max(1, classes - 1)
        counts = np.maximum(1, np.round(shots * config.imbalance ** (-ranks))).astype(np.int64)
        return counts, np.round(config.unlabelled * counts).astype(np.int64)

    @classmethod
    def steps_of(cls, config: UlfineConfig, pictures: int) -> int:
        return 0  # the encoder only reads

    def make(self, shots: Shots) -> nn.Module:
        texts = self.clip.text_features
        features, others = (features_of(self.clip, part) for part in (shots.images, shots.unlabelled))
        sound, others = features.isfinite().all(dim=-1), others[others.isfinite().all(dim=-1)]
        features, labels = features[sound], shots.labels[sound]
        prototypes, probe = texts, texts
        for _ in self.steps(self.config.steps):
            probe = self._fit_probe(probe, features, labels)
            named = self._name(others, prototypes, probe)
            prototypes = self._move(prototypes, features, labels, others, named)
        return with_prototypes(self.clip.visual, texts, prototypes)

    def _fit_probe(self, probe: Tensor, features: Tensor, labels: Tensor) -> Tensor:
        """A linear probe without bias, as long as a text's rows, trained from where it was. -> (K, D)"""
        weights = probe.clone().requires_grad_(True)
        optimizer = torch.optim.Adam([weights], lr=PROBE_LR)
        with torch.enable_grad():
            for _ in range(PROBE_STEPS):
                optimizer.zero_grad()
                logits = self.clip.classify(features, F.normalize(weights, dim=-1))
                F.cross_entropy(logits, labels).backward()
                optimizer.step()
        return F.normalize(weights.detach(), dim=-1)

    def _name(self, features: Tensor, prototypes: Tensor, probe: Tensor) -> Tensor:
        """Fused probabilities of the pictures without a label. (M, D) -> (M, K)"""
        logits = self.clip.classify(features, prototypes).mul(1 - self.config.fusion) + self.clip.classify(
            features, probe
        ).mul(self.config.fusion)
        return logits.softmax(dim=-1)

    def _move(
        self, prototypes: Tensor, features: Tensor, labels: Tensor, others: Tensor, named: Tensor
    ) -> Tensor:
        """The prototypes after a round. -> (K, D) unit rows"""
        classes = self.clip.num_classes
        known = class_means(features, F.one_hot(labels, classes).to(features))  # (K, D)
        sure, answers = named.max(dim=-1)
        believed = F.one_hot(answers, classes).to(features) * (sure > self.config.confidence)[:, None]
        found = class_means(others, believed)
        both = believed.sum(dim=0) > 0  # (K,)
        means = F.normalize(torch.where(both[:, None], (known + found) / 2, known), dim=-1)
        counts = (
            torch.bincount(answers, minlength=classes)
            if len(answers)
            else torch.bincount(labels, minlength=classes)
        )
        rates = moving_rates(counts.to(features), self.config.mu)
        shifted = means - means.mean(dim=0) + prototypes.mean(dim=0)  # across the gap
        return fitted(prototypes, push_apart(shifted, self.config.apart), rates)


def class_means(features: Tensor, belongs: Tensor) -> Tensor:
    """Unit mean of the features of each class, 0 where there are none. (N, D), (N, K) -> (K, D)"""
    return F.normalize(belongs.T @ features, dim=-1)


def moving_rates(counts: Tensor, mu: float) -> Tensor:
    """a_k = mu P_k / max P: at most mu, 0 for a class that was never named. (K,) -> (K,)"""
    return mu * counts / counts.max().clamp(min=1)


def push_apart(means: Tensor, strength: float) -> Tensor:
    """One step down the mean squared cosine between different classes. (K, D) -> (K, D) unit rows"""
    unit = F.normalize(means, dim=-1)
    cosines = (unit @ unit.T).fill_diagonal_(0.0)  # (K, K)
    return F.normalize(unit - strength * cosines @ unit / max(1, len(unit) - 1), dim=-1)


def fitted(prototypes: Tensor, means: Tensor, rates: Tensor) -> Tensor:
    """(1 - a_k) c_k + a_k v_k at unit length; where a_k is 0, c_k bit for bit. -> (K, D)

    Args:
        prototypes, means: (K, D) unit rows, c and v.
        rates: (K,), a.
    """
    moved = F.normalize((1 - rates)[:, None] * prototypes + rates[:, None] * means, dim=-1)
    return torch.where((rates > 0)[:, None], moved, prototypes)


def with_prototypes(visual: nn.Module, texts: Tensor, prototypes: Tensor) -> nn.Module:
    """A copy of an image encoder whose features meet the texts as they met the prototypes before.

    Features z become z A, with A t_k = c_k for all k (the least squares where there are more classes than
    dimensions) and as close to the identity as that allows.

    Args:
        visual: ends in a projection without a bias, or a linear layer.
        texts, prototypes: (K, D) unit rows, t and c.
    """
    copied = frozen(copy.deepcopy(visual))
    change = (prototypes - texts).double()
    if not change.any():
        return copied
    unit = torch.eye(texts.shape[1], dtype=torch.float64, device=texts.device)
    turn = unit + change.T @ torch.linalg.pinv(texts.double()).T  # (D, D)
    last = projection(copied, texts.shape[1])
    with torch.no_grad():
        if isinstance(last, nn.Linear):
            last.weight.copy_((turn.T @ last.weight.double()).to(last.weight))
            if last.bias is not None:
                last.bias.copy_((turn.T @ last.bias.double()).to(last.bias))
        else:
            last.copy_((last.double() @ turn).to(last))
    return copied


def projection(visual: nn.Module, dim: int) -> nn.Parameter | nn.Linear:
    """What an image encoder ends in: CLIP's matrix (width, D), or the last linear layer with D outputs."""
    matrix = getattr(visual, "proj", None)
    if isinstance(matrix, nn.Parameter) and matrix.ndim == 2 and matrix.shape[1] == dim:
        return matrix
    layers = [module for module in visual.modules() if isinstance(module, nn.Linear)]
    if layers and layers[-1].out_features == dim:
        return layers[-1]
    raise ValueError(
        f"ULFine: the image encoder must end in a projection to {dim} numbers, and does not; choose another "
        "start."
    )
