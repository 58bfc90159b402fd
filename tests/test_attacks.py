"""Attacked pictures: where they may be, what they achieve, and on whom they depend."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from clip_tta_core.attacks import Attack, pgd


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


@pytest.fixture
def pictures(make_images):
    return (make_images(batch=12) * 255).round() / 255


@pytest.fixture
def predict(make_clip):
    clip = make_clip(scale=10.0)
    return lambda images: clip.predict(images).logits


@pytest.fixture
def labels(predict, pictures):
    return predict(pictures).argmax(dim=1)


@pytest.mark.parametrize("norm", ["linf", "l2"])
@pytest.mark.parametrize("levels", [0.5, 1, 4, 7.5])
def test_attacked_pictures_are_within_the_ball_and_on_whole_levels(predict, pictures, labels, norm, levels):
    radius = levels / 255 * (1 if norm == "linf" else 20)
    attacked = pgd(predict, pictures, labels, Attack(norm, radius), seeded())
    assert attacked.min() >= 0 and attacked.max() <= 1
    torch.testing.assert_close(255 * attacked, (255 * attacked).round(), atol=1e-3, rtol=0)
    change = (attacked - pictures).flatten(1)
    size = change.abs().amax(dim=1) if norm == "linf" else change.norm(dim=1)
    assert size.max() <= radius + 1e-5
    assert levels < 1 or size.min() > 0


@pytest.mark.parametrize("norm", ["linf", "l2"])
def test_the_loss_rises_and_answers_change(predict, pictures, labels, norm):
    radius = 4 / 255 if norm == "linf" else 1.0
    attacked = pgd(predict, pictures, labels, Attack(norm, radius, iterations=10), seeded())
    before = F.cross_entropy(predict(pictures), labels, reduction="none")
    after = F.cross_entropy(predict(attacked), labels, reduction="none")
    assert (after > before).all()
    noise = (2 * torch.rand(pictures.shape, generator=seeded(3)) - 1).sign() * 4 / 255
    by_chance = F.cross_entropy(predict((pictures + noise).clamp(0, 1)), labels)
    assert after.mean() > 1.5 * by_chance


def test_a_linear_model_is_attacked_to_the_corner_of_the_ball():
    """Where the gradient never turns, the answer is known: the corner, cut at 0 and 1."""
    weights = torch.randn(2, 3 * 4 * 4, generator=seeded(), dtype=torch.float64)
    images = torch.randint(256, (5, 3, 4, 4), generator=seeded(1)).double() / 255
    labels = torch.tensor([0, 1, 0, 1, 0])
    attack = Attack("linf", 3 / 255, step=0.5, iterations=8)
    attacked = pgd(lambda x: x.flatten(1) @ weights.T, images, labels, attack, seeded())
    uphill = torch.where(labels[:, None] == 0, 1.0, -1.0) * (weights[1] - weights[0]).sign()
    expected = (images + 3 / 255 * uphill.view_as(images)).clamp(0, 1)
    torch.testing.assert_close(attacked, expected)


@pytest.mark.parametrize("norm", ["linf", "l2"])
def test_without_strength_or_labels_pictures_stay_bit_for_bit(predict, pictures, labels, norm):
    assert torch.equal(pgd(predict, pictures, labels, Attack(norm, 0.0), seeded()), pictures)
    none = torch.full_like(labels, -1)
    assert torch.equal(pgd(predict, pictures, none, Attack(norm, 0.1), seeded()), pictures)
    some = labels.clone()
    some[::2] = -1
    attacked = pgd(predict, pictures, some, Attack(norm, 0.1), seeded())
    changed = (attacked != pictures).flatten(1).any(dim=1)
    assert torch.equal(changed, some >= 0)


def test_a_picture_s_attack_follows_from_its_place_and_not_from_its_batch(predict, pictures, labels):
    attack = Attack(epsilon=8 / 255, iterations=2)
    together = pgd(predict, pictures, labels, attack, seeded())
    rng = seeded()
    parts = [pgd(predict, pictures[a:b], labels[a:b], attack, rng) for a, b in ((0, 1), (1, 7), (7, 12))]
    assert ((torch.cat(parts) - together).abs() > 1e-6).float().mean() < 0.01  # but for the sign of rounding
    assert not torch.equal(together, pgd(predict, pictures, labels, attack, seeded(1)))


@pytest.mark.parametrize("norm", ["linf", "l2"])
@pytest.mark.parametrize("classes", [2, 1000])
@pytest.mark.parametrize("batch", [1, 3])
def test_one_picture_two_classes_and_a_thousand_are_attacked(make_clip, make_images, classes, batch, norm):
    clip, clean = make_clip(classes=classes, scale=10.0), (make_images(batch=batch) * 255).round() / 255
    labels = clip.predict(clean).logits.argmax(dim=1)
    attacked = pgd(lambda x: clip.predict(x).logits, clean, labels, Attack(norm, 0.1), seeded())
    assert attacked.shape == clean.shape and attacked.isfinite().all()
    assert (attacked != clean).flatten(1).any(dim=1).all()


@pytest.mark.parametrize("norm", ["linf", "l2"])
def test_a_picture_that_is_no_number_leaves_its_neighbours_as_they_would_be(predict, pictures, labels, norm):
    attack, broken = Attack(norm, 0.1), pictures.clone()
    broken[3, 0, 0, 0] = torch.nan
    others = torch.arange(len(pictures)) != 3
    apart = [pgd(predict, images, labels, attack, seeded())[others] for images in (broken, pictures)]
    assert torch.equal(*apart)


def test_the_model_keeps_no_gradient(make_clip, pictures):
    clip = make_clip()
    labels = clip.predict(pictures).logits.argmax(dim=1)
    pgd(lambda images: clip.predict(images).logits, pictures, labels, Attack(epsilon=0.05), seeded())
    assert all(p.grad is None for p in clip.visual.parameters())


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"norm": "l1"}, "Attack: norm must be one of linf, l2, got 'l1'"),
        ({"epsilon": -1.0}, "Attack: epsilon must be a number of 0 or more, got -1.0"),
        ({"iterations": 0}, "Attack: iterations must be 1 or more, got 0"),
    ],
)
def test_what_cannot_be_is_said_in_one_sentence(wrong, said):
    with pytest.raises(ValueError, match=said):
        Attack(**wrong)
