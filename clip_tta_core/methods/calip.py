"""CALIP: parameter-free attention of patches and texts. Guo et al., AAAI 2023, arXiv 2209.14169.

The three logits are added, so that their sum is on a larger scale than CLIP's: its probabilities are surer
than they should be.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from clip_tta_core import hparams
from clip_tta_core.clip.classifier import ClipClassifier, Prediction
from clip_tta_core.hparams import knob
from clip_tta_core.methods.base import Method, register
from clip_tta_core.palette import DASHED, PINK, Look

SHARPNESS = 2.0  # factor on the cosines before both softmaxes, as published


@dataclass(frozen=True)
class CalipConfig(hparams.Config):
    beta_visual: float = knob(
        2.0, 0.0, 10.0, help="Weight of the picture against what each class finds in its patches."
    )
    beta_text: float = knob(
        0.1, 0.0, 10.0, help="Weight of the texts against what the patches find in the classes."
    )


@register
class Calip(Method[CalipConfig]):
    """Let the patches of a picture and the class texts look at each other, and add what either finds to the
    logits. Its authors searched both weights on the labelled test set; no value here is tuned."""

    name, title, family = "calip", "CALIP", "training-free"
    citation = "Guo et al., AAAI 2023, arXiv 2209.14169"
    look = Look(PINK, DASHED, "diamond")
    needs = "tokens"
    presets = {
        "CLIPTTA protocol": {"beta_visual": 2.0, "beta_text": 0.1},
        "small weights": {"beta_visual": 0.2, "beta_text": 0.01},
    }
    Config = CalipConfig

    def __init__(self, clip: ClipClassifier, config: CalipConfig, rng: torch.Generator) -> None:
        if not clip.has_tokens:
            raise ValueError(
                "CALIP: the image encoder must give patch tokens; choose a vision transformer, say ViT-B-32."
            )
        super().__init__(clip, config, rng)

    @torch.no_grad()
    def predict(self, images: Tensor) -> Prediction:
        features, patches = self.clip.encode_tokens(images)  # (B, D), (B, N, D)
        texts = self.clip.text_features  # (K, D)
        attention = SHARPNESS * patches @ texts.T  # (B, N, K)
        # Each class collects the patches it attends to; the picture is compared with the collection.
        near = torch.einsum("bnd,bd->bn", patches, features)  # (B, N)
        by_class = torch.einsum("bn,bnk->bk", near, attention.softmax(dim=1))  # (B, K)
        # Each patch collects the texts it attends to; their mean and maximum are compared with the texts.
        found = attention.softmax(dim=2) @ texts  # (B, N, D)
        by_patch = (found.mean(dim=1) + found.amax(dim=1)) @ texts.T  # (B, K)
        bonus = self.config.beta_visual * by_class + self.config.beta_text * by_patch
        return Prediction(self.clip.classify(features) + self.clip.scale * bonus, features)
