"""What is said of a visitor's own pictures and the models of this project."""

from __future__ import annotations

from clip_tta_core.clip import embedded
from clip_tta_core.clip.embedded import EMBEDDED, MINI, PHOTO


def offer(known: int, count: int) -> str:
    """Why another model may be wanted, and what it can and cannot do."""
    classes = f"all {count} of your classes" if known == count else f"{known} of your {count} classes"
    side, words = _about(PHOTO.name)
    return (
        f"{PHOTO.title} knows {classes}. It is quick and knows photographs of {words} kinds of things, each "
        f"filling its picture: of {side} pixels a side, small or hidden things are lost, and whatever it is "
        f"shown, it answers one of the classes. {MINI.title} knows drawings alone."
    )


def sees(model: str, shift: str = "") -> str:
    """How a model takes a picture.

    Args:
        shift: the corruption that they are shown under, in words; "" for none.
    """
    under = f" Shown here: {shift}." if shift else ""
    if model not in EMBEDDED:
        return f"The middle square of each, as the stream shows it.{under}"
    side, _ = _about(model)
    lost = "; what is small, or at the edge, is lost" if model == PHOTO.name else ""
    return f"As {EMBEDDED[model].title} sees them: the middle square, in {side} × {side} pixels{lost}.{under}"


def _about(model: str) -> tuple[int, int]:
    config = embedded.read_config(EMBEDDED[model].folder)
    return config.image_size, len(config.names)
