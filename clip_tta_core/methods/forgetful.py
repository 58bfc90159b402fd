"""Methods that keep nothing for the next batch: adapting to one and answering it are one computation."""

from __future__ import annotations

import torch
from torch import Tensor

from clip_tta_core.clip.classifier import ClipClassifier, Prediction
from clip_tta_core.memory import LastResult
from clip_tta_core.methods.base import C, Method


class Forgetful(Method[C]):
    """Base of what looks at many views of every picture and forgets it before the next."""

    draws = "views"
    forgets = True

    def __init__(self, clip: ClipClassifier, config: C, rng: torch.Generator) -> None:
        super().__init__(clip, config, rng)
        self._last: LastResult[tuple[Prediction, dict[str, float]]] = LastResult()

    def adapt(self, images: Tensor) -> dict[str, float]:
        return self._last.of(images, self.answer)[1]

    def predict(self, images: Tensor) -> Prediction:
        return self._last.of(images, self.answer)[0]

    def answer(self, images: Tensor) -> tuple[Prediction, dict[str, float]]:
        """Answers of a batch, and numbers worth plotting. (B, 3, H, W) in [0, 1]"""
        raise NotImplementedError
