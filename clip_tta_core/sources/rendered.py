"""Rendered Objects: an endless set of pictures of nameable things, drawn from the symbols of a font.

Picture i of seed s depends on (s, i), the object and the style, and not on the batch it comes in. Every style
depicts the same scenes, so a style is a shift one can see.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from clip_tta_core.registry import Registry, unknown_name
from clip_tta_core.sources import backgrounds, painting
from clip_tta_core.sources.draws import Draws, Indices
from clip_tta_core.sources.glyphs import CHARACTERS, SYMBOLS
from clip_tta_core.sources.painting import COLOURS, Scene, Style

Objects = Sequence[str] | Sequence[int] | np.ndarray  # (N,) names of OBJECTS, or their places in it
OBJECTS = tuple(glyph.name for glyph in SYMBOLS)
TASK = OBJECTS[:20]  # the default label set
SIZE = 64

LARGE, SMALL = 0.72, 0.6  # the scale from which a caption may say "large", and up to which it may say "small"

CAPTION, WHICH = 2, 3  # streams of random numbers beside those of `painting`

STYLES: Registry[Style] = Registry("style")
for _style in (
    Style("none", "As trained", "Filled, shaded objects in a scene, the way the model saw them in training."),
    Style(
        "outline",
        "Outline only",
        "Only edges are drawn; the scene shows through the object.",
        lines_only=True,
    ),
    Style(
        "negative",
        "Negative",
        "Light and dark change places, and so does every hue with its opposite.",
        negative=True,
    ),
    Style(
        "line_drawing",
        "Line drawing on paper",
        "Dark lines on paper: no colour, no shading, no scene.",
        lines_only=True,
        on_paper=True,
    ),
    Style(
        "tiny", "Tiny objects", "Objects at less than half their usual size, lost in the scene.", zoom=0.45
    ),
    Style(
        "photographic",
        "Photographic noise",
        "A dim room at high sensitivity: coarse grain, a colour cast and dark corners.",
        grain=0.1,
    ),
):
    STYLES.register(_style)


def render(
    objects: Objects,
    seed: int,
    indices: Indices,
    style: str = "none",
    size: int = SIZE,
    difficulty: float = 1.0,
) -> np.ndarray:
    """Paint objects. uint8 (N, size, size, 3)

    Args:
        objects: (N,) names of OBJECTS, or their places in it.
        seed: chooses the world; an index is one picture of it.
        indices: (N,) which pictures.
        style: a name of STYLES.
        size: side in pixels.
        difficulty: 1 for the world as it is; towards 0 objects are larger and more upright, grounds plainer.
    """
    return painting.paint(SYMBOLS, object_ids(objects), seed, indices, STYLES[style], size, difficulty)


def captions(
    objects: Objects,
    seed: int,
    indices: Indices,
    templates: Sequence[str] = ("a photo of a {}",),
    difficulty: float = 1.0,
) -> list[str]:
    """What people would write under `render`'s pictures: the object's name, sometimes with its colour.

    Half of the captions, and those that would otherwise call a small thing large, use the first template.
    """
    scene, draws = Scene.draw(seed, indices, difficulty), Draws(seed, indices, CAPTION)
    usual, coloured, other = draws.happens(0.5), draws.happens(0.2), draws.integers(len(templates))
    colours, texts = list(COLOURS), []
    for i, object_id in enumerate(object_ids(objects)):
        template = templates[0] if usual[i] else templates[int(other[i])]
        if (" large " in template and scene.scale[i] < LARGE) or (
            " small " in template and scene.scale[i] > SMALL
        ):
            template = templates[0]
        colour = f"{colours[scene.colour[i]]} " if coloured[i] else ""
        texts.append(template.format(colour + OBJECTS[object_id]))
    return texts


def labels(count: int, seed: int, indices: Indices) -> np.ndarray:
    """Which of `count` classes each picture of a stream shows, all equally likely. int64 (N,)"""
    return Draws(seed, indices, WHICH).integers(count)


def object_ids(objects: Objects) -> np.ndarray:
    """Places in OBJECTS of names, or of places, which are checked. int64 (N,)"""
    for item in objects:
        if isinstance(item, str) and item not in OBJECTS:
            raise ValueError(unknown_name("object", item, OBJECTS))
    ids = np.array(
        [OBJECTS.index(item) if isinstance(item, str) else item for item in objects], dtype=np.int64
    )
    if np.any((ids < 0) | (ids >= len(OBJECTS))):
        raise ValueError(f"object_ids: places must be in 0 .. {len(OBJECTS) - 1}, got {ids.tolist()}.")
    return ids


@dataclass(frozen=True)
class UnknownSource:
    """Where pictures of things outside the class list come from."""

    name: str
    title: str
    meaning: str  # one sentence
    paint: Callable[[Sequence[str], int, Indices, Style, int], np.ndarray]

    def render(
        self, known: Sequence[str], seed: int, indices: Indices, style: str = "none", size: int = SIZE
    ) -> np.ndarray:
        """Pictures that show none of the `known` class names. uint8 (N, size, size, 3)"""
        return self.paint(known, seed, indices, STYLES[style], size)


def _other_objects(known: Sequence[str], seed: int, indices: Indices, style: Style, size: int) -> np.ndarray:
    others = np.array([place for place, name in enumerate(OBJECTS) if name not in known])
    if not len(others):
        raise ValueError(
            "Other objects: the class list names every object there is; shorten it or take letters."
        )
    glyphs = others[labels(len(others), seed, indices)]
    return painting.paint(SYMBOLS, glyphs, seed, indices, style, size)


def _characters(known: Sequence[str], seed: int, indices: Indices, style: Style, size: int) -> np.ndarray:
    glyphs = labels(len(CHARACTERS), seed, indices)
    return painting.paint(CHARACTERS, glyphs, seed, indices, style, size)


def _textures(known: Sequence[str], seed: int, indices: Indices, style: Style, size: int) -> np.ndarray:
    draws = Draws(seed, indices, painting.SCENE)
    first, second, third = (painting.tint(draws, draws.uniform(0.05, 0.95)) for _ in range(3))
    kinds = len(backgrounds.KINDS) - 1  # all but the plain one
    coarse, fine = (backgrounds.pattern(draws, 1 + draws.integers(kinds), size) for _ in range(2))
    images = painting.mix(painting.mix(first, second, coarse), third, 0.6 * fine)
    return painting.photograph(images, seed, indices, style)


def _static(known: Sequence[str], seed: int, indices: Indices, style: Style, size: int) -> np.ndarray:
    draws = Draws(seed, indices, painting.SCENE)
    colour, strength = painting.tint(draws, draws.uniform(0.3, 0.7)), draws.uniform(0.15, 0.5)
    grain = backgrounds.grain(size, draws.integers(backgrounds.TILE), draws.integers(backgrounds.TILE))
    images = colour[:, None, None] + strength[:, None, None, None] * grain
    return painting.photograph(images, seed, indices, style)


UNKNOWN_SOURCES: Registry[UnknownSource] = Registry("unknown source")
for _source in (
    UnknownSource("objects", "Other objects", "Objects that are not in the class list.", _other_objects),
    UnknownSource(
        "characters", "Letters and digits", "A letter or a digit, painted as objects are.", _characters
    ),
    UnknownSource("textures", "Textures", "Gradients, stripes, checks and clouds, and no object.", _textures),
    UnknownSource("noise", "Static", "Coloured static around a random colour.", _static),
):
    UNKNOWN_SOURCES.register(_source)
