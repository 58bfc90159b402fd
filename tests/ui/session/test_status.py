"""The line of state: how far a run is, how fast, and how long it will still take."""

import pytest

from clip_tta_core import engine
from clip_tta_core.control import Progress
from clip_tta_core.records import RunConfig
from clip_tta_core.ui.session.status import recorded, status
from tests.ui.conftest import make_log


@pytest.fixture
def log():
    """2 of 8 batches of 16 pictures, of three contenders."""
    log = make_log(RunConfig(batches=2, batch_size=16))
    log.total = 8
    return log


def test_what_is_left_takes_as_long_as_what_is_done_did(log):
    line = status("running", log, active=10.0)
    assert (line.done, line.batches, line.share) == (2, 8, 0.25)
    assert line.rate == 3.2 and line.left == 30.0  # 32 pictures in 10 seconds; three times as much to do


def test_methods_and_steps_inside_a_batch_count(log):
    """In the third batch the second of three methods has taken 2 of 4 steps: half of what it takes."""
    line = status("paused", log, Progress(3, 8, "tent", 2, 4), active=10.0)
    zero, tent, cliptta = (cost.relative for cost in engine.costs(log.contenders, 16, 8).values())
    assert (zero, tent) == (1, 4), "two forwards and one backward, which is two more"
    share = (2 + (zero + tent / 2) / (zero + tent + cliptta)) / 8
    assert line.share == pytest.approx(share, abs=1e-4)
    assert line.left == pytest.approx(10 * (1 - share) / share, abs=0.1)
    assert (line.batch, line.method, line.step, line.steps) == (3, "TENT", 2, 4)


def test_a_batch_that_has_been_reported_is_not_counted_twice(log):
    assert status("running", log, Progress(2, 8, "cliptta", 4, 4), active=10.0).share == 0.25


@pytest.mark.parametrize("state", ["done", "stopped", "failed"])
def test_nothing_is_left_of_a_run_that_has_ended(state, log):
    line = status(state, log, active=10.0)
    assert line.left is None and line.method == "" and line.rate == 3.2


def test_a_download_is_as_far_as_its_bytes(log):
    line = status("loading", log, Progress(step=30, steps=120, doing="downloading"), active=10.0)
    assert line.share == 0.25 and line.doing == "downloading"


def test_a_recorded_run_has_the_speed_it_had(log):
    log.elapsed[-1] = 4.0
    assert recorded(log).rate == 8.0 and recorded(log).left is None and recorded(log).state == "recorded"
