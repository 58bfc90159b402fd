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
        "Both methods see the same noisy pictures. TENT becomes more and more confident and stops "
        "predicting most classes; CLIPTTA keeps using them.",
        {"corruption": "gaussian_noise", "severity": 5},
    ),
    Lesson(
        "alone",
        "CLIP on its own",
        "Nothing adapts here: zero-shot CLIP compares each picture with twenty captions and answers the "
        "nearest. Under noise it is often wrong, and favours a few classes.",
        {"corruption": "gaussian_noise", "severity": 5, "batches": 8},
        {},
    ),
    Lesson(
        "gentle",
        "Gentle steps",
        "The same stream with one small step per batch: neither method collapses, and neither gains much.",
        {"corruption": "gaussian_noise", "severity": 5},
        {"tent": {"lr": 1e-4, "steps": 1}, "cliptta": {"lr": 1e-4, "steps": 1}},
    ),
    Lesson(
        "cliff",
        "Larger steps",
        "The same stream as in the first lesson with five times the step size: does that hurry both methods?",
        {"corruption": "gaussian_noise", "severity": 5},
        {"tent": {"lr": 5e-3, "steps": 10}, "cliptta": {"lr": 5e-3, "steps": 10}},
    ),
    Lesson(
        "style",
        "Only the style changed",
        "The images are not corrupted: the objects are line drawings. Adapting to a new style helps, too.",
        {"style": "line_drawing", "corruption": "none"},
    ),
    Lesson(
        "sorted",
        "Sorted by class",
        "One class after another, as in a video: one or two per batch. CLIPTTA contrasts the classes of a "
        "batch, and here TENT beats it.",
        {"corruption": "gaussian_noise", "severity": 3, "order": "sorted"},
    ),
    Lesson(
        "small",
        "A small batch",
        "Eight images at a time: a batch no longer covers every class, and every step is noisier.",
        {"corruption": "gaussian_noise", "severity": 5, "batch_size": 8, "batches": 48},
        {"tent": {"lr": 1e-3, "steps": 3}, "cliptta": {"lr": 1e-3, "steps": 3}},
    ),
    Lesson(
        "one",
        "One picture at a time",
        "Batches of one picture: there is nobody in the batch to contrast it with. CLIPTTA is left with its "
        "memory of earlier pictures.",
        {"corruption": "gaussian_noise", "severity": 5, "batch_size": 1, "batches": 256},
        {"tent": {"lr": 1e-3, "steps": 1}, "cliptta": {"lr": 1e-3, "steps": 1}},
    ),
    Lesson(
        "clean",
        "Do no harm",
        "The images are clean and CLIP is already right. The best a method can do is change nothing.",
        {"corruption": "none"},
    ),
    Lesson(
        "unknowns",
        "A flood of unknowns",
        "Half of the images show things outside the class list. Watch the scores of known and unknown images "
        "separate.",
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
        "Half of the images are letters, which belong to no class. Accuracy on the objects hardly changes, "
        "yet TENT becomes as confident on letters as on objects: watch its AUROC fall.",
        {"corruption": "none", "unknown_source": "characters", "unknown_share": 0.5},
        OPEN,
    ),
)
FIRST = LESSONS[0]
