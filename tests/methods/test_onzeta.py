"""OnZeta, against its definition picture by picture."""

from __future__ import annotations

import math

import pytest
import torch

from clip_tta_core.methods.onzeta import OnZeta


def build(clip, **knobs):
    return OnZeta(clip.fork(""), OnZeta.Config(**knobs), torch.Generator())


def by_definition(clip, features, n, c_r, c_w, beta=0.8, tau=0.04, alpha=1.0):
    """Probabilities of every picture at its turn, in double."""
    x, t = features.double(), clip.text_features.double()
    classes = len(t)
    rho, w = torch.zeros(classes).double(), t.T.clone()  # W has a column per class
    out = []
    for i, z in enumerate(x, start=1):
        p_t = (clip.scale * z @ t.T).softmax(dim=-1) * rho.exp()
        p_t = p_t / p_t.sum()
        p_v = (z @ w / tau).softmax(dim=-1)
        share = beta * math.sqrt(i / n)
        out.append(share * p_v + (1 - share) * p_t)
        rho = torch.clamp(rho - c_r / math.sqrt(i) * (p_t - alpha / classes), min=0)
        w = w - c_w / math.sqrt(i) / tau * torch.outer(z, p_v - p_t)
        w = w / w.norm(dim=0)
    return torch.stack(out), rho


@pytest.mark.parametrize(("c_r", "c_w", "beta"), [(2.0, 0.02, 0.8), (20.0, 0.0, 0.5)])
def test_it_is_its_definition_picture_by_picture(make_clip, make_images, c_r, c_w, beta):
    clip = make_clip(scale=20.0)
    batches = [make_images(batch=10, seed=seed) for seed in range(3)]
    method = build(clip, length=30, dual_rate=c_r, proxy_rate=c_w, beta=beta)
    ours = []
    for images in batches:
        report = method.adapt(images)
        ours.append(method.predict(images).logits.softmax(dim=-1))
    theirs, rho = by_definition(clip, clip.encode_image(torch.cat(batches)), 30, c_r, c_w, beta)
    torch.testing.assert_close(torch.cat(ours).double(), theirs, atol=1e-4, rtol=0)
    assert report["dual_largest"] == pytest.approx(rho.max().item(), abs=1e-3)
    assert report["proxy_share"] == pytest.approx(beta)


def test_a_sure_first_picture_raises_the_other_class(make_clip):
    """Probabilities (1, 0) of two classes, a dual rate of 20: duals (0, 10)."""
    method = build(make_clip(classes=2), dual_rate=20.0)
    method.seen = 1
    method._learn(torch.zeros(16), torch.tensor([1000.0, 0.0]))
    torch.testing.assert_close(method.duals, torch.tensor([0.0, 10.0]))


def test_one_picture_again_and_again_is_pushed_off_its_class(make_clip, make_images):
    """What its authors do not promise: a stream of one class."""
    clip = make_clip(classes=5, scale=20.0)
    same = make_images(batch=1).expand(64, -1, -1, -1)
    method = build(clip)
    method.adapt(same)
    own = clip.predict(same[:1]).logits.argmax()
    assert (method.predict(same).logits.argmax(dim=-1) != own).float().mean() > 0.5


def test_proxies_stay_unit_and_duals_are_never_negative(clip, make_images):
    method = build(clip)
    for seed in range(3):
        method.adapt(make_images(seed=seed))
    torch.testing.assert_close(method.proxies.norm(dim=-1), torch.ones(5))
    assert method.duals.min() >= 0


def test_after_the_length_it_was_told_the_proxies_share_stays(clip, make_images):
    method = build(clip, length=4, beta=0.5)
    assert method.adapt(make_images())["proxy_share"] == 0.5


def test_a_broken_picture_is_not_counted(clip, make_images):
    images = make_images()
    images[2] = math.nan
    method = build(clip)
    method.adapt(images)
    assert method.seen == 7 and method.duals.isfinite().all() and method.proxies.isfinite().all()
