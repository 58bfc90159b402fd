"""Every number the page shows of a method: one entry here, and the curves, the tables and the files follow.

The value itself is computed in `metrics`, under the same name. What methods report of themselves has its
words in `diagnostics`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from clip_tta_core.metrics import WINDOW

Kind = Literal["share", "number", "classes", "count", "seconds", "times"]
Place = Literal["curves", "table", "ranking", "steps"]


@dataclass(frozen=True)
class Measure:
    """A number, with what a visitor needs to read it."""

    name: str  # in Outcome.metrics
    title: str
    kind: Kind  # how it is written
    better: Literal["high", "low", ""]
    help: str
    places: tuple[Place, ...]  # the menu of curves, the table of Play, the one of Compare, a batch's steps
    needs: Literal["", "labels", "unknowns"] = ""
    full: Literal["one", "classes", ""] = ""  # the top of its scale; "" fits the scale to the values
    short: str = ""  # the title in Compare and of a batch's steps, where it is shorter
    bar: bool = False  # whether Compare draws it as a bar, too
    chance: bool = False  # whether the curves mark the level of guessing, 1 / classes


MEASURES = (
    Measure(
        "accuracy_window",
        "Accuracy, recent",
        "share",
        "high",
        f"Share of correct predictions over the last {WINDOW} images. Shows best what is happening now.",
        ("curves",),
        needs="labels",
        full="one",
        chance=True,
    ),
    Measure(
        "accuracy",
        "Accuracy, so far",
        "share",
        "high",
        "Share of correct predictions since the run began: the number papers report.",
        ("curves", "table", "ranking"),
        needs="labels",
        full="one",
        short="Accuracy",
        bar=True,
        chance=True,
    ),
    Measure(
        "accuracy_batch",
        "Accuracy, each batch",
        "share",
        "high",
        "Share of correct predictions in each single batch. It jumps, because a batch is small.",
        ("curves", "steps"),
        short="Accuracy",
        needs="labels",
        full="one",
        chance=True,
    ),
    Measure(
        "effective_classes",
        "Classes in use",
        "classes",
        "",
        f"How many classes the last {WINDOW} predictions are spread over: e to the entropy of their "
        "histogram. Near 1, every image gets the same class.",
        ("curves", "table", "ranking", "steps"),
        full="classes",
        bar=True,
    ),
    Measure(
        "effective_classes_soft",
        "Classes in use, by probability",
        "classes",
        "",
        f"e to the entropy of the mean probability of the last {WINDOW} images. A model that is unsure keeps "
        "it high, even if it answers with two classes only.",
        ("curves",),
        full="classes",
    ),
    Measure(
        "auroc",
        "AUROC",
        "share",
        "high",
        "Probability that a known image scores higher than an unknown one. 50% is guessing.",
        ("curves", "table", "ranking"),
        needs="unknowns",
        full="one",
    ),
    Measure(
        "fpr95",
        "FPR95",
        "share",
        "low",
        "False positive rate: share of unknown images accepted when 95% of the known ones are.",
        ("curves", "table", "ranking"),
        needs="unknowns",
        full="one",
    ),
    Measure(
        "ece",
        "Calibration error",
        "share",
        "low",
        "Expected gap between confidence and accuracy. At 0%, it is right as often as it expects to be.",
        ("curves", "table", "ranking"),
        needs="labels",
        full="one",
    ),
    Measure(
        "changed",
        "Changed predictions",
        "share",
        "",
        "Share of predictions that differ from those of zero-shot CLIP.",
        ("curves", "table", "ranking"),
        full="one",
        short="Changed",
    ),
    Measure(
        "drift",
        "Weight drift",
        "number",
        "",
        "Distance of the trained weights from where they started, relative to their norm.",
        ("curves",),
    ),
    Measure(
        "entropy",
        "Entropy",
        "number",
        "",
        "Mean entropy of the batch's predictions, in nats. Near 0, all are certain, rightly or not.",
        ("curves", "steps"),
    ),
    Measure(
        "truth_rising",
        "Truth rising",
        "share",
        "high",
        "Share of each batch whose true class has become more probable than it is to zero-shot CLIP, "
        "whether the answer is right or not.",
        ("curves",),
        needs="labels",
        full="one",
    ),
    Measure(
        "accepted",
        "Accepted",
        "share",
        "",
        "Share of images whose score lies above the threshold.",
        ("curves",),
        needs="unknowns",
        full="one",
    ),
    Measure(
        "gained",
        "Gained",
        "count",
        "high",
        "Images that zero-shot CLIP gets wrong and the method gets right.",
        ("table",),
        needs="labels",
    ),
    Measure(
        "lost",
        "Lost",
        "count",
        "low",
        "Images that zero-shot CLIP gets right and the method gets wrong.",
        ("table",),
        needs="labels",
    ),
    Measure(  # declared with each method, known before it runs: see MethodCard.cost
        "cost",
        "Compute",
        "times",
        "",
        "Passes through the image encoder; zero-shot CLIP is 1×.",
        ("ranking",),
    ),
    Measure(
        "seconds",
        "Time per batch",
        "seconds",
        "low",
        "Time to adapt and predict, averaged over the batches.",
        ("table", "ranking"),
        short="Per batch",
    ),
)


def shown(place: Place) -> tuple[Measure, ...]:
    """The measures of one place, in the order in which it lists them."""
    return tuple(measure for measure in MEASURES if place in measure.places)
