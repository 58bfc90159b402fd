"""What a lesson asks before one looks, and what the numbers of its recorded run answer."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from clip_tta_core.records import RunLog
from clip_tta_core.ui.session.lessons import Lesson
from clip_tta_core.ui.wire.measures import MEASURES
from clip_tta_core.ui.wire.parts import Change, Looks, Question
from clip_tta_core.ui.words.numbers import percent
from clip_tta_core.ui.words.run import value_at

KINDS = {measure.name: measure.kind for measure in MEASURES}


@dataclass(frozen=True)
class Teaching:
    """One question with three answers; which of them is right is worked out from a recorded run.

    The quantity asked for is a contender's measure after the last batch, less that of `against` where one is
    named. The first answer that reaches up to it is the right one; the last reaches everything.
    """

    asks: str
    answers: tuple[tuple[str, float], tuple[str, float], tuple[str, float]]  # text, up to which value
    measure: str
    method: str
    says: str  # "{tent:accuracy}" is a number of the run
    why: str
    preset: str
    try_this: str
    changes: Mapping[str, Any]  # of the lesson's settings
    against: str = ""
    pictures: Literal["all", "changed", "gained", "lost"] = "all"

    def looks(self) -> Looks:
        """The curve and the pictures that answer the question."""
        return Looks(self.measure, self.method, self.pictures)

    def question(self, lesson: Lesson, log: RunLog) -> Question:
        """With the answer that the numbers of the lesson's run give."""
        return Question(
            asks=self.asks,
            answers=tuple(text for text, _ in self.answers),
            right=self.right(log),
            says=self.says.format_map({label: Numbers(log, label) for label in log.series}),
            why=self.why,
            preset=self.preset,
            change=Change(self.try_this, self._changed(lesson)),
        )

    def right(self, log: RunLog) -> int:
        """Which of the answers holds."""
        value = last(log, self.method, self.measure)
        value -= last(log, self.against, self.measure) if self.against else 0.0
        return next((k for k, (_, most) in enumerate(self.answers) if value <= most), len(self.answers) - 1)

    def _changed(self, lesson: Lesson) -> dict[str, Any]:
        settings = lesson.settings() | {"lesson": ""}
        methods = self.changes.get("methods", {})
        chosen = {name: knobs | methods.get(name, {}) for name, knobs in settings["methods"].items()}
        return json.loads(json.dumps(settings | dict(self.changes) | {"methods": chosen}))


@dataclass(frozen=True)
class Numbers:
    """A contender's numbers at the end of a run, for a sentence: f"{tent:accuracy}" is "31%"."""

    log: RunLog
    label: str

    def __format__(self, measure: str) -> str:
        value = last(self.log, self.label, measure)
        if KINDS[measure] == "share":
            return percent(value)
        return f"{value:.0f}" if abs(value) >= 10 else f"{value:.1f}"


def last(log: RunLog, label: str, measure: str) -> float:
    """A measure after the last batch."""
    return value_at(log, label, measure, len(log) - 1)


REST = math.inf
USED = (("1 to 4 classes", 4.5), ("5 to 12 classes", 12.5), ("more than 12 classes", REST))
GAINS = (("It loses", -0.02), ("About the same, within 2 points", 0.02), ("It gains", REST))

TEACHINGS: dict[str, Teaching] = {}
