"""Digital: colour against scikit-image's float64 HSV, geometry on ramps, coding against Pillow."""

import io

import numpy as np
import pytest
import scipy.ndimage
import skimage.color
from PIL import Image

from clip_tta_core.corruptions import CORRUPTIONS, SEVERITIES, corrupt

from .conftest import assert_within_a_level, flat, generator, photograph


def through_hsv(image: np.ndarray, change) -> np.ndarray:
    """Float levels after `change` has rewritten the (n, n, 3) hue, saturation and value."""
    hsv = skimage.color.rgb2hsv(image / 255.0)
    change(hsv)
    return 255 * np.clip(skimage.color.hsv2rgb(hsv), 0, 1) + 1e-6


@pytest.mark.parametrize("severity", SEVERITIES)
def test_brightness_raises_value_in_hsv(severity, photo, size):
    amount = CORRUPTIONS["brightness"].parameters(size, severity)["amount"]

    def raised(hsv: np.ndarray) -> None:
        hsv[..., 2] = np.clip(hsv[..., 2] + amount, 0, 1)

    assert_within_a_level(corrupt(photo, "brightness", severity), through_hsv(photo, raised))


@pytest.mark.parametrize("severity", SEVERITIES)
def test_saturate_scales_saturation_in_hsv(severity, photo, size):
    gain, offset = CORRUPTIONS["saturate"].parameters(size, severity).values()

    def scaled(hsv: np.ndarray) -> None:
        hsv[..., 1] = np.clip(hsv[..., 1] * gain + offset, 0, 1)

    assert_within_a_level(corrupt(photo, "saturate", severity), through_hsv(photo, scaled))


def test_brightness_turns_black_into_grey(size):
    amount = CORRUPTIONS["brightness"].parameters(size, 3)["amount"]
    assert (corrupt(flat(size, 0), "brightness", 3) == int(255 * amount + 1e-3)).all()


def test_saturate_turns_grey_reddish(size):
    assert (corrupt(flat(size, 200), "saturate", 4) == (200, 180, 180)).all()
    assert (corrupt(flat(size, 200), "saturate", 1) == 200).all()


@pytest.mark.parametrize("severity", SEVERITIES)
def test_contrast_shrinks_towards_each_channels_mean(severity, photo, size):
    share = CORRUPTIONS["contrast"].parameters(size, severity)["share"]
    mean = photo.astype(float).mean(axis=(0, 1))
    assert_within_a_level(corrupt(photo, "contrast", severity), (photo - mean) * share + mean)


def test_contrast_leaves_a_flat_picture_alone(size):
    for level in range(0, 256, 5):
        assert (corrupt(flat(size, level), "contrast", 5) == level).all()


@pytest.mark.parametrize(
    ("size", "cells"), [(224, (134, 112, 89, 67, 56)), (64, (57, 51, 44, 38, 32)), (32, (30, 28, 27, 24, 20))]
)
def test_pixelate_leaves_so_many_cells_a_side(size, cells):
    ramp = np.zeros((size, size, 3), np.uint8)
    ramp[..., 0] = np.linspace(0, 255, size).astype(np.uint8)
    for severity, count in zip(SEVERITIES, cells, strict=True):
        assert len(np.unique(corrupt(ramp, "pixelate", severity)[0, :, 0])) == count


def test_pixelate_averages_areas():
    image = photograph(224)
    means = image.reshape(56, 4, 56, 4, 3).mean(axis=(1, 3))
    difference = corrupt(image, "pixelate", 5) - np.repeat(np.repeat(means, 4, axis=0), 4, axis=1)
    assert np.abs(difference).max() <= 1


@pytest.mark.parametrize("severity", SEVERITIES)
def test_jpeg_is_pillows_at_the_tables_quality(severity, photo, size):
    file = io.BytesIO()
    Image.fromarray(photo).save(
        file, "JPEG", quality=CORRUPTIONS["jpeg_compression"].tables[size][severity - 1][0]
    )
    np.testing.assert_array_equal(corrupt(photo, "jpeg_compression", severity), np.asarray(Image.open(file)))


def sampled(picture: np.ndarray, rows: np.ndarray, columns: np.ndarray, border: str) -> np.ndarray:
    """Bilinear samples by scipy, in whose words "mirror" repeats no edge pixel and "reflect" does."""
    planes = np.moveaxis(picture, -1, 0)
    read = [scipy.ndimage.map_coordinates(plane, (rows, columns), order=1, mode=border) for plane in planes]
    return np.stack(read, axis=-1)


@pytest.mark.parametrize("severity", SEVERITIES)
def test_elastic_warps_through_the_inverse_affine_map_and_then_by_smooth_fields(severity, photo, size):
    alpha, sigma, jitter = CORRUPTIONS["elastic_transform"].parameters(size, severity).values()
    rng = generator(5)
    centre, half = size // 2, size // 3
    corners = np.array([[half, half], [half, -half], [-half, -half]]) + centre  # of (x, y)
    moved = corners + rng.uniform(-jitter, jitter, (3, 2))
    forward = np.eye(3)
    forward[:2] = np.linalg.solve(np.column_stack([corners, np.ones(3)]), moved).T
    y, x = np.indices((size, size)).astype(float)
    columns, rows, _ = np.einsum("ij,jyx->iyx", np.linalg.inv(forward), np.stack([x, y, np.ones_like(x)]))
    expected = sampled(photo.astype(float), rows, columns, "mirror")
    if sigma:
        fields = rng.uniform(-1, 1, (2, size, size))
        dx, dy = (alpha * scipy.ndimage.gaussian_filter(f, sigma, mode="reflect", truncate=3) for f in fields)
        expected = sampled(expected, y + dy, x + dx, "reflect")
    assert_within_a_level(corrupt(photo, "elastic_transform", severity, seed=5), expected)


def test_elastic_keeps_all_pixels_of_a_tiny_picture():
    """A third of two pixels is none, and a triangle without a size has no affine map."""
    image = np.array([[[0], [80]], [[160], [240]]], np.uint8).repeat(3, axis=-1)
    np.testing.assert_allclose(corrupt(image, "elastic_transform", 1), image, atol=40)


def ramps(size: int) -> np.ndarray:
    """Columns in red and rows in green, 255 // size levels each, to read a warp off. uint8 (size, size, 3)"""
    y, x = np.indices((size, size)) * (255 // size)
    return np.stack([x, y, 0 * x], axis=-1).astype(np.uint8)


def displacement(size: int, severity: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """What is left of a warp, in pixels, away from the border, after the best affine map; and that map."""
    warped = (corrupt(ramps(size), "elastic_transform", severity, seed)[..., :2] + 0.5) / (255 // size)
    inside = slice(size // 4, -size // 4)
    y, x = np.indices((size, size))[:, inside, inside]
    design = np.column_stack([x.ravel(), y.ravel(), np.ones(x.size)])
    read = warped[inside, inside].reshape(-1, 2)
    affine = np.linalg.lstsq(design, read, rcond=None)[0]
    return read - design @ affine, affine


@pytest.mark.parametrize(
    ("size", "severity", "expected"),
    [(224, 3, 0.8), (224, 4, 1.1), (224, 5, 2.0), (64, 4, 0.54), (64, 5, 0.87), (32, 4, 0.41), (32, 5, 0.54)],
)
def test_elastic_ripples_are_of_the_size_that_smoothed_noise_has(size, severity, expected):
    """In pixels, alpha / sqrt(3) for uniform noise over 2 sqrt(pi) sigma for the smoothing."""
    spread = np.mean([displacement(size, severity, seed)[0].std() for seed in range(8)])
    assert spread == pytest.approx(expected, rel=0.15, abs=0.1)  # whole levels add up to 0.3 in quadrature


def test_elastic_moves_the_control_points_to_where_the_inverse_map_reads_them():
    """At 32 px, severity 1 is affine alone: the picture's content goes where the moved triangle goes."""
    size, centre, half = 32, 16, 10
    for seed in range(5):
        rng = np.random.Generator(np.random.SFC64(seed))
        corners = centre + half * np.array([[1, 1], [1, -1], [-1, -1]])
        moved = corners + rng.uniform(-2.56, 2.56, (3, 2))
        _, affine = displacement(size, 1, seed)
        read = np.column_stack([moved, np.ones(3)]) @ affine  # what the picture shows at the moved corners
        np.testing.assert_allclose(read, corners, atol=0.7)


def test_the_first_elastic_severity_at_224_px_is_smooth():
    residual, _ = displacement(224, 1, seed=1)
    assert residual.std() < 0.6
