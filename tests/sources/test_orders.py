"""Streams that show few classes at a time."""

from __future__ import annotations

import numpy as np
import pytest

from clip_tta_core.records import RunConfig
from clip_tta_core.sources.base import FEW, STRETCH, choose, class_sequence, few_at_a_time
from clip_tta_core.stream import Stream


def seeded(seed=0):
    return np.random.default_rng(seed)


def stretches(labels):
    return [set(labels[i : i + STRETCH].tolist()) for i in range(0, len(labels), STRETCH)]


@pytest.mark.parametrize("classes", [2, 3, 20, 1000])
def test_every_stretch_shows_one_to_four_classes(classes):
    labels = class_sequence(classes, 100 * STRETCH + 7, "few", seeded())
    sizes = {len(shown) for shown in stretches(labels)}
    assert labels.dtype == np.int64 and len(labels) == 100 * STRETCH + 7
    assert sizes == set(range(1, min(FEW, classes) + 1))
    assert set(labels.tolist()) <= set(range(classes))
    assert len(class_sequence(classes, 0, "few", seeded())) == 0


def test_with_all_classes_in_every_stretch_labels_are_drawn_evenly_and_apart():
    labels = few_at_a_time(5, 10_000, seeded(), least=5, most=5)
    assert np.bincount(labels, minlength=5) == pytest.approx(2000, abs=200)
    after = np.bincount(labels[1:][labels[:-1] == 0], minlength=5)  # what follows does not know what was
    assert after / after.sum() == pytest.approx(0.2, abs=0.04)


def test_of_finitely_many_pictures_each_comes_at_most_once_in_stretches_of_few_classes():
    labels = np.repeat(np.arange(-1, 9), 200)  # -1: no label
    items = choose(labels, 9, 640, "few", seeded())
    assert len(items) == 640 == len(set(items.tolist()))
    assert max(len(shown) for shown in stretches(labels[items])) <= FEW
    everything = choose(labels, 9, 5000, "few", seeded())
    assert sorted(everything.tolist()) == list(range(2000))
    assert choose(labels, 9, 640, "few", seeded(1)).tolist() != items.tolist()


def test_a_stream_of_few_classes_is_the_same_whatever_its_batch_size():
    small, large = (
        Stream(RunConfig(order="few", batch_size=size, batches=256 // size), 64) for size in (16, 128)
    )
    assert small.plan.labels.tolist() == large.plan.labels.tolist()
    assert max(len(shown) for shown in stretches(small.plan.labels)) <= FEW
