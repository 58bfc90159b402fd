"""LAME, against a loop in double precision."""

from __future__ import annotations

import math

import pytest
import torch

from clip_tta_core.methods.lame import Lame


def build(clip, **knobs):
    return Lame(clip.fork(), Lame.Config(**knobs), torch.Generator())


@pytest.mark.parametrize("symmetric", [False, True])
def test_it_is_the_fixed_point_of_its_update(make_clip, images, symmetric):
    clip = make_clip(scale=10.0)
    source = clip.zero_shot(images)
    distance = torch.cdist(source.features.double(), source.features.double())
    sigma = distance.sort(dim=1).values[:, 4].mean()
    weights = (-(distance**2) / (2 * sigma**2)).exp()
    weights = (weights + weights.T) / 2 if symmetric else weights
    unary = -(source.logits.double().softmax(dim=1) + 1e-10).log()
    expected = (-unary).softmax(dim=1)
    for _ in range(300):
        expected = (-unary + 0.5 * weights @ expected).softmax(dim=1)
    method = build(clip, weight=0.5, symmetric=symmetric, iterations=300)
    report = method.adapt(images)
    probs = method.predict(images).logits.softmax(dim=1)
    torch.testing.assert_close(probs.double(), expected, atol=1e-3, rtol=0)
    assert report["rounds"] < 300


@pytest.mark.parametrize("affinity", ["rbf", "knn", "linear"])
def test_without_affinity_it_is_zero_shot_exactly(clip, images, affinity):
    logits = build(clip, weight=0.0, affinity=affinity).predict(images).logits
    assert torch.equal(logits, clip.predict(images).logits)


def test_one_picture_is_zero_shot_exactly(clip, make_images):
    images = make_images(batch=1)
    assert torch.equal(build(clip).predict(images).logits, clip.predict(images).logits)


def test_nearest_pictures_agree_more_often_afterwards(make_clip, make_images):
    clip, images = make_clip(scale=20.0), make_images(batch=64)
    source = clip.predict(images)
    nearest = torch.cdist(source.features, source.features).fill_diagonal_(math.inf).argmin(dim=1)

    def agreement(logits):
        labels = logits.argmax(dim=1)
        return (labels == labels[nearest]).float().mean()

    assert agreement(build(clip, affinity="knn").predict(images).logits) > agreement(source.logits)


def test_a_broken_picture_speaks_to_no_other(clip, make_images):
    images, broken = make_images(), make_images(batch=9)
    broken[:8], broken[8] = images, math.nan
    method = build(clip)
    logits = method.predict(broken).logits
    torch.testing.assert_close(logits[:8], method.predict(images).logits, atol=1e-4, rtol=1e-4)
    assert logits[8].isnan().all()


def test_nothing_is_remembered(clip, make_images):
    method, images = build(clip), make_images()
    before = method.predict(images).logits
    method.adapt(make_images(seed=1))
    assert torch.equal(before, method.predict(images).logits)


def test_the_encoder_runs_once_for_adapting_and_predicting(clip, images):
    calls = []
    clip.visual.patches.register_forward_hook(lambda *_: calls.append(1))
    method = Lame(clip.fork(Lame.train), Lame.Config(), torch.Generator())
    method.adapt(images)
    method.predict(images)
    assert len(calls) == 1
