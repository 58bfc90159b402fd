"""What is said of a visitor's own pictures and the models of this project."""

from __future__ import annotations

from clip_tta_core.clip import embedded
from clip_tta_core.clip.embedded import EMBEDDED, MINI, PHOTO


def offer(known: int, count: int) -> str:
    """Why another model may be wanted, and what it can and cannot do."""
    classes = f"all {count} of your classes" if known == count else f"{known} of your {count} classes"
    side, words = _about(PHOTO.name)
    return (
        f"{PHOTO.title} knows {classes}. It is quick and knows photographs of {words} kinds of things, of "
        f"which it sees {side} pixels a side; {MINI.title} knows drawings alone."
    )


def sees(model: str) -> str:
    """How an embedded model takes a picture."""
    side, _ = _about(model)
    return f"As {EMBEDDED[model].title} sees them: the middle square, in {side} × {side} pixels."


def _about(model: str) -> tuple[int, int]:
    config = embedded.read_config(EMBEDDED[model].folder)
    return config.image_size, len(config.names)
