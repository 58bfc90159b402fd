"""One loop shows runs and comparisons: it takes everything, and tells the page as often as pays."""

import time
from collections.abc import Iterator

import pytest

from clip_tta_core.control import Control, Progress
from clip_tta_core.records import RunConfig
from clip_tta_core.ui.session.follow import BETWEEN, BETWEEN_STEPS, follow
from clip_tta_core.ui.session.runs import Run
from tests.ui.fakes import fake_engine


def followed(run: Run, taken: list) -> list:
    run.start()
    return [(time.monotonic(), moment) for moment in follow(run, lambda report, active: taken.append(report))]


def test_every_report_is_taken_and_the_last_moment_is_the_end():
    taken = []
    moments = followed(Run(fake_engine(delay=0.002), RunConfig(batches=30, batch_size=4)), taken)
    assert [report.batch_number for report in taken] == list(range(1, 31))
    assert [moment.last for _, moment in moments].count(True) == 1 and moments[-1][1].last
    assert moments[-1][1].state == "done" and moments[-1][1].fresh


def test_the_page_is_told_at_most_ten_times_a_second():
    moments = followed(Run(fake_engine(delay=0.004), RunConfig(batches=40, batch_size=4)), [])
    times = [when for when, moment in moments if not moment.last]
    assert len(times) > 2
    assert all(later - earlier >= BETWEEN for earlier, later in zip(times, times[1:], strict=False))


def test_steps_alone_are_told_less_often_than_batches():
    def stepping(config: RunConfig, control: Control) -> Iterator:
        for step in range(60):
            control.checkpoint(Progress(1, 1, "TENT", step, 60))
            time.sleep(0.04)
        yield from ()

    moments = followed(Run(stepping, RunConfig()), [])
    times = [when for when, moment in moments if moment.state == "running"]
    assert all(later - earlier >= BETWEEN_STEPS for earlier, later in zip(times, times[1:], strict=False))


@pytest.mark.parametrize("state", ["stopped", "failed"])
def test_the_end_says_how_it_came(state):
    def ends(config: RunConfig, control: Control) -> Iterator:
        if state == "failed":
            raise ValueError("no")
        control.stop()
        yield from ()

    assert followed(Run(ends, RunConfig()), [])[-1][1].state == state
