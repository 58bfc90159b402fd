"""One picture before and after the shift, and the lessons as cards that show it."""

from __future__ import annotations

import dataclasses
import html
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from PIL import Image

from clip_tta_core import engine
from clip_tta_core.clip.loading import MINI
from clip_tta_core.records import RunLog
from clip_tta_core.sources.datasets import is_here
from clip_tta_core.ui.session.lessons import LESSONS, Lesson
from clip_tta_core.ui.session.settings import USUAL, to_config
from clip_tta_core.ui.session.teaching import TEACHINGS
from clip_tta_core.ui.wire.encode import DataUrl, data_url, svg_url
from clip_tta_core.ui.wire.parts import LessonCard, Needs
from clip_tta_core.ui.words import data as words

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
        plain = dataclasses.replace(
            config, corruption="none", style="none", schedule="constant", attack="none"
        )
        return [_thumbnail(engine.preview(one)) for one in (plain, config)]
    except (ValueError, OSError):
        return None  # the same sentence comes when Run is pressed


def lesson_cards(ends: Mapping[str, RunLog]) -> tuple[LessonCard, ...]:
    """Every lesson with a picture of its stream, or the names in it where no picture may be shown.

    Those that have been recorded ask what will happen.

    Args:
        ends: of the recorded runs, by lesson; nothing is read but the ends of their curves.
    """
    return tuple(_card(lesson, ends.get(lesson.name)) for lesson in LESSONS)


def _card(lesson: Lesson, log: RunLog | None) -> LessonCard:
    settings = lesson.settings()
    shown = preview(settings)
    card = LessonCard(
        lesson.name,
        lesson.title,
        lesson.look_for,
        lesson.protocol,
        lesson.minutes,
        settings,
        shown[1] if shown else _named(log.class_names) if log else None,
        needs=_needs(lesson),
    )
    teaching = TEACHINGS.get(lesson.name)
    if log is None or teaching is None:
        return card
    return dataclasses.replace(card, looks=teaching.looks(), question=teaching.question(lesson, log))


def _needs(lesson: Lesson) -> Needs | None:
    if not lesson.needs:
        return None
    twin = "" if is_here(lesson.needs) else lesson.twin
    instead = next((one.title for one in LESSONS if one.name == twin), "")
    return Needs(words.needs(lesson.needs), twin, instead)


def _named(names: Sequence[str]) -> DataUrl:
    """The first names of a class list, one below the other, as a card of their own."""
    lines = "".join(
        f'<text x="8" y="{16 * (k + 1) + 2}">{html.escape(name)}</text>' for k, name in enumerate(names[:5])
    )
    style = 'font-family="sans-serif" font-size="13" fill="#333"'
    return svg_url(
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {SIDE} {SIDE}" {style}>'
        f'<rect width="{SIDE}" height="{SIDE}" fill="#eee"/>{lines}</svg>'
    )


def _thumbnail(image: np.ndarray) -> DataUrl:
    return data_url(Image.fromarray(image).resize((SIDE, SIDE), Image.Resampling.NEAREST), quality=90)
