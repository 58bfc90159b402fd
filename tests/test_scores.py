"""Scores and Otsu's threshold."""

from __future__ import annotations

import math

import pytest
import torch

from clip_tta_core import scores

COSINES = torch.tensor([[0.3, 0.1, 0.2], [0.2, 0.2, 0.2]])


@pytest.mark.parametrize("name", scores.SCORES)
def test_a_clear_picture_scores_above_an_unclear_one_at_any_scale(name):
    for kappa in (1.0, 100.0):
        clear, unclear = scores.score(COSINES, name, kappa)
        assert clear > unclear


def test_scores_of_a_flat_row_by_hand():
    flat = COSINES[1:]
    assert scores.score(flat, "max_prob").item() == pytest.approx(1 / 3)
    assert scores.score(flat, "max_log_prob").item() == pytest.approx(-math.log(3))
    assert scores.score(flat, "max_logit", 100).item() == pytest.approx(20)
    assert scores.score(flat, "logsumexp").item() == pytest.approx(0.2 + math.log(3))
    assert scores.score(flat, "entropy").item() == pytest.approx(-math.log(3))


def test_an_unknown_score_is_answered_with_the_nearest_name():
    with pytest.raises(ValueError, match="Did you mean 'max_prob'"):
        scores.score(COSINES, "max_probs")


def test_otsu_of_four_scores_is_the_middle_of_the_gap():
    assert scores.otsu(torch.tensor([0.30, 0.10, 0.34, 0.12])) == pytest.approx(0.21)


def test_otsu_finds_the_best_of_all_splits():
    values = torch.randn(101, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    values[:40] += 3

    def between(threshold):
        high = values > threshold
        share = high.double().mean()
        return share * (1 - share) * (values[high].mean() - values[~high].mean()) ** 2

    middle = values.sort().values.unfold(0, 2, 1).mean(dim=1)
    best = max(between(t).item() for t in middle)
    assert between(scores.otsu(values)).item() == pytest.approx(best, rel=1e-9)


def test_otsu_moves_with_its_scores():
    values = torch.tensor([0.1, 0.2, 0.9, 1.1])
    assert scores.otsu(2 * values + 5) == pytest.approx(2 * scores.otsu(values) + 5, rel=1e-6)


@pytest.mark.parametrize("values", [[0.4], [0.4, 0.4, 0.4]])
def test_otsu_of_equal_scores_is_that_score(values):
    assert scores.otsu(torch.tensor(values)) == pytest.approx(0.4)


def test_otsu_of_equally_good_gaps_takes_the_middle_one():
    assert scores.otsu(torch.tensor([0.0, 1.0, 1.0, 2.0])) == pytest.approx(0.5)
    assert scores.otsu(torch.tensor([0.0, 1.0, 2.0, 3.0])) == pytest.approx(1.5)


def test_otsu_of_three_equally_good_gaps_takes_the_middle_one():
    inner = 2 / 3**0.5 - 1  # at (-1, -inner, inner, 1) all three splits have the same variance
    values = torch.tensor([-1.0, -inner, inner, 1.0], dtype=torch.float64)
    assert scores.otsu(values) == pytest.approx(0.0, abs=1e-12)


@pytest.mark.parametrize("many", [3, 7, 20, 100])
def test_otsu_parts_two_different_scores_however_close(many):
    """Rounding alone would find a better place among the equal ones."""
    low, high = 1.0, 1.0 + 2**-51
    values = torch.tensor([low] * many + [high], dtype=torch.float64)
    assert low < scores.otsu(values) < high


def test_otsu_of_nothing_says_so():
    for nothing in (torch.zeros(0), torch.tensor([math.nan])):
        with pytest.raises(ValueError, match=f"at least one finite score, got {len(nothing)}"):
            scores.otsu(nothing)


def test_otsu_passes_over_what_is_not_a_number():
    values = torch.tensor([0.30, math.nan, 0.10, 0.34, math.inf, 0.12])
    assert scores.otsu(values) == pytest.approx(0.21)


def test_the_surest_views_come_first_a_share_of_them_rounded_down_but_one_at_least():
    logits = torch.tensor([[0.0, 1.0], [0.0, 9.0], [5.0, 0.0], [0.0, 0.0], [9.0, 0.0]])
    assert scores.surest(logits, 0.5).tolist() == [1, 4]  # of five a half is two; of equals the earlier
    assert scores.surest(logits, 0.1).tolist() == [1]
    assert scores.surest(torch.stack([logits, logits.flip(0)]), 0.3).tolist() == [[1], [0]]
    assert scores.surest(torch.zeros(64, 3), 0.1).shape == (6,)


def test_likeliest_classes_come_in_their_own_order():
    logits = torch.tensor([0.1, 5.0, 3.0, 4.0])
    assert scores.likeliest(logits, 3) == [1, 2, 3] and scores.likeliest(logits, 2) == [1, 3]
    assert scores.likeliest(logits, "all") == scores.likeliest(logits, 9) == [0, 1, 2, 3]
