"""Photographs of ten classes, brought as a visitor brings them, through photo-CLIP and the engine."""

import math
from pathlib import Path

import gradio
import numpy as np
import pytest
import skimage
from PIL import Image

from clip_tta_core.clip import embedded
from clip_tta_core.engine import run
from clip_tta_core.records import RunConfig
from clip_tta_core.sources import uploads

SCENES = Path(skimage.__file__).parent / "data"
EXAMPLES = Path(gradio.__file__).parent / "media_assets" / "images"
SHOWN = {  # what the photographs of the two packages show, in photo-CLIP's words
    "cat": SCENES / "chelsea.png",
    "clock": SCENES / "clock_motion.png",
    "cup": SCENES / "coffee.png",
    "leopard": EXAMPLES / "cheetah1.jpg",
    "lion": EXAMPLES / "lion.jpg",
    "man": SCENES / "camera.png",
    "motorcycle": SCENES / "motorcycle_left.png",
    "rocket": SCENES / "rocket.jpg",
    "skyscraper": EXAMPLES / "tower.jpg",
    "woman": SCENES / "astronaut.png",
}
EACH = 4
METHODS = {"zero_shot": {}, "tent": {"lr": 1e-3}, "cliptta": {"lr": 1e-3, "steps": 2}}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Four windows of each photograph, in a folder for each class."""
    folder, rng = tmp_path_factory.mktemp("mine"), np.random.default_rng(0)
    for name, path in SHOWN.items():
        with Image.open(path) as image:
            image = image.convert("RGB")
        side = int(0.9 * min(image.size))
        for number in range(EACH):
            left = (image.width - side) // 2 + rng.integers(-side // 20, side // 20 + 1)
            top = (image.height - side) // 2 + rng.integers(-side // 20, side // 20 + 1)
            (folder / name).mkdir(exist_ok=True)
            image.crop((left, top, left + side, top + side)).save(folder / name / f"{number}.jpg")
    return folder


def last(pictures, **changes):
    config = RunConfig(
        methods=METHODS,
        model="photo-clip",
        source="upload",
        pictures=pictures,
        batch_size=20,
        batches=2,
        device="cpu",
        **changes,
    )
    return list(run(config))[-1]


def test_photo_clip_knows_all_ten_classes_and_seven_of_another_ten():
    assert embedded.known(tuple(SHOWN), "photo-clip") == tuple(SHOWN)
    others = ("cat", "dog", "giraffe", "ship", "sweet_pepper", "zebra", "Truck", "violin", "oak tree", "sea")
    assert len(embedded.known(others, "photo-clip")) == 7


def test_labelled_photographs_are_recognized_far_above_chance_and_adapted_to(folder):
    upload = uploads.read([folder])
    assert upload.class_names == tuple(SHOWN) and upload.counts == (EACH,) * 10 and not upload.skipped
    report = last(upload.pictures)
    assert report.notes == () and report.total == 2
    assert report.outcomes["zero_shot"].metrics["accuracy"] >= 0.3, "three times as often as by chance"
    for outcome in report.outcomes.values():
        assert outcome.probs.shape == (20, 10) and np.isfinite(outcome.probs).all()
    assert report.outcomes["cliptta"].metrics["drift"] > 0


def test_photographs_without_labels_run_under_names_that_are_given(folder, tmp_path):
    for number, path in enumerate(sorted(folder.rglob("*.jpg"))):
        (tmp_path / f"{number}.jpg").write_bytes(path.read_bytes())
    upload = uploads.read([tmp_path], size=224)
    assert upload.unlabelled == 40
    report = last(upload.pictures, class_names=tuple(SHOWN), corruption="gaussian_noise")
    for outcome in report.outcomes.values():
        assert math.isnan(outcome.metrics["accuracy"]) and outcome.metrics["effective_classes"] > 1


def test_a_class_it_does_not_know_is_named_before_anything_runs(folder):
    upload = uploads.read([folder])
    with pytest.raises(
        ValueError, match="^photo-CLIP does not know 'giraffe'; name classes of CIFAR-10 and "
    ):
        last(upload.pictures, class_names=(*SHOWN, "giraffe"))
