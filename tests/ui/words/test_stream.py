"""The line that says what a run sees."""

import numpy as np
import pytest

from clip_tta_core import engine, limits
from clip_tta_core.records import Pictures, RunConfig
from clip_tta_core.stream import Stream
from clip_tta_core.ui.words.stream import length, stream


def pictures(count: int, classes: tuple[str, ...] = ("cat", "dog")) -> Pictures:
    labels = np.arange(count) % len(classes) if classes else np.full(count, -1)
    return Pictures(
        np.zeros((count, 8, 8, 3), dtype=np.uint8), labels, tuple(map(str, range(count))), classes
    )


@pytest.mark.parametrize(
    "count, batches, size, said",
    [
        (60, 16, 20, "60 pictures in 3 batches"),
        (60, 3, 20, "3 × 20 pictures"),
        (50, 16, 20, "50 pictures in 3 batches"),
        (5, 16, 20, "5 pictures in 1 batch"),
    ],
)
def test_of_uploads_those_are_counted_that_there_are(count, batches, size, said):
    config = RunConfig(source="upload", pictures=pictures(count), batches=batches, batch_size=size)
    assert length(config) == said and said in stream(config, engine.catalog())
    assert sum(map(len, Stream(config, 8))) == min(count, batches * size)


def test_with_unknown_pictures_between_them_the_stream_is_as_long_as_it_says():
    config = RunConfig(
        source="upload",
        pictures=pictures(30),
        unknown_source="upload",
        unknown_pictures=pictures(100, ()),
        unknown_share=0.5,
        batch_size=10,
    )
    count = sum(map(len, Stream(config, 8)))
    assert length(config) == f"{count} pictures in {-(-count // 10)} batches" and 50 <= count <= 70


@pytest.mark.parametrize(
    "schedule, corruption, said",
    [
        ("constant", "none", "clean"),
        ("constant", "fog", "fog 3"),
        ("change", "none", "clean"),
        ("change", "fog", "fog 3 (sudden change)"),
        ("mixed", "none", "15 corruptions at severity 3 (all mixed)"),
        ("gradual", "fog", "15 corruptions up to severity 3 (gradual)"),
    ],
)
def test_the_line_says_what_becomes_of_the_pictures_also_where_the_schedule_decides(
    schedule, corruption, said
):
    """No stream is called clean of which a picture is corrupted, and none corrupted of which none is."""
    config = RunConfig(schedule=schedule, corruption=corruption, severity=3, batches=4, batch_size=15)
    assert stream(config, engine.catalog()).startswith(f"Rendered objects, {said} · ")
    applied = {name for batch in Stream(config, 8) for name in batch.applied} - {""}
    assert bool(applied) == (said != "clean")
    assert len({name.rpartition(" ")[0] for name in applied}) == (
        15 if said.startswith("15") else len(applied)
    )


@pytest.mark.parametrize("source", ["upload", "dataset:cifar10"])
def test_what_cannot_be_counted_yet_is_a_bound(source):
    assert length(RunConfig(source=source)) == "up to 16 × 64 pictures"
    assert length(RunConfig()) == "16 × 64 pictures"


def test_a_data_set_has_its_title_also_on_a_page_that_lacks_it(monkeypatch):
    monkeypatch.delenv(limits.DATA, raising=False)
    said = stream(RunConfig(source="dataset:cifar10", corruption="fog"), engine.catalog())
    assert said.startswith("Photographs (CIFAR-10), fog 5 · shuffled, up to 16 × 64 pictures")
