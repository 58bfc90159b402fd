"""Class-wise queues of features."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F

from clip_tta_core.memory import FeatureQueues


def unit_rows(rows, dim=4, seed=0):
    return F.normalize(torch.randn(rows, dim, generator=torch.Generator().manual_seed(seed)), dim=-1)


def test_each_class_keeps_the_lowest_entropies_it_was_offered():
    queues = FeatureQueues(3, 2, 4, torch.device("cpu"))
    features = unit_rows(40)
    rng = torch.Generator().manual_seed(1)
    labels, entropy = torch.randint(3, (40,), generator=rng), torch.rand(40, generator=rng)
    for i in range(40):
        queues.offer(features[i], labels[i].item(), entropy[i].item())
        assert len(queues) <= 6
    for label in range(3):
        best = entropy[labels == label].sort().values[:2]
        torch.testing.assert_close(queues.entropy[label].sort().values, best)
        kept = {tuple(f.tolist()) for f in queues.features[label]}
        assert kept == {
            tuple(features[labels == label][i].tolist()) for i in entropy[labels == label].argsort()[:2]
        }


def test_what_is_not_a_number_is_refused():
    queues = FeatureQueues(2, 2, 4, torch.device("cpu"))
    assert queues.offer(unit_rows(1)[0], 0, math.nan) is None
    assert len(queues) == 0 and not queues.features.any()


def test_affinity_is_one_to_oneself_and_nothing_to_empty_places():
    queues = FeatureQueues(2, 2, 4, torch.device("cpu"))
    features = unit_rows(2)
    queues.offer(features[0], 1, 0.5)
    near = queues.affinity(features, beta=3.0)
    expected = torch.zeros(2, 2, 2)
    expected[:, 1, 0] = torch.tensor([1.0, math.exp(-3 * (1 - (features[0] @ features[1]).item()))])
    torch.testing.assert_close(near, expected)
