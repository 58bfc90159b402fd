"""What a visitor should know about a run besides its numbers, in sentences; the same words each time."""

from __future__ import annotations

import numpy as np

from clip_tta_core.records import Batch, Outcome


def of_batch(batch: Batch) -> list[str]:
    """Of a batch, whoever adapts to it."""
    notes = []
    if batch.unknown.all():
        notes.append("Some batches hold unknown pictures only: accuracy does not count them.")
    if len(batch) == 1:
        notes.append(
            "Some batches hold one picture only: what compares the pictures of a batch (contrast, diversity, "
            "Otsu's threshold) has nothing to work on there; choose a larger batch size."
        )
    return notes


def of_outcome(title: str, outcome: Outcome, has_unknowns: bool) -> list[str]:
    """Of what one contender made of a batch."""
    notes = []
    skipped = outcome.losses.get("skipped", 0)
    if skipped:
        steps = "step" if skipped == 1 else "steps"
        notes.append(f"{title} skipped {skipped:.0f} {steps}: nothing usable was left to learn from.")
    if outcome.losses.get("pseudo_classes") == 1 and len(outcome.scores) > 1:
        notes.append(f"{title} gave a whole batch one class: there is nothing to contrast it with.")
    if not has_unknowns or len(outcome.scores) == 1:
        return notes
    if np.ptp(outcome.scores) == 0:
        notes.append(
            f"{title} scores all pictures of a batch alike: no threshold can separate known from unknown."
        )
    elif not (outcome.scores > outcome.threshold).any():
        notes.append(f"{title} takes all pictures of a batch for unknown.")
    return notes


def expects_unknowns(title: str) -> str:
    """Of a method that sets a threshold of its own where every picture is known."""
    return f"{title} expects unknown pictures: in a batch without any, its threshold splits the known ones."


def smaller_pieces(title: str, pictures: int) -> str:
    """Of a run that goes on after memory ran out."""
    return f"{title} ran out of memory: from now on at most {pictures} pictures go through the model at once."
