"""Calibrated adversarial training, on one machine or as a federation. Chen et al., NeurIPS 2022.

CalFAT, arXiv 2205.14926; the idea of weighting rare classes in local adversarial updates is also that of Qiao
et al., arXiv 2403.02803, and FatCC, arXiv 2404.06776.

    g(x) = s z . t + strength log n     n_k pictures of class k at this client, 1 where it has none
    x'   = argmax KL(softmax g(x) || softmax g(x')) over |x' - x| <= epsilon, by steps along the sign
    loss = cross-entropy of g(x')

The calibration belongs to training alone: answers are those of s z . t. It says which classes are frequent,
so that the weights need not: with equal counts it changes nothing. With several clients, every one draws
its share of each class from a Dirichlet distribution, begins each round at the common weights, trains an
epoch on its own pictures, and the common weights become the plain mean of all. Small `dirichlet` values
make clients unlike each other: there the calibration shows.

The authors train from scratch, by descent of 0.01 over 150 rounds, with ten steps of 2/255 within 8/255.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from clip_tta_core import hparams, optim
from clip_tta_core.clip.classifier import ClipClassifier
from clip_tta_core.hparams import knob
from clip_tta_core.starts.base import Shots, Start, frozen, register, sizes

JITTER = 0.001  # of the ascent's start: at the picture itself the gradient is 0


@dataclass(frozen=True)
class CalibratedConfig(hparams.Config):
    lr: float = knob(1e-3, 0.0, 1e-1, log=True, help="Step size of descent with momentum.")
    rounds: int = knob(
        4, 0, 1000, help="Passes of every client over its pictures, weights averaged after each."
    )
    batch_size: int = knob(32, 2, 512, help="Pictures a step.")
    epsilon: float = knob(1.0, 0.0, 32.0, help="Radius of the attack, in levels of 255; 0 attacks nothing.")
    attack_steps: int = knob(2, 1, 40, help="Steps of the attack.")
    strength: float = knob(1.0, 0.0, 2.0, help="Of the calibration; 0 is plain adversarial training.")
    clients: int = knob(1, 1, 20, help="Among whom the pictures are divided; 1 is no federation.")
    dirichlet: float = knob(
        0.1, 0.01, 100.0, log=True, help="How alike the clients' classes are; small is unlike."
    )
    weight_decay: float = knob(2e-4, 0.0, 1.0, help="Pull of all weights to 0.")


@register
class Calibrated(Start[CalibratedConfig]):
    """Train the image encoder on adversarial pictures, with logits that know how frequent each class is; also
    as a federation, whose clients hold different classes and average their weights."""

    name, title = "calibrated", "Calibrated adversarial training"
    citation = "Chen et al. (CalFAT), NeurIPS 2022, arXiv 2205.14926"
    fails = (
        "Clean pictures pay for robustness: their accuracy falls as the radius grows; few clients with few "
        "classes each stay behind one that holds all pictures."
    )
    Config = CalibratedConfig

    def make(self, shots: Shots) -> nn.Module:
        model = self.clip.fork("visual_tower")
        weights = model.trainable()
        labels = shots.labels.cpu().numpy()
        numbers = np.random.default_rng(int(torch.randint(2**62, (1,), generator=self.rng)))
        parts = dirichlet_parts(labels, self.config.clients, self.config.dirichlet, numbers)
        parts = [torch.from_numpy(part).to(shots.labels.device) for part in parts if len(part)]
        for number in self.steps(self.config.rounds * len(parts)):
            client = number % len(parts)
            if client == 0:
                common, total = optim.copies(weights), [torch.zeros_like(weight) for weight in weights]
            optim.put_back(weights, common)
            self._epoch(model, shots, parts[client])
            total = [a + (b - c) for a, b, c in zip(total, optim.copies(weights), common, strict=True)]
            if client == len(parts) - 1:
                optim.put_back(weights, [c + t / len(parts) for c, t in zip(common, total, strict=True)])
        return frozen(model.visual)

    @classmethod
    def steps_of(cls, config: CalibratedConfig, pictures: int) -> int:
        batches = max(config.clients, pictures // config.batch_size)
        return config.rounds * batches * (1 + config.attack_steps)

    def _epoch(self, model: ClipClassifier, shots: Shots, part: Tensor) -> None:
        """Train on a client's pictures once."""
        labels = shots.labels[part]
        prior = self.config.strength * log_counts(labels, model.num_classes)
        optimizer = torch.optim.SGD(
            model.trainable(), lr=self.config.lr, momentum=0.9, weight_decay=self.config.weight_decay
        )
        batches = self.batches(shots.images[part], labels, self.config.batch_size)
        for _ in range(max(1, len(part) // self.config.batch_size)):
            images, truth = next(batches)
            attacked = self._attacked(model, images, prior)
            optim.guarded_step(optimizer, F.cross_entropy(model.predict(attacked).logits + prior, truth))

    def _attacked(self, model: ClipClassifier, images: Tensor, prior: Tensor) -> Tensor:
        radius = self.config.epsilon / 255
        if radius == 0:
            return images
        with torch.no_grad():
            clean = (model.predict(images).logits + prior).log_softmax(dim=-1)
        noise = torch.randn(images.shape, generator=self.rng).to(images)
        moved = within(images + JITTER * noise, images, radius)
        for _ in range(self.config.attack_steps):
            moved.requires_grad_(True)
            with torch.enable_grad():
                given = (model.predict(moved).logits + prior).log_softmax(dim=-1)
                apart = F.kl_div(given, clean, reduction="sum", log_target=True)
            (slope,) = torch.autograd.grad(apart, moved)
            moved = within(
                moved.detach() + 2 * radius / self.config.attack_steps * slope.sign(), images, radius
            )
        return moved


def log_counts(labels: Tensor, classes: int) -> Tensor:
    """log n_k, with n_k = 1 for a class that is absent, as in the authors' code. (N,) -> (K,)"""
    return torch.bincount(labels, minlength=classes).clamp(min=1).log()


def within(moved: Tensor, images: Tensor, radius: float) -> Tensor:
    """Back into the ball of a radius around every pixel, and into [0, 1]."""
    return torch.minimum(torch.maximum(moved, images - radius), images + radius).clamp(0, 1)


def dirichlet_parts(
    labels: np.ndarray, clients: int, concentration: float, rng: np.random.Generator
) -> Sequence[np.ndarray]:
    """Divide pictures among clients, every class by shares of its own. -> a place in `labels` each, ascending

    Every picture goes to one client; a client may get none.
    """
    parts: list[list[int]] = [[] for _ in range(clients)]
    for label in np.unique(labels):
        places = rng.permutation(np.flatnonzero(labels == label))
        shares = rng.dirichlet(np.full(clients, concentration)) + 1e-12  # all may be 0 in rounding
        ends = np.cumsum(sizes(len(places), shares.tolist()))
        for part, mine in zip(parts, np.split(places, ends[:-1]), strict=True):
            part.extend(mine.tolist())
    return [np.array(sorted(part), dtype=np.int64) for part in parts]
