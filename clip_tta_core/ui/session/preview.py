"""One picture before and after the shift, and the lessons as cards that show it."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import numpy as np
from PIL import Image

from clip_tta_core import engine
from clip_tta_core.clip.loading import MINI
from clip_tta_core.ui.session.lessons import LESSONS
from clip_tta_core.ui.session.settings import USUAL, to_config
from clip_tta_core.ui.wire.encode import DataUrl, data_url
from clip_tta_core.ui.wire.parts import LessonCard

# Set for a preview, which depends on none of these.
ONE_PICTURE = {"model": MINI, "device": "auto", "templates": USUAL, "unknown_source": "none", "batches": 1}
SIDE = 96  # pixels


def preview(settings: Mapping[str, Any]) -> list[DataUrl] | None:
    """One picture as drawn and as the stream would show it; None when there is nothing to show."""
    if not isinstance(settings, Mapping):
        return None
    try:
        config = to_config({**settings, **ONE_PICTURE})
        if config.source != "rendered":
            return None
        plain = dataclasses.replace(config, corruption="none", style="none")
        return [_thumbnail(engine.preview(one)) for one in (plain, config)]
    except (ValueError, OSError):
        return None  # the same sentence comes when Run is pressed


def lesson_cards() -> tuple[LessonCard, ...]:
    """Every lesson with a picture of its stream."""
    cards = []
    for lesson in LESSONS:
        settings = lesson.settings()
        shown = preview(settings)
        cards.append(
            LessonCard(
                lesson.name,
                lesson.title,
                lesson.look_for,
                lesson.protocol,
                settings,
                shown[1] if shown else None,
            )
        )
    return tuple(cards)


def _thumbnail(image: np.ndarray) -> DataUrl:
    return data_url(Image.fromarray(image).resize((SIDE, SIDE), Image.Resampling.NEAREST), quality=90)
