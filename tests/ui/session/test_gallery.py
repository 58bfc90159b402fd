"""The gallery of any batch of a run, from what its log has kept."""

import base64
import dataclasses
import io

import numpy as np
import pytest
from PIL import Image

from clip_tta_core import engine, export, thumbnails
from clip_tta_core.records import RunConfig, RunLog
from clip_tta_core.ui.session import recordings, views
from clip_tta_core.ui.session.play import Play
from clip_tta_core.ui.session.site import Site
from tests.ui.conftest import make_log
from tests.ui.fakes import fake_engine

OPEN = RunConfig(batches=5, batch_size=12, unknown_source="objects", seed=3)


def reports(config: RunConfig):
    return list(fake_engine()(config))


@pytest.mark.parametrize("step", range(OPEN.batches))
def test_an_earlier_batch_is_shown_as_it_was(step):
    log, report = make_log(OPEN), reports(OPEN)[step]
    shown = views.gallery_at(log, step)
    assert (shown.step, shown.total, shown.names) == (step + 1, OPEN.batches, report.batch.names)
    assert shown.unknown.split() == [str(int(one)) for one in report.batch.unknown]
    assert shown.labels.split() == [
        str(one) for one in np.where(report.batch.unknown, -1, report.batch.labels)
    ]
    for label, outcome in report.outcomes.items():
        assert shown.answers[label].split() == [str(one) for one in outcome.probs.argmax(axis=1)]
        wanted = (outcome.scores > outcome.threshold).astype(int)
        assert shown.accepted[label].split() == [str(one) for one in wanted]
        assert shown.sure[label].split() == [str(round(100 * one)) for one in outcome.probs.max(axis=1)]


def test_the_latest_batch_is_the_last_of_them(open_log):
    assert views.gallery(open_log) == views.gallery_at(open_log, len(open_log) - 1)


@pytest.mark.parametrize("step", [-1, 6, 10**9])
def test_a_batch_that_is_not_there_has_no_gallery(step, open_log):
    assert views.gallery_at(open_log, step) is None and views.gallery_at(RunLog(), step) is None


def test_every_batch_of_a_recording_has_its_pictures_small(open_log):
    back = recordings.unpack(recordings.pack(open_log))
    assert all(back.sheets) and len(back.sheets) == len(open_log)
    for step in range(len(back)):
        before, after = views.gallery_at(open_log, step), views.gallery_at(back, step)
        same = {name: getattr(after, name) for name in ("answers", "accepted", "unknown", "labels", "names")}
        assert same == {name: getattr(before, name) for name in same}
        sheets = [
            Image.open(io.BytesIO(base64.b64decode(one.sprite.split(",")[1]))) for one in (before, after)
        ]
        assert (
            np.abs(np.subtract(*(np.asarray(one, dtype=int).mean(axis=(0, 1)) for one in sheets))).max() < 4
        )


def test_a_sheet_shrinks_and_keeps_its_rows_and_columns():
    images = np.full((20, 64, 64, 3), 90, dtype=np.uint8)
    images[17] = 250
    small = Image.open(io.BytesIO(thumbnails.shrunk(thumbnails.sheet(images), 20, 16, 90)))
    assert small.size == (16 * 16, 2 * 16)
    pixels = np.asarray(small)
    assert pixels[24, 24].min() > 230 and pixels[8, 8].max() < 110  # second row, second column
    tiny = thumbnails.sheet(images[:, :8, :8])
    assert Image.open(io.BytesIO(thumbnails.shrunk(tiny, 20, 16, 90))).size == (16 * 8, 2 * 8), (
        "none enlarged"
    )


def test_pictures_that_were_dropped_leave_the_answers(open_log):
    open_log.sheets[0] = b""
    shown = views.gallery_at(open_log, 0)
    assert shown.sprite == "" and len(shown.answers["tent"].split()) == open_log.sizes[0]


def test_a_file_from_before_unknown_pictures_were_marked_still_opens(open_log):
    old = dataclasses.replace(open_log, outside=[])
    back = export.from_json(export.to_json(old))
    assert views.gallery_at(back, 2).answers == views.gallery_at(open_log, 2).answers


def test_a_visitor_gets_the_batch_asked_for_of_what_they_look_at(open_log):
    play = Play(Site(engine.catalog(), open_log, run=fake_engine()))
    view = play.look(2, "me")
    assert view["gallery"]["step"] == 3 and set(view["serials"]) == {"gallery"}
    assert view["gallery"]["run"] == play.first_paint()["gallery"]["run"], "of the same run"
    assert play.look(99, "me") is play.look(None, "me") is play.look("1", "me") is None
    assert views.gallery(make_log(OPEN)).run != view["gallery"]["run"]
