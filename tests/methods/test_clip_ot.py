"""CLIP-OT, template by template."""

from __future__ import annotations

import math

import pytest
import torch

from clip_tta_core.clip.prompts import TEMPLATES
from clip_tta_core.methods.clip_ot import ClipOt


def build(clip, **knobs):
    return ClipOt(clip.fork("visual_norm"), ClipOt.Config(**knobs), torch.Generator())


@pytest.mark.parametrize("through", [False, True])
def test_it_is_adamw_on_the_codes_of_each_template_in_turn(make_clip, images, through):
    clip = make_clip(scale=10.0)
    method, fork = build(clip, templates=3, through_codes=through), clip.fork("visual_norm")
    adam = torch.optim.AdamW(fork.trainable(), lr=1e-4, eps=1e-6, weight_decay=0.01)
    for texts in clip.template_features(TEMPLATES["eight"][:3]):
        z = fork.encode_image(images)
        plan = (10 * z @ texts.T / 0.7).softmax(dim=1)
        for _ in range(3):
            plan = plan / plan.sum(dim=0, keepdim=True) / 5
            plan = plan / plan.sum(dim=1, keepdim=True) / 8
        codes = plan / plan.sum(dim=1, keepdim=True)
        codes = codes if through else codes.detach()
        loss = -(codes * (10 * z @ texts.T).log_softmax(dim=1)).sum(dim=1).mean()
        adam.zero_grad()
        loss.backward()
        adam.step()
    assert method.adapt(images)["loss"] == pytest.approx(loss.item(), rel=1e-4)
    for a, b in zip(method.clip.trainable(), fork.trainable(), strict=True):
        torch.testing.assert_close(a, b, atol=1e-5, rtol=1e-4)


def test_softened_codes_lean_to_the_model_s_own_prediction(clip, images):
    logits = clip.predict(images).logits
    torch.testing.assert_close(build(clip, soften=1.0)._codes(logits), logits.softmax(dim=1))
    half, codes = build(clip, soften=0.5)._codes(logits), build(clip)._codes(logits)
    torch.testing.assert_close(half, (codes + logits.softmax(dim=1)) / 2)


def test_one_picture_is_not_shared_out(clip, make_images):
    method = build(clip)
    before = [p.clone() for p in method.clip.trainable()]
    assert method.adapt(make_images(batch=1)) == {"skipped": 8.0}
    assert all(torch.equal(a, b) for a, b in zip(before, method.clip.trainable(), strict=True))


def test_the_ensemble_predicts_with_the_templates_average(clip, images):
    expected = 100 * clip.encode_image(images) @ clip.encode_classes(TEMPLATES["eight"]).T
    torch.testing.assert_close(
        build(clip, ensemble=True).predict(images).logits, expected, atol=1e-3, rtol=1e-5
    )


def test_a_broken_picture_costs_the_steps_and_nothing_else(clip, make_images):
    method, images = build(clip, templates=2), make_images()
    images[0] = math.nan
    before = [p.clone() for p in method.clip.trainable()]
    assert method.adapt(images)["skipped"] == 2
    assert all(torch.equal(a, b) for a, b in zip(before, method.clip.trainable(), strict=True))
