"""What crosses rooms: picklable records of numpy arrays and plain Python, with shapes beside the fields."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import InitVar, dataclass, field
from itertools import chain
from typing import Literal

import numpy as np

from clip_tta_core import metrics, thumbnails, versions
from clip_tta_core.hparams import Knob, Value
from clip_tta_core.palette import Look


@dataclass(frozen=True)
class Pictures:
    """A finite set of pictures that are already decoded, square and of one size: an upload or a data set."""

    images: np.ndarray  # uint8 (N, S, S, 3)
    labels: np.ndarray  # int64 (N,), -1 where no label is known
    names: tuple[str, ...]
    class_names: tuple[str, ...] = ()  # what the labels index; empty when nothing is labelled

    def __post_init__(self) -> None:
        shape, dtype, classes = self.images.shape, self.images.dtype, len(self.class_names)
        if len(shape) != 4 or shape[1] != shape[2] or shape[3] != 3 or dtype != np.uint8:
            raise ValueError(f"Pictures: images must be uint8 (N, S, S, 3), got {dtype} {shape}.")
        if self.labels.shape != shape[:1] or self.labels.dtype.kind != "i" or len(self.names) != len(self):
            raise ValueError(
                f"Pictures: each of {len(self)} needs one whole number as its label and one name, got labels "
                f"{self.labels.dtype} {self.labels.shape} and {len(self.names)} names."
            )
        outside = self.labels[(self.labels < -1) | (self.labels >= classes)]
        if len(outside):
            raise ValueError(
                f"Pictures: labels must be -1 or index the {classes} class names, got {outside[0]}."
            )

    def __len__(self) -> int:
        return len(self.images)


@dataclass(frozen=True)
class Batch:
    """Pictures as the methods will see them, and what only the judge may know."""

    images: np.ndarray  # uint8 (B, H, W, 3)
    labels: np.ndarray  # int64 (B,), -1 where no label is known
    names: tuple[str, ...]
    unknown: np.ndarray  # bool (B,), True where the picture shows something outside the class list
    applied: tuple[str, ...]  # (B,) what was done to each picture, "fog 5", "" when nothing was

    def __len__(self) -> int:
        return len(self.images)


@dataclass(frozen=True)
class Plane:
    """Two directions through the features of the frozen model, found once, on which a run is drawn."""

    captions: np.ndarray  # float32 (K, 2), where the class texts lie
    explained: float  # share of the variance along the two directions


@dataclass(frozen=True)
class Kept:
    """A picture of a batch that a memory has stored."""

    picture: int  # of the batch, 0 for the first; -1 where it is none of its pictures as they came
    label: int  # the class that was predicted for it then
    confidence: float  # and how sure that was


@dataclass(frozen=True)
class Inside:
    """What a contender looks like inside, after one batch."""

    places: np.ndarray  # float32 (B, 2), its features on the run's plane
    variance: float  # between the classes it answers
    drift: tuple[float, ...] = ()  # of each trained layer: norm of its weights' way from the start
    layers: tuple[str, ...] = ()  # their names; in the first batch only
    stored: tuple[Kept, ...] = ()  # pictures of this batch that its memory has taken in
    dropped: tuple[tuple[int, int], ...] = ()  # (batch, picture) that had to make way; 1 for the first batch


@dataclass(frozen=True)
class Outcome:
    """What one method made of one batch."""

    probs: np.ndarray  # float32 (B, K)
    features: np.ndarray  # float32 (B, D), unit rows
    scores: np.ndarray  # float32 (B,), higher is more in-distribution
    threshold: float  # accept where score > threshold
    losses: Mapping[str, float]  # what adapt() returned
    metrics: Mapping[str, float]  # NaN where undefined (no labels, no unknowns)
    seconds: float  # adapt and predict together
    inside: Inside | None = None  # where somebody wants to look inside: see `Control.inside`


@dataclass(frozen=True)
class Report:
    """One batch of a run: the pictures and every method's outcome on them."""

    batch_number: int  # 1 for the first
    total: int
    batch: Batch
    outcomes: Mapping[str, Outcome]  # by label; "zero_shot" is always there
    device: str
    notes: tuple[str, ...] = ()  # sentences the visitor should read: a skipped step, a smaller micro-batch
    weights: str = ""  # SHA-256 of the frozen model's weights, as stored in this precision
    precision: str = "float32"  # of the image encoder: or "bfloat16", "float16"
    plane: Plane | None = None  # with `Outcome.inside`
    classes: tuple[str, ...] = ()  # what labels and probabilities index, known once the source is open


@dataclass(frozen=True)
class Remembered:
    """What a method's memory of pictures holds, by class."""

    images: np.ndarray  # uint8 (S, H, W, 3)
    labels: np.ndarray  # int64 (S,) predicted when they were stored
    confidence: np.ndarray  # float32 (S,) of that prediction
    features: np.ndarray  # float32 (S, D), unit rows, as they were then


# What a step learns from: the batch, changed views of it, one of its pictures, or remembered pictures.
StepsOn = Literal["batch", "views", "picture", "memory"]


@dataclass(frozen=True)
class Step:
    """What one optimization step of a method starts from."""

    label: str
    step: int  # taken on this batch before
    steps: int
    probs: np.ndarray  # float32 (B, K) of the batch, as far as they are known: see `Method.show`
    losses: Mapping[str, float]  # "loss", which it lowers, and its weighted terms
    on: StepsOn = "batch"


@dataclass(frozen=True)
class Glimpse:
    """A batch under way: who is done with it, and where the method at work is. Only for whoever looks."""

    batch_number: int
    total: int
    batch: Batch
    outcomes: Mapping[str, Outcome]  # by label, of the methods that are done
    memories: Mapping[str, Remembered]  # of those among them that have one
    step: Step | None = None  # None between two methods


@dataclass(frozen=True)
class Standing:
    """Where one contender of a comparison is, after some batches of the stream."""

    label: str
    done: int  # batches
    total: int
    metrics: Mapping[str, float]  # as of the last batch; empty before the first
    seconds: float  # to adapt to and predict a batch, on average; NaN before the first
    problem: str = ""  # one sentence where the method could not go on
    method: str = ""
    settings: Mapping[str, Value] = field(default_factory=dict)
    classes: int = 0  # to choose between; 0 before the first batch
    from_start: bool = True  # as its contender's


@dataclass(frozen=True)
class Contender:
    """A method with settings of its own, under the label by which a run knows it."""

    label: str
    method: str
    settings: Mapping[str, Value] = field(default_factory=dict)  # {knob: value}; what is left out is default
    from_start: bool = True  # False: it begins at the model as it is, also where the run has a start


Chosen = Mapping[str, Mapping[str, Value]] | tuple[Contender, ...] | list[Contender]


def contenders_of(chosen: Chosen) -> tuple[Contender, ...]:
    """Contenders as they are; {method: settings} as one contender a method, labelled by the method's name."""
    if isinstance(chosen, Mapping):
        return tuple(Contender(name, name, dict(settings)) for name, settings in chosen.items())
    return tuple(chosen)


@dataclass(frozen=True)
class RunConfig:
    """Everything that decides a run's numbers; equal configurations give equal reports on one machine.

    `methods={method: {knob: value}}` is the short form of `contenders` where no method comes twice.
    """

    methods: InitVar[Mapping[str, Mapping[str, Value]] | None] = None
    contenders: tuple[Contender, ...] = contenders_of({"zero_shot": {}, "tent": {}, "cliptta": {}})
    model: str = "mini-clip"
    source: str = "rendered"
    pictures: Pictures | None = None  # for the source "upload"
    class_names: tuple[str, ...] = ()  # empty: the source's own task
    templates: str = "single"  # a name of clip.prompts.TEMPLATES, or sentences with {}, one a line
    start: str = "none"  # a name of starts.STARTS: what a few labelled pictures make of the model beforehand
    start_settings: Mapping[str, Value] = field(default_factory=dict)  # {knob: value} of it
    shots: int = 16  # labelled pictures per class for it
    style: str = "none"  # a style shift of the rendered objects
    corruption: str = "none"
    severity: int = 5
    schedule: str = "constant"  # a name of corruptions.schedule.SCHEDULES
    attack: str = "none"  # or "linf", "l2": labelled pictures made adversarial for the model; see attacks.py
    attack_epsilon: float = 1.0  # radius of the attack, in levels of 255; 0 is no attack
    attack_step: float = 0.25  # length of its steps, as a share of the radius
    attack_iterations: int = 7
    attack_target: str = (
        "loaded"  # or "adapted": made anew for every contender, as it stands; see adversary.py
    )
    order: str = "shuffled"  # a name of stream.ORDERS
    batch_size: int = 64
    batches: int = 16
    episodic: bool = False
    predict: str = "post"  # or "pre": before the batch's update
    clock: str = "waits"  # or "runs": a method of relative cost c adapts to every c-th batch alone
    unknown_source: str = "none"
    unknown_pictures: Pictures | None = None
    unknown_share: float = 0.5  # of every batch's pictures, on average
    unknown_arrival: str = "mixed"
    device: str = "auto"
    precision: str = "auto"  # of large image encoders: or "float32", "bfloat16"; see clip.precision
    seed: int = 0

    def __post_init__(self, methods: Mapping[str, Mapping[str, Value]] | None) -> None:
        if methods is not None:
            object.__setattr__(self, "contenders", contenders_of(methods))


@dataclass(frozen=True)
class Loading:
    """What is being done to get a model ready, while one waits."""

    model: str
    doing: str  # "downloading", "loading", ..., to be followed by the model's title
    done: int = 0  # bytes of a download, else steps
    total: int = 0  # 0 while unknown


@dataclass(frozen=True)
class Paired:
    """Two contenders on the same labelled pictures: an exact McNemar test of their difference."""

    gained: int  # wrong by the first, right by the second
    lost: int  # right by the first, wrong by the second
    p: float  # of a difference as large if neither were better


INTERVALS = {"accuracy_window": True, "accuracy": False}  # curves that have one: whether of recent pictures


@dataclass(eq=False)  # one run, not its numbers: hashed by identity
class RunLog:
    """A run as plain data, computed once per report: charts, tables, sentences and files all read it."""

    class_names: tuple[str, ...] = ()
    contenders: tuple[Contender, ...] = ()  # zero-shot CLIP among them
    titles: dict[str, str] = field(default_factory=dict)  # {label: title}
    settings: dict[str, object] = field(default_factory=dict)  # what the visitor had chosen, plain values
    made: dict[str, str] = field(default_factory=dict)  # date, versions, hash of the weights
    total: int = 0  # batches planned
    device: str = ""
    series: dict[str, dict[str, list[float]]] = field(default_factory=dict)  # {label: {curve: one per batch}}
    predicted: dict[str, list[tuple[int, ...]]] = field(
        default_factory=dict
    )  # {label: (K,) counts per batch}; as the truth, of pictures that belong to a class
    truth: list[tuple[int, ...]] = field(default_factory=list)  # (K,) counts of the true classes per batch
    known: dict[str, list[tuple[float, ...]]] = field(default_factory=dict)  # {label: scores per batch}
    unknown: dict[str, list[tuple[float, ...]]] = field(default_factory=dict)
    labels: list[tuple[int, ...]] = field(
        default_factory=list
    )  # (B,) per batch; -1 unknown or without a label
    answers: dict[str, list[tuple[int, ...]]] = field(default_factory=dict)  # {label: (B,) classes per batch}
    confidence: dict[str, list[tuple[float, ...]]] = field(default_factory=dict)  # (B,) of these answers
    outside: list[tuple[int, ...]] = field(
        default_factory=list
    )  # (B,) per batch; 1 where the picture shows something outside the class list
    names: list[tuple[str, ...]] = field(default_factory=list)  # (B,) per batch
    applied: list[tuple[str, ...]] = field(default_factory=list)  # (B,) per batch
    sheets: list[bytes] = field(default_factory=list)  # a JPEG of each batch's pictures; b"" where dropped
    sizes: list[int] = field(default_factory=list)  # pictures per batch
    elapsed: list[float] = field(default_factory=list)  # seconds since the run began
    notes: list[str] = field(default_factory=list)
    plane: Plane | None = None
    inside: dict[str, list[Inside]] = field(default_factory=dict)  # {label: one per batch}, where recorded
    last: Report | None = None

    def __len__(self) -> int:
        return len(self.sizes)

    @property
    def methods(self) -> dict[str, str]:
        """{label: method} of all that have been reported or are to come."""
        chosen = {one.label: one.method for one in self.contenders}
        return chosen | {label: label for label in self.series if label not in chosen}

    @property
    def labelled(self) -> bool:
        """Whether any picture so far came with a label."""
        return any(any(counts) for counts in self.truth)

    @property
    def has_unknowns(self) -> bool:
        """Whether any picture so far showed something outside the class list."""
        return any(any(scores) for scores in self.unknown.values())

    @property
    def recent(self) -> int:
        """How many of the last batches hold the pictures that count as recent, at least one."""
        return max(1, math.ceil(metrics.WINDOW / max(1, *self.sizes))) if self.sizes else 1

    def right(self, label: str, batches: int | None = None, recent: bool = False) -> np.ndarray:
        """Which labelled pictures a contender answered right. -> bool (N,)

        Args:
            label: of the contender.
            batches: of the first so many batches; None for all.
            recent: of the last `metrics.WINDOW` pictures among these only.
        """
        labels, answers = self.labels[:batches], self.answers.get(label, [])[:batches]
        if not labels or not answers:
            return np.zeros(0, dtype=bool)
        # Batches may be many and small: number by number is quicker than one array each.
        truth, given = (np.fromiter(chain.from_iterable(one), np.int64) for one in (labels, answers))
        right = (given == truth)[truth >= 0]
        return right[-metrics.WINDOW :] if recent else right

    def paired(self, a: str, b: str, batches: int | None = None, recent: bool = False) -> Paired:
        """Whether b is better or worse than a, on the pictures of `right`."""
        first, second = self.right(a, batches, recent), self.right(b, batches, recent)
        gained, lost = int((~first & second).sum()), int((first & ~second).sum())
        return Paired(gained, lost, metrics.mcnemar(gained, lost))

    def interval(self, label: str, batches: int | None = None, recent: bool = False) -> tuple[float, float]:
        """Where a contender's accuracy lies with 95 % confidence, on the pictures of `right`."""
        right = self.right(label, batches, recent)
        return metrics.wilson(int(right.sum()), len(right))

    def append(self, report: Report, elapsed: float) -> None:
        """Take in the next report; `elapsed` is in seconds since the run began."""
        batch, before = report.batch, len(self)
        self.class_names = report.classes or self.class_names
        counted = np.where(batch.unknown, -1, batch.labels)
        size = len(self.class_names)
        for label, outcome in report.outcomes.items():
            size = outcome.probs.shape[1]
            answers = outcome.probs.argmax(axis=1)
            self.answers.setdefault(label, []).append(tuple(answers.tolist()))
            self.confidence.setdefault(label, []).append(_rounded(outcome.probs.max(axis=1)))
            self.predicted.setdefault(label, []).append(_counts(answers[~batch.unknown], size))
            self.known.setdefault(label, []).append(_rounded(outcome.scores[~batch.unknown]))
            self.unknown.setdefault(label, []).append(_rounded(outcome.scores[batch.unknown]))
            self._append_curves(label, outcome, before)
            if outcome.inside is not None:
                self.inside.setdefault(label, []).append(outcome.inside)
        self.truth.append(_counts(counted[counted >= 0], size))
        self.labels.append(tuple(counted.tolist()))
        self.outside.append(tuple(batch.unknown.astype(int).tolist()))
        self.names.append(batch.names)
        self.applied.append(batch.applied)
        self._keep_pictures(batch)
        self.total, self.device, self.last = report.total, report.device, report
        self.plane = self.plane or report.plane
        self.made = self.made or versions.now() | {"weights": report.weights, "precision": report.precision}
        self.sizes.append(len(batch))
        self.elapsed.append(elapsed)
        self.notes += [note for note in report.notes if note not in self.notes]

    def _keep_pictures(self, batch: Batch) -> None:
        """The earliest pictures go first where all together would be too large to keep."""
        self.sheets.append(thumbnails.sheet(batch.images))
        total = sum(map(len, self.sheets))
        for number, kept in enumerate(self.sheets[:-1]):
            if total <= thumbnails.MOST_BYTES:
                break
            total -= len(kept)
            self.sheets[number] = b""

    def _append_curves(self, label: str, outcome: Outcome, before: int) -> None:
        curves = self.series.setdefault(label, {})
        new = {**outcome.metrics, "threshold": outcome.threshold, "seconds": outcome.seconds}
        new |= {loss_curve(key): value for key, value in outcome.losses.items()}
        for key in dict.fromkeys([*curves, *new]):  # one that starts late or pauses keeps its place with NaN
            values = curves.setdefault(key, [float("nan")] * before)
            values.append(float(new.get(key, float("nan"))))


def loss_curve(name: str) -> str:
    """The curve of a number that a method's `adapt` returns."""
    return "loss" if name == "loss" else f"loss_{name}"


def _counts(labels: np.ndarray, size: int) -> tuple[int, ...]:
    return tuple(np.bincount(labels, minlength=size).tolist())


def _rounded(scores: np.ndarray) -> tuple[float, ...]:
    """Six digits, wherever they begin: with a thousand classes, probabilities differ in the fifth decimal."""
    return tuple(float(f"{score:.6g}") for score in scores.tolist())


@dataclass(frozen=True)
class Choice:
    """One entry of a menu."""

    name: str  # in code and links
    title: str
    help: str  # one sentence
    group: str = ""


@dataclass(frozen=True)
class Cost:
    """How often a picture of the stream goes through the image encoder, on average."""

    forwards: float
    backwards: float = 0.0
    texts: bool = False  # whether texts are encoded at every step besides; they are not counted

    @property
    def relative(self) -> float:
        """In forwards of zero-shot CLIP; going backward takes as long as two of them."""
        return self.forwards + 2 * self.backwards


@dataclass(frozen=True)
class MethodCard:
    """A method as the page shows it."""

    name: str
    title: str
    family: str
    summary: str
    citation: str
    knobs: tuple[Knob, ...]
    presets: Mapping[str, Mapping[str, Value]]
    needs: str  # "", "texts" or "tokens": what a model must offer besides image features
    cost: Cost  # at the default knobs
    look: Look


@dataclass(frozen=True)
class StartCard:
    """A pre-step as the page shows it."""

    name: str
    title: str
    summary: str
    citation: str
    fails: str  # one sentence: where it is known to help little or to harm
    knobs: tuple[Knob, ...]


@dataclass(frozen=True)
class Catalog:
    """Everything there is to choose."""

    methods: tuple[MethodCard, ...]
    starts: tuple[StartCard, ...]
    models: tuple[Choice, ...]
    sources: tuple[Choice, ...]
    styles: tuple[Choice, ...]
    corruptions: tuple[Choice, ...]
    schedules: tuple[Choice, ...]
    orders: tuple[Choice, ...]
    templates: tuple[Choice, ...]
    unknown_sources: tuple[Choice, ...]
    arrivals: tuple[Choice, ...]
    objects: tuple[str, ...]  # every class name of the rendered world
    task: tuple[str, ...]  # its default class list
