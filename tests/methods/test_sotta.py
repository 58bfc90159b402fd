"""SoTTA: what it stores, when it learns, and the step it takes."""

from __future__ import annotations

import math

import pytest
import torch

from clip_tta_core import losses
from clip_tta_core.memory import to_bytes
from clip_tta_core.methods.sotta import Sotta


def build(clip, **knobs):
    return Sotta(clip.fork(Sotta.train), Sotta.Config(**knobs), torch.Generator().manual_seed(0))


@pytest.fixture
def unsure_clip(make_clip):
    return make_clip(scale=10.0)


def flat(clip):
    return torch.cat([p.detach().flatten() for p in clip.trainable()])


def test_confidence_nobody_has_means_an_empty_memory_and_no_learning(unsure_clip, images):
    method = build(unsure_clip, confidence=1.01, every=4)
    before = flat(method.clip)
    report = method.adapt(images)
    assert report["memory"] == 0.0 and report["skipped"] == 2.0 and "loss" not in report
    assert torch.equal(flat(method.clip), before)


def test_only_confident_pictures_are_stored(unsure_clip, images):
    method = build(unsure_clip, confidence=0.6)
    confidence = unsure_clip.predict(images).logits.softmax(dim=-1).amax(dim=-1)
    sure = confidence >= 0.6
    assert 0 < sure.sum() < len(images)
    assert method.adapt(images)["selected"] == sure.float().mean().item()
    stored = sorted(entry.image.flatten().tolist() for entry in method.memory.entries)
    assert stored == sorted(to_bytes(images[sure]).flatten(1).tolist())


@pytest.mark.parametrize(("classes", "expected"), [(10, 0.99), (100, 0.66), (1000, 0.33), (2, 0.99)])
def test_the_automatic_confidence_is_the_authors_for_their_numbers_of_classes(make_clip, classes, expected):
    assert math.isclose(build(make_clip(classes=classes))._threshold(), expected, abs_tol=1e-9)


def test_it_learns_after_so_many_pictures_however_they_are_batched(unsure_clip, make_images):
    method = build(unsure_clip, confidence=0.0, every=12)
    learned = []
    for seed in range(4):
        before = flat(method.clip)
        method.adapt(make_images(seed=seed))
        learned.append(not torch.equal(before, flat(method.clip)))
    assert learned == [False, True, True, False]  # after 12 and 24 of 32 pictures


def test_the_update_is_a_sharpness_aware_step_on_the_memory(unsure_clip, images):
    method = build(unsure_clip, confidence=0.0, every=8, rho=0.2)
    reference = unsure_clip.fork("visual_norm_lower")
    weights = reference.trainable()
    optimizer = torch.optim.Adam(weights, lr=1e-3, eps=1e-6)
    start = [w.detach().clone() for w in weights]
    method.adapt(images)
    stored = torch.stack([entry.image for entry in method.memory.entries]) / 255
    gradient = torch.autograd.grad(losses.entropy(reference.predict(stored).logits).mean(), weights)
    length = torch.cat([g.flatten() for g in gradient]).norm()
    with torch.no_grad():
        for w, g in zip(weights, gradient, strict=True):
            w += 0.2 * g / length
    losses.entropy(reference.predict(stored).logits).mean().backward()
    with torch.no_grad():
        for w, kept in zip(weights, start, strict=True):
            w.copy_(kept)
    optimizer.step()
    torch.testing.assert_close(flat(method.clip), flat(reference))


def test_a_full_memory_keeps_its_size(unsure_clip, make_images):
    method = build(unsure_clip, confidence=0.0, capacity=10)
    sizes = [method.adapt(make_images(seed=seed))["memory"] for seed in range(3)]
    assert sizes == [8.0, 10.0, 10.0]


def test_a_picture_that_is_not_a_number_is_never_stored(unsure_clip, images):
    method = build(unsure_clip, confidence=0.0)
    images[2] = math.nan
    assert method.adapt(images)["memory"] == 7.0


def test_predictions_follow_the_weights(unsure_clip, images):
    method = build(unsure_clip, confidence=0.0, every=8, lr=0.01)
    before = method.predict(images).logits
    method.adapt(images)
    with torch.no_grad():
        after = method.clip.predict(images).logits
    assert not torch.equal(before, after)
    assert torch.equal(method.predict(images).logits, after)


def test_it_counts_from_nothing_again_after_it_has_learned(unsure_clip, make_images):
    method, learned = build(unsure_clip, confidence=0.0, every=3), []
    for seed in range(9):
        before = flat(method.clip)
        method.adapt(make_images(batch=1, seed=seed))
        learned.append(not torch.equal(before, flat(method.clip)))
    assert learned == [False, False, True] * 3


def test_the_last_blocks_and_the_final_norm_stay(clip):
    assert len(build(clip).clip.trainable()) < len(clip.fork("visual_norm").trainable())
