"""Gaussians of classes, against sums written out and worked numbers."""

from __future__ import annotations

import pytest
import torch
from torch.distributions import MultivariateNormal, Normal

from clip_tta_core import gaussians
from clip_tta_core.gaussians import ClassGaussians, ClassMeans


def drawn(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def test_means_of_classes_and_of_all():
    means = ClassMeans(3, 2, torch.device("cpu"))
    means.add(torch.tensor([[1.0, 0.0], [3.0, 2.0]]), torch.tensor([1, 1]))
    means.add(torch.tensor([[5.0, 4.0]]), torch.tensor([0]))
    assert means.total == 3
    torch.testing.assert_close(means.means(), torch.tensor([[5.0, 4.0], [2.0, 1.0], [0.0, 0.0]]))
    torch.testing.assert_close(means.mean(), torch.tensor([3.0, 2.0]))


def test_one_picture_moves_means_and_covariances_by_hand():
    """T = I, x = (.980581, .196116), scale 10: p = (.999608, .000392); c = 1, variance .002."""
    x = torch.tensor([[0.980581, 0.196116]])
    classes = ClassGaussians(torch.eye(2), 0.002)
    classes.add(x, (10 * x).softmax(dim=-1))
    torch.testing.assert_close(classes.means[0], torch.tensor([0.990292, 0.098039]), atol=2e-6, rtol=0)
    expected = torch.tensor([[0.001189, -0.001904], [-0.001904, 0.020227]])
    torch.testing.assert_close(classes.single[0], expected, atol=2e-6, rtol=0)


def test_shared_covariances_are_the_mean_and_the_weighted_mean_of_the_classes_own():
    start, features, shares = drawn(4, 3), drawn(6, 5, 3, seed=1), drawn(6, 5, 4, seed=2).softmax(dim=-1)
    single = [0.1 * torch.eye(3) for _ in range(4)]
    means, counts = start.clone(), torch.ones(4)
    own, pooled = ClassGaussians(start, 0.1, "per_class"), ClassGaussians(start, 0.1, "pooled")
    for x, p in zip(features, shares, strict=True):
        own.add(x, p)
        pooled.add(x, p)
        for k in range(4):
            apart = x - means[k]
            single[k] = (counts[k] * single[k] + (p[:, k, None] * apart).T @ apart) / (
                counts[k] + p[:, k].sum()
            )
            means[k] = (counts[k] * means[k] + (p[:, k, None] * x).sum(dim=0)) / (counts[k] + p[:, k].sum())
            counts[k] += p[:, k].sum()
    for classes in (own, pooled):
        torch.testing.assert_close(classes.means, means)
        torch.testing.assert_close(classes.counts, counts)
        assert torch.linalg.eigvalsh(classes.shared).min() > 0
    torch.testing.assert_close(own.shared, sum(single) / 4)
    weighted = sum(count * one for count, one in zip(counts, single, strict=True)) / counts.sum()
    torch.testing.assert_close(pooled.shared, weighted)


def test_pictures_taken_in_together_may_come_in_any_order():
    features, shares = drawn(6, 3), drawn(6, 4, seed=1).softmax(dim=-1)
    first, second = ClassGaussians(drawn(4, 3), 0.1), ClassGaussians(drawn(4, 3), 0.1)
    first.add(features, shares)
    second.add(features.flip(0), shares.flip(0))
    torch.testing.assert_close(first.shared, second.shared)
    torch.testing.assert_close(first.means, second.means)


def test_covariances_of_single_classes_are_kept_only_where_there_is_room(monkeypatch):
    assert ClassGaussians(torch.eye(4), 0.1).single is not None
    monkeypatch.setattr(gaussians, "ROOM", 4 * 4 * 16 - 1)
    assert ClassGaussians(torch.eye(4), 0.1).single is None
    assert ClassGaussians(torch.eye(4), 0.1, "per_class").single is not None


def test_precision_is_the_inverse_with_a_ridge():
    classes = ClassGaussians(drawn(4, 3), 0.1)
    classes.add(drawn(6, 3, seed=1), drawn(6, 4, seed=2).softmax(dim=-1))
    torch.testing.assert_close(classes.precision(), torch.linalg.inv(classes.shared))
    ridged = 0.8 * classes.shared + 0.2 * torch.eye(3)
    torch.testing.assert_close(classes.precision(0.2), torch.linalg.inv(ridged))


def test_scores_are_log_densities_up_to_what_all_classes_share():
    classes = ClassGaussians(drawn(4, 3), 0.1)
    classes.add(drawn(6, 3, seed=1), drawn(6, 4, seed=2).softmax(dim=-1))
    x = drawn(5, 3, seed=3)
    scores = classes.scores(x, classes.precision())
    theirs = MultivariateNormal(classes.means, classes.shared).log_prob(x[:, None])
    torch.testing.assert_close(scores - scores[:, :1], theirs - theirs[:, :1], atol=1e-3, rtol=1e-4)


@pytest.mark.parametrize("at_once", [gaussians.AT_ONCE, 1])
def test_diagonal_densities_and_deviations_in_turns_or_at_once(monkeypatch, at_once):
    monkeypatch.setattr(gaussians, "AT_ONCE", at_once)
    x, means, variances, weights = drawn(5, 3), drawn(4, 3, seed=1), drawn(4, 3, seed=2).exp(), drawn(5, 4)
    theirs = Normal(means, variances.sqrt()).log_prob(x[:, None]).sum(dim=-1)
    ours = gaussians.log_density(x, means, variances)
    torch.testing.assert_close(ours - ours[0, 0], theirs - theirs[0, 0])
    expected = torch.einsum("bk,bkd->kd", weights, (x[:, None] - means) ** 2)
    torch.testing.assert_close(gaussians.squared_deviation(x, means, weights), expected)
