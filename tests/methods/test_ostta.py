"""OSTTA: whom it trusts."""

from __future__ import annotations

import pytest
import torch

from clip_tta_core import losses
from clip_tta_core.methods.ostta import Ostta


def build(clip, **knobs):
    return Ostta(clip.fork(Ostta.train), Ostta.Config(**knobs), torch.Generator())


@pytest.fixture
def unsure_clip(make_clip):
    return make_clip(scale=10.0)


def flat(clip):
    return torch.cat([p.detach().flatten() for p in clip.trainable()])


def test_before_the_first_step_everyone_is_trusted(unsure_clip, images):
    method = build(unsure_clip, beta_reg=0.5)
    report = method.adapt(images)
    logits = unsure_clip.predict(images).logits
    expected = losses.entropy(logits).mean() - 0.5 * losses.marginal_entropy(logits)
    assert report["selected"] == 1.0 and report["gain"] == 0.0
    torch.testing.assert_close(torch.tensor(report["loss"]), expected)


def test_trusted_are_those_no_less_sure_of_the_original_class(unsure_clip, images):
    method = build(unsure_clip, lr=0.02, beta_reg=0.0)
    method.adapt(images)
    before = unsure_clip.predict(images).logits.softmax(dim=-1)
    logits = method.clip.predict(images).logits.detach()
    label = before.argmax(dim=-1)
    rows = torch.arange(len(images))
    trusted = logits.softmax(dim=-1)[rows, label] >= before[rows, label]
    assert 0 < trusted.sum() < len(images)
    report = method.adapt(images)
    assert report["selected"] == trusted.float().mean().item()
    torch.testing.assert_close(torch.tensor(report["loss"]), losses.entropy(logits[trusted]).mean())


def test_the_slightest_loss_of_confidence_is_a_loss(unsure_clip, images):
    method = build(unsure_clip, lr=1e-5, beta_reg=0.0)
    method.adapt(images)
    with torch.no_grad():
        before, label = unsure_clip.predict(images).logits.softmax(dim=-1).max(dim=-1, keepdim=True)
        lost = before - method.clip.predict(images).logits.softmax(dim=-1).gather(1, label)
    assert (lost > 0).any() and lost.max() < 1e-4
    assert method.adapt(images)["selected"] == (lost <= 0).float().mean().item()


def test_trusting_nobody_changes_nothing(unsure_clip, images):
    method = build(unsure_clip, delta=1.0)
    before = flat(method.clip)
    report = method.adapt(images)
    assert report["selected"] == 0.0 and report["skipped"] == 1.0
    assert torch.equal(flat(method.clip), before)


def test_one_picture_alone_is_not_rewarded_for_doubt(unsure_clip, make_images):
    method, plain = build(unsure_clip), build(unsure_clip, beta_reg=0.0)
    for each in (method, plain):
        each.adapt(make_images(batch=1))
    assert torch.equal(flat(method.clip), flat(plain.clip))
