"""Blur: against float64 references, and the scrambling against a pixel-by-pixel scan."""

import numpy as np
import pytest
import scipy.ndimage

from clip_tta_core.corruptions import CORRUPTIONS, SEVERITIES, blur, corrupt, filters

from .conftest import assert_within_a_level, flat, generator, photograph


def reference_gaussian(pixels: np.ndarray, sigma: float) -> np.ndarray:
    return scipy.ndimage.gaussian_filter(pixels.astype(float), (sigma, sigma, 0), mode="nearest", truncate=4)


@pytest.mark.parametrize("severity", SEVERITIES)
def test_gaussian_blur_is_scipys(severity, photo, size):
    sigma = CORRUPTIONS["gaussian_blur"].parameters(size, severity)["sigma"]
    assert_within_a_level(corrupt(photo, "gaussian_blur", severity), reference_gaussian(photo, sigma))


def reference_disk(radius: float, rim: float) -> np.ndarray:
    reach, soft = (8, 1) if radius <= 8 else (int(radius), 2)
    y, x = np.mgrid[-reach : reach + 1, -reach : reach + 1]
    kernel = (x**2 + y**2 <= radius**2).astype(float)
    taps = np.exp(-np.square(np.arange(-soft, soft + 1)) / (2 * rim**2))
    taps /= taps.sum()
    for axis in (0, 1):
        kernel = scipy.ndimage.correlate1d(kernel, taps, axis=axis, mode="mirror")
    return kernel / (x**2 + y**2 <= radius**2).sum()


@pytest.mark.parametrize("severity", SEVERITIES)
def test_defocus_blur_is_correlation_with_a_softened_disk(severity, photo, size):
    kernel = reference_disk(**CORRUPTIONS["defocus_blur"].parameters(size, severity))
    expected = scipy.ndimage.correlate(photo.astype(float), kernel[..., None], mode="mirror")
    assert_within_a_level(corrupt(photo, "defocus_blur", severity), expected)


def test_defocus_disks_have_the_published_cells_and_sums():
    radii = [parameters[0] for parameters in CORRUPTIONS["defocus_blur"].tables[224]]
    cells = [np.count_nonzero(blur.disk(radius, 0.01) > 1e-6) for radius in radii]
    assert cells == [29, 49, 113, 197, 317]
    sums = [blur.disk(radius, 0.5).sum() for radius in radii]
    np.testing.assert_allclose(sums, [1, 1, 1, 1.0130, 1.0108], atol=1e-4)


def test_defocus_brightens_at_the_last_severities_of_224_px_only(size):
    for severity in SEVERITIES:
        expected = 101 if size == 224 and severity >= 4 else 100
        assert (corrupt(flat(size, 100), "defocus_blur", severity) == expected).all()


def test_defocus_at_32_px_starts_as_a_tiny_gaussian():
    np.testing.assert_allclose(blur.disk(0.3, 0.4).sum(axis=0), [0.0404, 0.9192, 0.0404], atol=1e-4)
    assert np.count_nonzero(blur.disk(1, 0.2) > 1e-3) == 5
    np.testing.assert_allclose(np.sort(blur.disk(1.5, 0.1), axis=None)[-9:], 1 / 9, atol=1e-6)


@pytest.mark.parametrize("severity", SEVERITIES)
def test_zoom_blur_is_the_mean_of_closer_views(severity, photo, size):
    large = ((0.01, 12), (0.01, 16), (0.02, 11), (0.02, 13), (0.03, 11))
    small = ((0.01, 7), (0.01, 12), (0.01, 16), (0.01, 21), (0.01, 26))
    step, count = (large if size == 224 else small)[severity - 1]
    total = photo.astype(float)
    for k in range(count):
        factor = 1 + k * ((1 + step) - 1)
        crop = int(np.ceil(size / factor))
        enlarged = round(crop * factor)
        at = (size - crop) // 2 + ((enlarged - size) // 2 + np.arange(size)) * (crop - 1) / (enlarged - 1)
        low, view = np.minimum(at.astype(int), size - 2), photo.astype(float)
        for axis in (0, 1):
            share = np.expand_dims(at - low, (1, 2) if axis == 0 else (0, 2))
            view = view.take(low, axis) * (1 - share) + view.take(low + 1, axis) * share
        total += view
    assert_within_a_level(corrupt(photo, "zoom_blur", severity), total / (count + 1))


def test_the_last_zoom_at_32_px_rounds_upwards():
    assert round(26 * (1 + 25 * (1.01 - 1))) == 33


@pytest.mark.parametrize(("n", "reach", "rounds"), [(1, 1, 1), (4, 1, 2), (12, 2, 3), (20, 4, 2), (30, 1, 1)])
def test_scrambling_is_the_sequential_scan(n, reach, rounds):
    sites = [(h, w) for h in range(n - reach, reach, -1) for w in range(n - reach, reach, -1)]
    scanned, rng = np.arange(n * n).reshape(n, n), np.random.default_rng(5)
    side = max(n - 2 * reach, 0)
    for _ in range(rounds):
        down, right = rng.integers(-reach, reach, (2, side, side))
        for h, w in sites:
            at = (h - reach - 1, w - reach - 1)
            scanned[h, w] = scanned[h + down[at], w + right[at]]
    links = blur.scrambled(np.random.default_rng(5), n, reach, rounds)
    np.testing.assert_array_equal(links, scanned.ravel())


@pytest.mark.parametrize(
    ("n", "reaches"),
    [
        (32, {1: 1, 3: 1, 5: 1}),  # a sigma of 0.25 leaves values within rounding errors of whole levels
        (64, {1: 1, 2: 1, 3: 1, 4: 2, 5: 2}),
        (100, {1: 2, 2: 2, 3: 2, 4: 3, 5: 3}),
        (224, {1: 1, 2: 2, 3: 2, 4: 3, 5: 4}),
    ],
)
def test_glass_blurs_scrambles_and_blurs_again(n, reaches):
    """At 100 px, reaches of 1 and 2 at 64 px become 1.6 and 3.1: they are rounded to whole pixels."""
    for severity, reach in reaches.items():
        sigma, _, rounds = CORRUPTIONS["glass_blur"].parameters(n, severity).values()
        smooth = np.floor(reference_gaussian(photograph(n), sigma) + 1e-3)
        origin = blur.scrambled(generator(3), n, reach, rounds)
        expected = reference_gaussian(smooth.reshape(-1, 3)[origin].reshape(n, n, 3), sigma)
        assert_within_a_level(corrupt(photograph(n), "glass_blur", severity, seed=3), expected)


def test_glass_copies_some_pixels_and_loses_others(rng):
    kept = len(np.unique(blur.scrambled(rng, 64, 2, 1))) / 64**2
    assert 0.3 < kept < 0.8


def test_glass_moves_pixels_in_every_channel_alike():
    grey = np.repeat(photograph(64)[..., :1], 3, axis=-1)
    blurred = corrupt(grey, "glass_blur", 5)
    assert (blurred == blurred[..., :1]).all()


@pytest.mark.parametrize("severity", SEVERITIES)
def test_motion_blur_is_a_streak_within_45_degrees_of_level(severity, photo, size):
    parameters = CORRUPTIONS["motion_blur"].parameters(size, severity)
    for seed in range(3):
        expected = filters.streak(photo, **parameters, angle=generator(seed).uniform(-45, 45))
        np.testing.assert_array_equal(corrupt(photo, "motion_blur", severity, seed), expected)


def test_motion_smears_sideways_and_shifts_the_picture(size):
    """Over many draws the smear is wider than tall, and a point's centre of mass moves by 0.8 sigma."""
    point = np.zeros((size, size, 3), np.uint8)
    point[size // 2, size // 2] = 255
    sigma = CORRUPTIONS["motion_blur"].parameters(size, 1)["sigma"]
    rows, columns, shifts = 0.0, 0.0, []
    for seed in range(40):
        weight = corrupt(point, "motion_blur", 1, seed)[..., 0].astype(float)
        assert 255 - 21 < weight.sum() <= 255  # each of up to 21 taps loses less than a level
        assert weight[:, size // 2 + 1 :].sum() == 0 < weight[size // 2, size // 2]  # the tail lies left
        y, x = ((weight * axis).sum() / weight.sum() - size // 2 for axis in np.indices(weight.shape))
        rows, columns = rows + abs(y), columns + abs(x)
        shifts.append(np.hypot(x, y))
    assert columns > 1.5 * rows
    assert np.mean(shifts) == pytest.approx(0.8 * sigma, rel=0.35, abs=0.15)
