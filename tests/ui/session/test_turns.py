"""The line in front of the runs: one place a visitor, told to everybody, full at some point."""

from __future__ import annotations

import threading

import pytest

from clip_tta_core.records import RunConfig
from clip_tta_core.ui.session import follow, listeners, turns
from clip_tta_core.ui.session.listeners import Absence, Listeners
from clip_tta_core.ui.session.runs import Run
from clip_tta_core.ui.session.turns import Full, Turns


@pytest.fixture
def present():
    return Absence(Listeners(), "somebody")


def line_of(count: int, **sizes) -> tuple[Turns, list]:
    made = Turns(**sizes)
    return made, [made.join(f"visitor {number}") for number in range(count)]


def test_two_run_the_others_wait_in_the_order_in_which_they_came(present):
    line, (first, second, third, fourth) = line_of(4)
    assert [line.has(one) for one in (first, second, third, fourth)] == [True, True, False, False]
    assert next(line.wait(third, present)) == "number 1 in line"
    assert next(line.wait(fourth, present)) == "number 2 in line"
    line.leave(second)
    assert line.has(third) and next(line.wait(fourth, present)).startswith("number 1 in line, about a minute")


def test_the_minutes_come_from_the_turns_before(present, monkeypatch):
    now = [0.0]
    monkeypatch.setattr(turns.time, "monotonic", lambda: now[0])
    line, made = line_of(8)
    now[0] = 120.0
    line.leave(made[0])  # after two minutes; each of two places is free every two minutes
    assert next(line.wait(made[7], present)) == "number 5 in line, about 5 minutes to go"


def test_the_full_line_says_so_with_the_time_to_come_back_and_takes_the_next_once_it_has_moved():
    line, made = line_of(5, at_once=2, waiting=3)
    with pytest.raises(Full, match="^3 visitors are waiting already.*press Compare again in a few minutes"):
        line.join("one too many", "Compare")
    line.leave(made[0])
    assert not line.has(line.join("one too many"))


def test_a_visitor_has_one_place_however_often_they_ask(present):
    line, made = line_of(4, at_once=2, waiting=3)
    for _ in range(30):
        made[3] = line.join("visitor 3")
    assert len(line) == 2
    again = line.join("visitor 0")  # whose turn it is: the next place is theirs
    line.leave(made[0])
    assert line.has(again) and not line.has(made[2])


def test_whoever_stops_waiting_makes_room(present):
    line, made = line_of(4)
    line.drop("visitor 2")
    assert not list(line.wait(made[2], present)) and not line.has(made[2])
    assert next(line.wait(made[3], present)).startswith("number 1")
    line.leave(made[2])  # does no harm
    line.leave(made[3])
    assert not len(line)


def test_stop_names_the_press_that_it_stops_whichever_of_the_two_comes_first(present):
    line = Turns()
    assert not line.drop("me", press=1), "it has not come: Stop tells how it ended"
    late = line.join("me", press=1)
    assert late.told and not line.has(late) and not list(line.wait(late, present))
    line.leave(late)
    again = line.join("me", press=2)
    assert line.has(again) and not again.told
    assert line.drop("me", press=2) and again.dropped, "it tells itself"
    assert line.drop("me"), "nor is there anybody to tell where nobody counts"
    assert line.has(line.join("me")), "and such a press is always a new one"


def test_presses_of_a_thousand_visitors_are_remembered_and_no_more():
    line = Turns()
    for number in range(3 * turns.VISITORS):
        line.drop(f"visitor {number}", press=5)
    assert len(line._presses) == turns.VISITORS
    line.leave_all(f"visitor {3 * turns.VISITORS - 1}")
    assert len(line._presses) == turns.VISITORS - 1


def test_nobody_waits_for_a_visitor_who_has_gone(monkeypatch):
    monkeypatch.setattr(listeners, "LONG", 0.0)
    heard = Listeners()
    line, made = line_of(3)
    heard.counted = True
    assert not list(line.wait(made[2], Absence(heard, "visitor 2"))) and not line.has(made[2])


def test_a_listener_is_somebody_with_a_connection():
    heard = Listeners()
    assert heard.hears("anybody"), "nobody counts"
    heard.counted = True
    assert not heard.hears("a")
    heard.come("a")
    heard.come("a")
    heard.go("a")
    assert heard.hears("a") and not heard.hears("b")
    heard.go("a")
    assert not heard.hears("a")


class Deaf:
    """An engine that waits for something that never comes, without looking at its control."""

    def __init__(self) -> None:
        self.go = threading.Event()

    def __call__(self, config, control):
        self.go.wait(60)
        raise KeyError("much later")
        yield


@pytest.fixture
def deaf(monkeypatch):
    monkeypatch.setattr(follow, "AFTER", 0.3)
    engine = Deaf()
    yield engine
    engine.go.set()


def moments(run: Run, absence: Absence | None = None) -> list:
    run.start()
    return list(follow.follow(run, lambda report, active: None, absence))


def test_a_run_that_waits_for_a_silent_hub_ends_when_its_time_is_up(deaf, monkeypatch):
    monkeypatch.setenv("CLIPTTA_MAX_SECONDS", "1")
    run = Run(deaf, RunConfig())
    assert moments(run)[-1].state == "failed"
    assert "may take 1 seconds" in run.problem
    said = run.problem
    deaf.go.set()  # what its thread meets afterwards changes nothing
    assert not any(thread.name == "run" and thread.join(5) for thread in threading.enumerate())
    assert run.problem == said


def test_stop_gives_the_place_back_although_the_thread_does_not_answer(deaf):
    run = Run(deaf, RunConfig())
    threading.Timer(0.2, run.control.stop).start()
    assert moments(run)[-1].state == "stopped" and not run.problem


def test_a_held_run_ends_when_its_time_is_up(monkeypatch):
    from clip_tta_core import engine

    monkeypatch.setenv("CLIPTTA_MAX_SECONDS", "1")
    run = Run(engine.run, RunConfig(batches=2000, batch_size=2))
    run.control.pause()
    assert moments(run)[-1].state == "failed" and "may take 1 seconds" in run.problem


def test_a_run_nobody_listens_to_ends(monkeypatch):
    from tests.ui.fakes import fake_engine

    monkeypatch.setattr(listeners, "LONG", 0.3)
    heard = Listeners()
    heard.counted = True
    run = Run(fake_engine(delay=0.02), RunConfig(batches=2000, batch_size=2))
    assert moments(run, Absence(heard, "gone"))[-1].state == "stopped"


@pytest.mark.parametrize(
    "error",
    [KeyError, TypeError, ZeroDivisionError, AttributeError, AssertionError, IndexError, StopAsyncIteration],
)
def test_no_error_of_any_kind_ends_a_run_as_done(error, caplog):
    def broken(config, control):
        raise error("of all things")
        yield

    run = Run(broken, RunConfig())
    assert moments(run)[-1].state == "failed"
    assert (
        run.problem
        == f"The run ended with an unexpected error; the server's log has the details. ({error.__name__})"
    )
    assert "of all things" in caplog.text
