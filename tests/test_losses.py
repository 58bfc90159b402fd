"""Losses against values worked out by hand, and the laws they obey."""

from __future__ import annotations

import math
from typing import get_args

import pytest
import torch

from clip_tta_core import losses

LOGITS = torch.tensor([[2.0, 0.0], [0.0, 1.0], [1.0, 0.0]])  # predicted classes 0, 1, 0


def random_logits(batch=8, classes=5, seed=0, dtype=torch.float64):
    return 3 * torch.randn(batch, classes, generator=torch.Generator().manual_seed(seed), dtype=dtype)


def test_entropy_of_a_uniform_prediction_is_log_k():
    torch.testing.assert_close(losses.entropy(torch.zeros(3, 7)), torch.full((3,), math.log(7)))


def test_entropy_stays_finite_for_logits_of_any_size():
    assert losses.entropy(torch.tensor([[1e4, -1e4, 0.0]])).item() == 0


def test_captions_are_the_columns_of_the_predicted_classes():
    expected = torch.tensor([[2.0, 0.0, 2.0], [0.0, 1.0, 0.0], [1.0, 0.0, 1.0]])
    torch.testing.assert_close(losses.caption_logits(LOGITS), expected)


def test_contrastive_losses_of_three_images_by_hand():
    rows = torch.tensor(0.959356)
    columns = torch.tensor(0.880040)
    torch.testing.assert_close(losses.soft_contrastive(LOGITS), rows, atol=1e-6, rtol=0)
    both = losses.soft_contrastive(LOGITS, "symmetric")
    torch.testing.assert_close(both, rows + columns, atol=1e-6, rtol=0)
    torch.testing.assert_close(3 * both, torch.tensor(5.518186), atol=1e-5, rtol=0)  # Eq. 3, a sum
    other = losses.soft_contrastive(LOGITS, "text_to_image")
    torch.testing.assert_close(other, columns, atol=1e-6, rtol=0)
    hard = losses.hard_contrastive(LOGITS)
    torch.testing.assert_close(hard, torch.tensor(0.724021), atol=1e-6, rtol=0)
    both = losses.hard_contrastive(LOGITS, "symmetric")
    torch.testing.assert_close(both, torch.tensor(0.724021 + 0.788886), atol=1e-6, rtol=0)
    other = losses.hard_contrastive(LOGITS, "text_to_image")
    torch.testing.assert_close(other, torch.tensor(0.788886), atol=1e-6, rtol=0)


def test_marginal_and_mean_entropy_of_three_images_by_hand():
    torch.testing.assert_close(losses.marginal_entropy(LOGITS), torch.tensor(0.660568), atol=1e-5, rtol=0)
    torch.testing.assert_close(losses.entropy(LOGITS).mean(), torch.tensor(0.509913), atol=1e-6, rtol=0)


def test_soft_contrast_is_entropy_under_the_batch_frequencies_plus_a_penalty_on_frequent_classes():
    logits = random_logits()
    counts = torch.bincount(logits.argmax(dim=1), minlength=5).double()
    adjusted = (logits + counts.log()).softmax(dim=1)  # classes nobody predicts drop out
    penalty = (adjusted[:, counts > 0] * counts[counts > 0].log()).sum(dim=1)
    expected = torch.special.entr(adjusted).sum(dim=1) + penalty
    torch.testing.assert_close(losses.soft_contrastive(logits), expected.mean())


def test_hard_contrast_is_pseudo_labelling_under_the_batch_frequencies():
    logits = random_logits()
    labels = logits.argmax(dim=1)
    counts = torch.bincount(labels, minlength=5).double()
    expected = torch.nn.functional.cross_entropy(logits + counts.log(), labels) + counts[labels].log().mean()
    torch.testing.assert_close(losses.hard_contrastive(logits), expected)


@pytest.mark.parametrize("loss", [losses.soft_contrastive, losses.hard_contrastive])
@pytest.mark.parametrize("direction", get_args(losses.Direction))
def test_contrastive_losses_do_not_care_about_the_order_of_the_batch(loss, direction):
    logits, order = random_logits(), torch.tensor([3, 1, 7, 0, 2, 6, 5, 4])
    torch.testing.assert_close(loss(logits, direction), loss(logits[order], direction))


def pull(logits, direction):
    """Where descent on the soft contrast of a batch moves each picture's logits. (B, K) -> (B, K)"""
    logits = logits.clone().requires_grad_(True)
    losses.soft_contrastive(logits, direction).backward()
    return -logits.grad


def test_the_pull_of_image_to_text_by_hand():
    """Per picture and before the mean: a third of these."""
    expected = torch.tensor([[-0.118724, 0.118724], [0.244206, -0.244206], [-0.131225, 0.131225]])
    torch.testing.assert_close(-3 * pull(LOGITS, "image_to_text"), expected, atol=1e-6, rtol=0)


@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize("classes", [2, 5, 10])
def test_image_to_text_never_lowers_a_picture_s_own_predicted_class(classes, seed):
    logits = random_logits(batch=64, classes=classes, seed=seed)
    logits[:, 0] += 2  # a batch on its way to collapse
    own = pull(logits, "image_to_text").gather(1, logits.argmax(dim=1, keepdim=True))
    assert (own >= -1e-12).all()


def test_of_two_classes_image_to_text_follows_the_likelier_whatever_the_counts():
    one = torch.tensor([[1.0, 0.0]], dtype=torch.float64)
    sizes = []
    for others in ([0.0, 3.0], [3.0, 0.0]):
        for count in (1, 4, 32):
            rest = torch.tensor([others], dtype=torch.float64).repeat(count, 1)
            batch = torch.cat([one, one.flip(1), rest])  # both classes are there
            step = pull(batch, "image_to_text")[0] * len(batch)
            assert step[0] > 0 > step[1]
            sizes.append(step[0].item())
    assert sizes[0] > sizes[1] > sizes[2] or sizes[3] > sizes[4] > sizes[5]
    assert len(set(sizes)) == len(sizes)


def test_text_to_image_raises_who_stands_out_in_a_caption_and_lowers_the_others():
    logits = random_logits(batch=16, classes=4, seed=3)
    step = pull(logits, "text_to_image")
    columns = losses.caption_logits(logits).softmax(dim=0)  # (B, B): of each caption over the pictures
    bound = (-torch.special.entr(columns).sum(dim=0)).exp()  # e to the minus entropy of each caption
    for label in logits.argmax(dim=1).unique():
        caption = (logits.argmax(dim=1) == label).nonzero()[0].item()
        up = columns[:, caption] > bound[caption]
        assert up.any() and not up.all()
        assert (step[up, label] > 0).all() and (step[~up, label] <= 1e-15).all()
        assert step[:, label].sum().abs() < 1e-12


def test_text_to_image_can_lower_a_predicted_class():
    """Six pictures of three classes; the first is in doubt between two of them."""
    probs = [[0.55, 0.40, 0.05], [0.9, 0.05, 0.05], [0.85, 0.1, 0.05]]
    probs += [[0.1, 0.85, 0.05], [0.05, 0.05, 0.9], [0.1, 0.1, 0.8]]
    logits = torch.tensor(probs, dtype=torch.float64).log()
    assert pull(logits, "image_to_text")[0, 0] > 0 > pull(logits, "text_to_image")[0, 0]


def test_symmetric_is_the_sum_of_both_halves():
    logits = random_logits(batch=12, classes=4)
    for loss in (losses.soft_contrastive, losses.hard_contrastive):
        halves = loss(logits, "image_to_text") + loss(logits, "text_to_image")
        torch.testing.assert_close(loss(logits, "symmetric"), halves)


@pytest.mark.parametrize("loss", [losses.soft_contrastive, losses.hard_contrastive])
def test_one_image_has_nothing_to_be_contrasted_with(loss):
    logits = random_logits(batch=1).requires_grad_(True)
    loss(logits).backward()
    assert loss(logits).item() == 0 and not logits.grad.any()


@pytest.mark.parametrize("loss", [losses.soft_contrastive, losses.hard_contrastive])
def test_a_collapsed_batch_costs_log_b_and_pulls_nowhere(loss):
    logits = random_logits()
    logits[:, 2] += 100
    logits.requires_grad_(True)
    value = loss(logits)
    value.backward()
    assert value.item() == pytest.approx(math.log(8))
    torch.testing.assert_close(logits.grad, torch.zeros_like(logits), atol=1e-12, rtol=0)


@pytest.mark.parametrize(
    "loss",
    [losses.soft_contrastive, losses.hard_contrastive, losses.marginal_entropy],
    ids=lambda f: f.__name__,
)
def test_gradients_agree_with_finite_differences(loss):
    assert torch.autograd.gradcheck(loss, random_logits(batch=4, classes=3).requires_grad_(True))


def test_entropy_pulls_nowhere_from_a_uniform_and_hardly_from_a_certain_prediction():
    for logits in (torch.zeros(2, 5), torch.tensor([[50.0, 0, 0, 0, 0]])):
        logits.requires_grad_(True)
        losses.entropy(logits).mean().backward()
        assert logits.grad.abs().max() < 1e-7


SCORES = torch.tensor([0.10, 0.12, 0.30, 0.34], dtype=torch.float64)


def test_outlier_exposure_of_four_scores_by_hand():
    threshold = torch.tensor(0.21, dtype=torch.float64, requires_grad=True)
    weights = losses.outlier_weights(SCORES, threshold, 0.05)
    expected = torch.tensor([0.09975, 0.14185, 0.85815, 0.93086], dtype=torch.float64)
    torch.testing.assert_close(weights, expected, atol=1e-5, rtol=0)
    loss = losses.outlier_contrastive_exposure(SCORES, threshold, 0.05)
    loss.backward()
    assert loss.item() == pytest.approx(-0.0270246, abs=1e-7)
    assert threshold.grad.item() == pytest.approx(-0.0164369, abs=1e-7)
    between = losses.outlier_contrastive_exposure(SCORES, threshold, 0.05, "inter_variance")
    assert between.item() == pytest.approx(-0.00675458, abs=1e-8)
    p_in = weights.mean().item()
    within = losses.outlier_contrastive_exposure(SCORES, threshold, 0.05, "intra_variance")
    assert within.item() == pytest.approx(-p_in * 0.295938**2 - (1 - p_in) * 0.131546**2, abs=1e-6)


@pytest.mark.parametrize("form", ["contrastive", "inter_variance"])
def test_outlier_exposure_ignores_where_zero_is_and_scales_with_the_square_of_the_scores(form):
    at = torch.tensor(0.21, dtype=torch.float64)
    plain = losses.outlier_contrastive_exposure(SCORES, at, 0.05, form)
    torch.testing.assert_close(losses.outlier_contrastive_exposure(SCORES + 7, at + 7, 0.05, form), plain)
    torch.testing.assert_close(losses.outlier_contrastive_exposure(3 * SCORES, 3 * at, 0.15, form), 9 * plain)


def test_outlier_exposure_vanishes_as_the_threshold_softens():
    at = torch.tensor(0.21, dtype=torch.float64)
    assert abs(losses.outlier_contrastive_exposure(SCORES, at, 1e6).item()) < 1e-9


def test_descending_on_outlier_exposure_parts_known_from_unknown():
    scores = SCORES.clone().requires_grad_(True)
    losses.outlier_contrastive_exposure(scores, torch.tensor(0.21, dtype=torch.float64), 0.005).backward()
    assert (scores.grad[:2] > 0).all() and (scores.grad[2:] < 0).all()


def test_outlier_exposure_has_nothing_to_say_when_one_side_is_empty():
    assert losses.outlier_contrastive_exposure(SCORES, torch.tensor(9.0, dtype=torch.float64), 0.005) is None


@pytest.mark.parametrize(("others", "speaks"), [(249, True), (1999, False)])
def test_outlier_exposure_speaks_up_to_a_thousandth_of_the_weight_on_one_side(others, speaks):
    """One picture far above the threshold beside `others` far below: 1/250 and 1/2000 of the weight."""
    scores = torch.cat([torch.ones(1), -torch.ones(others)]).double()
    loss = losses.outlier_contrastive_exposure(scores, torch.tensor(0.0, dtype=torch.float64), 0.01)
    assert (loss is not None) == speaks
    if speaks:
        assert loss.item() == pytest.approx(-4.0)


def test_view_entropy_is_that_of_the_mean_prediction():
    logits = random_logits(batch=6, classes=4)
    mean = logits.softmax(dim=1).mean(dim=0)
    torch.testing.assert_close(losses.view_entropy(logits), torch.special.entr(mean).sum())
    assert losses.view_entropy(torch.tensor([[1e4, -1e4], [1e4, 0.0]])).item() == 0
