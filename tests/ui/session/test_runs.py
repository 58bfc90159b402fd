"""One run a visitor at a time, however quickly Run, Stop, Run are pressed."""

import threading
import time

from clip_tta_core.records import RunConfig, RunLog
from clip_tta_core.ui.session.runs import KEPT_LOGS, Run, Runs
from tests.ui.fakes import fake_engine

CONFIG = RunConfig(batches=50, batch_size=4)


def drained(run: Run) -> list:
    reports = []
    while not (run.ended.is_set() and run.empty()):
        reports += run.drain(0.02)
    return reports


class Counting:
    """An engine that notices when two of its runs overlap."""

    def __init__(self) -> None:
        self.now = self.most = 0
        self.lock = threading.Lock()

    def __call__(self, config, control):
        with self.lock:
            self.now += 1
            self.most = max(self.most, self.now)
        try:
            yield from fake_engine(delay=0.01)(config, control)
        finally:
            time.sleep(0.05)  # freeing takes a moment
            with self.lock:
                self.now -= 1


def test_a_run_hands_over_every_report():
    run = Run(fake_engine(), RunConfig(batches=20, batch_size=4))
    run.start()
    assert [report.batch_number for report in drained(run)] == list(range(1, 21))


def test_run_stop_run_never_adapts_two_at_once():
    engine, runs = Counting(), Runs()
    made = []
    for _ in range(5):
        run = Run(engine, CONFIG)
        made.append(run)
        runs.register("visitor", run)
        run.start()
        time.sleep(0.03)
    made[-1].control.stop()
    assert all(run.ended.wait(30) for run in made)
    assert engine.most == 1 and engine.now == 0


def test_visitors_do_not_wait_for_each_other():
    engine, runs = Counting(), Runs()
    both = [Run(engine, CONFIG) for _ in range(2)]
    for name, run in zip("ab", both, strict=True):
        runs.register(name, run)
        run.start()
    deadline = time.monotonic() + 30
    while engine.most < 2 and time.monotonic() < deadline:
        time.sleep(0.01)
    for run in both:
        run.control.stop()
    assert engine.most == 2


def test_stop_ends_a_run_that_nobody_reads():
    run = Run(fake_engine(), RunConfig(batches=2000, batch_size=2))
    run.start()
    time.sleep(0.2)
    run.control.stop()
    assert run.ended.wait(30)


def test_leaving_stops_the_run_and_forgets_the_log():
    runs, run = Runs(), Run(fake_engine(delay=0.01), CONFIG)
    runs.register("visitor", run)
    run.start()
    runs.keep("visitor", run, RunLog())
    runs.leave("visitor")
    assert run.ended.wait(30) and runs.log("visitor") is None
    runs.keep("visitor", run, RunLog())  # a report that was on its way
    assert runs.log("visitor") is None


def test_logs_of_many_visitors_are_bounded():
    runs, run = Runs(), Run(fake_engine(), CONFIG)
    for visitor in range(10 * KEPT_LOGS):
        runs.keep(str(visitor), run, RunLog())
    kept = [visitor for visitor in range(10 * KEPT_LOGS) if runs.log(str(visitor)) is not None]
    assert kept == list(range(9 * KEPT_LOGS, 10 * KEPT_LOGS))


def test_an_unforeseen_error_becomes_a_sentence_without_its_trace(caplog):
    def broken(config, control):
        raise RuntimeError("secret details")
        yield

    run = Run(broken, CONFIG)
    run.start()
    assert run.ended.wait(30)
    assert "secret" not in run.problem and run.problem
    assert "secret details" in caplog.text
