"""RoTTA: memory, student and teacher."""

from __future__ import annotations

import math

import pytest
import torch

from clip_tta_core import augment, losses
from clip_tta_core.methods.rotta import Rotta


def build(clip, **knobs):
    return Rotta(clip.fork(Rotta.train), Rotta.Config(**knobs), torch.Generator().manual_seed(0))


@pytest.fixture
def unsure_clip(make_clip):
    return make_clip(scale=10.0)


def flat(clip):
    return torch.cat([p.detach().flatten() for p in clip.trainable()])


def test_what_is_new_counts_half():
    torch.testing.assert_close(
        losses.timeliness(torch.tensor([0.0, 1.0])), torch.tensor([0.5, math.exp(-1) / (1 + math.exp(-1))])
    )


def test_the_teacher_predicts_and_follows_by_nu(unsure_clip, images):
    method = build(unsure_clip, nu=0.25, every=8, lr=0.01)
    start = flat(method.clip)
    method.adapt(images)
    moved = flat(method.clip) - start
    assert moved.abs().max() > 0
    torch.testing.assert_close(flat(method.teacher), start + 0.25 * moved)
    with torch.no_grad():
        assert torch.equal(method.predict(images).logits, method.teacher.predict(images).logits)


def test_a_teacher_that_does_not_follow_stays_zero_shot(unsure_clip, images):
    method = build(unsure_clip, nu=0.0, every=4, lr=0.01)
    assert method.adapt(images)["teacher_drift"] == 0.0
    with torch.no_grad():
        assert torch.equal(method.predict(images).logits, unsure_clip.predict(images).logits)


def test_the_loss_is_the_teachers_word_weighted_by_age(unsure_clip, images, monkeypatch):
    monkeypatch.setattr(augment, "strong", lambda pictures, rng: pictures.flip(-1))
    method = build(unsure_clip, every=8, capacity=20)
    report = method.adapt(images)
    expected, held = 0.0, method.memory.entries
    for entry in held:
        age = (8 - entry.key) / 20
        picture = entry.image[None] / 255
        with torch.no_grad():
            teacher = unsure_clip.predict(picture).logits.softmax(dim=-1)
            student = unsure_clip.predict(picture.flip(-1)).logits.log_softmax(dim=-1)
        expected += math.exp(-age) / (1 + math.exp(-age)) * -(teacher * student).sum().item()
    assert len(held) > 1
    assert math.isclose(report["loss"], expected / len(held), rel_tol=1e-4)


def test_it_learns_after_so_many_pictures_however_they_are_batched(unsure_clip, make_images):
    method = build(unsure_clip, every=12)
    learned = []
    for seed in range(4):
        before = flat(method.clip)
        method.adapt(make_images(seed=seed))
        learned.append(not torch.equal(before, flat(method.clip)))
    assert learned == [False, True, True, False]


def test_a_class_never_holds_more_than_its_share(unsure_clip, make_images):
    method = build(unsure_clip, capacity=12)
    for seed in range(6):
        report = method.adapt(make_images(seed=seed))
        assert max(len(slot) for slot in method.memory.slots) <= 3 and report["memory"] <= 12


def test_a_picture_that_is_not_a_number_is_never_stored(unsure_clip, images):
    method = build(unsure_clip, every=8)
    images[2] = math.nan
    report = method.adapt(images)
    assert report["memory"] <= 7.0 and math.isfinite(report["loss"])
    assert all(math.isfinite(entry.uncertainty) for entry in method.memory.entries)


def test_nothing_worth_remembering_teaches_nothing(unsure_clip, images):
    method = build(unsure_clip, every=8)
    before = flat(method.clip)
    report = method.adapt(torch.full_like(images, math.nan))
    assert report["memory"] == 0.0 and report["skipped"] == 1.0
    assert torch.equal(flat(method.clip), before)


def test_it_counts_from_nothing_again_after_it_has_learned(unsure_clip, make_images):
    method, learned = build(unsure_clip, every=3), []
    for seed in range(9):
        before = flat(method.clip)
        method.adapt(make_images(batch=1, seed=seed))
        learned.append(not torch.equal(before, flat(method.clip)))
    assert learned == [False, False, True] * 3
