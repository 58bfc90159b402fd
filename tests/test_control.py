"""The handle of a run: held, stepped, released and stopped from another thread."""

from __future__ import annotations

import math
import threading
import time

import pytest

from clip_tta_core.control import Control, OutOfTime, Progress, Stopped


def passing(control: Control, checkpoints: int) -> tuple[threading.Thread, list[int]]:
    """A thread that passes so many checkpoints, and those it has passed."""
    passed = []

    def go():
        for step in range(checkpoints):
            try:
                control.checkpoint(Progress(step=step))
            except Stopped:
                passed.append(-1)
                return
            passed.append(step)

    thread = threading.Thread(target=go)
    thread.start()
    return thread, passed


def test_a_fresh_control_holds_nothing_and_shows_where_the_run_is():
    control = Control()
    thread, passed = passing(control, 3)
    thread.join(30)
    assert passed == [0, 1, 2] and control.progress == Progress(step=2)
    assert not control.paused and not control.stopped and control.held < 1


def test_steps_asked_for_together_are_all_taken_and_then_the_run_is_held_again():
    control = Control()
    for _ in range(3):
        control.step()
    thread, passed = passing(control, 5)
    while len(passed) < 3:
        time.sleep(0.001)
    thread.join(0.2)
    assert passed == [0, 1, 2] and thread.is_alive() and control.paused
    control.resume()
    thread.join(30)
    assert passed == [0, 1, 2, 3, 4] and control.held > 0.1


def test_a_held_run_can_be_stopped():
    control = Control()
    control.pause()
    thread, passed = passing(control, 2)
    thread.join(0.1)
    assert thread.is_alive() and passed == []
    control.stop()
    thread.join(30)
    assert passed == [-1] and control.stopped


def test_what_cannot_be_held_goes_on_while_paused_and_ends_when_stopped():
    control = Control()
    control.pause()
    control.announce(Progress(doing="loading"))
    assert control.progress.doing == "loading"
    control.stop()
    with pytest.raises(Stopped):
        control.announce(Progress())


def test_time_runs_out_for_a_held_run_and_the_first_limit_holds():
    control = Control()
    control.limit(0)
    assert control.left == math.inf
    control.limit(0.05)
    control.limit(1000)
    control.pause()
    with pytest.raises(OutOfTime):
        control.checkpoint(Progress())
    with pytest.raises(OutOfTime):
        control.announce(Progress())
    control.stop()
    with pytest.raises(Stopped):  # what the visitor said goes before what the operator said
        control.checkpoint(Progress())
