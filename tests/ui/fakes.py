"""A run without a model: TENT sinks, CLIPTTA climbs, and the pictures are coloured squares."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from clip_tta_core.control import Control, Progress, Stopped
from clip_tta_core.metrics import Tally
from clip_tta_core.records import Batch, Glimpse, Outcome, Report, RunConfig, Step
from clip_tta_core.ui.session.follow import Moment, follow
from clip_tta_core.ui.session.runs import Run

CLASSES = 20
SIDE = 16


def fake_engine(delay: float = 0.0, steps: int = 3, classes: int = CLASSES):
    """An engine whose every optimization step takes `delay` seconds."""

    def run(config: RunConfig, control: Control | None = None) -> Iterator[Report]:
        control = control or Control()
        return _reports(config, control, delay, steps, len(config.class_names) or classes)

    return run


def _reports(config: RunConfig, control: Control, delay: float, steps: int, classes: int) -> Iterator[Report]:
    rng = np.random.default_rng(config.seed)
    contenders = {"zero_shot": "zero_shot"} | {one.label: one.method for one in config.contenders}
    tallies = {label: Tally() for label in contenders}
    labelled = config.source != "upload"
    try:
        for step in range(1, config.batches + 1):
            control.checkpoint(Progress(step, config.batches))
            batch = _batch(config, rng, classes, labelled)
            source = _probs("zero_shot", batch, step / config.batches, classes, rng)
            outcomes = {}
            for label, name in contenders.items():
                for k in range(steps):
                    if control.wants_look() and outcomes:  # as if each step made half of the rest certain
                        probs = np.eye(classes, dtype=np.float32)[source.argmax(axis=1)]
                        probs = 0.5**k * source + (1 - 0.5**k) * probs
                        look = Step(label, k, steps, probs, {"loss": 0.5**k})
                        control.looker(Glimpse(step, config.batches, batch, dict(outcomes), {}, look))
                    control.checkpoint(Progress(step, config.batches, label, k, steps))
                    time.sleep(delay)
                probs = (
                    source
                    if name == "zero_shot"
                    else _probs(name, batch, step / config.batches, classes, rng)
                )
                scores = (rng.normal(size=len(batch)) + np.where(batch.unknown, -1.0, 1.0)).astype(np.float32)
                metrics = tallies[label].add(probs, source, batch.labels, batch.unknown, scores, 0.0)
                metrics["drift"] = 0.01 * step
                features = np.eye(4, dtype=np.float32)[rng.integers(0, 4, len(batch))]
                outcomes[label] = Outcome(
                    probs, features, scores, 0.0, {"loss": 1 / step}, metrics, delay * steps
                )
                if control.looker:
                    control.looker(Glimpse(step, config.batches, batch, dict(outcomes), {}))
            yield Report(step, config.batches, batch, outcomes, "cpu")
    except Stopped:
        return


def _batch(config: RunConfig, rng: np.random.Generator, classes: int, labelled: bool) -> Batch:
    size = config.batch_size
    labels = rng.integers(0, classes, size)
    unknown = rng.random(size) < (config.unknown_share if config.unknown_source != "none" else 0)
    colours = rng.integers(40, 220, (size, 1, 1, 3), dtype=np.uint8)
    images = np.broadcast_to(colours, (size, SIDE, SIDE, 3)).copy()
    shown = np.where(unknown, -1, labels) if labelled else np.full(size, -1)
    names = tuple(f"picture {i}" for i in range(size))
    return Batch(images, shown.astype(np.int64), names, unknown, ("fog 5",) * size)


def _probs(name: str, batch: Batch, part: float, classes: int, rng: np.random.Generator) -> np.ndarray:
    """Right more often with time for CLIPTTA, less often for TENT, which favours the first two classes."""
    right = {"tent": 0.4 * math.exp(-3 * part), "cliptta": 0.4 + 0.4 * part}.get(name, 0.4)
    guesses = rng.integers(0, 2 if name == "tent" and part > 0.3 else classes, len(batch))
    answers = np.where((rng.random(len(batch)) < right) & (batch.labels >= 0), batch.labels, guesses)
    probs = np.full((len(batch), classes), 0.2 / classes, dtype=np.float32)
    probs[np.arange(len(batch)), answers] += 0.8
    return probs


class ScriptedRun(Run):
    """A run without a thread, and the clock that it is followed by: only waiting makes time pass."""

    def __init__(self) -> None:
        super().__init__(fake_engine(), RunConfig())
        self.now = 0.0
        self.reports: list[tuple[float, Any]] = []  # with the second at which each comes; then the end
        self.moves: Callable[[float], Progress] = lambda now: Progress(1, 1)  # where the run is, by time
        self.held_at = math.inf

    def monotonic(self) -> float:
        return self.now

    def drain(self, seconds: float) -> list:
        """What has come by now, after waiting up to `seconds` for the first."""
        comes = self.reports[0][0]
        self.now = max(self.now, min(self.now + seconds, comes))
        came = [report for when, report in self.reports if when <= self.now]
        self.reports = self.reports[len(came) :]
        self.control.progress = self.moves(self.now)
        if self.now >= self.held_at:
            self.control.pause()
        if not self.reports:
            self.ended.set()
        return came

    def empty(self) -> bool:
        return not self.reports

    def followed(self) -> list[tuple[float, Moment]]:
        """Every moment with its time; the end is the last."""
        return [(self.now, moment) for moment in follow(self, lambda report, active: None)]

    def times(self) -> list[float]:
        """When the page was told something; the end, which is told besides, is left out."""
        return [now for now, moment in self.followed() if not moment.last]
