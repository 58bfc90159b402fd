"""Features of many views of every picture."""

from __future__ import annotations

import torch
from torch import Tensor

from clip_tta_core import augment
from clip_tta_core.clip.classifier import ClipClassifier

PIXELS = 2**26  # numbers of the views that are made at once: 256 MB


@torch.no_grad()
def encode_views(
    clip: ClipClassifier, images: Tensor, count: int, rng: torch.Generator, augmix: bool = False
) -> Tensor:
    """Unit features of `augment.views`, the picture itself first, no gradients. (B, 3, H, W) -> (B, V, D)

    Views are made and encoded a few pictures at a time, which changes none of them.
    """
    together = max(1, PIXELS // (count * images[0].numel()))
    features = []
    for part in images.split(together):
        views = augment.views(part, count, rng, augmix) if augmix else augment.views(part, count, rng)
        features.append(clip.encode_image(views.flatten(0, 1)).unflatten(0, (len(part), count)))
    return torch.cat(features)
