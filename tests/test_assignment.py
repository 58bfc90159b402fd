"""Soft assignments from how pictures relate: kernels, smoothing, transport, mean shift."""

from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F

from clip_tta_core.assignment import (
    affinity,
    laplacian_smoothing,
    mean_shift,
    nearest_links,
    normalized_graph,
    propagate,
    sinkhorn,
)


def unit_rows(rows=6, dim=8, seed=0):
    return F.normalize(torch.randn(rows, dim, generator=torch.Generator().manual_seed(seed)), dim=-1)


def on_circle(*degrees):
    angles = torch.tensor(degrees).deg2rad()
    return torch.stack([angles.cos(), angles.sin()], dim=1)


def test_knn_affinity_names_the_nearest_others():
    weights = affinity(on_circle(0.0, 10.0, 50.0), "knn", 1)
    assert weights.tolist() == [[0, 1, 0], [1, 0, 0], [0, 1, 0]]


def test_knn_affinity_of_more_neighbours_than_there_are_is_everyone_else():
    torch.testing.assert_close(affinity(unit_rows(4), "knn", 5), 1 - torch.eye(4))


def test_rbf_affinity_by_hand():
    features = on_circle(0.0, 60.0, 180.0)  # distances 1 and 2 from the first, sqrt 3 from second to third
    sigma = (1 + 1 + math.sqrt(3)) / 3  # distances to the second nearest, itself being the first
    expected = torch.tensor([1.0, 1.0, 4.0, 3.0]).div(-2 * sigma**2).exp()
    weights = affinity(features, "rbf", 2)
    torch.testing.assert_close(weights[0, 1], expected[0])
    torch.testing.assert_close(weights[0, 2], expected[2])
    torch.testing.assert_close(weights[1, 2], expected[3])
    torch.testing.assert_close(weights.diagonal(), torch.ones(3))


def test_rbf_affinity_of_equal_pictures_is_one_and_not_nan():
    features = on_circle(0.0).repeat(5, 1)  # so that distances are 0 without rounding
    torch.testing.assert_close(affinity(features, "rbf"), torch.ones(5, 5))


def test_an_unknown_kernel_is_answered_with_the_known_ones():
    with pytest.raises(ValueError, match="rbf, knn, linear"):
        affinity(unit_rows(), "cosine")


def test_without_affinity_smoothing_returns_the_predictions():
    log_probs = torch.randn(4, 3, generator=torch.Generator().manual_seed(1)).log_softmax(dim=-1)
    smoothed, _ = laplacian_smoothing(log_probs, torch.zeros(4, 4))
    torch.testing.assert_close(smoothed, log_probs, rtol=0, atol=0)


def test_two_mutual_neighbours_agree_on_the_surer_class():
    log_probs = torch.tensor([[0.99, 0.01], [0.4, 0.6]]).log()
    smoothed, _ = laplacian_smoothing(log_probs, torch.tensor([[0.0, 1.0], [1.0, 0.0]]))
    assert smoothed.argmax(dim=-1).tolist() == [0, 0]


def test_smoothing_ends_where_the_update_changes_nothing():
    log_probs = torch.randn(6, 4, generator=torch.Generator().manual_seed(2)).log_softmax(dim=-1)
    weights = affinity(unit_rows(), "rbf", 3)
    smoothed, rounds = laplacian_smoothing(log_probs, weights)
    assert 2 < rounds < 100
    again = (log_probs + weights @ smoothed.softmax(dim=-1)).softmax(dim=-1)
    torch.testing.assert_close(smoothed.softmax(dim=-1), again, atol=1e-3, rtol=0)


def test_smoothing_lowers_the_energy_it_states():
    log_probs = torch.randn(6, 4, generator=torch.Generator().manual_seed(3)).log_softmax(dim=-1)
    features = unit_rows()
    weights = features @ features.T  # symmetric and positive: every round must then help

    def energy(probs):
        return ((probs * (probs.log() - log_probs)).sum() - (weights * (probs @ probs.T)).sum()).item()

    energies = [energy(log_probs.exp())] + [
        energy(laplacian_smoothing(log_probs, weights, rounds)[0].softmax(dim=-1)) for rounds in (1, 2, 5, 20)
    ]
    assert all(after <= before + 1e-5 for before, after in zip(energies, energies[1:], strict=False))


def test_codes_share_the_batch_evenly():
    logits = 5 * torch.randn(12, 4, generator=torch.Generator().manual_seed(4))
    codes = sinkhorn(logits, iterations=200)
    torch.testing.assert_close(codes.sum(dim=1), torch.ones(12))
    torch.testing.assert_close(codes.sum(dim=0), torch.full((4,), 3.0), atol=1e-3, rtol=0)


def test_three_rounds_equal_plain_scaling_from_the_softmax():
    logits = torch.randn(6, 3, generator=torch.Generator().manual_seed(5))
    plan = logits.double().softmax(dim=1)
    for _ in range(3):
        plan = plan / plan.sum(dim=0, keepdim=True) / 3
        plan = plan / plan.sum(dim=1, keepdim=True) / 6
    torch.testing.assert_close(sinkhorn(logits, 3).double(), 6 * plan, atol=1e-6, rtol=1e-5)


def test_a_constant_added_to_one_picture_moves_no_code():
    logits = torch.randn(6, 3, generator=torch.Generator().manual_seed(6), dtype=torch.float64)
    louder = logits.clone()
    louder[2] += 5
    torch.testing.assert_close(sinkhorn(louder), sinkhorn(logits))


def test_codes_stay_finite_where_exponentials_would_not_and_equal_rows_get_equal_codes():
    logits = torch.tensor([[400.0, 0.0], [400.0, 0.0], [-300.0, 500.0]])
    codes = sinkhorn(logits)
    assert codes.isfinite().all() and torch.equal(codes[0], codes[1])


def test_a_feature_that_is_its_only_neighbour_stays():
    features = unit_rows()
    torch.testing.assert_close(mean_shift(features, features, 1, 0.1), features)


def test_mean_shift_by_hand():
    features = on_circle(0.0, 60.0)
    expected = F.normalize(features[0] + math.exp(-0.5 / 0.2) * features[1], dim=0)
    torch.testing.assert_close(mean_shift(features[:1], features, 8, 0.2)[0], expected)


def test_mean_shift_around_a_centre_finds_neighbours_the_common_direction_hides():
    common = torch.tensor([0.0, 0.0, 10.0])
    features = F.normalize(common + torch.tensor([[1.0, 0, 0], [0.9, 0.1, 0], [-1.0, 0, 0]]), dim=-1)
    plain = mean_shift(features[:1], features, 3, 0.1)
    centred = mean_shift(features[:1], features, 3, 0.1, features.mean(dim=0))
    assert plain[0, 0] < features[1, 0] * 0.5 < centred[0, 0]


def test_of_every_row_the_largest_links_stay_and_of_equals_the_earlier():
    similarity = torch.tensor([[0.1, 0.9, 0.5], [0.4, 0.4, 0.4]])
    expected = torch.tensor([[0.0, 0.9, 0.5], [0.4, 0.4, 0.0]])
    torch.testing.assert_close(nearest_links(similarity, 2), expected)
    torch.testing.assert_close(nearest_links(similarity, 9), similarity)


def test_a_graph_counts_mutual_links_twice_and_is_normalized_by_both_degrees():
    links = torch.tensor([[1.0, 2.0, 0.0], [2.0, 0.0, 3.0], [0.0, 0.0, 0.0]])
    weights = torch.tensor([[2.0, 4.0, 0.0], [4.0, 0.0, 3.0], [0.0, 3.0, 0.0]])
    degree = torch.tensor([6.0, 7.0, 3.0])
    expected = weights / torch.outer(degree, degree).sqrt()
    torch.testing.assert_close(normalized_graph(links), expected, atol=1e-5, rtol=0)
    alone = normalized_graph(torch.zeros(2, 2))
    assert torch.equal(alone, torch.zeros(2, 2))


def test_labels_spread_by_hand():
    """One node with a label, linked to a first, which is linked to a second."""
    graph = torch.tensor([[0.5, 0.0, 0.5], [0.0, 1.0, 0.0]])  # to: labelled, first, second
    given, start = torch.tensor([[1.0, 0.0]]), torch.tensor([[0.0, 0.0], [0.0, 0.4]])
    once = propagate(graph, given, start, alpha=1.0, rounds=1)
    torch.testing.assert_close(once, torch.tensor([[0.5, 0.2], [0.0, 0.0]]))
    twice = propagate(graph, given, start, alpha=1.0, rounds=2)
    torch.testing.assert_close(twice, torch.tensor([[0.5, 0.0], [0.5, 0.2]]))
    halfway = propagate(graph, given, start, alpha=0.5, rounds=1)
    torch.testing.assert_close(halfway, 0.5 * once + 0.5 * start)
