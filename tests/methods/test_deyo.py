"""DeYO, against its definition and worked numbers."""

from __future__ import annotations

import math

import pytest
import torch

from clip_tta_core.methods.deyo import Deyo, shuffle_patches, weight
from clip_tta_core.methods.tent import Tent


def build(clip, seed=0, **knobs):
    return Deyo(clip.fork(Deyo.train), Deyo.Config(**knobs), torch.Generator().manual_seed(seed))


def weights(method):
    return [p.detach().clone() for p in method.clip.trainable()]


def entropy(p):
    return -(p * p.log()).sum(dim=-1)


def by_definition(clip, batches, config, seed=0):
    """Weights after some batches, picture by picture, with torch's own momentum descent."""
    fork = clip.fork(Deyo.train)
    sgd = torch.optim.SGD(fork.trainable(), lr=config.lr, momentum=0.9)
    rng = torch.Generator().manual_seed(seed)
    unit = math.log(clip.num_classes)
    for images in batches:
        sgd.param_groups[0]["lr"] = config.lr * len(images) / 64
        p = fork.predict(images).logits.softmax(dim=-1)
        reliable = [i for i in range(len(images)) if entropy(p[i]) < config.margin * unit]
        order = torch.rand(len(reliable), 16, generator=rng).argsort(dim=-1)
        terms = []
        for i, turn in zip(reliable, order, strict=True):
            shuffled = torch.empty_like(images[i])
            for place, source in enumerate(turn.tolist()):
                (r, c), (a, b) = divmod(place, 4), divmod(source, 4)
                patch = images[i, :, 6 * a : 6 * a + 6, 6 * b : 6 * b + 6]
                shuffled[:, 6 * r : 6 * r + 6, 6 * c : 6 * c + 6] = patch
            q = fork.predict(shuffled[None]).logits.softmax(dim=-1)[0]
            y = p[i].argmax()
            d = (p[i, y] - q[y]).item()
            h = entropy(p[i])
            if d > config.drop:
                terms.append((1 / math.exp(h.item() - config.anchor * unit) + 1 / math.exp(-d)) * h)
        if terms:
            sgd.zero_grad()
            (sum(terms) / len(terms)).backward()
            sgd.step()
    return [p.detach() for p in fork.trainable()]


def test_it_is_its_definition_picture_by_picture(make_clip, make_images):
    clip = make_clip(scale=20.0)
    batches = [make_images(batch=24, size=24, seed=seed) for seed in range(3)]
    config = Deyo.Config(lr=0.05, drop=0.02)
    method = build(clip, lr=0.05, drop=0.02)
    reports = [method.adapt(images) for images in batches]
    assert all(0 < report["selected"] < report["reliable"] < 1 for report in reports)
    for ours, theirs in zip(weights(method), by_definition(clip, batches, config), strict=True):
        torch.testing.assert_close(ours, theirs, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize(("h", "d", "expected"), [(0.1, 0.5, 3.921570), (0.9, 0.25, 2.305282)])
def test_weights_by_hand(h, d, expected):
    """With ten classes and an anchor of 0.4."""
    weighed = weight(torch.tensor(h), torch.tensor(d), 0.4 * math.log(10))
    assert weighed.item() == pytest.approx(expected, abs=2e-6)


def test_a_picture_left_whole_loses_no_confidence_and_nothing_is_kept(make_clip, images):
    method = build(make_clip(scale=20.0), patches=1, margin=1.5, drop=0.0)
    before = weights(method)
    report = method.adapt(images)
    assert report["selected"] == 0 and report["skipped"] == 1 and report["lost_confidence"] == 0
    assert all(torch.equal(a, b) for a, b in zip(before, weights(method), strict=True))


def test_with_everything_kept_its_gradient_points_as_tents_where_all_weigh_alike(make_clip, make_images):
    images = make_images(batch=1)  # one picture: its weight is a factor on the step
    clip = make_clip(scale=5.0)
    ours = build(clip, margin=1.5, drop=-1.0)
    tent = Tent(clip.fork(Deyo.train), Tent.Config(optimizer="sgd", lr=1e-3), torch.Generator())
    start = torch.cat([p.flatten() for p in weights(ours)])
    ours.adapt(images)
    tent.adapt(images)
    moved = [torch.cat([p.flatten() for p in weights(method)]) - start for method in (ours, tent)]
    assert torch.cosine_similarity(*moved, dim=0).item() == pytest.approx(1, abs=1e-4)


def test_the_last_norm_trains_or_not_and_the_top_blocks_never(clip, images):
    for final_norm in (True, False):
        method = build(clip, margin=1.5, drop=-1.0, final_norm=final_norm)
        before = weights(method)
        method.adapt(images)
        still = [torch.equal(a, b) for a, b in zip(before, weights(method), strict=True)]
        assert not still[0] and all(still[-2:]) != final_norm


def test_pictures_are_cut_shuffled_and_put_together_each_in_its_own_way():
    images = torch.arange(2 * 3 * 64.0).reshape(2, 3, 8, 8)
    shuffled = shuffle_patches(images, 4, torch.Generator().manual_seed(0))
    patches = [
        {tuple(p[:, r : r + 2, c : c + 2].flatten().tolist()) for r in range(0, 8, 2) for c in range(0, 8, 2)}
        for p in (*images, *shuffled)
    ]
    assert patches[0] == patches[2] and patches[1] == patches[3]
    assert not torch.equal(shuffled[0], shuffled[1] - 3 * 64)


def test_sides_that_are_no_multiple_are_kept():
    images = torch.rand(2, 3, 10, 14, generator=torch.Generator().manual_seed(0))
    shuffled = shuffle_patches(images, 4, torch.Generator().manual_seed(0))
    assert shuffled.shape == images.shape and shuffled.isfinite().all()
