"""Zero-shot CLIP: where every method starts. Radford et al., ICML 2021, arXiv 2103.00020."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from clip_tta_core import hparams
from clip_tta_core.clip.classifier import Prediction
from clip_tta_core.methods.base import Method, register
from clip_tta_core.palette import DASHED, GREY, Look


@dataclass(frozen=True)
class ZeroShotConfig(hparams.Config):
    pass


@register
class ZeroShot(Method[ZeroShotConfig]):
    """Never adapt: each image takes the class whose caption is nearest."""

    name, title, family = "zero_shot", "Zero-shot CLIP", "no adaptation"
    citation = "Radford et al., ICML 2021, arXiv 2103.00020"
    look = Look(GREY, DASHED, "line", layer=0)
    Config = ZeroShotConfig

    def predict(self, images: Tensor) -> Prediction:
        return self.clip.zero_shot(images)
