"""Core-tuning: the hardest pairs, mixed labels, the focal contrast."""

from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F

from clip_tta_core.starts.core_tuning import LEAST, focal_contrast, hardest, mixed_pairs


def rows(*degrees):
    angles = torch.tensor(degrees) * math.pi / 180
    return torch.stack([angles.cos(), angles.sin()], dim=1)


def test_the_hardest_pairs_are_the_least_similar_of_ones_own_and_the_most_similar_of_others():
    features, labels = rows(0.0, 10.0, 170.0, 40.0, 200.0), torch.tensor([0, 0, 0, 1, 2])
    positives, negatives = hardest(features, labels)
    assert positives.tolist() == [2, 2, 0, 3, 4]  # opposite ones too, whose cosine is below 0
    assert negatives.tolist() == [3, 3, 4, 1, 2]


def test_a_picture_alone_is_its_own_pair():
    positives, negatives = hardest(rows(0.0, 10.0), torch.tensor([3, 3]))
    assert positives.tolist() == [1, 0] and negatives.tolist() == [0, 1]


def test_mixed_labels_have_mass_one_and_mixed_features_length_one():
    features = F.normalize(torch.randn(12, 6, generator=torch.Generator().manual_seed(0)), dim=-1)
    mixed, targets = mixed_pairs(features, torch.arange(12) % 4, 4, torch.Generator().manual_seed(1))
    assert mixed.shape == (36, 6) and targets.shape == (36, 4)
    torch.testing.assert_close(targets.sum(dim=1), torch.ones(36))
    torch.testing.assert_close(mixed.norm(dim=1), torch.ones(36))
    torch.testing.assert_close(mixed[:12], features)
    assert (targets[24:].max(dim=1).values >= LEAST - 1e-6).all()


def test_a_mix_of_one_alone_is_that_one(monkeypatch):
    features, labels = rows(0.0, 10.0, 170.0, 40.0), torch.tensor([0, 0, 0, 1])
    positives, _ = hardest(features, labels)
    monkeypatch.setattr(torch, "rand", lambda *size, **_: torch.ones(*size))
    mixed, targets = mixed_pairs(features, labels, 2, torch.Generator().manual_seed(0))
    torch.testing.assert_close(mixed[4:8], features[positives])
    torch.testing.assert_close(targets[4:8], F.one_hot(labels, 2).float())


def test_the_focal_contrast_against_loops():
    features, classes = rows(0.0, 30.0, 80.0, 100.0, 250.0), torch.tensor([0, 0, 1, 1, 1])
    total, anchors = 0.0, 0
    for i in range(5):
        others = [j for j in range(5) if j != i]
        logits = {j: (features[i] @ features[j]).item() / 0.5 for j in others}
        norm = sum(math.exp(x) for x in logits.values())
        p = [math.exp(logits[j]) / norm for j in others if classes[j] == classes[i]]
        total, anchors = total - sum((1 - x) * math.log(x) for x in p) / len(p), anchors + 1
    assert focal_contrast(features, classes, 0.5).item() == pytest.approx(total / anchors, rel=1e-5)


def test_two_alike_alone_have_nothing_left_to_learn_and_no_pair_is_nothing():
    features = rows(0.0, 50.0).requires_grad_(True)
    assert focal_contrast(features, torch.tensor([1, 1]), 0.07).item() == 0
    none = focal_contrast(features, torch.tensor([0, 1]), 0.07)
    none.backward()
    assert none.item() == 0 and torch.equal(features.grad, torch.zeros(2, 2))
