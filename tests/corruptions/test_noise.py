"""Noise: right distributions, drawn for every channel separately."""

import numpy as np
import pytest
import scipy.stats

from clip_tta_core.corruptions import CORRUPTIONS, SEVERITIES, corrupt, noise

from .conftest import flat


def pooled(name: str, size: int, severity: int, level: int = 128) -> np.ndarray:
    """Enough corrupted flat pictures for tight statistics. float (pixels, 3)"""
    count = max(1, 224**2 // size**2 // 2)
    return np.concatenate(
        [
            corrupt(flat(size, level), name, severity, seed).reshape(-1, 3).astype(float)
            for seed in range(count)
        ]
    )


def test_gaussian_noise_on_grey_has_the_tables_spread(size):
    sd = 255 * CORRUPTIONS["gaussian_noise"].parameters(size, 1)["sd"]
    np.testing.assert_allclose(pooled("gaussian_noise", size, 1).std(axis=0), sd, rtol=0.02)


def test_truncation_lowers_the_mean_by_half_a_level(size):
    np.testing.assert_allclose(pooled("gaussian_noise", size, 1).mean(axis=0), 127.5, atol=0.4)


@pytest.mark.parametrize("name", ["gaussian_noise", "shot_noise", "impulse_noise", "speckle_noise"])
@pytest.mark.parametrize("severity", SEVERITIES)
def test_channels_and_neighbours_are_independent(name, severity, size):
    values = pooled(name, size, severity)
    assert np.abs(np.corrcoef(values.T)[np.triu_indices(3, 1)]).max() < 0.03
    assert abs(np.corrcoef(values[1:, 0], values[:-1, 0])[0, 1]) < 0.03


def test_speckle_grows_with_the_level(size):
    sd = CORRUPTIONS["speckle_noise"].parameters(size, 1)["sd"]
    for level in (40, 120):
        np.testing.assert_allclose(
            pooled("speckle_noise", size, 1, level).std(), sd * level, rtol=0.02, atol=0.05
        )


@pytest.mark.parametrize("severity", SEVERITIES)
def test_impulse_replaces_the_tables_share_half_by_black_half_by_white(severity, size):
    share = CORRUPTIONS["impulse_noise"].parameters(size, severity)["share"]
    values = pooled("impulse_noise", size, severity)
    margin = 5 * (share / values.size) ** 0.5
    assert (values == 128).mean() == pytest.approx(1 - share, abs=margin)
    assert (values == 0).mean() == pytest.approx(share / 2, abs=margin)
    assert (values == 255).mean() == pytest.approx(share / 2, abs=margin)


@pytest.mark.parametrize("photons", [3, 12, 60, 500])
def test_photon_counts_are_poisson(photons):
    quantiles = (np.arange(noise.OUTCOMES) + 0.5) / noise.OUTCOMES
    for level in (0, 1, 17, 100):  # low enough for no count to clip
        counted = scipy.stats.poisson.ppf(quantiles, level * photons / 255)
        expected = np.floor(counted * 255 / photons + 1e-3)
        differs = noise.photon_levels(photons)[level] != np.minimum(expected, 255)
        assert differs.mean() < 1e-3  # a quantile that falls on a step may go either way


@pytest.mark.parametrize("severity", SEVERITIES)
def test_shot_noise_has_poissons_mean_and_variance(severity, size):
    photons = CORRUPTIONS["shot_noise"].parameters(size, severity)["photons"]
    values = pooled("shot_noise", size, severity, level=51)
    truncation = 0.5 if photons > 15 else 0.1  # lumps of whole levels lose nothing
    assert values.mean() == pytest.approx(51, abs=truncation + 0.6)
    assert values.std() == pytest.approx(255 * (0.2 / photons) ** 0.5, rel=0.04)
