"""What a start is worth: real runs from sixteen pictures a class, and what was recorded of all starts."""

from __future__ import annotations

import os
import statistics

import pytest

from clip_tta_core import engine, limits
from clip_tta_core.clip.embedded import PHOTO
from clip_tta_core.records import RunConfig
from clip_tta_core.starts import STARTS
from clip_tta_core.sweep.recorded import Recorded
from clip_tta_core.sweep.tables import TABLES
from clip_tta_core.validation import ZERO_SHOT, start_label

PHOTOGRAPHS = {"model": PHOTO.name, "source": "dataset:cifar10", "corruption": "defocus_blur"}


def gain(**stream) -> float:
    """Accuracy from sixteen pictures a class, less that of zero-shot CLIP."""
    config = RunConfig(methods={ZERO_SHOT: {}}, start="clipood", batch_size=64, batches=2, **stream)
    *_, report = engine.run(config)
    found = {label: outcome.metrics["accuracy"] for label, outcome in report.outcomes.items()}
    return found[start_label(config)] - found[ZERO_SHOT]


def test_sixteen_drawings_a_class_beat_zero_shot_clip_in_fog(tmp_path, monkeypatch):
    monkeypatch.setenv(limits.STARTS, str(tmp_path))
    assert gain(corruption="fog") > 0.1


@pytest.mark.slow
@pytest.mark.skipif(not os.environ.get(limits.DATA), reason="needs a folder with CIFAR-10's pictures")
def test_sixteen_photographs_a_class_beat_zero_shot_clip_under_blur(tmp_path, monkeypatch):
    monkeypatch.setenv(limits.STARTS, str(tmp_path))
    assert gain(**PHOTOGRAPHS) > 0.04


def recorded(name: str) -> dict[tuple[str, str], list[float]]:
    """{(contender, stream): accuracies by seed} of a recorded table."""
    known = Recorded()
    table = TABLES[name].make(known)
    return {
        (column.contender.label, row.title): [
            numbers["accuracy"]
            for seed in table.seeds
            if (numbers := known.get(table.cell(row, column, seed)))
        ]
        for row in table.rows
        for column in table.columns
    }


def gains(name: str, start: str, stream: str) -> list[float]:
    """By seed, what a start has above zero-shot CLIP in a recorded table."""
    found = recorded(name)
    pairs = zip(found[STARTS[start].title, stream], found["zero_shot", stream], strict=True)
    return [there - here for there, here in pairs]


@pytest.mark.parametrize("start", ["clipood", "core_tuning"])
@pytest.mark.parametrize("stream", ["fog 5", "defocus blur 5"])
def test_photo_clip_gains_under_fog_and_blur_with_every_seed(start, stream):
    found = gains("photo-starts", start, stream)
    assert len(found) == 3 and min(found) > 0


@pytest.mark.parametrize("start", ["clipood", "core_tuning", "orthsr"])
@pytest.mark.parametrize("stream", ["clean", "gaussian noise 5"])
def test_photo_clip_loses_where_the_page_says_so(start, stream):
    assert statistics.fmean(gains("photo-starts", start, stream)) < -0.02
    assert "photo-CLIP" in STARTS[start].fails


def test_other_sentences_about_failing_are_what_was_recorded():
    assert statistics.fmean(gains("photo-starts", "orthsr", "gaussian noise 5")) == pytest.approx(
        -0.1, abs=0.01
    )
    assert statistics.fmean(gains("photo-starts", "calibrated", "clean")) < -0.05, "clean pictures pay"
    for stream in ("clean", "fog 5", "gaussian noise 5", "defocus blur 5"):
        left = statistics.fmean(gains("photo-starts", "ulfine", stream))
        assert abs(left) < 0.02, "its encoder does not learn, so that a shift stays as it is"
