"""Ramen: neighbours' gradients for mixed domains. Bao et al., CVPR 2026, arXiv 2604.21728.

Where every picture comes with another corruption, one set of weights fits none well. Here each gets its own:

    g_i      gradient of the entropy of picture i at the source weights; one backward for a batch (`NormRows`)
    memory   (feature, gradient, entropy), first in, first out within each predicted class; the batch itself
             enters before anything is read
    pull     mean over classes of the sum over the `neighbours` nearest of e^-H e^(-beta distance) g
    weights  source - lr sign(pull), a row per picture; after the answer everything is as before

A picture's own gradient is always among those it reads, unless its class overflowed within the batch.
Nothing else depends on the order of the pictures.

A gradient is P numbers, 39,936 for a ViT-B: 80 kB in half precision, the default. 7,500 for each of ten
classes, as for CIFAR-10, are 6 GB: `memory_mb` bounds what is kept, with an equal part for each class, and
`capacity` the entries of a class. The step takes the sign of each number: where gradients all but cancel,
rounding decides, and a picture may be answered differently on another machine; `single` keeps them as they
are. As the loss is the entropy, a picture that is surely wrong becomes surer.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from clip_tta_core import hparams, losses
from clip_tta_core.clip.classifier import ClipClassifier, Prediction
from clip_tta_core.clip.prompts import TEMPLATES
from clip_tta_core.clip.rows import NormRows
from clip_tta_core.hparams import knob
from clip_tta_core.memory import GradientQueues, LastResult
from clip_tta_core.methods.base import Method, register

BYTES = {"half": 2, "single": 4}


@dataclass(frozen=True)
class RamenConfig(hparams.Config):
    lr: float = knob(0.01, 0.0, 0.1, help="How far every weight moves, for one picture only.")
    capacity: int = knob(7500, 1, 100_000, log=True, help="Gradients kept per predicted class at most.")
    memory_mb: int = knob(
        512, 1, 65_536, log=True, help="Megabytes of gradients at most, shared evenly by the classes."
    )
    neighbours: int = knob(50, 1, 1000, log=True, help="Nearest pictures of each class that are asked.")
    beta: float = knob(5.0, 0.0, 100.0, help="How much less a far neighbour counts.")
    precision: Literal["half", "single"] = knob("half", help="In what gradients are kept.")
    ensemble: bool = knob(
        False, help="Read seven sentences per class, as the authors; off: as every other method."
    )


@register
class Ramen(Method[RamenConfig]):
    """Give every picture weights of its own, one step along the gradients of the pictures most like it, all
    classes counting alike; made for streams in which every picture is corrupted otherwise."""

    name, title, family = "ramen", "Ramen", "entropy minimization"
    citation = "Bao et al., CVPR 2026, arXiv 2604.21728"
    train = "visual_norm"
    presets = {
        "authors, CIFAR-10": {"ensemble": True, "memory_mb": 8192},
        "authors, CIFAR-100": {"ensemble": True, "capacity": 750, "neighbours": 5, "memory_mb": 8192},
        "authors, ImageNet": {
            "ensemble": True,
            "capacity": 75,
            "neighbours": 1,
            "beta": 0.0,
            "memory_mb": 16_384,
        },
        "authors, DomainNet": {"ensemble": True, "capacity": 300, "neighbours": 10, "memory_mb": 16_384},
    }
    Config = RamenConfig

    def __init__(self, clip: ClipClassifier, config: RamenConfig, rng: torch.Generator) -> None:
        super().__init__(clip, config, rng)
        self.texts = clip.ensemble_features(TEMPLATES["seven"]) if config.ensemble else clip.text_features
        self.rows = NormRows(clip)
        self.entry_bytes = BYTES[config.precision] * len(self.rows.start)
        affordable = config.memory_mb * 2**20 // (self.entry_bytes * clip.num_classes)
        dtype = torch.float16 if config.precision == "half" else torch.float32
        self.memory = GradientQueues(clip.num_classes, max(1, min(config.capacity, affordable)), dtype)
        self._last = LastResult()

    def adapt(self, images: Tensor) -> dict[str, float]:
        def entropy(features: Tensor) -> Tensor:
            return losses.entropy(self.clip.classify(features, self.texts))

        next(self.steps(1))
        features, gradients = self.rows.gradients(images, entropy)  # (B, D), (B, P)
        logits = self.clip.classify(features, self.texts)  # (B, K)
        labels = logits.argmax(dim=-1).tolist()
        doubts = losses.entropy(logits)  # (B,)
        self.show(logits, loss=doubts.mean())
        sound = features.isfinite().all(dim=-1) & gradients.isfinite().all(dim=-1)
        for i in sound.nonzero().flatten().tolist():
            self.memory.add(features[i], gradients[i], labels[i], doubts[i].item())
        prediction = self._answer(images, features)
        self._last.keep(images, prediction)
        filled = [len(queue) for queue in self.memory.queues]
        return {
            "entropy": doubts[sound].mean().item() if sound.any() else 0.0,
            "memory": float(len(self.memory)),
            "memory_mb": len(self.memory) * self.entry_bytes / 2**20,
            "memory_classes": float(sum(1 for size in filled if size)),
            "largest_class": float(max(filled)),
            "smallest_class": float(min(filled)),
        }

    @torch.no_grad()
    def predict(self, images: Tensor) -> Prediction:
        if self._last.knows(images):
            return self._last.result
        return self._answer(images, self.clip.encode_image(images))

    @torch.no_grad()
    def _answer(self, images: Tensor, features: Tensor) -> Prediction:
        """Predict each picture with the weights its neighbours pull it to. (B, 3, H, W), (B, D)"""
        pull = self.memory.nearest(features, self.config.neighbours, self.config.beta)  # (B, P)
        if pull is None or not self.config.lr:
            features = self.clip.encode_image(images)
        else:
            features = self.rows.encode(images, self.rows.start - self.config.lr * pull.sign())
        return Prediction(self.clip.classify(features, self.texts), features)
