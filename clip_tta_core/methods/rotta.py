"""RoTTA: robust adaptation in dynamic scenarios. Yuan et al., CVPR 2023, arXiv 2303.13899.

    always             offer every picture to a memory that balances classes, forgetting the old and doubtful
    every 64 pictures  loss = mean over the memory of e^-a / (1 + e^-a) * CE(teacher(x), student(strong(x)))
                       teacher <- (1 - nu) teacher + nu student

with a the age of a picture in capacities of the memory. The teacher predicts.

The method's robust batch normalization has no counterpart in LayerNorm. The authors' nu of 0.001 all but
freezes the teacher over a short stream: the preset for one takes 0.05. Every picture is augmented in its
own way. CLIPTTA's re-implementation predicts with the student, shows both the same picture and reads unscaled
cosines; its protocol here means the number of steps.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from clip_tta_core import augment, losses, optim
from clip_tta_core.clip.classifier import ClipClassifier, Prediction
from clip_tta_core.hparams import knob
from clip_tta_core.memory import LastResult, TimelyMemory, to_bytes, to_images
from clip_tta_core.methods.base import GradientConfig, Method, register
from clip_tta_core.palette import DOTTED, GREEN, Look
from clip_tta_core.records import Cost


@dataclass(frozen=True)
class RottaConfig(GradientConfig):
    lr: float = knob(1e-3, 0.0, 1e-1, log=True, help="Step size of the student's Adam.")
    steps: int = knob(1, 1, 50, help="Passes over the memory at each update.")
    nu: float = knob(1e-3, 0.0, 1.0, log=True, help="How far the teacher follows the student each step.")
    capacity: int = knob(64, 2, 512, help="Pictures the memory holds.")
    every: int = knob(64, 1, 512, help="Pictures between updates.")


@register
class Rotta(Method[RottaConfig]):
    """Remember recent, sure pictures of every class; a student learns from them what its slowly following
    teacher says, and the teacher predicts."""

    name, title, family = "rotta", "RoTTA", "memory replay"
    citation = "Yuan et al., CVPR 2023, arXiv 2303.13899"
    look = Look(GREEN, DOTTED, "triangle")
    train = "visual_norm"
    steps_on = "memory"
    presets = {
        "authors": {},
        "CLIPTTA protocol": {"steps": 10},
        "short stream": {"nu": 0.05, "lr": 1e-4, "every": 16},
    }
    Config = RottaConfig

    @classmethod
    def cost(cls, config: RottaConfig, batch_size: int = 64, batches: int = 16) -> Cost:
        replayed = config.steps * config.capacity / config.every
        again = min(1.0, batch_size / config.every)  # an update calls for a new prediction
        return Cost(1 + again + 2 * replayed, replayed)  # by the teacher, and by the student

    def __init__(self, clip: ClipClassifier, config: RottaConfig, rng: torch.Generator) -> None:
        super().__init__(clip, config, rng)
        self.optimizer = torch.optim.Adam(clip.trainable(), lr=config.lr, eps=1e-6)
        self.teacher = clip.fork("visual_norm")
        self.start = optim.copies(clip.trainable())
        self.memory = TimelyMemory(clip.num_classes, config.capacity)
        self.waiting = 0  # pictures since the last update
        self._last = LastResult()

    @torch.no_grad()
    def predict(self, images: Tensor) -> Prediction:
        return self._last.of(images, self.teacher.predict)

    def adapt(self, images: Tensor) -> dict[str, float]:
        logits = self.predict(images).logits  # (B, K)
        confidence, labels = logits.softmax(dim=-1).max(dim=-1)  # (B,), (B,)
        doubts = losses.entropy(logits).tolist()
        report, skipped = {}, 0.0
        rows = zip(to_bytes(images), labels.tolist(), confidence.tolist(), doubts, strict=True)
        for image, label, sure, doubt in rows:
            if math.isfinite(doubt):
                self.memory.offer(image, label, sure, doubt)
            self.waiting += 1
            if self.waiting >= self.config.every:
                self.waiting = 0
                numbers = self._update(images, logits)
                skipped += numbers["skipped"]
                report |= numbers
        occupied = sum(1 for slot in self.memory.slots if slot)
        return report | {
            "memory": float(len(self.memory)),
            "memory_classes": float(occupied),
            "teacher_drift": optim.drift(self.teacher.trainable(), self.start),
            "skipped": skipped,
        }

    def _update(self, like: Tensor, known: Tensor) -> dict[str, float]:
        """Train the student on the memory; the teacher follows. (B, 3, H, W), (B, K) as answered by now"""
        if not len(self.memory):
            return {"skipped": 1.0}
        stored = to_images([entry.image for entry in self.memory.entries], like)  # (S, 3, H, W)
        weight = losses.timeliness(torch.tensor(self.memory.ages(), device=like.device))  # (S,)
        report, skipped = {}, 0
        for _ in self.steps(self.config.steps):
            with torch.no_grad():
                target = self.teacher.predict(stored).logits.softmax(dim=-1)  # (S, K)
            student = self.clip.predict(augment.strong(stored, self.rng)).logits
            loss = (weight * losses.soft_cross_entropy(target, student)).mean()
            self.show(known, loss=loss)
            if optim.guarded_step(self.optimizer, loss):
                optim.ema_update(self.teacher.trainable(), self.clip.trainable(), self.config.nu)
                report["loss"] = loss.item()
            else:
                skipped += 1
        self._last.forget()
        return report | {"skipped": float(skipped)}
