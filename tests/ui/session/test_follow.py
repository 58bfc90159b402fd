"""One loop shows runs and comparisons: it takes everything, and tells the page as often as pays."""

from collections.abc import Iterator

import pytest

from clip_tta_core.control import Control, Progress
from clip_tta_core.records import RunConfig
from clip_tta_core.ui.session import follow as follow_module
from clip_tta_core.ui.session import status
from clip_tta_core.ui.session.follow import BETWEEN, BETWEEN_STEPS, follow
from clip_tta_core.ui.session.runs import Run
from tests.ui.fakes import ScriptedRun, fake_engine


def followed(run: Run, taken: list) -> list:
    run.start()
    return list(follow(run, lambda report, active: taken.append(report)))


def gaps(times: list[float]) -> list[float]:
    return [later - earlier for earlier, later in zip(times, times[1:], strict=False)]


def test_every_report_is_taken_and_the_last_moment_is_the_end():
    taken = []
    moments = followed(Run(fake_engine(delay=0.002), RunConfig(batches=30, batch_size=4)), taken)
    assert [report.batch_number for report in taken] == list(range(1, 31))
    assert [moment.last for moment in moments].count(True) == 1 and moments[-1].last
    assert moments[-1].state == "done" and moments[-1].fresh


@pytest.fixture
def scripted(monkeypatch) -> ScriptedRun:
    run = ScriptedRun()
    monkeypatch.setattr(follow_module, "time", run)
    monkeypatch.setattr(status, "time", run)
    return run


def test_the_page_is_told_of_batches_ten_times_a_second(scripted):
    scripted.reports = [(k / 100, k) for k in range(1, 201)]
    times = scripted.times()
    assert len(times) >= 18
    assert all(BETWEEN <= gap <= BETWEEN + 0.011 for gap in gaps(times))


def test_a_rare_batch_is_told_at_once(scripted):
    scripted.reports = [(0.5, 1), (2.0, 2), (3.7, 3)]
    assert [when for when in scripted.times() if when in (0.5, 2.0, 3.7)] == [0.5, 2.0, 3.7]


def test_steps_alone_are_told_once_a_second(scripted):
    scripted.reports = [(30.0, 1)]
    scripted.moves = lambda now: Progress(1, 1, "tent", int(100 * now), 5000)
    times = scripted.times()[:-1]
    assert len(times) == 30 and set(gaps(times)) == {BETWEEN_STEPS}


def test_that_a_run_is_held_is_told_at_once(scripted):
    scripted.reports = [(10.0, 1)]
    scripted.moves = lambda now: Progress(1, 1, "tent", int(100 * now), 5000)
    scripted.held_at = 5.5
    told = [now for now, moment in scripted.followed() if moment.state == "paused"]
    assert told[0] == 5.5


def test_nothing_is_told_where_nothing_has_changed(scripted):
    scripted.reports = [(0.25, 1), (60.0, 2)]
    assert scripted.times() == [0.25, 60.0]


@pytest.mark.parametrize("state", ["stopped", "failed"])
def test_the_end_says_how_it_came(state):
    def ends(config: RunConfig, control: Control) -> Iterator:
        if state == "failed":
            raise ValueError("no")
        control.stop()
        yield from ()

    assert followed(Run(ends, RunConfig()), [])[-1].state == state
