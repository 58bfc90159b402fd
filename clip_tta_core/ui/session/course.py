"""The course of a batch through the optimization steps, as far as somebody has looked."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from clip_tta_core import metrics, thumbnails
from clip_tta_core.records import Batch, Glimpse, Remembered, StepsOn, loss_curve


@dataclass(frozen=True)
class Seen:
    """A method's predictions of the batch after some steps, and what they come to."""

    taken: int  # steps
    probs: np.ndarray  # float32 (B, K)
    numbers: Mapping[str, float]  # {measure: value}


class Course:
    """What was seen of the batch that is under way: every method's steps, and the memories as they are."""

    def __init__(self) -> None:
        self.latest: Glimpse | None = None
        self.seen: dict[str, list[Seen]] = {}  # by label, in the order of their turns
        self.steps: dict[str, int] = {}  # planned, by label
        self.on: dict[str, StepsOn] = {}  # what the steps learn from, by label, of those that take any
        self.memories: dict[str, Remembered] = {}  # by label, the newest
        self.sheet = b""  # the batch's pictures, see `thumbnails`

    def take(self, glimpse: Glimpse) -> None:
        """The next look; one of another batch begins anew."""
        if self.latest is None or self.latest.batch is not glimpse.batch:
            self.seen, self.steps, self.on = {}, {}, {}
            self.sheet = thumbnails.sheet(glimpse.batch.images)
        self.latest = glimpse
        self.memories |= glimpse.memories
        for label, outcome in glimpse.outcomes.items():
            end = self.steps.setdefault(label, 0)
            if not self.seen.get(label) or self.seen[label][-1].probs is not outcome.probs:
                self._add(label, end, outcome.probs, {})
        if glimpse.step is not None:
            step = glimpse.step
            self.steps[step.label], self.on[step.label] = step.steps, step.on
            self._add(step.label, step.step, step.probs, step.losses)

    def _add(self, label: str, taken: int, probs: np.ndarray, losses: Mapping[str, float]) -> None:
        assert self.latest is not None
        numbers = {loss_curve(name): value for name, value in losses.items()}
        self.seen.setdefault(label, []).append(
            Seen(taken, probs, numbers_of(probs, self.latest.batch) | numbers)
        )

    @property
    def work(self) -> str:
        """The method at work, or the one that was done last."""
        return list(self.seen)[-1] if self.seen else ""

    def series(self, label: str, measure: str) -> list[float]:
        """One value for every look at a method."""
        return [one.numbers.get(measure, math.nan) for one in self.seen[label]]


def numbers_of(probs: np.ndarray, batch: Batch) -> dict[str, float]:
    """What predictions of a batch come to, under the names of `wire.measures`. (B, K)"""
    known = ~batch.unknown
    answers = probs.argmax(axis=1)
    return {
        "entropy": float(metrics.entropies(probs).mean()),
        "effective_classes": metrics.effective(np.bincount(answers)),
        "accuracy_batch": metrics.accuracy(answers[known], batch.labels[known]),
    }
