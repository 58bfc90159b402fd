"""What a lesson asks before one looks, and what the numbers of its recorded run answer."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from clip_tta_core.records import RunLog
from clip_tta_core.ui.session.lessons import BY_NAME, Lesson
from clip_tta_core.ui.session.settings import Settings
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
    says: str  # "{tent:accuracy}" is a number of the run, here and in `why`
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
        numbers = {label: Numbers(log, label) for label in log.series}
        return Question(
            asks=self.asks,
            answers=tuple(text for text, _ in self.answers),
            right=self.right(log),
            says=self.says.format_map(numbers),
            why=self.why.format_map(numbers),
            preset=self.preset,
            change=Change(self.try_this, self._changed(lesson)),
        )

    def right(self, log: RunLog) -> int:
        """Which of the answers holds."""
        value = last(log, self.method, self.measure)
        value -= last(log, self.against, self.measure) if self.against else 0.0
        return next((k for k, (_, most) in enumerate(self.answers) if value <= most), len(self.answers) - 1)

    def _changed(self, lesson: Lesson) -> dict[str, Any]:
        settings: Settings = lesson.settings() | {"lesson": ""}
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
        return f"{value:.0f}" if abs(value) >= 10 else f"{value:.1f}".removesuffix(".0")


def last(log: RunLog, label: str, measure: str) -> float:
    """A measure after the last batch."""
    return value_at(log, label, measure, len(log) - 1)


REST = math.inf
USED = (("1 to 4", 4.5), ("5 to 12", 12.5), ("More than 12", REST))
GAINS = (("It loses at least 2 points", -0.02), ("It stays within 2 points", 0.02), ("It gains more", REST))
SMALLER = [copy | {"settings": copy["settings"] | {"lr": 1e-4}} for copy in BY_NAME["parts"].copies]

TEACHINGS: dict[str, Teaching] = {
    "collapse": Teaching(
        asks="After 16 batches, how many of the 20 classes does TENT still predict?",
        answers=USED,
        measure="effective_classes",
        method="tent",
        says="TENT ends with {tent:effective_classes} of 20 classes in use and is right on {tent:accuracy}; "
        "CLIPTTA with {cliptta:effective_classes}, right on {cliptta:accuracy}; zero-shot CLIP with "
        "{zero_shot:effective_classes}, right on {zero_shot:accuracy}.",
        why="TENT pulls each picture to the caption it already leans to, and all pictures share the "
        "weights that do so. Where many lean to the same caption, moving all of them there makes every "
        "answer surer, and nothing in TENT’s loss objects. In CLIPTTA the pull to frequent captions "
        "fades, and a bonus asks for answers that spread over the classes. Neither is ever told that an "
        "answer is wrong.",
        preset="collapse",
        try_this="give TENT the same bonus for diversity",
        changes={"methods": {"tent": {"beta_reg": 1.0}}},
        pictures="lost",
    ),
    "alone": Teaching(
        asks="Guessing gets 5% right. How many of these noisy pictures does CLIP get right on its own?",
        answers=(("Fewer than 10%", 0.1), ("10 to 40%", 0.4), ("More than 40%", REST)),
        measure="accuracy",
        method="zero_shot",
        says="Zero-shot CLIP is right on {zero_shot:accuracy} of them, and its last answers are spread over "
        "about {zero_shot:effective_classes} of 20 classes.",
        why="CLIP places pictures and captions in one space and answers with the nearest caption. Noise "
        "moves pictures in that space; when many move the same way, the captions that lie there are given to "
        "pictures of other classes.",
        preset="small",
        try_this="take the noise away",
        changes={"corruption": "none"},
    ),
    "gentle": Teaching(
        asks="One small step per batch: what does TENT gain or lose against zero-shot CLIP?",
        answers=GAINS,
        measure="accuracy",
        method="tent",
        against="zero_shot",
        says="TENT is right on {tent:accuracy}, CLIPTTA on {cliptta:accuracy} and zero-shot CLIP on "
        "{zero_shot:accuracy}: TENT changed {tent:changed} of the answers.",
        why="The losses are those of the first lesson, but a batch now moves the weights once instead of ten "
        "times, and by a tenth as much. Sixteen such steps are too few to do harm, or much good. In the "
        "plane, on a small shift, TENT even helps.",
        preset="small",
        try_this="take ten steps per batch",
        changes={"methods": {"tent": {"steps": 10}, "cliptta": {"steps": 10}}},
        pictures="changed",
    ),
    "parts": Teaching(
        asks="With CLIPTTA’s diversity bonus added to it, how many of the 20 classes does TENT still "
        "predict?",
        answers=USED,
        measure="effective_classes",
        method="TENT + diversity",
        says="TENT with the bonus ends with {TENT + diversity:effective_classes} of 20 classes in use and "
        "is right on {TENT + diversity:accuracy}; the contrast alone with "
        "{CLIPTTA, contrast only:effective_classes}, right on {CLIPTTA, contrast only:accuracy}; all of "
        "CLIPTTA with {cliptta:effective_classes}, right on {cliptta:accuracy}; TENT without the bonus with "
        "{tent:effective_classes}, right on {tent:accuracy}.",
        why="Either ingredient by itself keeps the answers spread on this stream: the bonus, which rewards a "
        "batch for naming many classes, or the contrast, which weakens the pull of a caption the more of the "
        "batch leans to it. TENT by itself has neither.",
        preset="parts",
        try_this="take a tenth of the step size",
        changes={"methods": {"tent": {"lr": 1e-4}, "cliptta": {"lr": 1e-4}}, "copies": SMALLER},
    ),
    "cliff": Teaching(
        asks="With five times the step size, how many of the 20 classes does CLIPTTA still predict?",
        answers=USED,
        measure="effective_classes",
        method="cliptta",
        says="CLIPTTA ends with {cliptta:effective_classes} of 20 classes in use and is right on "
        "{cliptta:accuracy}; TENT with {tent:effective_classes}, right on {tent:accuracy}.",
        why="A larger step takes either loss further along its own way. For TENT that is the way to one "
        "caption; for CLIPTTA, whose bonus holds the answers apart, it is not, on this stream and at this "
        "size. That is no proof that every size is safe: try it.",
        preset="parts",
        try_this="take steps ten times as large again",
        changes={"methods": {"tent": {"lr": 5e-2}, "cliptta": {"lr": 5e-2}}},
        pictures="gained",
    ),
    "style": Teaching(
        asks="The pictures are drawn in another style. How much does CLIPTTA gain by adapting?",
        answers=(("Under 10 points", 0.1), ("10 to 25 points", 0.25), ("More than 25 points", REST)),
        measure="accuracy",
        method="cliptta",
        against="zero_shot",
        says="CLIPTTA is right on {cliptta:accuracy}, zero-shot CLIP on {zero_shot:accuracy}, and TENT on "
        "{tent:accuracy} with {tent:effective_classes} of 20 classes in use.",
        why="To the methods a style is a shift like any other: they see features that lie elsewhere, never "
        "what has changed. In this run zero-shot CLIP spreads its answers over {zero_shot:effective_classes} "
        "of 20 classes, and TENT does not collapse.",
        preset="small",
        try_this="turn the pictures into negatives",
        changes={"style": "negative"},
        pictures="gained",
    ),
    "sorted": Teaching(
        asks="One class after another: what does CLIPTTA gain or lose against TENT?",
        answers=GAINS,
        measure="accuracy",
        method="cliptta",
        against="tent",
        says="CLIPTTA is right on {cliptta:accuracy}, TENT on {tent:accuracy} and zero-shot CLIP on "
        "{zero_shot:accuracy}.",
        why="Whatever asks for answers that spread over all classes asks for the wrong thing where a batch "
        "holds one or two: CLIPTTA’s bonus most of all. TENT asks for no such spread. Neither method can "
        "know what the stream holds. How much it costs depends on the order of the classes: with two other "
        "seeds it cost 21 points and 2 points.",
        preset="frequent",
        try_this="take CLIPTTA’s bonus for diversity away",
        changes={"methods": {"cliptta": {"beta_reg": 0.0}}},
        pictures="lost",
    ),
    "small": Teaching(
        asks="Eight pictures at a time: how many of the 20 classes does TENT still predict in the end?",
        answers=USED,
        measure="effective_classes",
        method="tent",
        says="TENT ends with {tent:effective_classes} of 20 classes in use and is right on {tent:accuracy}; "
        "CLIPTTA with {cliptta:effective_classes}, right on {cliptta:accuracy}; zero-shot CLIP with "
        "{zero_shot:effective_classes}, right on {zero_shot:accuracy}.",
        why="A batch of eight cannot show twenty classes, and what it asks for depends on which it holds. "
        "CLIPTTA adds surer pictures of earlier batches from its memory; TENT has none, and nothing in its "
        "loss asks for spread answers.",
        preset="one",
        try_this="leave CLIPTTA with the batch alone",
        changes={"methods": {"cliptta": {"composition": "batch_only"}}},
        pictures="changed",
    ),
    "one": Teaching(
        asks="One picture at a time: what does CLIPTTA gain or lose against zero-shot CLIP?",
        answers=GAINS,
        measure="accuracy",
        method="cliptta",
        against="zero_shot",
        says="CLIPTTA is right on {cliptta:accuracy}, zero-shot CLIP on {zero_shot:accuracy} and TENT on "
        "{tent:accuracy}.",
        why="A picture on its own has no other captions to be contrasted with: there the contrast has no "
        "gradient at all. What CLIPTTA learns from here are the surer pictures that its memory has kept.",
        preset="one",
        try_this="leave CLIPTTA with the batch alone",
        changes={"methods": {"cliptta": {"composition": "batch_only"}}},
    ),
    "clean": Teaching(
        asks="CLIP is already good on these clean pictures. What does TENT gain or lose?",
        answers=GAINS,
        measure="accuracy",
        method="tent",
        against="zero_shot",
        says="TENT is right on {tent:accuracy}, CLIPTTA on {cliptta:accuracy} and zero-shot CLIP on "
        "{zero_shot:accuracy}.",
        why="Where most pictures already lie near the right caption, making answers surer moves few of them "
        "across a border: there is little to win here, and in this run little is lost.",
        preset="small",
        try_this="take steps five times as large",
        changes={"methods": {"tent": {"lr": 5e-3}, "cliptta": {"lr": 5e-3}}},
        pictures="changed",
    ),
    "unknowns": Teaching(
        asks="Half of the pictures belong to no class. How well does CLIPTTA tell them apart (AUROC)?",
        answers=(("Under 70%; 50% is guessing", 0.7), ("70 to 90%", 0.9), ("More than 90%", REST)),
        measure="auroc",
        method="cliptta",
        says="CLIPTTA reaches an AUROC of {cliptta:auroc}, zero-shot CLIP {zero_shot:auroc} and TENT "
        "{tent:auroc}; of the known pictures they get {cliptta:accuracy}, {zero_shot:accuracy} and "
        "{tent:accuracy} right.",
        why="No loss knows which pictures are unknown; TENT pulls every one of them to some caption. "
        "CLIPTTA’s open-set part guesses from the scores, pushes the two groups apart, and leaves those "
        "that seem unknown out of the rest. It can only be as good as that guess: under this noise the "
        "scores hardly tell the two apart, and CLIPTTA does no better than TENT with the bonus.",
        preset="unknown",
        try_this="switch CLIPTTA’s open-set part off",
        changes={"methods": {"cliptta": {"open_set": False}}},
    ),
    "nonsense": Teaching(
        asks="Half of the pictures are letters and digits. How does TENT’s AUROC end, next to zero-shot "
        "CLIP’s?",
        answers=(("At least 5 points lower", -0.05), ("Within 5 points", 0.05), ("Higher still", REST)),
        measure="auroc",
        method="tent",
        against="zero_shot",
        says="TENT ends at an AUROC of {tent:auroc}, zero-shot CLIP at {zero_shot:auroc} and CLIPTTA at "
        "{cliptta:auroc}; on the objects TENT is right on {tent:accuracy}, zero-shot CLIP on "
        "{zero_shot:accuracy}.",
        why="TENT asks for surer answers on every picture, and a letter is a picture like any other. Here "
        "its steps are small, and in this run what tells the two apart, how sure CLIP was, survives.",
        preset="unknown",
        try_this="mix in textures instead",
        changes={"unknown_source": "textures"},
    ),
    "seen": Teaching(
        asks="TENT never sees a label. In the end, how far is its confidence from how often it is right?",
        answers=(("Under 20 points", 0.2), ("20 to 50 points", 0.5), ("More than 50 points", REST)),
        measure="ece",
        method="tent",
        says="TENT’s calibration error is {tent:ece}: it is right on {tent:accuracy}. CLIPTTA’s is "
        "{cliptta:ece}, right on {cliptta:accuracy}; zero-shot CLIP’s is {zero_shot:ece}, right on "
        "{zero_shot:accuracy}.",
        why="All that a method may use are the pictures, the captions and its own answers. From these it can "
        "tell how sure it is, not whether it is right; TENT makes itself surer, and by its own measure "
        "everything goes well. CLIPTTA does not see labels either: it too ends surer than it is right.",
        preset="collapse",
        try_this="let them answer each batch before they learn from it",
        changes={"predict": "pre"},
        pictures="lost",
    ),
    "few": Teaching(
        asks="Few classes at a time: what does StatA gain or lose against zero-shot CLIP?",
        answers=GAINS,
        measure="accuracy",
        method="stata",
        against="zero_shot",
        says="StatA is right on {stata:accuracy}, zero-shot CLIP on {zero_shot:accuracy} and OnZeta on "
        "{onzeta:accuracy}. TENT reaches {tent:accuracy}, CLIPTTA only {cliptta:accuracy}.",
        why="StatA works out which classes each batch shows, and leaves the others where their captions "
        "are. CLIPTTA’s contrast and bonus ask for answers that spread, which is wrong where a batch has "
        "four classes at most. TENT asks for no spread: where most first answers are right, as in this fog, "
        "following the many is right. OnZeta hands classes out evenly, if only loosely at this setting.",
        preset="frequent",
        try_this="take noise in place of fog",
        changes={"corruption": "gaussian_noise"},
        pictures="gained",
    ),
    "mixed": Teaching(
        asks="Every picture has another corruption: what does Ramen gain or lose against zero-shot CLIP?",
        answers=GAINS,
        measure="accuracy",
        method="ramen",
        against="zero_shot",
        says="Ramen is right on {ramen:accuracy}, CLIPTTA on {cliptta:accuracy}, TENT on {tent:accuracy} and "
        "zero-shot CLIP on {zero_shot:accuracy}.",
        why="One set of weights has to serve fifteen corruptions at once. TENT loses by it, while "
        "CLIPTTA, held apart by its contrast and bonus, gains all the same. Ramen gives every picture "
        "weights of its own and lets go of them after the answer: nothing adds up, neither harm nor gain. "
        "Its memory begins empty, and here it meets 1,024 pictures, where its authors keep 7,500 per class.",
        preset="small",
        try_this="send the fifteen corruptions one after the other",
        changes={"schedule": "in_turn"},
        pictures="changed",
    ),
    "which": Teaching(
        asks="StatA was made for few classes. With all twenty mixed, what does it gain or lose against "
        "zero-shot CLIP?",
        answers=GAINS,
        measure="accuracy",
        method="stata",
        against="zero_shot",
        says="CLIPTTA is right on {cliptta:accuracy}, TENT on {tent:accuracy}, Ramen on {ramen:accuracy}, "
        "DOTA on {dota:accuracy}, StatA on {stata:accuracy} and zero-shot CLIP on {zero_shot:accuracy}.",
        why="No method is best on every stream. In these lessons CLIPTTA is ahead of TENT under hard noise "
        "with all classes mixed, and behind it where few come at a time; on this mild fog one step of TENT "
        "comes close to ten of CLIPTTA, and on clean pictures there is nothing to win. Each method assumes "
        "something of the stream, and without labels none can check it.",
        preset="frequent",
        try_this="show few classes at a time",
        changes={"order": "few"},
    ),
    "attack": Teaching(
        asks="The attack was made for zero-shot CLIP. How much of what is lost does R-TPT win back, with "
        "sixteen views of each picture?",
        answers=(
            ("Nothing: it stays within 2 points", 0.02),
            ("Up to 40 points", 0.4),
            ("More than 40 points", REST),
        ),
        measure="accuracy",
        method="r_tpt",
        against="zero_shot",
        says="Zero-shot CLIP is right on {zero_shot:accuracy} of these pictures, TENT on {tent:accuracy}, "
        "CLIPTTA on {cliptta:accuracy} and R-TPT on {r_tpt:accuracy}.",
        why="The attack fits this model and this picture, pixel by pixel. Cut out and resized, most views no "
        "longer fit it, and R-TPT listens to the views that resemble the others. TENT and CLIPTTA have "
        "little but misled answers to learn from. This attacker knew of neither views nor steps: one who "
        "does must be tried before anybody calls a method robust.",
        preset="frequent",
        try_this="make the attack anew for each method",
        changes={"attack_target": "adapted"},
        pictures="gained",
    ),
    "start": Teaching(
        asks="CLIPTTA adapts anyway. What does it gain or lose when it begins with the better start?",
        answers=GAINS,
        measure="accuracy",
        method="cliptta",
        against="CLIPTTA alone",
        says="Zero-shot CLIP is right on {zero_shot:accuracy}, the start as it is on "
        "{CLIPood, 16 shots:accuracy}, CLIPTTA on {CLIPTTA alone:accuracy} from CLIP as it is and on "
        "{cliptta:accuracy} from the start.",
        why="The start has learned from clean pictures what tells these twenty classes apart, and has never "
        "seen fog. CLIPTTA has no labels and learns from its own answers: the more of them are right in the "
        "first batches, the better it is taught. With other seeds it gains from the start, too, though 512 "
        "pictures can be too few to be sure of it.",
        preset="small",
        try_this="begin with Core-tuning instead",
        changes={"start": "core_tuning"},
        pictures="gained",
    ),
    "photographs": Teaching(
        asks="These are photographs in fog, and another CLIP sees them. What becomes of TENT?",
        answers=(
            ("It falls behind zero-shot CLIP", -0.02),
            ("It stays within 2 points", 0.02),
            ("It gains more", REST),
        ),
        measure="accuracy",
        method="tent",
        against="zero_shot",
        says="TENT ends with {tent:effective_classes} of 10 classes in use and is right on {tent:accuracy}; "
        "CLIPTTA with {cliptta:effective_classes}, right on {cliptta:accuracy}; zero-shot CLIP with "
        "{zero_shot:effective_classes}, right on {zero_shot:accuracy}.",
        why="Nothing in either loss is about drawings. In fog photo-CLIP names some classes more often than "
        "they occur; TENT follows that lean until little else is left, and CLIPTTA keeps its answers spread. "
        "The photographs may not be passed on, so this recording holds the numbers alone.",
        preset="collapse",
        try_this="take the stream of seed 1, on which TENT first gains, as in the paper, and then falls",
        changes={"seed": 1},
    ),
}
