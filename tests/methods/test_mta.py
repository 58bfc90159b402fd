"""MTA, against its definition view by view."""

from __future__ import annotations

import math

import pytest
import torch

from clip_tta_core import augment
from clip_tta_core.methods.mta import Mta, robust_mode


def build(clip, seed=0, **knobs):
    return Mta(clip.fork(""), Mta.Config(**knobs), torch.Generator().manual_seed(seed))


def unit(x):
    return torch.nn.functional.normalize(x, dim=-1)


def drawn(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def by_definition(x, p, lambda_y=0.2, lambda_q=4.0, share=0.3):
    """Mode and inlierness of one picture's views, in double, with the authors' end of the inner rounds."""
    x, p = x.double(), p.double()
    count = len(x)
    width = []
    for v in range(count):
        others = sorted(float(((x[v] - x[w]) ** 2).sum()) for w in range(count) if w != v)
        nearest = others[: int(share * (count - 1))]
        width.append(sum(nearest) / len(nearest) / 2)

    def density(m):
        return torch.stack([torch.exp(-((x[v] - m) ** 2).sum() / (2 * width[v])) for v in range(count)])

    y, m = torch.full((count,), 1 / count).double(), x[0]
    for _ in range(5):
        k = density(m)
        for _ in range(5):
            old, y = y, ((k + lambda_q * (p @ p.T * y).sum(dim=1)) / lambda_y).softmax(dim=0)
            if (old - y).norm() < 1e-6:
                break
        for _ in range(5):
            weights = density(m) * y
            old, m = m, unit((weights[:, None] * x).sum(dim=0) / weights.sum())
            if (old - m).norm() < 1e-6:
                break
    return m, y


def test_the_mode_is_its_definition_view_by_view():
    views = unit(drawn(1, 3, 1, 16)[0] + 0.4 * drawn(3, 20, 16, seed=1))
    probs = (4 * drawn(3, 20, 5, seed=2)).softmax(dim=-1)
    modes, inliers = robust_mode(views, probs)
    for x, p, mode, share in zip(views, probs, modes, inliers, strict=True):
        m, y = by_definition(x, p)
        torch.testing.assert_close(mode.double(), m, atol=1e-4, rtol=0)
        torch.testing.assert_close(share.double(), y, atol=1e-4, rtol=0)


def test_a_picture_is_classified_by_the_mode_of_its_views(make_clip, images):
    clip = make_clip(scale=20.0)
    method = build(clip, views=12)
    report = method.adapt(images)
    for made, ours in zip(
        augment.views(images, 12, torch.Generator().manual_seed(0)),
        method.predict(images).logits,
        strict=True,
    ):
        z = clip.encode_image(made)
        m, _ = by_definition(z, (clip.scale * z @ clip.text_features.T).softmax(dim=-1))
        torch.testing.assert_close(ours, clip.scale * clip.text_features @ m.float(), atol=2e-3, rtol=0)
    assert 1 <= report["views"] <= 12 and report["moved"] > 0


def test_views_that_are_all_the_same_have_that_mode_and_count_alike():
    view = unit(drawn(1, 1, 16))
    probs = torch.full((1, 8, 3), 1 / 3)
    mode, inliers = robust_mode(view.expand(-1, 8, -1), probs)
    torch.testing.assert_close(mode, view[:, 0])
    torch.testing.assert_close(inliers, torch.full((1, 8), 1 / 8))


def test_turning_all_views_turns_the_mode():
    views = unit(drawn(1, 1, 8) + 0.4 * drawn(2, 12, 8, seed=1))
    probs = drawn(2, 12, 5, seed=2).softmax(dim=-1)
    turn, _ = torch.linalg.qr(drawn(8, 8, seed=3))
    mode, inliers = robust_mode(views, probs)
    turned, same = robust_mode(views @ turn, probs)
    torch.testing.assert_close(turned, mode @ turn, atol=1e-4, rtol=0)
    torch.testing.assert_close(same, inliers, atol=1e-4, rtol=0)


def test_a_view_far_from_all_others_counts_for_little():
    views = unit(drawn(1, 1, 16) + 0.2 * drawn(1, 12, 16, seed=1))
    views[0, 5] = -views[0, 5]
    probs = torch.tensor([1.0, 0.0]).repeat(1, 12, 1)
    probs[0, 5] = torch.tensor([0.0, 1.0])
    _, inliers = robust_mode(views, probs)
    assert inliers[0, 5] < 1e-3 * inliers[0].max()


@pytest.mark.parametrize("views", [2, 3])
def test_a_few_views_are_enough(clip, images, views):
    assert build(clip, views=views).predict(images).logits.isfinite().all()


def test_a_broken_picture_is_its_own_trouble_only(clip, make_images):
    images = make_images()
    images[2] = math.nan
    method = build(clip, views=4)
    assert all(math.isfinite(value) for value in method.adapt(images).values())
    assert method.predict(images).logits[[0, 1, 3, 4, 5, 6, 7]].isfinite().all()
