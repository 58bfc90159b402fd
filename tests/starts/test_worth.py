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


ALL_BUT_ULFINE = {"calibrated", "clipood", "core_tuning", "orthsr"}
MOVED = 0.02  # of accuracy; less is what it was


def who(name: str, stream: str, sign: int) -> set[str]:
    """The starts that are ahead (1) or behind (-1) on a stream, on average over seeds."""
    return {start for start in STARTS if sign * statistics.fmean(gains(name, start, stream)) > MOVED}


def test_the_card_of_mini_clip_says_which_starts_are_ahead():
    assert who("mini-starts", "fog 5", 1) == ALL_BUT_ULFINE
    assert who("mini-starts", "gaussian noise 5", 1) == {"calibrated"}
    assert not who("mini-starts", "line drawing", 1) and not who("mini-starts", "clean", 1)


def test_the_card_of_photo_clip_says_which_starts_are_ahead():
    assert who("photo-starts", "defocus blur 5", 1) == ALL_BUT_ULFINE
    assert who("photo-starts", "fog 5", 1) == {"clipood", "core_tuning"}
    assert who("photo-starts", "gaussian noise 5", 1) == {"calibrated"}
    assert who("photo-starts", "clean", -1) == ALL_BUT_ULFINE


@pytest.mark.parametrize("start", ["clipood", "core_tuning"])
@pytest.mark.parametrize("name, stream", [("mini-starts", "fog 5"), ("photo-starts", "defocus blur 5")])
def test_every_seed_gains_where_the_shift_is_not_far(start, name, stream):
    found = gains(name, start, stream)
    assert len(found) == 3 and min(found) > 0


def test_each_start_fails_where_it_says():
    noisy = "gaussian noise 5"
    for start in ("clipood", "core_tuning"):
        assert start in who("mini-starts", "line drawing", -1)
        assert start in who("photo-starts", "clean", -1) & who("photo-starts", noisy, -1)
    assert statistics.fmean(gains("photo-starts", "orthsr", noisy)) == pytest.approx(-0.1, abs=0.01)
    for name in ("mini-starts", "photo-starts"):
        assert "calibrated" in who(name, "clean", -1), "clean pictures pay for robustness"
        for stream in {stream for _, stream in recorded(name)}:
            assert "ulfine" not in who(name, stream, 1) | who(name, stream, -1), "a shift stays as it is"
