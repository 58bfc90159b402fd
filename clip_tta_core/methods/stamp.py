"""STAMP: outlier-aware adaptation with stable memory replay. Yu et al., ECCV 2024, arXiv 2407.15773.

    p_i      mean of the probabilities over views of picture i; the prediction, and -H(p_i) the score
    stored   H(p_i) < margin ln K, and (below 1000 classes) the source model gives picture i the same class
    label    the class of picture i itself, without its other views; so is the one compared with the source's
    update   once a batch, sharpness-aware: mean over the whole memory of w H, with w proportional to exp(-H)
             and adding up to the memory's capacity, also while it holds fewer

While the memory holds M of N pictures, the gradient is thus N / M times that of a weighted mean: the steps of
plain descent are longer at the start.

One view is the default, since each costs a forward. The authors take 16, and plain descent with rates and
margins made for batch normalization, which the presets have; Adam with this margin is ours, for LayerNorm.
CLIPTTA's re-implementation trains on entropies of unscaled cosines and stores a batch again at every step;
its protocol here means memory, margin, consistency and number of steps.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from clip_tta_core import augment, losses, optim
from clip_tta_core.clip.classifier import ClipClassifier, Prediction
from clip_tta_core.hparams import knob
from clip_tta_core.memory import LastResult, ReplayMemory, to_bytes, to_images
from clip_tta_core.methods.base import GradientConfig, Method, register
from clip_tta_core.palette import DOTTED, PINK, Look
from clip_tta_core.records import Cost

MANY_CLASSES = 1000  # from here on the authors do not ask the source model


@dataclass(frozen=True)
class StampConfig(GradientConfig):
    lr: float = knob(1e-4, 0.0, 1e-1, log=True, help="Step size.")
    steps: int = knob(1, 1, 50, help="Passes over the memory per batch.")
    optimizer: optim.OptimizerName = knob("adam", help="The authors use sgd, without momentum.")
    margin: float = knob(0.4, 0.0, 1.5, help="Entropy below which a picture is stored, as a share of ln K.")
    check_source: bool = knob(
        True,
        help="Store only what the original model gives the same class; not asked from 1000 classes on.",
    )
    capacity: int = knob(64, 2, 512, help="Pictures the memory holds.")
    rho: float = knob(0.05, 0.0, 1.0, help="How far uphill the loss is looked at; 0 looks where it is.")
    through_weights: bool = knob(
        True, help="Let gradients flow through the weights of the pictures too, as in the authors' code."
    )
    views: int = knob(1, 1, 64, help="Views a prediction averages, the picture itself among them.")
    view: Literal["crop", "strong"] = knob(
        "crop",
        help="How the other views are made: cut out and mirrored, or changed in colour and shape too.",
    )
    schedule: int = knob(
        0, 0, 5000, help="Updates over which the step size falls to 0 along a cosine; 0 keeps it."
    )


@register
class Stamp(Method[StampConfig]):
    """Replay pictures that are sure and on which the original model agrees, balanced over the classes; what
    looks like an outlier never enters the memory."""

    name, title, family = "stamp", "STAMP", "memory replay"
    citation = "Yu et al., ECCV 2024, arXiv 2407.15773"
    look = Look(PINK, DOTTED, "circle")
    train = "visual_norm_lower"
    steps_on = "memory"
    presets = {
        "authors": {"optimizer": "sgd", "lr": 0.01, "margin": 0.8, "views": 16, "schedule": 750},
        "authors, CIFAR-10": {
            "optimizer": "sgd",
            "lr": 0.1,
            "margin": 0.25,
            "views": 16,
            "view": "strong",
            "schedule": 150,
        },
        "authors, CIFAR-100": {
            "optimizer": "sgd",
            "lr": 0.05,
            "margin": 0.9,
            "views": 16,
            "schedule": 150,
        },
        "CLIPTTA protocol": {"steps": 10, "capacity": 128, "margin": 0.45, "check_source": False},
    }
    Config = StampConfig

    @classmethod
    def cost(cls, config: StampConfig, batch_size: int = 64, batches: int = 16) -> Cost:
        replayed = 2 * config.steps * config.capacity / batch_size
        asked = 2 * config.views + config.check_source  # before the update, after it, and the source model
        return Cost(asked + replayed, replayed)

    def __init__(self, clip: ClipClassifier, config: StampConfig, rng: torch.Generator) -> None:
        super().__init__(clip, config, rng)
        self.optimizer = optim.make_optimizer(config.optimizer, clip.trainable(), config.lr, momentum=0.0)
        self.memory = ReplayMemory(clip.num_classes, config.capacity)
        self.updates = 0
        self._batches = 0
        self._seed = int(torch.randint(2**31, (1,), generator=rng))
        self._last = LastResult()

    @torch.no_grad()
    def predict(self, images: Tensor) -> Prediction:
        return self._last.of(images, self._average)

    def adapt(self, images: Tensor) -> dict[str, float]:
        self._batches += 1
        prediction = self.predict(images)
        own = self.clip.classify(prediction.features)  # (B, K) of the pictures themselves, not their views
        confidence, labels = own.softmax(dim=-1).max(dim=-1)  # (B,), (B,)
        scores, threshold = self._judged(prediction.logits)
        sound = scores > threshold
        if self.config.check_source and self.clip.num_classes < MANY_CLASSES:
            sound &= labels == self.clip.zero_shot(images).logits.argmax(dim=-1)
        chosen = sound.nonzero().flatten()
        rows = zip(
            to_bytes(images[chosen]), labels[chosen].tolist(), confidence[chosen].tolist(), strict=True
        )
        for image, label, sure in rows:
            self.memory.offer(image, label, sure, self.rng)
        report = self._update(images, prediction.logits)
        return report | {
            "selected": len(chosen) / len(images),
            "memory": float(len(self.memory)),
            "memory_classes": float(sum(1 for slot in self.memory.slots if slot)),
        }

    def _update(self, like: Tensor, known: Tensor) -> dict[str, float]:
        """Train on the whole memory. (B, 3, H, W), (B, K) as answered by now"""
        if not len(self.memory):
            return {"skipped": 1.0}
        stored = to_images([entry.image for entry in self.memory.read()], like)  # (S, 3, H, W)

        def loss() -> Tensor:
            logits = self.clip.predict(stored).logits  # (S, K)
            return losses.self_weighted_entropy(logits, self.config.capacity, self.config.through_weights)

        report, skipped = {}, 0
        for _ in self.steps(self.config.steps):
            for group in self.optimizer.param_groups:
                group["lr"] = self.config.lr * self._pace()
            here = loss()
            self.show(known, loss=here)
            taken = optim.sharp_step(self.optimizer, here, loss, self.config.rho)
            self.updates += 1
            if taken is None:
                skipped += 1
            else:
                report["loss"] = taken.item()
        self._last.forget()
        return report | {"skipped": float(skipped)}

    def _pace(self) -> float:
        """The share of the step size left by the schedule: half a cosine down, and up again if it goes on."""
        if not self.config.schedule:
            return 1.0
        return (1 + math.cos(math.pi * self.updates / self.config.schedule)) / 2

    def _average(self, images: Tensor) -> Prediction:
        """The mean prediction over the views, which are the same when a batch is adapted to and after."""
        prediction = self.clip.predict(images)
        logits = prediction.logits  # (B, K)
        if self.config.views > 1:
            change = augment.crop_flip if self.config.view == "crop" else augment.strong
            rng = torch.Generator().manual_seed(self._seed + self._batches)
            parts = [logits.log_softmax(dim=-1)]
            for _ in range(self.config.views - 1):
                parts.append(self.clip.predict(change(images, rng)).logits.log_softmax(dim=-1))
            logits = torch.stack(parts).logsumexp(dim=0) - math.log(len(parts))
        return Prediction(logits, prediction.features, *self._judged(logits))

    def _judged(self, logits: Tensor) -> tuple[Tensor, float]:
        """Scores of predictions, and what they must exceed to be remembered. (B, K) -> (B,), a number"""
        return -losses.entropy(logits), -self.config.margin * math.log(self.clip.num_classes)
