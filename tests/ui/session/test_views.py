"""What the pictures draw is plain, small, and equal to the log."""

import base64
import io
import json

import numpy as np
import pytest
from PIL import Image

from clip_tta_core.records import RunConfig, RunLog
from clip_tta_core.ui.session import views
from clip_tta_core.ui.wire.encode import plain
from tests.ui.conftest import make_log
from tests.ui.fakes import SIDE, fake_engine

ALL = (views.curves, views.classes, views.scores, views.results, views.sentence, views.gallery)


@pytest.mark.parametrize("view", ALL)
@pytest.mark.parametrize("fixture", ["log", "open_log"])
def test_every_view_is_plain_json(view, fixture, request):
    value = plain(view(request.getfixturevalue(fixture)))
    assert json.loads(json.dumps(value, allow_nan=False)) == value


@pytest.mark.parametrize("view", ALL)
def test_an_empty_log_draws_nothing_and_raises_nothing(view):
    view(RunLog())


def test_counts_add_up_to_the_pictures_of_each_batch(log):
    value = plain(views.classes(log))
    for steps in value["counts"].values():
        for step, size in zip(steps.splitlines(), log.sizes, strict=True):
            assert sum(int(pair.split(":")[1]) for pair in step.split()) == size


def test_curves_are_those_of_the_reports(log):
    shown = plain(views.curves(log))["curves"]["accuracy"]["tent"]
    assert [float(x) for x in shown.split()] == pytest.approx(log.series["tent"]["accuracy"], rel=1e-5)


def test_histories_only_grow_at_their_end():
    """The wire carries differences: a new batch must not change what was sent before."""
    log, sent = make_log(RunConfig(batches=1, batch_size=8)), []
    for report in fake_engine()(RunConfig(batches=5, batch_size=8)):
        log.append(report, 1.0)
        accuracy = plain(views.curves(log))["curves"]["accuracy"]["tent"]
        sent.append(
            (plain(views.classes(log))["counts"]["tent"], accuracy, plain(views.sentence(log))["steps"])
        )
    for earlier, later in zip(sent, sent[1:], strict=False):
        for before, after in zip(earlier, later, strict=True):
            assert after.startswith(before) and len(after) > len(before)


def test_scores_show_up_with_unknown_pictures_only(log, open_log):
    assert views.scores(log) is None
    value = plain(views.scores(open_log))
    for step in range(len(open_log)):
        parts = [len(value[side]["tent"].splitlines()[step].split()) for side in ("known", "unknown")]
        assert sum(parts) == open_log.sizes[step]


def test_measures_that_need_labels_leave_the_table_when_there_are_none():
    unlabelled = make_log(RunConfig(batches=2, source="upload"))
    value = plain(views.results(unlabelled))
    names = [column["name"] for column in value["columns"]]
    assert "ece" not in names and "changed" in names
    assert value["values"]["accuracy"]["tent"] == "- - ", "accuracy stays, as a dash"


def test_unknown_pictures_get_no_mark(open_log):
    value = plain(views.gallery(open_log))
    labels, unknown = (np.array(value[key].split(), dtype=int) for key in ("labels", "unknown"))
    assert unknown.any() and (labels[unknown == 1] == -1).all()


def test_the_sprite_sheet_holds_every_picture(log):
    value = plain(views.gallery(log))
    sheet = Image.open(io.BytesIO(base64.b64decode(value["sprite"].split(",")[1])))
    rows = -(-len(log.last.batch) // value["columns"])
    assert sheet.size == (value["columns"] * SIDE, rows * SIDE)
    middle = np.asarray(sheet)[SIDE // 2, SIDE // 2].astype(int)
    assert abs(middle - log.last.batch.images[0, 0, 0].astype(int)).max() < 12


def test_a_thousand_classes_travel_light():
    names = tuple(f"class {k}" for k in range(1000))
    log = make_log(RunConfig(batches=2, batch_size=8, class_names=names))
    assert len(plain(views.classes(log))["counts"]["tent"].splitlines()[0]) < 100
