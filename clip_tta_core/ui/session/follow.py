"""A run as its visitor sees it: when there is something new to show, and not more often than it pays."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from clip_tta_core.ui.session.listeners import Absence
from clip_tta_core.ui.session.runs import AFTER, Reported, Run
from clip_tta_core.ui.session.status import Clock
from clip_tta_core.ui.wire.states import RunState

BETWEEN = 0.09  # seconds between two updates of the page: ten a second, with the time that one takes
# And where only the step inside a batch has changed: whatever an update says, the server and a browser on the
# same machine take 10 ms for it from the run.
BETWEEN_STEPS = 1.0
# Seconds between two looks at a run that reports nothing new; a report is taken at once. Every look takes the
# interpreter from the run: 20 a second cost it 6 %.
POLL = 0.25


@dataclass(frozen=True)
class Moment:
    """One update of the page."""

    state: RunState
    active: float  # seconds of work so far
    fresh: bool  # whether anything has been reported since the last one
    last: bool = False


def follow(
    run: Run[Reported],
    take: Callable[[Reported, float], None],
    absence: Absence | None = None,
    between: float = BETWEEN,
) -> Iterator[Moment]:
    """Wait for a run's reports and say when to update the page; the last moment is the end of the run.

    Args:
        run: has begun.
        take: is given every report as it comes, with the seconds of work so far.
        absence: of the visitor; a run that nobody listens to is stopped.
        between: seconds between two updates of the page, at least.
    """
    clock, came, shown, fresh, due = Clock(), 0, 0.0, False, 0.0
    seen: tuple = (0, 0, None, "")
    while not (run.ended.is_set() and run.empty()):
        if absence and absence.is_long():
            run.control.stop()
        due = due or (time.monotonic() if run.due else 0.0)
        if due and time.monotonic() - due > AFTER:
            run.give_up()
        reports = run.drain(between if fresh else POLL)
        active = clock.tick(under_way(run) in ("paused", "loading"))
        for report in reports:
            take(report, active)
        came += len(reports)
        now, state = time.monotonic(), under_way(run)
        here = (came, run.looks, run.control.progress, state)
        fresh = seen[0] != came
        quiet = not fresh and state == seen[-1] == "running"
        if here == seen or now - shown < (BETWEEN_STEPS if quiet else between):
            continue
        yield Moment(state, active, fresh)
        shown, seen, fresh = now, here, False
    yield Moment(ended(run), clock.tick(run.control.paused), fresh=True, last=True)


def under_way(run: Run) -> RunState:
    """What a run that has not ended is doing."""
    if run.control.stopped:
        return "stopping"
    if run.control.paused:
        return "paused"
    return "running" if run.control.progress.batch else "loading"


def ended(run: Run) -> RunState:
    """How a run came to its end."""
    return "failed" if run.problem else "stopped" if run.control.stopped else "done"
