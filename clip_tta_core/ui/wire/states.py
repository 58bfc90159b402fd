"""What a run, or a comparison, can be doing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

RunState = Literal[
    "idle",
    "recorded",
    "waiting",
    "loading",
    "running",
    "paused",
    "stopping",
    "stopped",
    "done",
    "failed",
]


@dataclass(frozen=True)
class State:
    """One state, as the page shows it."""

    word: str  # on the status line
    busy: bool = False  # a run has been asked for and has not ended
    under_way: bool = False  # it can be paused, stepped, and asked how long it will take
    over: bool = False  # it has ended, and its batches can be counted


STATES: dict[RunState, State] = {
    "idle": State("Ready"),
    "recorded": State("A recorded run", over=True),
    "waiting": State("Starting", busy=True),
    "loading": State("Getting ready", busy=True),
    "running": State("Running", busy=True, under_way=True),
    "paused": State("Paused", busy=True, under_way=True),
    "stopping": State("Stopping", busy=True),
    "stopped": State("Stopped", over=True),
    "done": State("Finished", over=True),
    "failed": State("Stopped", over=True),
}
