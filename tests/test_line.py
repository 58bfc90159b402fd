"""A line lets so many in, keeps so many waiting, and tells the others."""

from __future__ import annotations

import threading
import time

import pytest

from clip_tta_core.line import Full, Line


def test_at_most_so_many_are_inside_and_whoever_finds_a_long_line_is_told():
    line, go, inside, most = Line(at_once=2, waiting=1), threading.Event(), [], []

    def work():
        with line.turn():
            inside.append(1)
            most.append(len(inside))
            assert go.wait(20)
            inside.pop()

    threads = [threading.Thread(target=work) for _ in range(3)]
    for thread in threads:
        thread.start()
    while len(most) < 2 or line.standing < 3:
        time.sleep(0.01)
    with pytest.raises(Full, match="busy"), line.turn():
        pytest.fail("there is no room")
    go.set()
    for thread in threads:
        thread.join()
    assert max(most) == 2 and len(most) == 3


def test_the_patient_wait_however_long_the_line_is_and_a_place_is_given_back_after_an_error():
    line = Line(at_once=1, waiting=0)
    with pytest.raises(KeyError), line.turn():
        with pytest.raises(Full), line.turn():
            pass
        raise KeyError
    done = []
    with line.turn():
        thread = threading.Thread(target=lambda: [line.turn(patient=True).__enter__(), done.append(1)])
        thread.start()
        thread.join(0.05)
        assert not done
    thread.join(20)
    assert done
