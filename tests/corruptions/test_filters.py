"""Building blocks against scipy and against what can be worked out by hand."""

import numpy as np
import pytest
import scipy.ndimage

from clip_tta_core.corruptions import filters

from .conftest import assert_within_a_level


@pytest.mark.parametrize("n", [1, 5, 32, 61])
@pytest.mark.parametrize("sigma", [0.2, 0.7, 3.0, 20.0])
@pytest.mark.parametrize(
    ("border", "scipys"), [("edge", "nearest"), ("symmetric", "reflect"), ("reflect", "mirror")]
)
def test_gaussian_matrix_is_scipys_filter(n, sigma, border, scipys, rng):
    signal = rng.normal(size=n)
    matrix = filters.gaussian_matrix(n, sigma, int(4 * sigma + 0.5), border)
    expected = scipy.ndimage.gaussian_filter1d(signal, sigma, mode=scipys)
    np.testing.assert_allclose(matrix @ signal, expected, atol=1e-5)


def test_a_very_narrow_gaussian_is_the_identity(rng):
    layer = rng.normal(size=(9, 9)).astype(np.float32)
    np.testing.assert_array_equal(filters.gaussian(layer, 0.124), layer)


@pytest.mark.parametrize(("n", "factor"), [(32, 1.25), (224, 1.11), (64, 2.25), (224, 4.5), (7, 3), (1, 2)])
def test_zoom_is_corner_aligned_bilinear_and_centred(n, factor, rng):
    layer = rng.random((n, n)).astype(np.float32)
    crop = int(np.ceil(n / factor))
    size = round(crop * factor)
    near, far = (n - crop) // 2, (size - n) // 2
    positions = near + (far + np.arange(n)) * (crop - 1) / max(size - 1, 1)
    expected = scipy.ndimage.map_coordinates(layer, np.meshgrid(positions, positions, indexing="ij"), order=1)
    np.testing.assert_allclose(filters.zoom(layer[None], factor)[0], expected, atol=1e-4)


def test_zoom_by_one_changes_nothing(rng):
    layer = rng.random((3, 32, 32)).astype(np.float32)
    np.testing.assert_array_equal(filters.zoom(layer, 1.0), layer)


def test_streak_of_a_point_is_the_mirrored_one_sided_kernel():
    point = np.zeros((65, 65), np.uint8)
    point[32, 32] = 255
    blurred = filters.streak(point, radius=10, sigma=3, angle=0)  # reads to the right, so the tail lies left
    weights = np.exp(-np.square(np.arange(21) / 3) / 2)
    np.testing.assert_array_equal(blurred[32, 32:11:-1], np.floor(255 * weights / weights.sum() + 1e-3))
    assert blurred[32].argmax() == 32
    assert blurred[32, 33:].sum() == 0 and np.delete(blurred, 32, axis=0).sum() == 0


def test_streak_reads_downwards_for_positive_angles():
    point = np.zeros((65, 65), np.uint8)
    point[32, 32] = 255
    blurred = filters.streak(point, radius=10, sigma=5, angle=45)
    rows, columns = np.nonzero(blurred)
    assert rows.min() < 32 and columns.min() < 32 and rows.max() == columns.max() == 32
    np.testing.assert_array_equal(rows, columns)


@pytest.mark.parametrize(
    ("radius", "sigma", "angle"),
    [(10, 3, 30), (20, 15, -17.3), (6, 1.5, 44.9), (12, 8, -100), (14, 12, -135)],
)
def test_streak_averages_the_pixels_along_a_line(radius, sigma, angle, rng):
    n, step = 40, np.arange(2 * radius + 1)
    levels = rng.integers(0, 256, (n, n, 3), dtype=np.uint8)
    right = np.ceil(step * np.cos(np.deg2rad(angle)) - 0.5).astype(int)
    down = np.ceil(step * np.sin(np.deg2rad(angle)) - 0.5).astype(int)
    y, x = np.indices((n, n))[..., None]
    read = levels[np.clip(y + down, 0, n - 1), np.clip(x + right, 0, n - 1)]  # (n, n, taps, 3)
    expected = np.average(read, axis=2, weights=np.exp(-(step**2) / (2 * sigma**2)))
    assert_within_a_level(filters.streak(levels, radius, sigma, angle), expected)


def test_streak_repeats_edge_pixels_and_keeps_flat_pictures_flat():
    levels = np.full((5, 5, 3), 77, np.uint8)
    np.testing.assert_array_equal(filters.streak(levels, radius=20, sigma=15, angle=-70), levels)


@pytest.mark.parametrize(("border", "scipys"), [("symmetric", "reflect"), ("reflect", "mirror")])
def test_warp_is_scipys_bilinear_sampling(border, scipys, rng):
    layer = rng.random((40, 40, 3)).astype(np.float32)
    rows, columns = rng.uniform(-30, 70, (2, 40, 40))
    expected = np.stack(
        [
            scipy.ndimage.map_coordinates(layer[..., c], (rows, columns), order=1, mode=scipys)
            for c in range(3)
        ],
        -1,
    )
    np.testing.assert_allclose(filters.warp(layer, rows, columns, border), expected, atol=1e-3)
