"""What a stream decides from its seed: where unknown pictures fall, what each corruption draws."""

from __future__ import annotations

import numpy as np
import pytest

from clip_tta_core.corruptions import corrupt
from clip_tta_core.corruptions.base import image_seed
from clip_tta_core.records import Pictures, RunConfig
from clip_tta_core.sources.base import choose, class_sequence, correlated
from clip_tta_core.stream import Stream, unknown_mask


def test_unknowns_stay_within_stretches_of_sixteen():
    """Short stretches are shuffled, so that each keeps its share: 4 of 16, wherever one looks."""
    for seed in range(5):
        mask = unknown_mask(640, RunConfig(unknown_share=0.25), np.random.default_rng(seed))
        assert (mask.reshape(-1, 16).sum(axis=1) == 4).all()
        assert len({tuple(row) for row in mask.reshape(-1, 16)}) > 10


def test_every_picture_draws_its_own_corruption_whatever_comes_before_it():
    images = np.full((12, 32, 32, 3), 128, np.uint8)
    pictures = Pictures(images, np.zeros(12, np.int64), tuple(map(str, range(12))), ("a", "b"))
    config = RunConfig(
        source="upload",
        pictures=pictures,
        corruption="gaussian_noise",
        severity=5,
        schedule="gradual",
        seed=3,
    )
    stream = Stream(config, 32)
    batch = stream.pictures(0, len(stream.plan.items))
    for place, (image, (name, severity)) in enumerate(zip(batch.images, stream.plan.changes, strict=True)):
        if name != "none":
            expected = corrupt(images[0], name, severity, image_seed(3, place))
            np.testing.assert_array_equal(image, expected)


def test_unknowns_among_pictures_that_come_corrupted_are_corrupted_now(tmp_path, monkeypatch):
    monkeypatch.setenv("CLIPTTA_DATA", str(tmp_path))
    (tmp_path / "CIFAR-10-C").mkdir()
    np.save(tmp_path / "CIFAR-10-C/gaussian_noise.npy", np.full((50, 32, 32, 3), 60, np.uint8))
    np.save(tmp_path / "CIFAR-10-C/labels.npy", np.tile(np.arange(10), 5))
    strange = Pictures(np.full((9, 32, 32, 3), 128, np.uint8), np.full(9, -1), tuple("abcdefghi"), ())
    config = RunConfig(
        source="dataset:cifar10-c", corruption="gaussian_noise", severity=5, unknown_source="upload",
        unknown_pictures=strange, unknown_share=0.3, batch_size=10, batches=1,
    )  # fmt: skip
    batch = Stream(config, 32).batch(0)
    assert batch.unknown.sum() == 3 and batch.images[batch.unknown].std() > 5
    assert (batch.images[~batch.unknown] == 60).all()


@pytest.mark.parametrize("seed", [0, 7])
def test_order_arrival_and_the_choice_of_unknowns_draw_different_numbers(seed):
    images = np.zeros((64, 8, 8, 3), np.uint8)
    known, strange = (
        Pictures(images, np.zeros(64, np.int64), tuple(f"{letter}{k}" for k in range(64)), ("a", "b"))
        for letter in "ks"
    )
    config = RunConfig(
        source="upload", pictures=known, unknown_source="upload", unknown_pictures=strange,
        unknown_share=0.5, batch_size=64, batches=1, seed=seed,
    )  # fmt: skip
    batch = Stream(config, 8).batch(0)
    order = [int(name[1:]) for name, odd in zip(batch.names, batch.unknown, strict=True) if not odd]
    choice = [int(name[1:]) for name, odd in zip(batch.names, batch.unknown, strict=True) if odd]
    assert order != choice


def neighbours(labels):
    """The share of pictures that show the class of the one before."""
    return float(np.mean(labels[1:] == labels[:-1]))


def test_a_correlated_stream_holds_the_same_pictures_and_clusters_their_classes():
    labels = np.arange(1280) % 10
    order = correlated(labels, np.random.default_rng(0))
    assert sorted(order) == list(range(1280)), "each picture once"
    shuffled = np.random.default_rng(1).permutation(labels)
    assert neighbours(labels[order]) > 2 * neighbours(shuffled)


def test_the_larger_gamma_the_closer_a_correlated_stream_is_to_a_shuffled_one():
    labels = np.arange(12_800) % 10
    found = [
        neighbours(labels[correlated(labels, np.random.default_rng(0), gamma)]) for gamma in (0.01, 0.1, 1e6)
    ]
    assert found[0] > found[1] > found[2] and abs(found[2] - 0.1) < 0.02


def test_a_short_correlated_stream_is_shuffled():
    """There is only one stretch for all classes to fall into."""
    labels = np.repeat(np.arange(4), 16)
    order = correlated(labels, np.random.default_rng(0))
    assert sorted(order) == list(range(64)) and neighbours(labels[order]) < 0.5


def test_both_kinds_of_sources_can_be_correlated():
    endless = class_sequence(10, 640, "correlated", np.random.default_rng(0))
    assert (np.bincount(endless) == 64).all()
    labels = np.random.default_rng(0).integers(0, 10, 1000)
    places = choose(labels, 10, 640, "correlated", np.random.default_rng(0))
    assert len(set(places.tolist())) == 640 and neighbours(labels[places]) > 0.15
