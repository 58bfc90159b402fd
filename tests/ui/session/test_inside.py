"""What the Look inside tab is told: counts by hand, pictures by their colours, nothing from bad questions."""

from __future__ import annotations

import base64
import io
import json

import numpy as np
import pytest
from PIL import Image

from clip_tta_core import engine
from clip_tta_core.records import RunConfig, RunLog
from clip_tta_core.ui.session import inside
from clip_tta_core.ui.session.inside import Inside, asked, run_view
from clip_tta_core.ui.session.site import Site
from clip_tta_core.ui.wire.encode import plain
from tests.ui.conftest import make_log
from tests.ui.drawn import BATCHES, LABELS, PREDICTED
from tests.ui.looked import CAPTIONS, LAYERS, colour, looked_log, place


@pytest.fixture(scope="module")
def room() -> Inside:
    return Inside(Site(engine.catalog(), looked_log()))


def numbers(text: str) -> list[list[float]]:
    return [[float(value) for value in row.split()] for row in text.splitlines()]


def colours(sheet) -> list[tuple[int, ...]]:
    """The colour in the middle of each tile."""
    image = Image.open(io.BytesIO(base64.b64decode(sheet.sprite.split(",")[1])))
    count = len(sheet.tiles.split()) // 2
    across = min(sheet.columns, count)
    side = image.width // across
    middles = [((k % across + 0.5) * side, (k // across + 0.5) * side) for k in range(count)]
    return [image.getpixel((int(x), int(y))) for x, y in middles]


@pytest.mark.parametrize("log", [looked_log(), make_log()], ids=["looked into", "not"])
def test_a_view_is_plain_json(log):
    value = plain(run_view(log, "tent"))
    assert json.loads(json.dumps(value, allow_nan=False)) == value


def test_flips_are_those_of_the_last_batch_where_all_others_are_alike():
    view = run_view(looked_log(), "tent")
    assert (view.flips.gained, view.flips.lost) == (1, 4)
    shown = [tuple(map(int, row)) for row in numbers(view.flips.shown)]
    before, after = PREDICTED["zero_shot"], PREDICTED["tent"]
    flipped = [k for k, truth in enumerate(LABELS) if (before[k] == truth) != (after[k] == truth)]
    assert sorted(shown) == [(6, k, LABELS[k], before[k], after[k]) for k in flipped]
    own = run_view(looked_log(), "zero_shot").flips
    assert (own.gained, own.lost, own.shown) == (0, 0, "")


def test_confusion_counts_the_whole_run():
    table = run_view(looked_log(), "cliptta").confusion
    assert table.classes == (0, 1, 2, 3, 4) and table.left_out == 0
    # Class 4 three times a batch: in five batches answered 4, 4, 2; in the last one 4, 0, 4 and 4, 4, 4.
    assert table.before.splitlines()[4] == "0:1 2:5 4:12"
    assert table.after.splitlines()[4] == "2:5 4:13"


def test_of_many_classes_the_busiest_are_shown_and_the_rest_is_counted(monkeypatch):
    monkeypatch.setattr(inside, "MOST_CLASSES", 2)
    table = run_view(looked_log(), "cliptta").confusion
    assert len(table.classes) == 2
    kept = sum(int(pair.split(":")[1]) for row in table.before.splitlines() for pair in row.split())
    assert table.left_out == BATCHES * len(LABELS) - kept > 0


def test_places_variance_and_drift_are_those_recorded():
    view = run_view(looked_log(), "tent")
    assert view.features.captions == tuple(pytest.approx(one) for one in CAPTIONS)
    for batch, row in enumerate(numbers(view.features.end), 1):
        assert row == pytest.approx([v for k in range(10) for v in place("tent", batch, k)], abs=1e-4)
    assert numbers(view.variance.variance["tent"])[0] == [0.2, 0.1, 0.05, 0.04, 0.03, 0.01]
    assert view.drift.layers == LAYERS
    assert numbers(view.drift.drift)[5] == pytest.approx([0.6, 1.2, 1.8])
    assert run_view(looked_log(), "zero_shot").drift is None


def test_a_memory_is_told_as_stays():
    stays = numbers(run_view(looked_log(), "cliptta").memory.stays)
    # batch, picture, class, percent, until, truth: what came in batch 2 went in batch 4
    assert stays[0] == [2, 2, 0, 10, 4, LABELS[2]]
    assert [stay[4] for stay in stays] == [4, 5, 6, 0, 0]
    assert run_view(looked_log(), "tent").memory is None


def test_long_runs_are_thinned_to_the_first_and_the_newest_and_some_between(monkeypatch):
    monkeypatch.setattr(inside, "MOST_BATCHES", 3)
    view = run_view(looked_log(), "cliptta")
    assert view.batches[0] == 1 and view.batches[-1] == BATCHES and len(view.batches) == 3
    assert len(view.labels.splitlines()) == 3 and view.flips.gained == 2
    alive = {(int(s[0]), int(s[4])) for s in numbers(view.memory.stays)}
    assert all(any(a <= b and (not z or b < z) for b in view.batches) for a, z in alive)
    assert len(alive) < 5


def test_of_a_run_that_was_not_looked_into_there_are_flips_and_confusion_only():
    view = run_view(make_log(), "tent")
    assert view.features is view.variance is view.memory is view.drift is None
    assert view.confusion is not None and view.flips.lost > 0


def test_without_labels_nothing_is_judged():
    view = run_view(make_log(RunConfig(source="upload", batches=2, batch_size=8)), "tent")
    assert not view.labelled and view.confusion is None and (view.flips.gained, view.flips.lost) == (0, 0)


def test_a_contender_that_is_not_there_gives_the_last_one(room):
    assert room.look({"asked": 7, "method": "nobody"}, "me").run.method == "cliptta"
    assert room.look({"asked": 7}, "me").asked == 7


def test_before_any_run_there_is_a_sentence():
    assert "press Run" in Inside(Site(engine.catalog(), RunLog())).look({"asked": 1}, "me").message


def test_pictures_come_in_the_order_asked_for_and_what_cannot_be_is_left_out(room):
    wanted = [[2, 3], [6, 0], [0, 1], [7, 0], [1, 10], [1, -1], "x", [1], [1.5, 2], None, [2, 9]]
    sheet = room.fetch({"asked": 3, "tiles": wanted}, "me").sheet
    assert sheet.tiles == "2 3 6 0 2 9"
    for seen, tile in zip(colours(sheet), [(2, 3), (6, 0), (2, 9)], strict=True):
        assert np.abs(np.subtract(seen, colour(*tile))).max() < 8
    for nothing in (None, [], "tiles", {"a": 1}):
        assert room.fetch({"asked": 3, "tiles": nothing}, "me").sheet.tiles == ""


def test_pictures_that_are_gone_or_were_never_any_are_left_out():
    log = looked_log()
    log.sheets = [b"", log.sheets[1], b"no picture", log.sheets[3][:200]]
    tiles = [[batch, 1] for batch in range(1, 7)]
    sheet = Inside(Site(engine.catalog(), log)).fetch({"tiles": tiles}, "me").sheet
    assert sheet.tiles == "2 1" and len(colours(sheet)) == 1


def test_the_number_of_a_question_is_one_that_an_answer_can_carry():
    assert [asked({"asked": sent}) for sent in (7, -1, None, "7", 10**400, 2.5)] == [7, -1, 0, 0, 0, 0]
