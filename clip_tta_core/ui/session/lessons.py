"""The lessons, in the order of a course: each sets every control and says what to look for."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

from clip_tta_core.ui.session.settings import Settings, defaults

TEN = {"lr": 1e-3, "steps": 10}
STEADY = {"tent": TEN, "cliptta": TEN}
OPEN = {  # CLIPTTA's open-set protocol for both: its own step size, and the diversity bonus for TENT
    "tent": {"lr": 1e-4, "steps": 10, "beta_reg": 1.0},
    "cliptta": {"lr": 1e-4, "steps": 10, "open_set": True},
}
TEN_STEPS = (
    "Both take ten steps of 0.001 a batch: CLIPTTA’s protocol for TENT, ten times CLIPTTA’s own step size. "
    "As set by their authors, TENT takes one step, and CLIPTTA ten of 0.0001."
)
OPEN_STEPS = (
    "Both run as in CLIPTTA’s open-set protocol: ten steps of 0.0001 a batch, TENT with the diversity bonus. "
    "As set by its authors, TENT takes one step of 0.001 without the bonus; CLIPTTA runs as set by its own."
)


@dataclass(frozen=True)
class Lesson:
    """A starting point worth a minute: what it changes of the defaults, and what to watch."""

    name: str
    title: str
    look_for: str
    changes: dict[str, Any]  # fields of RunConfig
    protocol: str = TEN_STEPS  # how the methods are set, and what changes under their authors' settings
    methods: dict[str, dict[str, Any]] = field(default_factory=lambda: STEADY)
    copies: tuple[dict[str, Any], ...] = ()  # {label, method, settings} of methods that take part again
    minutes: int = 3  # in a course of 45: to guess, to look, and to talk about it
    needs: str = ""  # a name of DATASETS, of the pictures it runs on; "" for those that are drawn here
    twin: str = ""  # the lesson that shows the same on drawings, where those pictures are missing

    def settings(self) -> Settings:
        """Every setting of the page, as plain values of its own."""
        methods = {"zero_shot": {}, **self.methods}
        own = {"methods": methods, "copies": self.copies, "lesson": self.name}
        return json.loads(json.dumps(defaults() | self.changes | own))


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
        "Nothing adapts here: zero-shot CLIP compares each picture with twenty captions and answers with the "
        "nearest. Under noise it is often wrong, and favours a few classes.",
        {"corruption": "gaussian_noise", "severity": 5, "batches": 8},
        "",
        {},
        minutes=2,
    ),
    Lesson(
        "seen",
        "What adaptation may see",
        "A method sees each batch before it answers, and how sure it is itself. It never sees a label: "
        "accuracy is measured for us alone.",
        {"corruption": "fog", "severity": 5},
    ),
    Lesson(
        "gentle",
        "Gentle steps",
        "The same stream with one small step per batch: neither method collapses, and neither gains much.",
        {"corruption": "gaussian_noise", "severity": 5},
        "Both take one step of 0.0001 a batch. As set by their authors, TENT’s step is 0.001, and CLIPTTA "
        "takes ten steps.",
        {"tent": {"lr": 1e-4, "steps": 1}, "cliptta": {"lr": 1e-4, "steps": 1}},
        minutes=2,
    ),
    Lesson(
        "parts",
        "Which part helps?",
        "CLIPTTA differs from TENT in its contrast, its diversity bonus and its memory. Here a second "
        "TENT gets the bonus, and a second CLIPTTA loses bonus and memory.",
        {"corruption": "gaussian_noise", "severity": 5},
        methods=STEADY,
        copies=(
            {"label": "TENT + diversity", "method": "tent", "settings": TEN | {"beta_reg": 1.0}},
            {
                "label": "CLIPTTA, contrast only",
                "method": "cliptta",
                "settings": TEN | {"composition": "batch_only", "beta_reg": 0.0},
            },
        ),
    ),
    Lesson(
        "cliff",
        "Larger steps",
        "The same stream as in the first lesson with five times the step size: watch what it does to each.",
        {"corruption": "gaussian_noise", "severity": 5},
        "Both take ten steps of 0.005 a batch. As set by their authors, TENT takes one of 0.001, and CLIPTTA "
        "ten of 0.0001.",
        {"tent": {"lr": 5e-3, "steps": 10}, "cliptta": {"lr": 5e-3, "steps": 10}},
        minutes=2,
    ),
    Lesson(
        "small",
        "A small batch",
        "Eight pictures at a time: a batch no longer covers every class, and every step is noisier.",
        {"corruption": "gaussian_noise", "severity": 5, "batch_size": 8, "batches": 48},
        "Both take three steps of 0.001 a batch. As set by their authors, TENT takes one, and CLIPTTA ten of "
        "0.0001.",
        {"tent": {"lr": 1e-3, "steps": 3}, "cliptta": {"lr": 1e-3, "steps": 3}},
        minutes=2,
    ),
    Lesson(
        "one",
        "One picture at a time",
        "Batches of one picture: the batch holds no other to contrast it with. CLIPTTA is left with its "
        "memory of earlier pictures.",
        {"corruption": "gaussian_noise", "severity": 5, "batch_size": 1, "batches": 256},
        "Both take one step of 0.001 a picture. As set by their authors, CLIPTTA takes ten of 0.0001.",
        {"tent": {"lr": 1e-3, "steps": 1}, "cliptta": {"lr": 1e-3, "steps": 1}},
        minutes=2,
    ),
    Lesson(
        "sorted",
        "Sorted by class",
        "One class after another, as in a video: one or two per batch. CLIPTTA’s bonus asks every batch for "
        "answers spread over all twenty.",
        {"corruption": "gaussian_noise", "severity": 3, "order": "sorted"},
        minutes=2,
    ),
    Lesson(
        "few",
        "Few classes at a time",
        "Every batch shows one to four of the twenty classes. StatA and OnZeta train no weights: they learn "
        "where the pictures of a class lie, and allow for absent ones.",
        {"corruption": "fog", "severity": 3, "order": "few"},
        "TENT and CLIPTTA take ten steps of 0.001 a batch, StatA runs as set by its authors, and OnZeta at a "
        "tenth of their balance, for streams of few classes.",
        STEADY | {"stata": {}, "onzeta": {"balance": 0.1}},
    ),
    Lesson(
        "mixed",
        "Every picture another corruption",
        "Fifteen corruptions in one stream, in random order. Ramen takes a step for each "
        "picture alone, along the gradients of earlier ones most like it.",
        {"corruption": "gaussian_noise", "schedule": "mixed", "severity": 5},
        "TENT and CLIPTTA take ten steps of 0.001 a batch; Ramen runs as by default, with one caption each, "
        "where its authors average seven.",
        STEADY | {"ramen": {}},
        minutes=2,
    ),
    Lesson(
        "style",
        "Only the style changed",
        "The pictures are not corrupted: the objects are line drawings. Adapting to a new style helps, too.",
        {"style": "line_drawing", "corruption": "none"},
        minutes=2,
    ),
    Lesson(
        "clean",
        "Do no harm",
        "The pictures are clean, and CLIP is already right on nearly all. The best a method can do is "
        "no harm.",
        {"corruption": "none"},
        minutes=2,
    ),
    Lesson(
        "unknowns",
        "A flood of unknowns",
        "Half of the pictures show things outside the class list. Accuracy on the known ones rises; watch "
        "the AUROC to see whether their scores part from those of the unknown.",
        {
            "corruption": "gaussian_noise",
            "severity": 3,
            "unknown_source": "objects",
            "unknown_share": 0.5,
        },
        OPEN_STEPS,
        OPEN,
    ),
    Lesson(
        "nonsense",
        "Confident nonsense",
        "Half of the pictures are letters and digits, which belong to no class. Accuracy on the objects "
        "hardly changes; watch the AUROC to see whether the others still look unknown.",
        {"corruption": "none", "unknown_source": "characters", "unknown_share": 0.5},
        OPEN_STEPS,
        OPEN,
    ),
    Lesson(
        "attack",
        "Pictures made to mislead",
        "Every pixel is moved by up to 4 of 255 levels, whichever way misleads CLIP most. One hardly sees "
        "it. TENT and CLIPTTA learn from misled answers; R-TPT compares views.",
        {"attack": "linf", "attack_epsilon": 4.0, "batch_size": 32, "batches": 4},
        "TENT and CLIPTTA take ten steps of 0.001 a batch; R-TPT looks at 16 views of a picture, where its "
        "authors take 64.",
        STEADY | {"r_tpt": {"views": 16}},
        minutes=2,
    ),
    Lesson(
        "start",
        "A better start",
        "Sixteen labelled pictures per class, clean and none from the stream, teach CLIP before it adapts. "
        "Compare zero-shot CLIP, the start as it is, CLIPTTA, and both together.",
        {"corruption": "fog", "severity": 5, "batches": 8, "start": "clipood"},
        "CLIPTTA takes ten steps of 0.001 a batch, once from the start and once from CLIP as it is. Its "
        "authors' steps are 0.0001.",
        {"cliptta": TEN},
        ({"label": "CLIPTTA alone", "method": "cliptta", "settings": TEN, "from_start": False},),
        minutes=2,
    ),
    Lesson(
        "which",
        "Many methods: which one when?",
        "Five kinds of methods on the fog of an earlier lesson, all classes mixed. The tab Compare runs "
        "all methods in turn, on any stream.",
        {"corruption": "fog", "severity": 3},
        "All run as by default, which is what their authors chose wherever one choice serves all data.",
        {"tent": {"lr": 1e-3, "steps": 1}, "cliptta": {"lr": 1e-4, "steps": 10}}
        | {"stata": {}, "dota": {}, "ramen": {}},
    ),
    Lesson(
        "photographs",
        "The same on photographs",
        "Real photographs in fog, 32 pixels a side, ten classes, and photo-CLIP in place of mini-CLIP. Watch "
        "both accuracies along the stream, and how many classes stay in use.",
        {
            "source": "dataset:cifar10",
            "model": "photo-clip",
            "corruption": "fog",
            "severity": 5,
            "batches": 12,
        },
        minutes=2,
        needs="cifar10",
        twin="seen",
    ),
)
FIRST = LESSONS[0]
BY_NAME = {lesson.name: lesson for lesson in LESSONS}
