"""What a long run will cost, said before it begins."""

from __future__ import annotations


def duration(seconds: float) -> str:
    """20 -> '20 s', 94 -> '2 min', 9000 -> '2.5 h'"""
    if seconds < 90:
        return f"{max(1.0, seconds):.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 90 * 60 else f"{seconds / 3600:.1f} h"


def expense(batch: float, whole: float, measured: bool, endless: bool = True) -> str:
    """Sentences on a run that takes so many seconds a batch, and in all.

    Args:
        measured: whether the model has run here.
        endless: whether there are as many pictures as are asked for, whatever that is.
    """
    about = "about" if measured else "at least"
    source = (
        "That is at the best pace that this model has had here."
        if measured
        else "That is as fast as this machine multiplies; the model has not run here yet."
    )
    end = "" if endless else " It ends sooner where the pictures are fewer."
    return f"This will take {about} {duration(whole)}: {duration(batch)} a batch.{end} {source}"


def cheaper(what: str, whole: float) -> str:
    """What to choose instead, and how long that takes."""
    return f"{what}: {duration(whole)}"
