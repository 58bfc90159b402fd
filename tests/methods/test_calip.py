"""CALIP, picture by picture."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from clip_tta_core.methods.calip import Calip


def build(clip, **knobs):
    return Calip(clip.fork(""), Calip.Config(**knobs), torch.Generator())


def test_it_is_its_definition_picture_by_picture(clip, images):
    logits = build(clip, beta_visual=1.5, beta_text=0.3).predict(images).logits
    texts = clip.text_features
    for i in range(len(images)):
        tokens = clip.visual.forward_tokens((images[i : i + 1] - 0.5) / 0.25)[1][0]
        patches = F.normalize(tokens, dim=1)  # (N, D)
        image = clip.encode_image(images[i : i + 1])[0]
        attention = 2 * patches @ texts.T  # (N, K)
        by_class = patches.T @ attention.softmax(dim=0)  # (D, K)
        by_patch = attention.softmax(dim=1) @ texts  # (N, D)
        pooled = by_patch.mean(dim=0) + by_patch.max(dim=0).values
        expected = 100 * (image @ texts.T + 1.5 * image @ by_class + 0.3 * pooled @ texts.T)
        torch.testing.assert_close(logits[i], expected, atol=1e-3, rtol=1e-4)


def test_without_weights_it_is_zero_shot_exactly(clip, images):
    logits = build(clip, beta_visual=0.0, beta_text=0.0).predict(images).logits
    assert torch.equal(logits, clip.predict(images).logits)


def test_pictures_do_not_see_each_other(clip, images):
    method = build(clip)
    alone = torch.cat([method.predict(images[i : i + 1]).logits for i in range(len(images))])
    torch.testing.assert_close(method.predict(images).logits, alone, atol=1e-3, rtol=1e-4)


def test_a_model_without_patch_tokens_is_refused_with_a_way_out(clip):
    clip.visual = torch.nn.Sequential(torch.nn.Flatten())
    with pytest.raises(ValueError, match="CALIP: the image encoder must give patch tokens; choose"):
        build(clip)


def test_the_encoder_runs_once(clip, images):
    calls = []
    clip.visual.patches.register_forward_hook(lambda *_: calls.append(1))
    method = build(clip)
    method.adapt(images)
    method.predict(images)
    assert len(calls) == 1
