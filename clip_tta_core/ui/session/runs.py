"""Who is running what: one run per visitor at a time, in a thread of its own, stopped from anywhere."""

from __future__ import annotations

import contextvars
import logging
import queue
import threading
import time
from collections import OrderedDict, deque
from collections.abc import Callable, Generator, Iterator
from typing import Generic, TypeVar

from clip_tta_core import limits
from clip_tta_core.control import Control
from clip_tta_core.records import Glimpse, RunConfig, RunLog

Reported = TypeVar("Reported")  # batches of a run, standings of a comparison, cells of a table
Engine = Callable[[RunConfig, Control], Generator[Reported]]
log = logging.getLogger(__name__)

WAITING_REPORTS = 8  # a run that is this far ahead of its visitor waits
WAITING_GLIMPSES = 64  # of those that nobody takes the oldest make room
KEPT_LOGS = 64  # finished runs whose numbers can still be downloaded
AFTER = 10.0  # seconds that a run whose end is due has to end by itself
UNEXPECTED = "The run ended with an unexpected error; the server's log has the details."
LATE = (
    "Run: on this page a run may take {seconds} seconds, and this one did not come to a point where it could "
    "end; try again, with fewer batches or a model that is on this machine."
)


class Run(Generic[Reported]):
    """One run: a thread that adapts, and a queue its visitor reads."""

    def __init__(self, engine: Engine[Reported], config: RunConfig) -> None:
        self.control = Control()
        self.problem = ""  # the sentence, if it could not go on
        self.ended = threading.Event()
        self.after: Run | None = None  # the visitor's earlier run, which must end first
        self.abandoned = False  # its visitor has gone
        self.log: RunLog | None = None  # what its visitor has seen of it so far
        self.looks = 0  # how often somebody has been shown the inside of a batch
        self._reports: queue.Queue[Reported] = queue.Queue(WAITING_REPORTS)
        self._glimpses: deque[Glimpse] = deque(maxlen=WAITING_GLIMPSES)
        self._engine, self._config = engine, config

    def start(self) -> None:
        """Begin, with the visitor's own context variables; from now on its time counts, whatever it does."""
        self.control.limit(limits.MAX_SECONDS.value)
        context = contextvars.copy_context()
        threading.Thread(target=context.run, args=(self._work,), name="run", daemon=True).start()

    def look_inside(self) -> None:
        """From now on keep what the run shows of a batch before it reports it."""
        self.control.looker = self._see

    def _see(self, glimpse: Glimpse) -> None:
        self._glimpses.append(glimpse)
        self.looks += 1

    def glimpses(self) -> Iterator[Glimpse]:
        """Those that have come since the last call."""
        while self._glimpses:
            yield self._glimpses.popleft()

    def drain(self, seconds: float) -> list[Reported]:
        """The reports that have come, waiting up to `seconds` for the first."""
        reports = []
        try:
            reports.append(self._reports.get(timeout=seconds))
            while True:
                reports.append(self._reports.get_nowait())
        except queue.Empty:
            return reports

    def empty(self) -> bool:
        """Whether every report has been taken."""
        return self._reports.empty()

    @property
    def due(self) -> bool:
        """Whether it is to end: it was stopped, or its time is up."""
        return self.control.stopped or self.control.left < 0

    def give_up(self) -> None:
        """Count a run as ended whose thread does not come to a point where it could be: it waits for a hub
        that says nothing, say. The thread ends when it can, and nobody listens to it any more."""
        if not self.control.stopped:
            self.problem = LATE.format(seconds=limits.MAX_SECONDS.value)
        self.control.stop()
        self.ended.set()

    def _work(self) -> None:
        while self.after is not None and not self.after.ended.wait(0.2) and not self.due:
            pass
        self.after = None
        reports = None
        try:
            if self.control.stopped:
                return
            reports = self._engine(self._config, self.control)
            for report in reports:
                if not self._put(report):
                    break
        except ValueError as error:
            self._fail(str(error))
        except Exception as error:  # the border: whatever happens inside, the visitor reads a sentence
            log.exception("A run failed.")
            self._fail(f"{UNEXPECTED} ({type(error).__name__})")
        finally:
            if reports is not None:
                reports.close()
            self.ended.set()

    def _fail(self, problem: str) -> None:
        if not self.ended.is_set():
            self.problem = problem

    def _put(self, report: Reported) -> bool:
        """Hand over a report; False when the run has been stopped meanwhile."""
        while not self.control.stopped:
            try:
                self._reports.put(report, timeout=0.2)
                return True
            except queue.Full:
                continue
        return False


class Runs:
    """Every visitor's current run and latest log, by session."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._current: dict[str, Run] = {}
        self._logs: OrderedDict[str, RunLog] = OrderedDict()
        self._choices: dict[str, int] = {}  # the number of each one's latest, of those with a log

    def register(self, session: str, run: Run) -> None:
        """Make `run` the visitor's current one, to be started; what ran before is stopped and ends first."""
        with self._lock:
            run.after = self._current.get(session)
            self._current[session] = run
        if run.after is not None:
            run.after.control.stop()

    def end(self, session: str, run: Run) -> None:
        """Stop `run` and forget it, unless another has taken its place."""
        run.control.stop()
        with self._lock:
            if self._current.get(session) is run:
                del self._current[session]

    def current(self, session: str) -> Run | None:
        with self._lock:
            return self._current.get(session)

    def stop_all(self, seconds: float) -> None:
        """Stop every visitor's run and wait up to so many seconds for all of them."""
        with self._lock:
            runs = list(self._current.values())
        for run in runs:
            run.control.stop()
        end = time.monotonic() + seconds
        for run in runs:
            run.ended.wait(max(0.0, end - time.monotonic()))

    def running(self) -> int:
        """How many visitors have a run."""
        with self._lock:
            return len(self._current)

    def keep(self, session: str, run: Run, log: RunLog) -> None:
        """Remember a visitor's latest numbers, for downloads; not those of one who has gone."""
        with self._lock:
            if not run.abandoned:
                self._keep(session, log)

    def look_at(self, session: str, log: RunLog, number: int = 0) -> bool:
        """A visitor looks at a recorded run: its numbers are what a download is of.

        Args:
            session: the visitor's.
            log: the recorded run.
            number: of their choice, which grows from one to the next.

        Returns:
            False, and nothing is changed, where a later choice has overtaken this one.
        """
        with self._lock:
            if number < self._choices.get(session, 0):
                return False
            self._choices[session] = number
            self._keep(session, log)
            return True

    def _keep(self, session: str, log: RunLog) -> None:
        self._logs[session] = log
        self._logs.move_to_end(session)
        while len(self._logs) > KEPT_LOGS:
            oldest, _ = self._logs.popitem(last=False)
            self._choices.pop(oldest, None)

    def log(self, session: str) -> RunLog | None:
        with self._lock:
            return self._logs.get(session)

    def leave(self, session: str) -> None:
        """The visitor has gone: stop what runs, forget what was kept."""
        with self._lock:
            self._logs.pop(session, None)
            self._choices.pop(session, None)
            run = self._current.get(session)
            if run is not None:
                run.abandoned = True
        if run is not None:
            run.control.stop()
