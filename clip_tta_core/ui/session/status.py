"""What a run is doing right now, as the status line shows it."""

from __future__ import annotations

import time

from clip_tta_core import engine
from clip_tta_core.control import Progress
from clip_tta_core.records import RunLog
from clip_tta_core.ui.wire.parts import Status
from clip_tta_core.ui.wire.states import STATES, RunState


class Clock:
    """Seconds a run has been at work; time on hold, or until its model is ready, does not count."""

    def __init__(self) -> None:
        self._last = time.monotonic()
        self.active = 0.0

    def tick(self, idle: bool) -> float:
        """Count the time since the last tick, unless the run was not at work."""
        now = time.monotonic()
        if not idle:
            self.active += now - self._last
        self._last = now
        return self.active


def status(state: RunState, log: RunLog, progress: Progress | None = None, active: float = 0.0) -> Status:
    """The status line and the progress bar.

    Args:
        state: what the run is doing.
        log: the run so far.
        progress: where the run is inside the batch.
        active: seconds of work so far.
    """
    progress = progress or Progress(len(log), log.total)
    share = _share(log, progress)
    images = sum(log.sizes)
    going = STATES[state].under_way
    return Status(
        state=state,
        done=len(log),
        batch=progress.batch,
        batches=progress.batches or log.total,
        method=log.titles.get(progress.label, progress.label) if going else "",
        step=progress.step,
        steps=progress.steps,
        doing=progress.doing if state == "loading" else "",
        share=round(share, 4),
        rate=round(images / active, 1) if images and active > 0 else None,
        left=round(active * (1 - share) / share, 1) if going and active > 0 and share > 0 else None,
        device=_place(log),
    )


def _place(log: RunLog) -> str:
    """The device of a run, and its precision where that is not the usual one."""
    precision = log.made.get("precision", "float32")
    return log.device if precision == "float32" else f"{log.device}, {precision}"


def recorded(log: RunLog) -> Status:
    """The status of a run that was made before the page was opened."""
    active = log.elapsed[-1] if log.elapsed else 0.0
    return status("recorded" if len(log) else "idle", log, active=active)


def _share(log: RunLog, progress: Progress) -> float:
    """Finished part of the run, 0 to 1, counting methods and steps inside the batch that is under way.

    Of what is done before the first batch, a download above all, the finished part of that.
    """
    if progress.doing:
        return progress.step / progress.steps if progress.steps else 0.0
    if not progress.batches:
        return 0.0
    work = _work(log)
    labels = list(work)
    if len(log) >= progress.batch or progress.label not in labels:
        return len(log) / progress.batches
    inside = progress.step / progress.steps if progress.steps else 0.0
    before = sum(work[label] for label in labels[: labels.index(progress.label)])
    part = (before + inside * work[progress.label]) / sum(work.values())
    return (max(len(log), progress.batch - 1) + part) / progress.batches


def _work(log: RunLog) -> dict[str, float]:
    """What each contender takes of a batch, in forwards, in the order of their turns."""
    size = log.settings.get("batch_size")
    stream = (size, log.total) if isinstance(size, int) and size > 0 else ()
    costs = engine.costs(log.contenders, *stream)
    return {label: costs[label].relative if label in costs else 1.0 for label in log.titles}
