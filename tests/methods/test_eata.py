"""EATA: the importance of weights, the penalty on leaving them, and ETA when the penalty is off."""

from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F

from clip_tta_core.methods.eata import Eata
from clip_tta_core.methods.eta import Eta


def build(clip, cls=Eata, **knobs):
    return cls(clip.fork(cls.train), cls.Config(**knobs), torch.Generator())


@pytest.fixture
def unsure_clip(make_clip):
    return make_clip(scale=10.0)


def weights(method):
    return torch.cat([p.detach().flatten() for p in method.clip.trainable()])


def gradient(clip, images):
    """Of the mean cross-entropy to the model's own hard predictions."""
    fork = clip.fork("visual_norm")
    logits = fork.predict(images).logits
    F.cross_entropy(logits, logits.argmax(dim=-1)).backward()
    return torch.cat([p.grad.flatten() for p in fork.trainable()])


def test_importance_is_the_mean_squared_gradient_of_single_pictures(unsure_clip, images):
    method = build(unsure_clip, fisher_size=8)
    method.adapt(images)
    expected = torch.stack([gradient(unsure_clip, images[i : i + 1]) ** 2 for i in range(8)]).mean(dim=0)
    torch.testing.assert_close(method.squares / method.groups, expected)


def test_the_released_code_squares_the_gradient_of_a_group(unsure_clip, images):
    method = build(unsure_clip, fisher_size=8, fisher_group=4)
    method.adapt(images)
    expected = (gradient(unsure_clip, images[:4]) ** 2 + gradient(unsure_clip, images[4:]) ** 2) / 2
    torch.testing.assert_close(method.squares / method.groups, expected)


def test_the_penalty_starts_at_zero_and_weighs_the_way_gone(unsure_clip, images):
    method = build(unsure_clip, margin=1.5, epsilon=2.0)
    assert method.forgetting().item() == 0
    assert method.adapt(images)["penalty"] == 0
    moved = weights(method) - torch.cat([p.flatten() for p in unsure_clip.fork().trainable()]).detach()
    expected = (method.squares / method.groups * moved**2).sum()
    assert expected > 0
    torch.testing.assert_close(method.forgetting().detach(), expected)


def test_without_a_penalty_it_is_eta(unsure_clip, make_images):
    eata, eta = build(unsure_clip, fisher_weight=0.0), build(unsure_clip, Eta)
    for seed in range(3):
        for method in (eata, eta):
            method.adapt(make_images(seed=seed))
    assert torch.equal(weights(eata), weights(eta))


def test_a_heavy_penalty_holds_the_weights_back(unsure_clip, make_images):
    def drift(**knobs):
        method = build(unsure_clip, margin=1.5, epsilon=2.0, lr=1e-3, **knobs)
        for seed in range(10):
            method.adapt(make_images(seed=seed % 3))
        start = torch.cat([p.detach().flatten() for p in unsure_clip.fork().trainable()])
        return (method.squares * (weights(method) - start) ** 2).sum()

    assert drift(fisher_weight=1e4) < drift(fisher_weight=0.0)


def test_a_penalty_beyond_float32_is_not_told_and_no_step_is_taken(unsure_clip, make_images):
    method = build(unsure_clip, margin=1.5, epsilon=2.0, lr=0.1, optimizer="sgd", steps=3, fisher_weight=1e4)
    method.adapt(make_images(seed=0))
    moved = weights(method)
    method.squares.fill_(1e38)
    report = method.adapt(make_images(seed=1))
    assert method.config.fisher_weight * method.forgetting() == math.inf
    assert all(math.isfinite(value) for value in report.values())
    assert report["skipped"] == 3 and torch.equal(weights(method), moved)


def test_importance_stops_growing_after_enough_pictures(unsure_clip, make_images):
    method = build(unsure_clip, fisher_size=12)
    seen = [method.adapt(make_images(seed=seed))["fisher_pictures"] for seed in range(3)]
    assert seen == [8.0, 12.0, 12.0] and method.groups == 12


def test_importance_is_that_of_the_source_weights_however_far_adaptation_went(unsure_clip, make_images):
    method = build(unsure_clip, fisher_size=16, lr=0.05, margin=1.5)
    for seed in range(2):
        method.adapt(make_images(seed=seed))
    pictures = torch.cat([make_images(seed=seed) for seed in range(2)])
    expected = torch.stack([gradient(unsure_clip, pictures[i : i + 1]) ** 2 for i in range(16)]).mean(dim=0)
    torch.testing.assert_close(method.squares / method.groups, expected)


def test_a_picture_that_is_not_a_number_has_no_say_in_what_matters(unsure_clip, images):
    method = build(unsure_clip)
    images[3, 0, 0, 0] = math.nan
    method.adapt(images)
    assert method.squares.isfinite().all() and method.groups == 7
