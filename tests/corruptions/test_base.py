"""The contract: what holds for every corruption, whatever it does."""

import tracemalloc
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from clip_tta_core.corruptions import CORRUPTIONS, SEVERITIES, corrupt, corrupt_batch, image_seed

from .conftest import flat, mean_square, photograph

BENCHMARK_ORDER = """
    gaussian_noise shot_noise impulse_noise defocus_blur glass_blur motion_blur zoom_blur snow frost
    fog brightness contrast elastic_transform pixelate jpeg_compression
    speckle_noise gaussian_blur spatter saturate
""".split()

every_corruption = pytest.mark.parametrize("name", BENCHMARK_ORDER)


def test_all_nineteen_are_registered_in_the_benchmarks_order():
    assert list(CORRUPTIONS) == BENCHMARK_ORDER


def test_the_first_fifteen_are_the_standard_ones():
    assert [corruption.standard for corruption in CORRUPTIONS.values()] == [True] * 15 + [False] * 4


def test_eight_are_deterministic():
    assert {name for name, corruption in CORRUPTIONS.items() if not corruption.random} == {
        "defocus_blur",
        "zoom_blur",
        "brightness",
        "contrast",
        "pixelate",
        "jpeg_compression",
        "gaussian_blur",
        "saturate",
    }


def test_each_introduces_itself_in_one_sentence_of_its_own():
    meanings = [corruption.meaning for corruption in CORRUPTIONS.values()]
    assert len(set(meanings)) == 19
    assert all(meaning.endswith(".") and ". " not in meaning for meaning in meanings)
    assert {corruption.family for corruption in CORRUPTIONS.values()} == {
        "noise",
        "blur",
        "weather",
        "digital",
    }


@every_corruption
def test_tables_have_a_full_row_for_every_severity(name):
    corruption = CORRUPTIONS[name]
    assert sorted(corruption.tables) == [32, 64, 224]
    assert corruption.lengths <= set(corruption.arguments)
    for table in corruption.tables.values():
        assert [len(row) for row in table] == [len(corruption.arguments)] * 5


@pytest.mark.parametrize(
    ("name", "side", "severity", "expected"),
    [
        ("gaussian_noise", 224, 5, (0.38,)),
        ("gaussian_noise", 32, 5, (0.10,)),
        ("gaussian_noise", 64, 3, (0.12,)),
        ("shot_noise", 224, 2, (25,)),
        ("shot_noise", 32, 1, (500,)),
        ("impulse_noise", 224, 4, (0.17,)),
        ("defocus_blur", 224, 4, (8, 0.5)),
        ("defocus_blur", 64, 4, (2.5, 0.01)),
        ("glass_blur", 224, 3, (1, 2, 3)),
        ("glass_blur", 32, 4, (0.25, 1, 2)),
        ("motion_blur", 224, 5, (20, 15)),
        ("motion_blur", 32, 5, (9, 2.5)),
        ("zoom_blur", 224, 3, (0.02, 11)),
        ("zoom_blur", 64, 5, (0.01, 26)),
        ("snow", 224, 4, (0.55, 0.3, 4.5, 0.85, 12, 8, 0.65)),
        ("snow", 64, 5, (0.3, 0.3, 1.25, 0.65, 14, 12, 0.6)),
        ("frost", 224, 5, (0.6, 0.75, 224)),
        ("frost", 32, 5, (0.75, 0.45, 160)),
        ("fog", 224, 3, (2.5, 1.7)),
        ("fog", 32, 5, (1.5, 1.75)),
        ("brightness", 32, 5, (0.3,)),
        ("contrast", 224, 5, (0.05,)),
        ("elastic_transform", 224, 2, (488, 19.52, 48.8)),
        ("elastic_transform", 64, 5, (10.24, 1.92, 1.28)),
        ("pixelate", 224, 5, (0.25,)),
        ("jpeg_compression", 224, 5, (7,)),
        ("speckle_noise", 64, 5, (0.35,)),
        ("gaussian_blur", 224, 5, (6,)),
        ("spatter", 224, 1, (0.65, 0.3, 4, 0.69, 0.6, 0)),
        ("spatter", 224, 5, (0.67, 0.4, 1, 0.65, 1, 1.5)),
        ("saturate", 64, 5, (30, 0.2)),
    ],
)
def test_tables_hold_the_published_parameters(name, side, severity, expected):
    assert tuple(CORRUPTIONS[name].parameters(side, severity).values()) == expected


@pytest.mark.parametrize(("side", "anchor"), [(1, 32), (45, 32), (46, 64), (119, 64), (120, 224), (500, 224)])
def test_another_size_takes_the_nearest_table_and_keeps_its_tones(side, anchor):
    assert CORRUPTIONS["gaussian_noise"].parameters(side, 3) == CORRUPTIONS["gaussian_noise"].parameters(
        anchor, 3
    )


def test_another_size_stretches_lengths_only():
    assert CORRUPTIONS["snow"].parameters(448, 1) == {
        "mean": 0.1,
        "sd": 0.3,
        "size": 6,
        "threshold": 0.5,
        "radius": 20,
        "sigma": 8,
        "keep": 0.8,
    }
    assert CORRUPTIONS["zoom_blur"].parameters(448, 1) == CORRUPTIONS["zoom_blur"].parameters(224, 1)
    assert CORRUPTIONS["defocus_blur"].parameters(448, 2) == {"radius": 8, "rim": 0.5}


@every_corruption
def test_one_seed_gives_one_picture_and_leaves_the_input_alone(name, size):
    image = photograph(size).copy()
    first, second = corrupt(image, name, 3, seed=7), corrupt(image, name, 3, seed=7)
    assert first.dtype == np.uint8 and first.shape == image.shape and first.flags.writeable
    np.testing.assert_array_equal(first, second)
    np.testing.assert_array_equal(image, photograph(size))
    assert not np.shares_memory(first, image)


@every_corruption
def test_the_seed_matters_exactly_where_the_record_says_so(name, photo):
    first, second = corrupt(photo, name, 4, seed=1), corrupt(photo, name, 4, seed=2)
    assert (first != second).any() == CORRUPTIONS[name].random


@every_corruption
@pytest.mark.parametrize("severity", SEVERITIES)
def test_every_severity_changes_the_picture_at_every_size(name, severity, photo):
    assert mean_square(corrupt(photo, name, severity, seed=3), photo) > 0.1


NOT_MONOTONE = {"elastic_transform", "saturate", "spatter"}  # in the benchmark either


@pytest.mark.parametrize("name", [name for name in BENCHMARK_ORDER if name not in NOT_MONOTONE])
def test_severity_five_is_further_from_the_picture_than_severity_one(name, photo):
    mild, severe = (
        np.mean([mean_square(corrupt(photo, name, severity, seed), photo) for seed in range(5)])
        for severity in (1, 5)
    )
    assert severe > mild


@every_corruption
def test_a_stream_is_the_same_however_it_is_cut_into_batches(name):
    images = np.stack([np.roll(photograph(32), 5 * i, axis=1) for i in range(7)])
    whole = corrupt_batch(images, name, 4, seed=11)
    parts = [corrupt_batch(images[i:j], name, 4, seed=11, start=i) for i, j in ((0, 1), (1, 5), (5, 7))]
    np.testing.assert_array_equal(whole, np.concatenate(parts))
    np.testing.assert_array_equal(whole[6], corrupt(images[6], name, 4, seed=image_seed(11, 6)))


def test_seeds_of_a_stream_are_distinct():
    assert len({image_seed(seed, index) for seed in range(20) for index in range(50)}) == 1000


@every_corruption
@pytest.mark.parametrize("shape", [(1, 1), (2, 3), (5, 5), (1, 9), (40, 7), (50, 33), (100, 130)])
def test_any_shape_works_and_stays(name, shape, rng):
    image = rng.integers(0, 256, (*shape, 3), dtype=np.uint8)
    for severity in SEVERITIES:
        assert corrupt(image, name, severity).shape == image.shape


@every_corruption
def test_a_picture_that_is_not_square_is_corrupted_inside_a_mirrored_square(name):
    wide = photograph(64)[:40]
    square = np.pad(wide, ((12, 12), (0, 0), (0, 0)), mode="symmetric")
    np.testing.assert_array_equal(corrupt(wide, name, 3), corrupt(square, name, 3)[12:52])


@every_corruption
@pytest.mark.parametrize("shape", [(60, 540), (540, 60)])
def test_a_panorama_takes_the_memory_of_its_pixels_and_not_of_the_square_around_it(name, shape):
    def most(size: tuple[int, int]) -> int:
        image = np.random.default_rng(0).integers(0, 256, (*size, 3), dtype=np.uint8)
        corrupt(image, name, 5)  # what is made once
        tracemalloc.start()
        corrupt(image, name, 5)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return peak

    assert most(shape) < 2 * most((180, 180)), "as many pixels"


def test_in_a_tall_picture_snow_falls_as_in_a_square_one():
    """Each of its squares is corrupted as it stands: the first is what a picture of that size would be."""
    tall = np.random.default_rng(0).integers(0, 256, (640, 64, 3), dtype=np.uint8)
    for name in ("snow", "motion_blur", "elastic_transform"):
        square = corrupt(tall[:64], name, 4, image_seed(0, 0))
        np.testing.assert_array_equal(corrupt(tall, name, 4)[:16], square[:16])


@every_corruption
def test_views_of_any_kind_are_read_like_plain_arrays(name):
    image = photograph(64)  # read-only
    views = [image.copy(order="F"), np.repeat(image, 2, axis=1)[:, ::2], image[::-1].copy()[::-1]]
    for view in views:
        np.testing.assert_array_equal(corrupt(view, name, 2), corrupt(image, name, 2))


@every_corruption
@pytest.mark.parametrize("level", [0, 128, 255])
def test_flat_pictures_work(name, level, size):
    for severity in SEVERITIES:
        assert corrupt(flat(size, level), name, severity).shape == (size, size, 3)


@every_corruption
def test_several_visitors_at_once_get_what_each_would_alone(name):
    with ThreadPoolExecutor(4) as pool:
        results = list(pool.map(lambda seed: corrupt(photograph(64), name, 5, seed), [0, 1, 0, 1, 0, 1]))
    for seed, result in zip([0, 1] * 3, results, strict=True):
        np.testing.assert_array_equal(result, corrupt(photograph(64), name, 5, seed))


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ((flat(8), "fgo", 1), "Unknown corruption 'fgo'. Did you mean 'fog'?"),
        ((flat(8) / 255, "fog", 1), "corrupt: image must be a uint8 array (H, W, 3), got float64 (8, 8, 3)."),
        ((flat(8)[..., 0], "fog", 1), "corrupt: image must be a uint8 array (H, W, 3), got uint8 (8, 8)."),
        ((flat(8)[:0], "fog", 1), "corrupt: image must be a uint8 array (H, W, 3), got uint8 (0, 8, 3)."),
        ((flat(8).tolist(), "fog", 1), "corrupt: image must be a uint8 array (H, W, 3), got list;"),
        ((flat(8), "fog", 0), "corrupt: severity must be a whole number from 1 to 5, got 0."),
        ((flat(8), "fog", 2.5), "corrupt: severity must be a whole number from 1 to 5, got 2.5."),
        ((flat(8), "fog", True), "corrupt: severity must be a whole number from 1 to 5, got True."),
        ((flat(8), "fog", 1, -1), "corrupt: seed must be a whole number that is not below 0, got -1."),
    ],
)
def test_a_wrong_argument_raises_one_sentence(arguments, sentence):
    with pytest.raises(ValueError) as error:
        corrupt(*arguments)
    assert str(error.value).startswith(sentence)


def test_a_wrong_batch_raises_one_sentence():
    with pytest.raises(
        ValueError, match=r"^corrupt_batch: images must be a uint8 array \(B, H, W, 3\), got uint8"
    ):
        corrupt_batch(flat(8), "fog", 1)
    with pytest.raises(ValueError, match=r"^corrupt_batch: start must be a whole number"):
        corrupt_batch(flat(8)[None], "fog", 1, start=-1)


def test_an_empty_batch_stays_empty():
    assert corrupt_batch(np.empty((0, 8, 8, 3), np.uint8), "fog", 1).shape == (0, 8, 8, 3)
