"""Pause, single-step and stop a run from another thread, and see how far it is."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

BETWEEN_LOOKS = 1.0  # seconds between two looks inside a batch of a run that goes on; a held one shows all


class Stopped(Exception):
    """Raised inside a run, between two optimization steps, after stop() was called."""


class OutOfTime(Exception):
    """Raised inside a run where it may be held or announces what it does, once its time is up."""


@dataclass(frozen=True)
class Progress:
    """Where a run is right now."""

    batch: int = 0  # 1 for the first
    batches: int = 0
    label: str = ""  # of the contender at work
    step: int = 0  # optimization steps finished on this batch
    steps: int = 0
    doing: str = ""  # what is done before the first batch: "downloading ViT-B/32, OpenAI: 12 of 605 MB"


class Control:
    """The handle of one run: the page turns it, the engine asks it between optimization steps.

    A fresh control lets the run go. All methods may be called from any thread.
    """

    def __init__(self) -> None:
        self.progress = Progress()
        self.held = 0.0  # seconds spent waiting at checkpoints
        self.looker: Callable[[Any], None] | None = None  # takes a records.Glimpse, in the run's thread
        self.inside = False  # whether reports are to say what contenders look like inside
        self._changed = threading.Condition()
        self._paused = False
        self._steps_allowed = 0
        self._stopped = False
        self._end = math.inf
        self._looked = -math.inf

    @property
    def paused(self) -> bool:
        return self._paused

    @property
    def stopped(self) -> bool:
        return self._stopped

    def pause(self) -> None:
        """Hold the run at its next checkpoint."""
        with self._changed:
            self._paused = True

    def resume(self) -> None:
        """Let a held run go on."""
        with self._changed:
            self._paused, self._steps_allowed = False, 0
            self._changed.notify_all()

    def step(self) -> None:
        """Let the run pass one checkpoint (one optimization step), then hold it."""
        with self._changed:
            self._paused, self._steps_allowed = True, self._steps_allowed + 1
            self._changed.notify_all()

    def stop(self) -> None:
        """End the run at its next checkpoint, also while it is held."""
        with self._changed:
            self._stopped = True
            self._changed.notify_all()

    def limit(self, seconds: float) -> None:
        """Let the run end so many seconds from now, held or not; 0 is no limit. The first decision holds: a
        comparison makes it for all its runs.
        """
        if seconds and self._end == math.inf:
            self._end = time.monotonic() + seconds

    @property
    def left(self) -> float:
        """Seconds until the run must end, infinite without a limit."""
        return self._end - time.monotonic()

    def wants_look(self) -> bool:
        """Whether somebody would see the step that is about to be taken; if so, that counts as a look."""
        now = time.monotonic()
        if self.looker is None or not (self._paused or now - self._looked >= BETWEEN_LOOKS):
            return False
        self._looked = now
        return True

    def announce(self, progress: Progress) -> None:
        """Called by the run where it cannot be held: publish `progress`, raise if it is to end."""
        self.progress = progress
        self._raise_if_over()

    def checkpoint(self, progress: Progress) -> None:
        """Called by the run: publish `progress`, wait while held, raise if it is to end."""
        self.progress = progress
        with self._changed:
            start = time.perf_counter()
            self._changed.wait_for(
                lambda: self._stopped or not self._paused or self._steps_allowed > 0,
                timeout=None if self._end == math.inf else max(0.0, self.left),
            )
            self.held += time.perf_counter() - start
            self._raise_if_over()
            if self._paused:
                self._steps_allowed -= 1

    def _raise_if_over(self) -> None:
        if self._stopped:
            raise Stopped
        if self.left < 0:
            raise OutOfTime
