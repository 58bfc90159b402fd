"""The mixture of two Gaussians, against scikit-learn."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from clip_tta_core import scores


@pytest.mark.parametrize(("gap", "share"), [(6.0, 0.5), (3.0, 0.3), (2.0, 0.5)])
def test_two_gaussians_are_those_of_scikit_learn(gap, share):
    mixture = pytest.importorskip("sklearn.mixture")
    rng = np.random.default_rng(0)
    low = rng.normal(0, 1, int(200 * share))
    values = np.concatenate([low, rng.normal(gap, 0.7, 200 - len(low))])
    fitted = mixture.GaussianMixture(2, tol=1e-10, max_iter=2000, random_state=0).fit(values[:, None])
    expected = fitted.predict_proba(values[:, None])[:, fitted.means_.ravel().argmin()]
    ours = scores.two_gaussians(torch.from_numpy(values), tolerance=1e-10, iterations=2000)
    np.testing.assert_allclose(ours.numpy(), expected, atol=1e-4)


@pytest.mark.parametrize("gap", [2.0, 3.0, 5.0])
def test_at_its_defaults_it_stops_where_scikit_learn_stops(gap):
    """From the same start: what Otsu's split gives. The posterior is that of the Gaussians fitted last."""
    mixture = pytest.importorskip("sklearn.mixture")
    rng = np.random.default_rng(1)
    values = np.concatenate([rng.normal(0, 1, 40), rng.normal(gap, 0.7, 60)]) / 10
    low = values < scores.otsu(torch.from_numpy(values))
    sides = [values[low], values[~low]]
    fitted = mixture.GaussianMixture(
        2,
        weights_init=[len(side) / 100 for side in sides],
        means_init=[[side.mean()] for side in sides],
        precisions_init=[[[1 / (side.var() + 1e-6)]] for side in sides],
    ).fit(values[:, None])
    assert fitted.n_iter_ > 1
    expected = fitted.predict_proba(values[:, None])[:, fitted.means_.ravel().argmin()]
    ours = scores.two_gaussians(torch.from_numpy(values))
    np.testing.assert_allclose(ours.numpy(), expected, atol=1e-8)


def test_two_clear_clusters_are_told_apart():
    ours = scores.two_gaussians(torch.tensor([0.0, 0.01, 0.02, 0.9, 0.95, 1.0]))
    torch.testing.assert_close(ours, torch.tensor([1.0, 1, 1, 0, 0, 0]))


@pytest.mark.parametrize("values", [[0.5] * 9, [0.0, 0.01, 0.02, 0.03, 0.01, 1.0], [0.1, 0.9], []])
def test_there_is_nothing_to_tell_apart_in_equal_values_or_a_lone_one(values):
    assert scores.two_gaussians(torch.tensor(values)) is None
