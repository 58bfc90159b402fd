"""DOTA, against its definition picture by picture."""

from __future__ import annotations

import math

import pytest
import torch

from clip_tta_core import augment
from clip_tta_core.methods.dota import Dota


def build(clip, seed=0, **knobs):
    return Dota(clip.fork(""), Dota.Config(**knobs), torch.Generator().manual_seed(seed))


def by_definition(clip, kept_and_base, config, start):
    """Answers to pictures, given for each its views that count (n, D) and its zero-shot logits, in double."""
    classes, dim = clip.text_features.shape
    mu, c = start.double().clone(), torch.ones(classes).double()
    sigma = config.variance * torch.eye(dim).double().repeat(classes, 1, 1)
    precision = torch.linalg.inv(sigma.mean(dim=0))
    out = []
    for x, base in kept_and_base:
        x, p = x.double(), (clip.scale * x @ clip.text_features.T).softmax(dim=-1).double()
        mean = x.mean(dim=0)
        f = torch.stack([mean @ precision @ mu[k] - mu[k] @ precision @ mu[k] / 2 for k in range(classes)])
        out.append(base.double() + min(config.rho * c.mean().item() / len(x), config.eta) * f)
        for k in range(classes):
            apart = x - mu[k]
            total = c[k] + p[:, k].sum()
            sigma[k] = (
                c[k] * sigma[k] + sum(p[v, k] * torch.outer(a, a) for v, a in enumerate(apart))
            ) / total
            mu[k] = (c[k] * mu[k] + (p[:, k, None] * x).sum(dim=0)) / total
            c[k] = total
        eye = torch.eye(dim).double()
        precision = torch.linalg.inv((1 - config.ridge) * sigma.mean(dim=0) + config.ridge * eye)
    return torch.stack(out).float()


@pytest.mark.parametrize("start", ["constant", "texts"])
def test_it_is_its_definition_picture_by_picture(make_clip, make_images, start):
    clip = make_clip(scale=20.0)
    batches = [make_images(batch=10, seed=seed) for seed in range(3)]
    knobs = {"rho": 0.2, "eta": 0.7, "start": start}
    method = build(clip, **knobs)
    ours = []
    for images in batches:
        method.adapt(images)
        ours.append(method.predict(images).logits)
    features = clip.encode_image(torch.cat(batches))
    first = clip.text_features if start == "texts" else torch.full((5, 16), 1e-3)
    theirs = by_definition(
        clip, [(x[None], clip.scale * clip.text_features @ x) for x in features], Dota.Config(**knobs), first
    )
    torch.testing.assert_close(torch.cat(ours), theirs, atol=2e-3, rtol=1e-4)


def test_with_views_it_learns_from_all_that_are_sure_and_is_answered_by_their_mean(make_clip, make_images):
    clip, images = make_clip(scale=20.0), make_images()
    knobs = {"views": 12, "share": 0.25, "rho": 0.3}
    method = build(clip, **knobs)
    method.adapt(images)
    made = augment.views(images, 12, torch.Generator().manual_seed(0), augmix=True)
    rows = []
    for views in made:
        z = clip.encode_image(views)
        logits = clip.scale * z @ clip.text_features.T
        p = logits.softmax(dim=-1)
        kept = (-(p * p.log()).sum(dim=-1)).argsort()[:3]
        rows.append((z[kept], logits[kept].mean(dim=0)))
    theirs = by_definition(clip, rows, Dota.Config(**knobs), torch.full((5, 16), 1e-3))
    torch.testing.assert_close(method.predict(images).logits, theirs, atol=2e-3, rtol=1e-4)


def test_before_the_first_picture_it_speaks_for_no_class_when_all_start_alike(clip, images):
    gained = build(clip).predict(images).logits - clip.predict(images).logits
    torch.testing.assert_close(gained, gained[:, :1].expand(-1, 5), atol=1e-3, rtol=0)


def test_its_weight_grows_with_the_pictures_of_a_class_and_stops(clip, make_images):
    method = build(clip, rho=0.1, eta=0.4)
    weights = [method.adapt(make_images(seed=seed))["gaussian_weight"] for seed in range(4)]
    # Eight pictures of five classes a batch, and each class counts for one at first.
    assert weights == pytest.approx([0.1 * (1 + 8 / 5), 0.4, 0.4, 0.4], abs=1e-5)


def test_one_covariance_for_all_takes_less_and_stays_sound(clip, make_images):
    method = build(clip, covariance="pooled")
    for seed in range(3):
        method.adapt(make_images(seed=seed))
    assert method.classes.single is None
    assert torch.linalg.eigvalsh(method.classes.shared).min() > 0


def test_other_pictures_are_answered_and_not_learned(clip, make_images):
    method = build(clip)
    method.adapt(make_images())
    first = method.predict(make_images(seed=1)).logits
    torch.testing.assert_close(method.predict(make_images(seed=1)).logits, first, atol=0, rtol=0)
    assert method.classes.counts.sum().item() == pytest.approx(5 + 8, abs=1e-4)


def test_a_broken_picture_is_not_learned(clip, make_images):
    images = make_images()
    images[2] = math.nan
    method = build(clip)
    assert method.adapt(images)["count"] == pytest.approx((5 + 7) / 5, abs=1e-5)
    assert method.predict(images).logits[[0, 1, 3, 4, 5, 6, 7]].isfinite().all()
