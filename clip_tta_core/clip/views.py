"""Features of many views of every picture, shared by all who ask for the same views."""

from __future__ import annotations

import weakref

import torch
from torch import Tensor

from clip_tta_core import augment
from clip_tta_core.clip.classifier import ClipClassifier

PIXELS = 2**26  # numbers of the views that are made at once: 256 MB


def make_views(images: Tensor, count: int, rng: torch.Generator, augmix: bool = False) -> Tensor:
    """`augment.views`, the one place all views come from. (B, 3, H, W) -> (B, V, 3, H, W)"""
    return augment.views(images, count, rng, augmix=True) if augmix else augment.views(images, count, rng)


@torch.no_grad()
def encode_views(
    clip: ClipClassifier, images: Tensor, count: int, rng: torch.Generator, augmix: bool = False
) -> Tensor:
    """Unit features of `augment.views` by the frozen encoder, the picture itself first. -> (B, V, D)

    Views are made and encoded a few pictures at a time, which changes none of them. Whoever asks next for as
    many views of the same tensor, with a generator in the same state, is given the features found before.
    """
    source = clip.source
    if count == 1:
        return source.zero_shot(images).features[:, None]
    asked = (count, augmix, rng.get_state().numpy().tobytes())
    last = source.last_views
    if last is None or last[0]() is not images or last[1] != asked:
        together = max(1, PIXELS // (count * images[0].numel()))
        features = []
        for part in images.split(together):
            views = make_views(part, count, rng, augmix)
            features.append(source.encode_image(views.flatten(0, 1)).unflatten(0, (len(part), count)))
        last = source.last_views = (weakref.ref(images), asked, torch.cat(features), rng.get_state())
    rng.set_state(last[3])
    return last[2]
