"""The words of what methods report of themselves. One rule: every number that an `adapt` returns is a curve.

A log keeps such a number under `records.loss_curve`. One without an entry here is shown under its own name.
"""

from __future__ import annotations

from collections.abc import Iterable

from clip_tta_core.records import loss_curve
from clip_tta_core.ui.wire.measures import Kind, Measure

LOSS = (
    "What each method minimizes, before its last step on the batch. Each has a loss of its own: compare a "
    "curve with its past, not with another."
)
GRADIENT = (
    "How hard this part of the loss pulls on the image features at the first step: its gradient's norm."
)
SHARE, NUMBER, COUNT = "share", "number", "count"

WORDS: dict[str, tuple[str, Kind, str]] = {  # what `adapt` calls it: title, kind, help
    "loss": ("Loss", NUMBER, LOSS),
    # terms of losses, as they enter them
    "entropy": ("Loss: entropy", NUMBER, "Mean entropy of the predictions, in nats, as it enters the loss."),
    "contrastive": (
        "Loss: contrast",
        NUMBER,
        "How far a picture and the caption predicted for it are from standing out in the batch.",
    ),
    "diversity": (
        "Loss: diversity",
        NUMBER,
        "The bonus for using all classes evenly, as it enters the loss: the lower, the more even.",
    ),
    "oce": ("Loss: outliers", NUMBER, "Pushes the scores of known and unknown pictures apart."),
    "penalty": ("Loss: forgetting", NUMBER, "The price of moving weights that mattered before."),
    "match": ("Loss: match", NUMBER, "Brings the mean picture of each predicted class to its text."),
    "separation": ("Loss: separation", NUMBER, "Keeps the mean pictures of different classes apart."),
    "classes": ("Loss: classes", NUMBER, "Cross-entropy with the labels that neighbours vote for."),
    "instances": ("Loss: instances", NUMBER, "Tells two views of a picture from other pictures."),
    "redundancy": ("Redundancy", NUMBER, "How much dimensions of the features repeat each other, 0 to 1."),
    "between": ("Variance between classes", NUMBER, "Of the features, between predicted classes."),
    "within": ("Variance within classes", NUMBER, "Of the features, inside predicted classes."),
    "grad_contrastive": ("Gradient: contrast", NUMBER, GRADIENT),
    "grad_diversity": ("Gradient: diversity", NUMBER, GRADIENT),
    "grad_oce": ("Gradient: outliers", NUMBER, GRADIENT),
    # what was learned from
    "skipped": ("Skipped steps", COUNT, "Steps not taken: nothing was selected, or a number was not finite."),
    "reliable": ("Reliable", SHARE, "Share of images sure enough to learn from."),
    "selected": ("Selected", SHARE, "Share of images the last step learned from."),
    "known": ("Taken for known", SHARE, "Mean probability of belonging to the classes."),
    "pseudo_classes": ("Classes contrasted", COUNT, "Classes predicted in the batch: with one, no pull."),
    "lost_confidence": ("Confidence lost without shape", SHARE, "When the patches of an image are shuffled."),
    "gain": ("Confidence gained", NUMBER, "In zero-shot CLIP's predictions, on average."),
    "agreed": ("Codes agree", SHARE, "Share of images whose learned label is the class predicted."),
    "reward": ("Reward", NUMBER, "Of the classes sampled, by the judging model."),
    # memories and caches
    "memory": ("Memory", COUNT, "Images in the memory."),
    "memory_classes": ("Classes in memory", COUNT, "Classes with at least one image in the memory."),
    "memory_mb": ("Size of memory", NUMBER, "In megabytes."),
    "largest_class": ("Largest class in memory", COUNT, "Entries of the class with most."),
    "smallest_class": ("Smallest class in memory", COUNT, "Entries of the class with fewest."),
    "bank": ("Bank", COUNT, "Features kept of earlier images."),
    "positive": ("Positive cache", COUNT, "Features of sure images."),
    "negative": ("Negative cache", COUNT, "Features of less sure images."),
    # thresholds and the state of weights
    "alpha": ("Threshold", NUMBER, "Score above which an image counts as known, after the last step."),
    "recoveries": ("Recoveries", COUNT, "How often it went back to the pretrained weights."),
    "running": ("Running loss", NUMBER, "Whose fall makes it go back to the pretrained weights."),
    "spread": ("Spread of templates", NUMBER, "How far apart the weights of the templates were, relatively."),
    "teacher_drift": ("Teacher's drift", NUMBER, "Distance of the teacher from the pretrained weights."),
    "fisher_pictures": ("Images weighed", COUNT, "Images that say which weights matter."),
    # views and training-free answers
    "views": ("Views kept", NUMBER, "Of each image, on average."),
    "own_share": ("Share of the image itself", SHARE, "Among its views, on average."),
    "own_weight": ("Weight of the image itself", SHARE, "Among its views, on average."),
    "agreement": ("Views agree", SHARE, "Share of the kept views that vote for the answer."),
    "ties": ("Ties", SHARE, "Share of images whose views vote evenly."),
    "shift": ("Shift of texts", NUMBER, "How far the class texts were moved."),
    "moved": ("Moved", NUMBER, "How far, or how often, features were moved."),
    "changed": ("Changed by the method", SHARE, "Share of predictions that its own rule has changed."),
}


def measure_of(curve: str) -> Measure:
    """A number that methods report, under the name that it has in a log."""
    name = curve.removeprefix(loss_curve(""))
    plain = name.replace("_", " ").capitalize()
    title, kind, help = WORDS.get(name, (plain, NUMBER, "Reported by the method itself, batch by batch."))
    return Measure(curve, title, kind, "", help, ("curves",))


def reported(curves: Iterable[str]) -> tuple[Measure, ...]:
    """Those of a log's curves that methods report of themselves: what is declared first, the rest by name."""
    declared = [loss_curve(name) for name in WORDS]
    own = {curve for curve in curves if curve == loss_curve("loss") or curve.startswith(loss_curve(""))}
    known = [curve for curve in declared if curve in own]
    return tuple(measure_of(curve) for curve in [*known, *sorted(own - set(known))])
