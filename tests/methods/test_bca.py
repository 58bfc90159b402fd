"""BCA, against its definition picture by picture."""

from __future__ import annotations

import math

import pytest
import torch

from clip_tta_core import augment
from clip_tta_core.methods.bca import Bca


def build(clip, seed=0, **knobs):
    return Bca(clip.fork(""), Bca.Config(**knobs), torch.Generator().manual_seed(seed))


def by_definition(clip, features, n, m, move, weigh):
    """Probabilities of every picture at its turn, in double."""
    mu = clip.text_features.double().clone()
    classes = len(mu)
    prior, counts_n, counts_m = torch.eye(classes).double(), [n] * classes, [m] * classes
    out = []
    for x in features.double():
        p = (clip.scale * mu @ x).softmax(dim=-1) @ prior
        out.append(p)
        y = int(p.argmax())
        if p[y] > move:
            mean = (counts_n[y] * mu[y] + x) / (counts_n[y] + 1)
            mu[y] = mean / mean.norm()
            counts_n[y] += 1
        if p[y] > weigh:
            prior[y] = (counts_m[y] * prior[y] + p) / (counts_m[y] + 1)
            counts_m[y] += 1
    return torch.stack(out), prior


@pytest.mark.parametrize(("n", "m"), [(20_000.0, 1.0), (5.0, 3.0)])
def test_it_is_its_definition_picture_by_picture(make_clip, make_images, n, m):
    clip = make_clip(scale=20.0)
    batches = [make_images(batch=10, seed=seed) for seed in range(3)]
    method = build(clip, text_count=n, prior_count=m, move_above=0.6, weigh_above=0.8)
    ours = []
    for images in batches:
        report = method.adapt(images)
        ours.append(method.predict(images).logits.softmax(dim=-1))
    theirs, prior = by_definition(clip, clip.encode_image(torch.cat(batches)), n, m, 0.6, 0.8)
    torch.testing.assert_close(torch.cat(ours).double(), theirs, atol=1e-4, rtol=0)
    torch.testing.assert_close(method.prior.double(), prior, atol=1e-4, rtol=0)
    assert 0 < report["weighed"] < report["moved"] < 1


def test_the_prior_is_a_table_of_distributions(make_clip, make_images):
    method = build(make_clip(scale=20.0))
    for seed in range(3):
        method.adapt(make_images(seed=seed))
    torch.testing.assert_close(method.prior.sum(dim=-1), torch.ones(5))
    assert method.prior.diagonal().min() < 1


def test_thresholds_that_nothing_passes_leave_zero_shot_exactly(clip, images):
    method = build(clip, move_above=1.01, weigh_above=1.01)
    method.adapt(images)
    assert torch.equal(method.predict(images).logits, clip.predict(images).logits)


def test_with_views_it_classifies_the_mean_of_the_sure_ones(make_clip, images):
    clip = make_clip(scale=20.0)
    logits = build(clip, views=10, share=0.3, move_above=1.01, weigh_above=1.01).predict(images).logits
    views = augment.views(images, 10, torch.Generator().manual_seed(0))
    for made, ours in zip(views, logits, strict=True):
        z = clip.encode_image(made)
        p = (clip.scale * z @ clip.text_features.T).softmax(dim=-1)
        kept = (-(p * p.log()).sum(dim=-1)).argsort()[:3]
        torch.testing.assert_close(
            ours, clip.scale * clip.text_features @ z[kept].mean(dim=0), atol=1e-4, rtol=0
        )


def test_a_broken_picture_moves_nothing(clip, make_images):
    images = make_images()
    images[2] = math.nan
    method = build(clip)
    method.adapt(images)
    assert method.means.isfinite().all() and method.prior.isfinite().all()
    assert method.predict(images).logits[[0, 1, 3, 4]].isfinite().all()
