"""LAME: Laplacian-adjusted maximum likelihood. Boudiaf et al., CVPR 2022, arXiv 2201.05718.

The re-implementation in the CLIPTTA benchmark reads unscaled cosines, which are close to uniform, so that the
neighbours decide nearly everything; here the predictions are CLIP's, at its scale.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from clip_tta_core import hparams
from clip_tta_core.assignment import Affinity, affinity, laplacian_smoothing
from clip_tta_core.clip.classifier import Prediction
from clip_tta_core.hparams import knob
from clip_tta_core.methods.base import Method, register
from clip_tta_core.palette import PINK, SOLID, Look

FLOOR = 1e-10  # added to probabilities before the logarithm, as in the paper's code


@dataclass(frozen=True)
class LameConfig(hparams.Config):
    affinity: Affinity = knob(
        "rbf", help="Who counts as alike: all by distance, the nearest only, all by cosine."
    )
    neighbours: int = knob(
        5, 1, 100, help="Nearest pictures that count, or that set the width of the distance."
    )
    weight: float = knob(1.0, 0.0, 100.0, help="Pull of the neighbours; 0 is zero-shot.")
    symmetric: bool = knob(False, help="Average who resembles whom over both directions.")
    iterations: int = knob(100, 1, 1000, log=True, help="Rounds at most; it ends when nothing moves.")


@register
class Lame(Method[LameConfig]):
    """Leave the model alone and correct the predictions of a batch until pictures that look alike agree.
    Helps when a stream shows the same things for a while, hurts when it is well mixed."""

    name, title, family = "lame", "LAME", "training-free"
    citation = "Boudiaf et al., CVPR 2022, arXiv 2201.05718"
    look = Look(PINK, SOLID, "cross")
    presets = {"authors": {}, "nearest five": {"affinity": "knn"}}
    Config = LameConfig

    def adapt(self, images: Tensor) -> dict[str, float]:
        source = self.clip.zero_shot(images)
        logits, rounds = self._smooth(source)
        changed = (logits.argmax(dim=-1) != source.logits.argmax(dim=-1)).float().mean()
        return {"changed": changed.item(), "rounds": float(rounds)}

    @torch.no_grad()
    def predict(self, images: Tensor) -> Prediction:
        source = self.clip.zero_shot(images)
        return Prediction(self._smooth(source)[0], source.features)

    def _smooth(self, source: Prediction) -> tuple[Tensor, int]:
        """Smoothed predictions as logits that keep the zero-shot normalizer, so that scores stay comparable.

        A picture no other one resembles keeps its zero-shot logits exactly; so does one that is not finite,
        and it speaks to no other.
        """
        config = self.config
        sound = source.features.isfinite().all(dim=-1).nonzero().flatten()  # (N,)
        if len(sound) < 2:
            return source.logits, 0
        weights = affinity(source.features[sound], config.affinity, config.neighbours)  # (N, N)
        if config.symmetric:
            weights = (weights + weights.T) / 2
        weights = config.weight * weights
        before = source.logits[sound]  # (N, K)
        smoothed, rounds = laplacian_smoothing(
            (before.softmax(dim=-1) + FLOOR).log(), weights, config.iterations
        )
        after = smoothed.log_softmax(dim=-1) + before.logsumexp(dim=-1, keepdim=True)
        alone = (weights == 0).all(dim=-1, keepdim=True)  # (N, 1)
        return source.logits.index_copy(0, sound, torch.where(alone, before, after)), rounds
