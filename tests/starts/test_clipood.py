"""CLIPood: the margin softmax and the Beta moving average."""

from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F

from clip_tta_core.starts.clipood import BetaAverage, beta_weights, margin_softmax


@pytest.fixture
def case():
    rng = torch.Generator().manual_seed(0)
    features, texts = (F.normalize(torch.randn(n, 8, generator=rng), dim=-1) for n in (6, 4))
    return features, torch.tensor([0, 1, 2, 3, 0, 1]), texts


def test_without_a_margin_it_is_cross_entropy(case):
    features, labels, texts = case
    found = margin_softmax(features, labels, texts, 10.0, 0.0)
    torch.testing.assert_close(found, F.cross_entropy(10 * features @ texts.T, labels))


def test_by_hand_for_one_picture_and_two_texts():
    # z . t = (0.6, 0.8), t_0 . t_1 = 0, y = 0: logits 10 (0.6 - 0.3) and 10 (0.8 - 0).
    features, texts = torch.tensor([[0.6, 0.8]]), torch.eye(2)
    found = margin_softmax(features, torch.tensor([0]), texts, 10.0, 0.3)
    assert found.item() == pytest.approx(math.log(1 + math.exp(8.0 - 3.0)), rel=1e-6)


def test_the_margin_is_wider_between_classes_that_are_less_alike(case):
    features, labels, texts = case
    # Differences of logits of the true class and another shrink by s margin (1 - t_y . t_c).
    for i, y in enumerate(labels.tolist()):
        for c in range(len(texts)):
            two = texts[[y, c]]
            plain, asked = (
                margin_softmax(features[i : i + 1], torch.tensor([0]), two, 10.0, margin)
                for margin in (0.0, 0.3)
            )
            gap = lambda loss: -torch.log(torch.expm1(loss.double()))  # noqa: E731 - of softmax over two
            if c != y:
                less = 10 * 0.3 * (1 - texts[y] @ texts[c])
                assert (gap(plain) - gap(asked)).item() == pytest.approx(less.item(), abs=1e-3)


@pytest.mark.parametrize("beta", [0.1, 0.5, 2.0])
def test_beta_weights_are_the_density_up_to_a_factor_and_symmetric(beta):
    weights = beta_weights(9, beta)
    density = torch.distributions.Beta(beta, beta).log_prob((torch.arange(10) + 0.5) / 10).exp()
    torch.testing.assert_close(weights / weights.sum(), (density / density.sum()).double(), rtol=1e-5, atol=0)
    torch.testing.assert_close(weights, weights.flip(0))
    assert (weights > 0).all()


@pytest.mark.parametrize("beta", [0.5, 1.0])
def test_the_average_is_the_weighted_mean_of_all_iterates(beta):
    rng = torch.Generator().manual_seed(1)
    iterates = [torch.randn(3, generator=rng) for _ in range(6)]
    mean = BetaAverage([iterates[0]], 5, beta)
    for one in iterates[1:]:
        mean.add([one])
    weights = beta_weights(5, beta).float()
    expected = sum(w * one for w, one in zip(weights / weights.sum(), iterates, strict=True))
    torch.testing.assert_close(mean.values[0], expected)
    if beta == 1.0:
        torch.testing.assert_close(mean.values[0], torch.stack(iterates).mean(dim=0))


def test_without_steps_the_average_is_where_it_began():
    start = torch.randn(5)
    assert torch.equal(BetaAverage([start], 0, 0.5).values[0], start)
