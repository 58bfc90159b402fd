"""The scenario menu: each lesson sets every control and says what to look for."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

from clip_tta_core.ui.session.settings import Settings, defaults

STEADY = {"tent": {"lr": 1e-3, "steps": 10}, "cliptta": {"lr": 1e-3, "steps": 10}}
OPEN = {"tent": STEADY["tent"], "cliptta": STEADY["cliptta"] | {"open_set": True}}


@dataclass(frozen=True)
class Lesson:
    """A starting point worth a minute: what it changes of the defaults, and what to watch."""

    name: str
    title: str
    look_for: str
    changes: dict[str, Any]  # fields of RunConfig
    methods: dict[str, dict[str, Any]] = field(default_factory=lambda: STEADY)

    def settings(self) -> Settings:
        """Every setting of the page, as plain values of its own."""
        methods = {"zero_shot": {}, **self.methods}
        return json.loads(json.dumps(defaults() | self.changes | {"methods": methods, "lesson": self.name}))


LESSONS = (
    Lesson(
        "collapse",
        "Watch TENT collapse",
        "Both methods see the same noisy pictures. TENT grows ever surer and forgets most classes; "
        "CLIPTTA keeps them apart.",
        {"corruption": "gaussian_noise", "severity": 5},
    ),
    Lesson(
        "gentle",
        "Gentle steps",
        "The same stream with one small step a batch: nobody collapses, and nobody gains much.",
        {"corruption": "gaussian_noise", "severity": 5},
        {"tent": {"lr": 1e-4, "steps": 1}, "cliptta": {"lr": 1e-4, "steps": 1}},
    ),
    Lesson(
        "style",
        "Only the style changed",
        "Nothing is broken, the objects are merely drawn as lines. Adapting helps with a new style, too.",
        {"style": "line_drawing", "corruption": "none"},
    ),
    Lesson(
        "sorted",
        "Sorted by class",
        "One class after the other, as a camera sees the world: one or two in a batch. CLIPTTA expects many, "
        "and here TENT beats it.",
        {"corruption": "gaussian_noise", "severity": 3, "order": "sorted"},
    ),
    Lesson(
        "small",
        "A small batch",
        "Eight pictures at a time: a batch no longer shows every class, and one step weighs more.",
        {"corruption": "gaussian_noise", "severity": 5, "batch_size": 8, "batches": 48},
        {"tent": {"lr": 1e-3, "steps": 3}, "cliptta": {"lr": 1e-3, "steps": 3}},
    ),
    Lesson(
        "clean",
        "Do no harm",
        "The pictures are clean and CLIP is already right. The best a method can do is leave things alone.",
        {"corruption": "none"},
    ),
    Lesson(
        "unknowns",
        "A flood of unknowns",
        "Half of the pictures show things outside the class list. Watch known and unknown scores part.",
        {
            "corruption": "gaussian_noise",
            "severity": 3,
            "unknown_source": "objects",
            "unknown_share": 0.5,
        },
        OPEN,
    ),
    Lesson(
        "nonsense",
        "Confident nonsense",
        "Half of the pictures are letters, which no class is. Accuracy on the objects hardly moves, yet "
        "TENT grows as sure of letters as of objects: watch its AUROC fall.",
        {"corruption": "none", "unknown_source": "characters", "unknown_share": 0.5},
        OPEN,
    ),
)
FIRST = LESSONS[0]
