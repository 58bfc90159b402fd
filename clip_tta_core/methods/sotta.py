"""SoTTA: robust adaptation on noisy streams. Gong et al., NeurIPS 2023, arXiv 2310.10074.

    every picture with largest probability >= confidence is offered to a memory with as many of each class
    after every 64 pictures: a sharpness-aware step on the mean entropy of the memory

The authors' confidence is 0.99 for 10 classes, 0.66 for 100, 0.33 for 1000: "auto" is the line through
these over the logarithm of K. Probabilities are those of the scaled logits; of unscaled cosines, which
CLIPTTA's re-implementation reads, none would ever be stored. Its protocol here means the number of steps.
As in the released code, the last blocks and the final norm stay as they are. The authors classify every
picture when it arrives, with weights that may change within a batch; here a batch is classified at once,
which is the same where `every` is a multiple of the batch.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from clip_tta_core import losses, optim
from clip_tta_core.clip.classifier import ClipClassifier, Prediction
from clip_tta_core.hparams import knob
from clip_tta_core.memory import LastResult, UniformMemory, to_bytes, to_images
from clip_tta_core.methods.base import GradientConfig, Method, register
from clip_tta_core.palette import DOTTED, ORANGE, Look
from clip_tta_core.records import Cost


@dataclass(frozen=True)
class SottaConfig(GradientConfig):
    lr: float = knob(1e-3, 0.0, 1e-1, log=True, help="Step size of Adam.")
    steps: int = knob(1, 1, 50, help="Passes over the memory at each update.")
    confidence: float | Literal["auto"] = knob(
        "auto", 0.0, 1.01, help="Probability from which a picture is stored; auto depends on the classes."
    )
    capacity: int = knob(64, 2, 512, help="Pictures the memory holds.")
    every: int = knob(64, 1, 512, help="Pictures between updates.")
    rho: float = knob(0.05, 0.0, 1.0, help="How far uphill the loss is looked at; 0 looks where it is.")


@register
class Sotta(Method[SottaConfig]):
    """Keep confident pictures, as many of each class, and train on those only: what is strange or unsure
    never reaches the weights."""

    name, title, family = "sotta", "SoTTA", "memory replay"
    citation = "Gong et al., NeurIPS 2023, arXiv 2310.10074"
    look = Look(ORANGE, DOTTED, "square")
    train = "visual_norm_lower"
    steps_on = "memory"
    presets = {
        "authors": {},
        "CLIPTTA protocol": {"steps": 10},
        "short stream": {"lr": 1e-4, "every": 16},
    }
    Config = SottaConfig

    @classmethod
    def cost(cls, config: SottaConfig, batch_size: int = 64, batches: int = 16) -> Cost:
        replayed = 2 * config.steps * config.capacity / config.every
        again = min(1.0, batch_size / config.every)  # an update calls for a new prediction
        return Cost(1 + again + replayed, replayed)

    def __init__(self, clip: ClipClassifier, config: SottaConfig, rng: torch.Generator) -> None:
        super().__init__(clip, config, rng)
        self.optimizer = torch.optim.Adam(clip.trainable(), lr=config.lr, eps=1e-6)
        self.memory = UniformMemory(clip.num_classes, config.capacity)
        self.waiting = 0  # pictures since the last update
        self._last = LastResult()

    @torch.no_grad()
    def predict(self, images: Tensor) -> Prediction:
        return self._last.of(images, self.clip.predict)

    def adapt(self, images: Tensor) -> dict[str, float]:
        logits = self.predict(images).logits  # (B, K)
        confidence, labels = logits.softmax(dim=-1).max(dim=-1)  # (B,), (B,)
        threshold = self._threshold()
        report, skipped, stored = {}, 0.0, 0
        for image, label, sure in zip(to_bytes(images), labels.tolist(), confidence.tolist(), strict=True):
            if sure >= threshold:
                self.memory.offer(image, label, sure, self.rng)
                stored += 1
            self.waiting += 1
            if self.waiting >= self.config.every:
                self.waiting = 0
                numbers = self._update(images, logits)
                skipped += numbers["skipped"]
                report |= numbers
        occupied = sum(1 for slot in self.memory.slots if slot)
        return report | {
            "selected": stored / len(images),
            "memory": float(len(self.memory)),
            "memory_classes": float(occupied),
            "skipped": skipped,
        }

    def _threshold(self) -> float:
        if self.config.confidence == "auto":
            return min(0.99, max(0.0, 1.32 - 0.33 * math.log10(self.clip.num_classes)))
        return self.config.confidence

    def _update(self, like: Tensor, known: Tensor) -> dict[str, float]:
        """Train on the memory. (B, 3, H, W), (B, K) as answered by now"""
        if not len(self.memory):
            return {"skipped": 1.0}
        stored = to_images([entry.image for entry in self.memory.entries], like)  # (S, 3, H, W)

        def entropy() -> Tensor:
            return losses.entropy(self.clip.predict(stored).logits).mean()

        report, skipped = {}, 0
        for _ in self.steps(self.config.steps):
            here = entropy()
            self.show(known, loss=here)
            loss = optim.sharp_step(self.optimizer, here, entropy, self.config.rho)
            if loss is None:
                skipped += 1
            else:
                report["loss"] = loss.item()
        self._last.forget()
        return report | {"skipped": float(skipped)}
