"""WATT: its inner step, its two schedules, and what averaging means."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from clip_tta_core import losses, optim
from clip_tta_core.clip.prompts import TEMPLATES
from clip_tta_core.methods.watt import Watt


def build(clip, **knobs):
    return Watt(clip.fork("visual_norm"), Watt.Config(**knobs), torch.Generator())


def inner_step(fork, adam, images, texts):
    """The loss written out, and a step of it."""
    z = fork.encode_image(images)
    t = texts[(z @ texts.T).argmax(dim=1)]
    q = ((z @ z.T + t @ t.T) / (2 * 0.01)).softmax(dim=1).detach()
    loss = -(q * (100 * z @ t.T).log_softmax(dim=1)).sum(dim=1).mean()
    adam.zero_grad()
    loss.backward()
    adam.step()


def adam_of(fork):
    return torch.optim.Adam(fork.trainable(), lr=1e-3, eps=1e-6)


def test_the_loss_is_clipartts_with_the_template_s_captions(clip, images):
    method = build(clip)
    texts = method.texts[3]
    z = clip.encode_image(images)
    captions = texts[(z @ texts.T).argmax(dim=1)]
    torch.testing.assert_close(method._loss(images, texts), losses.similarity_matching(z, captions, 100.0))


def test_one_template_is_a_plain_sequence_of_steps(clip, images):
    method, fork = build(clip, templates=1, steps=3, rounds=2), clip.fork("visual_norm")
    method.adapt(images)
    adam = adam_of(fork)
    for _ in range(6):
        inner_step(fork, adam, images, clip.template_features(TEMPLATES["eight"][:1])[0])
    for a, b in zip(method.clip.trainable(), fork.trainable(), strict=True):
        torch.testing.assert_close(a, b, atol=1e-6, rtol=1e-5)


@pytest.mark.parametrize("schedule", ["sequential", "parallel"])
def test_a_round_ends_at_the_average_of_what_each_template_found(clip, images, schedule):
    method, fork = build(clip, templates=3, steps=2, rounds=2, schedule=schedule), clip.fork("visual_norm")
    method.adapt(images)
    adam = adam_of(fork)
    for round_ in range(2):
        start, found = optim.copies(fork.trainable()), []
        for texts in clip.template_features(TEMPLATES["eight"][:3]):
            if schedule == "parallel":
                optim.put_back(fork.trainable(), start)
                adam = adam_of(fork) if round_ == 0 else adam
            for _ in range(2):
                inner_step(fork, adam, images, texts)
            found.append(optim.copies(fork.trainable()))
        average = [torch.stack(values).mean(dim=0) for values in zip(*found, strict=True)]
        optim.put_back(fork.trainable(), average)
    for a, b in zip(method.clip.trainable(), fork.trainable(), strict=True):
        torch.testing.assert_close(a, b, atol=1e-6, rtol=1e-5)


def test_one_picture_moves_no_weight(clip, make_images):
    method = build(clip, rounds=1)
    before = optim.copies(method.clip.trainable())
    method.adapt(make_images(batch=1))
    assert all(torch.equal(a, b) for a, b in zip(before, method.clip.trainable(), strict=True))


def test_every_inner_step_is_counted(clip, images):
    method, seen = build(clip, rounds=2, templates=3, steps=2), []
    method.on_step = lambda step, steps: seen.append((step, steps))
    method.adapt(images)
    assert seen == [(i, 12) for i in range(12)]


def test_the_ensemble_predicts_with_the_templates_average(clip, images):
    method = build(clip, ensemble=True)
    texts = clip.encode_classes(TEMPLATES["eight"])
    expected = 100 * clip.encode_image(images) @ texts.T
    torch.testing.assert_close(method.predict(images).logits, expected, atol=1e-3, rtol=1e-5)
    assert F.cosine_similarity(texts, clip.text_features).min() < 0.99


def test_it_says_whether_it_starts_over(clip):
    assert build(clip).episodic and not build(clip, episodic=False).episodic
