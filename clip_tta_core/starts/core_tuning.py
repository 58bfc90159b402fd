"""Core-tuning: cross-entropy and contrast on mixed features. Zhang et al., NeurIPS 2021, arXiv 2102.06605.

Of every picture's feature two more are made, with labels mixed alike:

    hard positive  m z_p + (1 - m) z_n   z_p the least similar of its class, z_n the most similar of others
    hard negative  (1 - m) z + m z_j     z_j any other of the batch, m at least 0.8

    loss = mean cross-entropy of all three + eta * focal contrast: -(1 - p) log p over the pairs of one class,
           p the softmax over all others at a temperature of 0.07

The authors tune a self-supervised ResNet-50 with a linear head. Here the class texts are the classifier and
CLIP's own projection the head, so that a plain CLIP comes out. Two more differences are corrections of the
released code: its search for the least similar of a class finds the picture itself in nine of ten cases,
since it takes the smallest entry of a matrix in which others are 0; and its hash of mixed labels puts all
classes from the 65th on into one. Mixed features count as those of the class that has the larger part in
them.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from clip_tta_core import hparams, losses
from clip_tta_core.hparams import knob
from clip_tta_core.starts.base import Shots, Start, frozen, register

LEAST = 0.8  # share of the other picture in a hard negative
TEMPERATURE = 0.07


@dataclass(frozen=True)
class CoreTuningConfig(hparams.Config):
    lr: float = knob(1e-3, 0.0, 1e-1, log=True, help="Step size of descent with Nesterov's momentum.")
    steps: int = knob(60, 0, 10_000, help="Optimization steps.")
    batch_size: int = knob(64, 2, 512, help="Pictures a step; pairs are found among them.")
    eta: float = knob(0.1, 0.0, 10.0, help="Weight of the contrast.")
    weight_decay: float = knob(1e-4, 0.0, 1.0, help="Pull of all weights to 0.")


@register
class CoreTuning(Start[CoreTuningConfig]):
    """Fine-tune the image encoder with cross-entropy and a contrast of classes, both on features that are
    mixed from the pictures hardest to tell: the least similar of one class, the most similar of others."""

    name, title = "core_tuning", "Core-tuning"
    citation = "Zhang et al., NeurIPS 2021, arXiv 2102.06605"
    fails = (
        "It needs pictures of one class to meet in a batch, so one or two a class give the contrast next to "
        "nothing to pull together; line drawings and, on photo-CLIP, clean and noisy pictures lose."
    )
    Config = CoreTuningConfig

    def make(self, shots: Shots) -> nn.Module:
        model = self.clip.fork("visual_tower")
        batches = self.batches(shots.images, shots.labels, self.config.batch_size)

        def loss() -> Tensor:
            images, labels = next(batches)
            features = model.encode_image(images)  # (B, D)
            mixed, targets = mixed_pairs(features, labels, model.num_classes, self.rng)  # (3B, D), (3B, K)
            error = losses.soft_cross_entropy(targets, model.classify(mixed)).mean()
            return error + self.config.eta * focal_contrast(mixed, targets.argmax(dim=-1), TEMPERATURE)

        optimizer = torch.optim.SGD(
            model.trainable(),
            lr=self.config.lr,
            momentum=0.9,
            nesterov=True,
            weight_decay=self.config.weight_decay,
        )
        for _ in self.descend(optimizer, self.config.steps, loss):
            pass
        return frozen(model.visual)


def mixed_pairs(
    features: Tensor, labels: Tensor, classes: int, rng: torch.Generator
) -> tuple[Tensor, Tensor]:
    """Features, hard positives and hard negatives with their mixed labels. (B, D) -> (3B, D), (3B, K)

    Args:
        features: (B, D) unit rows; so are those that come out.
        labels: (B,) classes.
        classes: K.
        rng: on the CPU.
    """
    own = F.one_hot(labels, classes).to(features.dtype)  # (B, K)
    positives, negatives = hardest(features.detach(), labels)
    count = len(features)
    share = torch.rand(count, 1, generator=rng).to(features)  # Beta(1, 1)
    positive, positive_label = (share * x[positives] + (1 - share) * x[negatives] for x in (features, own))
    others = torch.randperm(count, generator=rng).to(features.device)
    share = torch.rand(count, 1, generator=rng).to(features).clamp(min=LEAST)
    negative, negative_label = ((1 - share) * x + share * x[others] for x in (features, own))
    mixed = F.normalize(torch.cat([features, positive, negative]), dim=-1)
    return mixed, torch.cat([own, positive_label, negative_label])


def hardest(features: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    """The least similar of each row's own class, the most similar of others. (B, D), (B,) -> 2 x int64 (B,)

    A row without one is its own.
    """
    cosines = features @ features.T
    here = torch.arange(len(features), device=features.device)
    same = labels[:, None] == labels[None]
    other = ~same
    same = same & (here[:, None] != here[None])
    positives = cosines.masked_fill(~same, torch.inf).argmin(dim=1)
    negatives = cosines.masked_fill(~other, -torch.inf).argmax(dim=1)
    return torch.where(same.any(dim=1), positives, here), torch.where(other.any(dim=1), negatives, here)


def focal_contrast(features: Tensor, classes: Tensor, temperature: float) -> Tensor:
    """Mean of -(1 - p) log p over the pairs of one class; 0 where there is no pair. (N, D), (N,) -> ()

    p_ij is the softmax over all j but i of z_i . z_j / temperature: pairs that are close already weigh
    little. The mean is over each row's own pairs; the released code divides by all N.
    """
    itself = torch.eye(len(features), dtype=torch.bool, device=features.device)
    pairs = (classes[:, None] == classes[None]) & ~itself
    if not pairs.any():
        return features.sum() * 0
    log_p = (features @ features.T / temperature).masked_fill(itself, -torch.inf).log_softmax(dim=-1)
    log_p = log_p.masked_fill(itself, 0.0)  # it is no pair, and 0 times infinity is no number
    each = -((1 - log_p.exp()) * log_p).masked_fill(~pairs, 0.0).sum(dim=1)  # (N,)
    counts = pairs.sum(dim=1)
    return (each / counts.clamp(min=1))[counts > 0].mean()
