"""MS-TTA: the reconstruction, picture by picture."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F

from clip_tta_core.methods.ms_tta import MsTta


def build(clip, **knobs):
    return MsTta(clip.fork(""), MsTta.Config(**knobs), torch.Generator())


def test_alone_with_itself_and_without_votes_it_is_zero_shot(clip, make_images):
    method = build(clip, neighbours=1, alpha=0.0)
    for seed in range(2):
        images = make_images(seed=seed)
        report = method.adapt(images)
        torch.testing.assert_close(
            method.predict(images).logits, clip.predict(images).logits, atol=1e-3, rtol=1e-4
        )
        assert abs(report["moved"]) < 1e-5


def test_the_second_batch_moves_towards_the_first(clip, make_images):
    first, second = make_images(seed=0), make_images(seed=1)
    method = build(clip, neighbours=3, bandwidth=0.2, centre=False, alpha=0.0)
    method.adapt(first)
    method.adapt(second)
    bank = clip.encode_image(torch.cat([first, second]))  # (16, D)
    moved = []
    for z in bank[8:]:
        cosines = bank @ z
        near = cosines.argsort(descending=True)[:3]
        weights = (-(1 - cosines[near]) / 0.2).exp()
        moved.append(F.normalize((weights[:, None] * bank[near]).sum(dim=0) / weights.sum(), dim=0))
    expected = 100 * torch.stack(moved) @ clip.text_features.T
    torch.testing.assert_close(method.predict(second).logits, expected, atol=1e-3, rtol=1e-4)


def test_votes_come_from_the_surest_moved_features_of_each_class(clip, images):
    method = build(clip, shots=1, alpha=3.0, beta=2.0)
    silent = build(clip, alpha=0.0)
    method.adapt(images)
    silent.adapt(images)
    plain = silent.predict(images)
    probs = plain.logits.softmax(dim=1)
    entropy = -(probs * plain.logits.log_softmax(dim=1)).sum(dim=1)
    expected = plain.logits.clone()
    for label in probs.argmax(dim=1).unique().tolist():
        members = (probs.argmax(dim=1) == label).nonzero().flatten()
        key = plain.features[members[entropy[members].argmin()]]
        expected[:, label] += 3.0 * (-2.0 * (1 - plain.features @ key)).exp()
    torch.testing.assert_close(method.predict(images).logits, expected, atol=1e-3, rtol=1e-4)


def test_blending_goes_half_way_back_to_zero_shot(clip, images):
    moved = build(clip, alpha=0.0).predict(images).logits
    half = build(clip, alpha=0.0, blend=0.5).predict(images).logits
    torch.testing.assert_close(half, (moved + clip.predict(images).logits) / 2, atol=1e-3, rtol=1e-4)


def test_the_bank_forgets_the_oldest(clip, make_images):
    method = build(clip, bank=10)
    for seed in range(2):
        report = method.adapt(make_images(seed=seed))
    assert report["bank"] == 10
    torch.testing.assert_close(method.past[-8:], clip.encode_image(make_images(seed=1)))


def test_a_broken_picture_enters_neither_bank_nor_cache(clip, make_images):
    images = make_images()
    images[0] = math.nan
    method = build(clip)
    report = method.adapt(images)
    assert report["bank"] == 7 and all(math.isfinite(value) for value in report.values())
    assert method.past.isfinite().all() and method.cache.features.isfinite().all()
    assert method.predict(images).logits[1:].isfinite().all()
    assert build(clip).adapt(torch.full_like(images, math.nan))["bank"] == 0
