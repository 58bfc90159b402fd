"""Published and live corruptions are the same pictures where a corruption is ours and has no chance in it."""

from __future__ import annotations

import io
import zipfile

import numpy as np
import pytest
from PIL import Image

from clip_tta_core.corruptions import corrupt
from clip_tta_core.sources import datasets
from clip_tta_core.sources.readers import CIFAR10_CLASSES
from clip_tta_core.sweep.cells import measure
from clip_tta_core.sweep.folder import Folder
from clip_tta_core.sweep.tables import TABLES


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Twenty made-up pictures as CIFAR-10, and a CIFAR-10-C of them: contrast as ours, fog all black."""
    monkeypatch.setenv(datasets.DATA_VARIABLE, str(tmp_path))
    datasets._open.cache_clear()
    rng = np.random.default_rng(0)
    pictures = rng.integers(0, 256, (20, 32, 32, 3), dtype=np.uint8)
    labels = np.repeat(np.arange(10), 2)
    with zipfile.ZipFile(tmp_path / "cifar10_test_half.zip", "w") as archive:
        for number, (picture, label) in enumerate(zip(pictures, labels, strict=True)):
            content = io.BytesIO()
            Image.fromarray(picture).save(content, "PNG")
            archive.writestr(f"{CIFAR10_CLASSES[label]}/{number:05d}.png", content.getvalue())
    base = tmp_path / "CIFAR-10-C"
    base.mkdir()
    np.save(base / "labels.npy", np.tile(labels, 5))
    np.save(
        base / "contrast.npy",
        np.stack([corrupt(picture, "contrast", s) for s in range(1, 6) for picture in pictures]),
    )
    np.save(base / "fog.npy", np.zeros((100, 32, 32, 3), np.uint8))
    yield tmp_path
    datasets._open.cache_clear()


def test_the_published_set_and_the_live_one_are_rows_side_by_side(folder, tmp_path):
    table = TABLES["photo-live"].make(Folder(tmp_path / "cells"))
    numbers = {
        row.title: measure(table.cell(row, table.columns[0], 0))
        for row in table.rows
        if row.shift.corruption in ("contrast", "fog")
    }
    published, live = numbers["contrast 5, published"], numbers["contrast 5, live"]
    assert published["pictures"] == live["pictures"] == 20
    for name in ("accuracy", "ece", "effective_classes"):
        assert published[name] == live[name], "the same pictures in the same order"
    black, fog = numbers["fog 5, published"], numbers["fog 5, live"]
    assert black["accuracy"] == 0.1 and black["effective_classes"] == pytest.approx(1.0)
    assert black["ece"] != fog["ece"], "a set that is not ours shows"
