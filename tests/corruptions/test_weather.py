"""Weather: formulas on flat pictures, the structure of the random fields, the look of the frost."""

import numpy as np
import pytest
import scipy.ndimage
import skimage.feature

from clip_tta_core.corruptions import CORRUPTIONS, SEVERITIES, corrupt, filters, glints, ice, weather

from .conftest import assert_within_a_level, flat, generator, photograph


def assert_grey(levels: np.ndarray) -> None:
    np.testing.assert_array_equal(levels, np.repeat(levels[..., :1], 3, axis=-1))


@pytest.mark.parametrize("severity", SEVERITIES)
def test_snow_on_grey_whitens_it_and_adds_point_symmetric_flakes(severity, size):
    keep, level = CORRUPTIONS["snow"].parameters(size, severity)["keep"], 60
    snowed = corrupt(flat(size, level), "snow", severity, seed=4)
    ground = keep * level + (1 - keep) * (1.5 * level + 127.5)
    assert snowed.min() >= int(ground)
    assert snowed.max() > ground + 3
    assert_grey(snowed)
    np.testing.assert_array_equal(snowed, snowed[::-1, ::-1])


@pytest.mark.parametrize("severity", SEVERITIES)
def test_snow_is_enlarged_noise_cut_off_and_streaked(severity, photo, size):
    mean, sd, flake, threshold, radius, sigma, keep = CORRUPTIONS["snow"].parameters(size, severity).values()
    rng = generator(2)
    layer = filters.zoom(mean + sd * rng.standard_normal((1, size, size), dtype=np.float32), flake)[0]
    layer = np.floor(255 * np.clip(layer * (layer >= threshold), 0, 1) + 1e-3).astype(np.uint8)
    flakes = filters.streak(layer, radius, sigma, angle=rng.uniform(-135, -45)).astype(float)
    luma = photo @ [0.299, 0.587, 0.114]
    paler = keep * photo + (1 - keep) * np.maximum(photo, 1.5 * luma[..., None] + 127.5)
    expected = paler + (flakes + np.rot90(flakes, 2))[..., None]
    assert_within_a_level(corrupt(photo, "snow", severity, seed=2), expected)


def test_snow_whitens_with_a_grey_that_may_exceed_white(size):
    """Luma of yellow 255, 255, 0 is 0.886, so blue rises towards 1.5 * 0.886 + 0.5 = 1.829."""
    yellow = flat(size, 255)
    yellow[..., 2] = 0
    keep = CORRUPTIONS["snow"].parameters(size, 1)["keep"]
    assert corrupt(yellow, "snow", 1)[..., 2].min() == int((1 - keep) * 255 * 1.829)


def test_snow_falls_and_motion_blur_does_not(size):
    """Streaks are long from top to bottom: neighbours above each other are more alike."""
    vertical = horizontal = 0.0
    for seed in range(20):
        flakes = corrupt(flat(size, 30), "snow", 2, seed)[..., 0].astype(float)
        vertical += np.square(np.diff(flakes, axis=0)).mean()
        horizontal += np.square(np.diff(flakes, axis=1)).mean()
    assert vertical < 0.8 * horizontal


@pytest.mark.parametrize("severity", SEVERITIES)
def test_fog_on_grey_stays_within_its_bounds_and_nearly_attains_them(severity, size):
    level, (amount, _) = 120 / 255, CORRUPTIONS["fog"].parameters(size, severity).values()
    fogs = np.stack([corrupt(flat(size, 120), "fog", severity, seed) for seed in range(20)])
    low, high = 255 * level**2 / (level + amount), 120
    assert fogs.min() >= int(low) and fogs.max() <= high
    assert fogs.min() <= low + 12 and fogs.max() >= high - 12
    if size < 224:  # the map is not cut: every picture attains both ends
        assert set(fogs.min(axis=(1, 2, 3))) == {int(low)} and set(fogs.max(axis=(1, 2, 3))) == {high}
    assert_grey(fogs)


@pytest.mark.parametrize("severity", SEVERITIES)
@pytest.mark.parametrize(("n", "whole"), [(32, 32), (64, 64), (224, 256), (50, 64)])
def test_fog_is_a_piece_of_the_map_laid_over_a_scene_whose_white_it_keeps(severity, n, whole):
    dim = photograph(n) // 2
    amount, decay = CORRUPTIONS["fog"].parameters(n, severity).values()
    banks = weather.plasma(generator(6), whole, decay)[:n, :n, None].astype(float)
    brightest = dim.max() / 255
    expected = 255 * (dim / 255 + amount * banks) * brightest / (brightest + amount)
    assert_within_a_level(corrupt(dim, "fog", severity, seed=6), expected)


@pytest.mark.parametrize("size", [1, 2, 8, 64, 256])
@pytest.mark.parametrize("decay", [1.4, 2, 3])
def test_plasma_spans_zero_to_one(size, decay, rng):
    field = weather.plasma(rng, size, decay)
    assert field.shape == (size, size)
    assert (field.min(), field.max()) == (0, 1 if size > 1 else 0)


def test_plasma_displaces_centres_and_then_the_middles_of_edges():
    """Against the recipe point by point, on a torus."""
    size, decay = 16, 1.7
    rng, field, step, amplitude = np.random.default_rng(8), np.zeros((16, 16)), size, 100.0

    def mean_around(y: int, x: int, offsets: list[tuple[int, int]]) -> float:
        return np.mean([field[(y + down) % size, (x + right) % size] for down, right in offsets])

    while step > 1:
        half, count = step // 2, size // step
        corners = [(-half, -half), (-half, half), (half, -half), (half, half)]
        sides = [(-half, 0), (half, 0), (0, -half), (0, half)]
        for top, left, offsets in ((half, half, corners), (0, half, sides), (half, 0, sides)):
            noise = rng.uniform(-(amplitude**2), amplitude**2, (count, count))
            for (row, column), displacement in np.ndenumerate(noise):
                y, x = row * step + top, column * step + left
                field[y, x] = mean_around(y, x, offsets) + displacement
        step, amplitude = half, amplitude / decay
    field -= field.min()
    np.testing.assert_allclose(
        weather.plasma(np.random.default_rng(8), size, decay), field / field.max(), atol=1e-5
    )


def test_plasma_falls_by_the_square_of_decay_per_octave():
    """Centres differ from the mean of their corners by uniform noise, four times as wide an octave up."""
    ratios = []
    for seed in range(10):
        field = weather.plasma(np.random.default_rng(seed), 128, 2.0)
        spreads = []
        for half in (1, 2):
            corners = field[:: 2 * half, :: 2 * half]
            across = corners + np.roll(corners, -1, 1)
            spreads.append(
                (field[half :: 2 * half, half :: 2 * half] - (across + np.roll(across, -1, 0)) / 4).std()
            )
        ratios.append(spreads[1] / spreads[0])
    assert np.mean(ratios) == pytest.approx(4, rel=0.05)


def test_frost_on_black_is_the_weighted_overlay_and_the_scene_is_scaled_exactly(size):
    for severity in SEVERITIES:
        keep, add, span = CORRUPTIONS["frost"].parameters(size, severity).values()
        overlay = ice.window(generator(9), size, span).astype(float)
        on_black = corrupt(flat(size, 0), "frost", severity, seed=9).astype(int)
        np.testing.assert_array_equal(on_black, np.floor(add * overlay + 1e-3))
        on_grey = corrupt(flat(size, 50), "frost", severity, seed=9).astype(int)
        assert np.abs(on_grey - on_black - 50 * keep)[on_grey < 255].max() <= 1


# Measured on the photographs: mean, sd inside a crop, percentiles 1, 50 and 99, saturation, mean colour,
# autocorrelation of neighbours and spectral slope at 224 px, both again at 32 px.
PHOTOGRAPHS = [
    (128, 16, (98, 127, 166), 0.54, (75, 147, 164), (0.78, -1.75), (0.51, -1.35)),
    (202, 20, (141, 204, 235), 0.06, (198, 202, 212), (0.82, -1.6), (0.38, -0.8)),
    (157, 26, (86, 158, 224), 0.16, (145, 160, 173), (0.70, -1.2), (0.21, -0.3)),
    (107, 35, (43, 104, 198), 0.21, (98, 109, 121), (0.72, -1.7), (0.33, -1.1)),
]
AT_64_PX = (0.525, -1.33)  # autocorrelation between 0.4 and 0.65, slope between -0.8 and -1.85


def autocorrelation(grey: np.ndarray, lag: int) -> float:
    z = grey - grey.mean()
    return ((z[lag:] * z[:-lag]).mean() + (z[:, lag:] * z[:, :-lag]).mean()) / 2 / np.square(z).mean()


def spectral_slope(grey: np.ndarray) -> float:
    n = len(grey)
    power = np.abs(np.fft.fft2(grey - grey.mean())) ** 2
    frequency = np.fft.fftfreq(n) * n
    ring = np.round(np.hypot(frequency[:, None], frequency)).astype(int)
    radial = np.bincount(ring.ravel(), power.ravel()) / np.bincount(ring.ravel())
    inside = np.arange(2, n // 2 + 1)
    return np.polyfit(np.log(inside), np.log(radial[inside]), 1)[0]


@pytest.mark.parametrize("index", range(4))
def test_frost_looks_like_the_photographs_it_stands_for(index, monkeypatch, rng):
    monkeypatch.setattr(ice, "DRAWN", (index,))
    mean, sd, percentiles, saturation, colour, at_224, at_32 = PHOTOGRAPHS[index]
    for size, (neighbours, slope) in ((224, at_224), (64, AT_64_PX), (32, at_32)):
        span = CORRUPTIONS["frost"].parameters(size, 1)["span"]
        crops = np.stack([ice.window(rng, size, span) for _ in range(30)]).astype(float)
        grey = crops @ ice.LUMA
        value = crops.max(axis=-1)
        assert grey.mean() == pytest.approx(mean, abs=6)
        assert grey.std(axis=(1, 2)).mean() == pytest.approx(sd, rel=0.15)
        assert ((value - crops.min(axis=-1)) / np.maximum(value, 1)).mean() == pytest.approx(
            saturation, abs=0.03
        )
        np.testing.assert_allclose(crops.mean(axis=(0, 1, 2)), colour, atol=6)
        assert np.mean([autocorrelation(g, 1) for g in grey]) == pytest.approx(neighbours, abs=0.15)
        assert np.mean([spectral_slope(g) for g in grey]) == pytest.approx(slope, abs=0.5)
        energy = [np.square(np.diff(grey, axis=axis)).mean() for axis in (1, 2)]
        assert energy[0] / energy[1] == pytest.approx(1, abs=0.1)
        if size == 224:
            np.testing.assert_allclose(np.percentile(grey, (1, 50, 99)), percentiles, atol=10)
            assert 0.38 < np.mean([autocorrelation(g, 2) for g in grey]) < 0.66
            assert 0.18 < np.mean([autocorrelation(g, 16) for g in grey]) < 0.48
            assert 3 < grey.mean(axis=(1, 2)).std() < 13


def test_frost_over_all_draws_is_bright_varied_and_never_warm(size):
    span = CORRUPTIONS["frost"].parameters(size, 1)["span"]
    crops = np.stack([ice.window(np.random.default_rng(seed), size, span) for seed in range(150)]).astype(
        float
    )
    means = (crops @ ice.LUMA).mean(axis=(1, 2))
    assert means.mean() == pytest.approx(160, abs=10)
    assert means.std() == pytest.approx(38, abs=8)
    red, _, blue = crops.mean(axis=(1, 2)).T
    assert (blue > red + 8).all()
    assert np.mean(means > 185) == pytest.approx(0.4, abs=0.12)  # white needles
    assert np.mean(blue - red > 50) == pytest.approx(0.2, abs=0.1)  # teal ice


def drops(size: int, severity: int, seed: int) -> tuple[dict[str, float], np.ndarray]:
    """The parameters of a spatter, and its smoothed noise."""
    parameters = CORRUPTIONS["spatter"].parameters(size, severity)
    noise = parameters["sd"] * generator(seed).standard_normal((size, size), dtype=np.float32)
    return parameters, filters.gaussian(parameters["mean"] + noise, parameters["blur"])


@pytest.mark.parametrize("severity", [1, 2, 3])
def test_water_is_lit_by_its_embossed_depth(severity, photo, size):
    parameters, liquid = drops(size, severity, seed=1)
    levels = (255 * liquid * (liquid >= parameters["threshold"]) + 1e-3).astype(np.uint8)
    depth = np.minimum(scipy.ndimage.distance_transform_edt(~glints.outlines(levels)), 20)
    depth = np.floor(scipy.ndimage.uniform_filter(depth, 3, mode="mirror") + 1e-3).astype(int)
    above = depth[depth > depth.min()]
    even = np.round([255 * (above <= level).mean() for level in range(21)])[depth]
    lit = scipy.ndimage.correlate(even, [[-2, -1, 0], [-1, 1, 1], [0, 1, 2]], mode="mirror")
    lit = np.round(scipy.ndimage.uniform_filter(np.clip(lit, 0, 255), 3, mode="mirror"))
    light = levels * lit / (levels * lit).max() * parameters["strength"]
    expected = photo + light[..., None] * [175, 238, 238]
    assert_within_a_level(corrupt(photo, "spatter", severity, seed=1), expected)


@pytest.mark.parametrize("severity", [4, 5])
def test_mud_covers_where_most_of_its_smoothed_mask_is_set(severity, photo, size):
    parameters, liquid = drops(size, severity, seed=1)
    mask = (liquid > parameters["threshold"]).astype(float)
    mud = scipy.ndimage.gaussian_filter(mask, parameters["rim"], mode="nearest", truncate=4)
    mud = np.where(mud < 0.8, 0, mud)[..., None]
    expected = photo * (1 - mud) + mud * [63, 42, 20]
    assert_within_a_level(corrupt(photo, "spatter", severity, seed=1), expected)


def test_water_only_adds_light_and_is_turquoise(size):
    for severity in (1, 2, 3):
        splashed = [corrupt(flat(size, 10), "spatter", severity, seed).astype(int) for seed in range(10)]
        light = np.stack(splashed) - 10
        assert light.min() == 0
        strength = CORRUPTIONS["spatter"].parameters(size, severity)["strength"]
        assert light.max() == pytest.approx(238 * strength, abs=2)
        red, green, blue = light[light[..., 1] > 40].T
        np.testing.assert_array_equal(green, blue)
        np.testing.assert_allclose(red / green, 175 / 238, atol=0.04)


def test_mud_covers_with_brown_and_has_no_soft_rim(size):
    for severity in (4, 5):
        rim = [corrupt(flat(size, 200), "spatter", severity, seed) for seed in range(10)]
        muddy = np.stack(rim)
        changed = (muddy != 200).any(axis=-1)
        assert 0.005 < changed.mean() < 0.6
        assert muddy[changed][:, 0].max() <= 0.2 * 200 + 63 and muddy.min() >= 20


def test_distance_is_scipys_up_to_its_reach(rng):
    marked = rng.random((50, 50)) < 0.004
    expected = np.minimum(scipy.ndimage.distance_transform_edt(~marked), 20)
    np.testing.assert_allclose(glints.distance(marked, 20), expected, rtol=1e-6)
    assert (glints.distance(np.zeros((9, 9), bool), 20) == 20).all()


def test_outlines_are_thin_and_follow_the_rim_of_a_drop():
    y, x = np.mgrid[-30:31, -30:31]
    drop = np.where(x**2 + y**2 <= 15**2, 180, 0).astype(np.uint8)
    edges = glints.outlines(drop)
    radius = np.hypot(x, y)[edges]
    assert radius.min() > 13 and radius.max() < 17
    assert 60 < edges.sum() < 2 * np.pi * 16  # closed, one pixel wide
    theirs = skimage.feature.canny(drop.astype(float), sigma=0.5)
    assert (glints.distance(theirs, 20)[edges] <= 1.5).mean() > 0.95


def test_no_drops_leave_the_picture_alone(rng):
    image = rng.integers(0, 256, (32, 32, 3), dtype=np.uint8)
    spatter = CORRUPTIONS["spatter"].function
    dry = spatter(image, rng, mean=0.1, sd=0.0, blur=0.7, threshold=0.7, strength=0.6, rim=0)
    np.testing.assert_array_equal(dry, image)
