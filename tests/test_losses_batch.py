"""Losses on how the pictures, dimensions and classes of a batch relate."""

from __future__ import annotations

import torch
import torch.nn.functional as F

from clip_tta_core import losses


def unit_rows(rows=6, dim=8, seed=0):
    return F.normalize(torch.randn(rows, dim, generator=torch.Generator().manual_seed(seed)), dim=-1)


def test_similarity_targets_are_distributions_and_lean_to_the_picture_itself():
    targets = losses.similarity_targets(unit_rows(), unit_rows(seed=1), 100.0)
    torch.testing.assert_close(targets.sum(dim=1), torch.ones(6))
    assert (targets.argmax(dim=1) == torch.arange(6)).all()


def test_similarity_matching_by_hand():
    features = torch.tensor([[1.0, 0.0], [0.0, 1.0]])
    captions = torch.tensor([[1.0, 0.0], [0.6, 0.8]])
    # image-image [[1, 0], [0, 1]], text-text [[1, .6], [.6, 1]], image-text [[1, .6], [0, .8]]
    targets = torch.tensor([[1.0, 0.3], [0.3, 1.0]]).mul(10).softmax(dim=1)
    logits = torch.tensor([[10.0, 6.0], [0.0, 8.0]]).log_softmax(dim=1)
    expected = -(targets * logits).sum(dim=1).mean()
    torch.testing.assert_close(losses.similarity_matching(features, captions, 10.0), expected)


def test_one_picture_alone_gives_no_loss_and_no_gradient():
    features = unit_rows(1).requires_grad_(True)
    loss = losses.similarity_matching(features, unit_rows(1, seed=1), 100.0, through_targets=True)
    loss.backward()
    assert loss.item() == 0 and not features.grad.any()


def test_targets_pass_no_gradient_unless_told():
    def gradient(through):
        features = unit_rows().requires_grad_(True)
        losses.similarity_matching(features, unit_rows(seed=1), 10.0, through_targets=through).backward()
        return features.grad

    features = unit_rows()
    targets = losses.similarity_targets(features, unit_rows(seed=1), 10.0)
    free = features.clone().requires_grad_(True)
    losses.soft_cross_entropy(targets, 10 * free @ unit_rows(seed=1).T).mean().backward()
    torch.testing.assert_close(gradient(False), free.grad)
    assert not torch.allclose(gradient(True), free.grad)


def test_independent_dimensions_are_not_redundant_and_copies_are():
    columns = torch.linalg.qr(torch.randn(8, 4, generator=torch.Generator().manual_seed(0))).Q
    assert losses.redundancy(columns).item() < 1e-6
    copied = torch.cat([columns, columns[:, :1]], dim=1)
    torch.testing.assert_close(losses.redundancy(copied), torch.tensor(2 / 20), atol=1e-6, rtol=0)
    assert losses.redundancy(columns[:, :1].expand(-1, 3)).item() > 1 - 1e-6


def test_centred_redundancy_is_the_mean_absolute_correlation():
    features = unit_rows(20, 5) + 3
    correlation = torch.corrcoef(features.T).abs()
    expected = (correlation.sum() - 5) / 20
    torch.testing.assert_close(losses.redundancy(features, centre=True), expected)
    assert losses.redundancy(features) > 0.9


def test_a_dimension_that_never_moves_gives_finite_gradients():
    features = torch.cat([unit_rows(), torch.ones(6, 1)], dim=1).requires_grad_(True)
    losses.redundancy(features, centre=True).backward()
    assert features.grad.isfinite().all()


def test_class_separation_counts_ordered_pairs():
    means = torch.tensor([[2.0, 0.0], [0.0, 3.0], [-1.0, 0.0]])  # cosines 0, -1 and 0
    torch.testing.assert_close(losses.class_separation(means), torch.tensor(2 * (1 + 2 + 1.0)))
    torch.testing.assert_close(losses.class_separation(means, average=True), torch.tensor(8 / 6))


def test_a_single_class_is_not_separated_from_anything():
    means = torch.tensor([[0.3, 0.4]], requires_grad=True)
    for average in (False, True):
        loss = losses.class_separation(means, average)
        (gradient,) = torch.autograd.grad(loss, means)
        assert loss.item() == 0 and not gradient.any()
