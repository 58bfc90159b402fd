"""Patch tokens in the joint space."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from open_clip.transformer import VisionTransformer
from torch import nn

from clip_tta_core.clip.classifier import ClipClassifier


def transformer_clip(**sizes):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        visual = VisionTransformer(
            image_size=16, patch_size=8, width=16, layers=2, heads=2, mlp_ratio=2.0, output_dim=8, **sizes
        )
        texts = F.normalize(torch.randn(3, 8), dim=-1)
    return ClipClassifier(visual, texts)


@pytest.mark.parametrize(
    "sizes", [{}, {"pool_type": "avg"}, {"pool_type": "avg", "final_ln_after_pool": True}]
)
@pytest.mark.parametrize("micro_batch", [None, 2])
def test_tokens_of_a_vision_transformer_are_what_its_last_layer_holds(sizes, micro_batch, make_images):
    clip = transformer_clip(**sizes)
    clip.micro_batch = micro_batch
    images, visual = make_images(batch=3), clip.visual
    held = visual.forward_intermediates(images, indices=1, output_fmt="NLC")["image_intermediates"][0]
    expected = F.normalize(visual.ln_post(held) @ visual.proj, dim=-1)  # (B, N, D)
    assert clip.has_tokens
    features, tokens = clip.encode_tokens(images)
    assert tokens.shape == (3, 4, 8)
    torch.testing.assert_close(tokens, expected, atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(features, clip.encode_image(images), rtol=0, atol=0)
    assert not visual.output_tokens


def test_tokens_come_from_the_forks_own_norms(make_images):
    clip = transformer_clip()
    fork = clip.fork("visual_norm")
    with torch.no_grad():
        fork.trainable()[0].mul_(-1)
    images = make_images(batch=2)
    assert not torch.allclose(fork.encode_tokens(images)[1], clip.encode_tokens(images)[1])


def test_the_encoder_runs_once(clip, images):
    calls = []
    clip.visual.patches.register_forward_hook(lambda *_: calls.append(1))
    clip.encode_tokens(images)
    assert len(calls) == 1


class Pooled(nn.Module):
    """An encoder that keeps nothing of its patches."""

    def __init__(self):
        super().__init__()
        self.norm = nn.LayerNorm(3)

    def forward(self, images):
        return self.norm(images.mean(dim=(2, 3)))


@pytest.mark.parametrize("visual", [Pooled(), transformer_clip(attentional_pool=True).visual])
def test_an_encoder_without_patch_tokens_says_so(visual, images):
    clip = ClipClassifier(visual, torch.eye(2, 3))
    assert not clip.has_tokens
    with pytest.raises(ValueError, match="encode_tokens: the image encoder must be a vision transformer"):
        clip.encode_tokens(images)
