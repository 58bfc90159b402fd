"""The loop of CLIPTTA's released code, written down plainly, to be compared with: what does ours save?

Every step sends the batch and the memory's sample through the encoder in two separate calls, in float32,
whether or not a picture is in both. The loss, the memory and the optimizer are those of `methods.cliptta`, at
its defaults.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from clip_tta_core import losses, scores
from clip_tta_core.clip.classifier import ClipClassifier, Prediction
from clip_tta_core.memory import ConfidentMemory, to_images

LR, STEPS, SHOTS, SAMPLE = 1e-4, 10, 4, 40


class ReleasedLoop:
    """CLIPTTA with two calls of the encoder per step."""

    def __init__(self, clip: ClipClassifier, rng: torch.Generator, steps: int = STEPS) -> None:
        clip.autocast = None
        self.clip, self.rng, self.steps = clip, rng, steps
        self.memory = ConfidentMemory(clip.num_classes, SHOTS)
        self.optimizer = torch.optim.Adam(clip.trainable(), lr=LR, eps=1e-6)
        self.on_step: Callable[[int, int], None] = lambda step, steps: None

    def adapt(self, images: Tensor) -> None:
        for step in range(self.steps):
            self.on_step(step, self.steps)
            logits = self.clip.predict(images).logits  # (B, K)
            if step == 0:
                self._remember(images, logits.detach())
            drawn = [entry.image for entry in self.memory.sample(SAMPLE, self.rng)]
            stored = self.clip.predict(to_images(drawn, images)).logits  # (M, K)
            loss = torch.zeros((), device=images.device)
            for group in (logits, stored):
                loss = loss + losses.soft_contrastive(group) - losses.marginal_entropy(group)
            self.optimizer.zero_grad()
            loss.backward()
            self.optimizer.step()

    def _remember(self, images: Tensor, logits: Tensor) -> None:
        cosines = logits / self.clip.scale
        self.memory.insert(images, cosines.argmax(dim=-1), scores.score(cosines, "max_prob", 1.0))

    @torch.no_grad()
    def predict(self, images: Tensor) -> Prediction:
        return self.clip.predict(images)
