"""Calibrated adversarial training: the prior, the ball, the federation."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from clip_tta_core.starts import Shots
from clip_tta_core.starts.calibrated import dirichlet_parts, log_counts, within
from tests.starts.conftest import SHORT, build


def weights(visual):
    return torch.cat([p.flatten() for p in visual.parameters()])


def test_counts_of_absent_classes_are_one():
    found = log_counts(torch.tensor([0, 0, 0, 2]), 4)
    torch.testing.assert_close(found.exp(), torch.tensor([3.0, 1.0, 1.0, 1.0]))


def test_with_equal_counts_the_calibration_changes_nothing_and_with_others_it_does(clip, shots):
    def made(pictures, strength):
        # Without an attack, whose signs rounding can turn where the slope is almost flat.
        settings = {"strength": strength, "epsilon": 0.0}
        return weights(build("calibrated", clip, SHORT, settings).make(pictures))

    apart = (made(shots, 1.0) - made(shots, 0.0)).norm()
    few = Shots(shots.images, (torch.arange(20) % 5) * (torch.arange(20) > 10), shots.unlabelled)
    assert (made(few, 1.0) - made(few, 0.0)).norm() > 100 * apart


def test_an_attack_of_radius_zero_is_logit_adjusted_cross_entropy(clip, make_images):
    # One client, one batch, one step: descent by the gradient of CE(s z t + log n) on unattacked pictures.
    labels = torch.tensor([0, 0, 0, 1, 2, 2])
    settings = {"epsilon": 0.0, "rounds": 1, "batch_size": 6, "weight_decay": 0.0, "lr": 1e-3}
    start = build("calibrated", clip, settings)
    pictures = make_images(batch=6)
    model = clip.fork("visual_tower")
    start.batches = lambda images, labels, size: iter([(images, labels)])  # unchanged ones
    made = start.make(Shots(pictures, labels, pictures[:0]))
    prior = torch.tensor([3.0, 1.0, 2.0, 1.0, 1.0]).log()
    loss = torch.nn.functional.cross_entropy(model.predict(pictures).logits + prior, labels)
    loss.backward()
    for before, after in zip(model.visual.parameters(), made.parameters(), strict=True):
        torch.testing.assert_close(after, (before - 1e-3 * before.grad).detach(), rtol=1e-4, atol=1e-6)


def test_attacked_pictures_stay_in_the_ball_and_in_range_and_mislead(clip, images):
    start = build("calibrated", clip, {"epsilon": 8.0, "attack_steps": 5})
    model = clip.fork("visual_tower")
    prior = torch.zeros(5)
    moved = start._attacked(model, images, prior)
    assert (moved - images).abs().max() <= 8 / 255 + 1e-6 and 0 <= moved.min() and moved.max() <= 1
    clean = clip.predict(images).logits.log_softmax(dim=-1)

    def apart(other):
        given = clip.predict(other).logits.log_softmax(dim=-1)
        return torch.nn.functional.kl_div(given, clean, reduction="sum", log_target=True).item()

    rng = torch.Generator().manual_seed(0)
    chance = within(images + 8 / 255 * torch.randn(images.shape, generator=rng).sign(), images, 8 / 255)
    assert apart(moved) > apart(chance)


def test_clients_divide_all_pictures_and_share_none():
    labels = np.repeat(np.arange(7), 13)
    for concentration in (0.01, 0.5, 100.0):
        parts = dirichlet_parts(labels, 5, concentration, np.random.default_rng(0))
        assert sorted(np.concatenate(parts).tolist()) == list(range(91)) and len(parts) == 5
    assert [len(part) for part in dirichlet_parts(labels, 1, 0.1, np.random.default_rng(0))] == [91]


def test_a_small_concentration_gives_clients_few_classes_each_and_a_large_one_equal_shares():
    labels = np.repeat(np.arange(20), 100)

    def largest(concentration):
        """Mean share of a class that is with its largest client."""
        parts = dirichlet_parts(labels, 4, concentration, np.random.default_rng(0))
        counts = np.stack([np.bincount(labels[part], minlength=20) for part in parts])
        return (counts.max(axis=0) / 100).mean()

    assert largest(0.05) > 0.85 > largest(1.0) > 0.45 > largest(100.0)


def test_shares_have_the_mean_and_the_spread_of_dirichlets():
    labels = np.repeat(np.arange(2000), 100)
    parts = dirichlet_parts(labels, 4, 0.5, np.random.default_rng(0))
    shares = np.stack([np.bincount(labels[part], minlength=2000) for part in parts]) / 100
    assert shares.mean(axis=1) == pytest.approx([0.25] * 4, abs=0.02)
    variance = 0.25 * 0.75 / (4 * 0.5 + 1)  # of one share
    assert shares.var(axis=1) == pytest.approx([variance] * 4, rel=0.1)


def test_a_round_ends_at_the_plain_mean_of_the_clients_weights(clip, shots, monkeypatch):
    start = build("calibrated", clip, {"rounds": 2, "clients": 3, "dirichlet": 100.0})
    sizes, moves = [], iter([0.3, 0.6, 0.0, 3.0, 0.0, 0.0])

    def epoch(model, pictures, part):
        sizes.append(len(part))
        with torch.no_grad():
            by = next(moves)
            for p in model.trainable():
                p.add_(by)

    monkeypatch.setattr(start, "_epoch", epoch)
    before = weights(clip.visual)
    torch.testing.assert_close(weights(start.make(shots)), before + 0.3 + 1.0)
    assert len(sizes) == 6 and sum(sizes[:3]) == sum(sizes[3:]) == 20
