"""How a picture comes about: a scene is drawn from random numbers, composed in layers, and photographed."""

from __future__ import annotations

import io
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image

from clip_tta_core.sources import backgrounds
from clip_tta_core.sources.draws import Draws, Indices
from clip_tta_core.sources.glyphs import CELL, EXTENT, Atlas, Glyph, atlas

COLOURS = {  # sRGB
    "red": (214, 40, 40),
    "orange": (245, 130, 30),
    "yellow": (250, 208, 50),
    "green": (50, 150, 65),
    "turquoise": (35, 180, 175),
    "blue": (40, 90, 205),
    "purple": (125, 60, 170),
    "pink": (240, 120, 175),
    "brown": (125, 78, 42),
    "white": (244, 244, 240),
    "gray": (135, 138, 142),
    "black": (34, 34, 38),
}
LUMA = np.array([0.299, 0.587, 0.114], np.float32)
CONTRAST = 0.22  # least difference in luma between an object and either colour of its ground
PENCIL = np.array([0.17, 0.18, 0.23], np.float32)
PAPER = np.array([0.94, 0.925, 0.88], np.float32)

COARSE = 64  # side of the pictures for which fields of CELL cells are fine enough
FINEST = 4  # most times as many cells a side that a larger picture gets

CHUNK = 32  # pictures painted together: few enough for their arrays to stay in the cache
SCENE, CAMERA = 0, 1  # unrelated streams of random numbers


@dataclass(frozen=True)
class Style:
    """One way of depicting the same scenes."""

    name: str
    title: str
    meaning: str  # one sentence
    zoom: float = 1.0  # size of the objects relative to the undisturbed world
    lines_only: bool = False  # draw edges and leave the inside as it is
    on_paper: bool = False  # dark lines on paper instead of colours on the scene
    negative: bool = False
    grain: float = 0.0  # a dim sensor's noise (standard deviation), and with it a colour cast and a dark rim


@dataclass(frozen=True)
class Scene:
    """What N pictures show, apart from which object; every array is (N,)."""

    colour: np.ndarray  # a place in COLOURS
    scale: np.ndarray  # longer side of the object over the side of the picture
    turn: np.ndarray  # radians
    shear: np.ndarray
    stretch: np.ndarray  # width gained and height lost, as a factor
    x: np.ndarray  # centre, from 0 to 1
    y: np.ndarray
    ground: np.ndarray  # a place in backgrounds.KINDS
    draws: Draws  # where the painter's further numbers come from

    @classmethod
    def draw(cls, seed: int, indices: Indices, difficulty: float = 1.0) -> Scene:
        """The scenes of some pictures; `difficulty` as in `rendered.render`."""
        draws = Draws(seed, indices, SCENE)
        scale = draws.uniform(0.84 - 0.38 * difficulty, 0.94)
        room = np.maximum(0, (1 - 1.04 * scale) / 2)
        plain = draws.happens(1 - 0.85 * difficulty)
        return cls(
            colour=draws.integers(len(COLOURS)),
            scale=scale,
            turn=draws.uniform(-0.5, 0.5) * difficulty,
            shear=draws.uniform(-0.25, 0.25) * difficulty,
            stretch=np.exp(draws.uniform(-0.12, 0.12) * difficulty),
            x=0.5 + room * draws.uniform(-1, 1),
            y=0.5 + room * draws.uniform(-1, 1),
            ground=np.where(plain, 0, draws.integers(len(backgrounds.KINDS))),
            draws=draws,
        )


def paint(
    shapes: Sequence[Glyph],
    glyphs: np.ndarray,
    seed: int,
    indices: Indices,
    style: Style,
    size: int,
    difficulty: float = 1.0,
) -> np.ndarray:
    """One glyph per index, by its place in `shapes`. glyphs int (N,) -> uint8 (N, size, size, 3)"""
    fineness = min(math.ceil(size / COARSE), FINEST)  # else the steps between cells would show
    indices = np.asarray(indices, dtype=np.int64)
    if glyphs.shape != indices.shape:
        raise ValueError(f"paint: one object per index must be given, got {len(glyphs)} for {len(indices)}.")
    images = np.empty((len(glyphs), size, size, 3), dtype=np.uint8)
    for start in range(0, len(glyphs), CHUNK):
        part = slice(start, start + CHUNK)
        scene = Scene.draw(seed, indices[part], difficulty)
        used, places = np.unique(glyphs[part], return_inverse=True)
        painted = compose(atlas([shapes[glyph] for glyph in used], fineness), places, scene, style, size)
        images[part] = photograph(painted, seed, indices[part], style)
    return images


def compose(shapes: Atlas, glyphs: np.ndarray, scene: Scene, style: Style, size: int) -> np.ndarray:
    """Ground, shadow and object in layers. float32 (N, size, size, 3), mostly in [0, 1]"""
    draws = scene.draws
    colour = np.array(list(COLOURS.values()), np.float32)[scene.colour] / 255  # (N, 3)
    colour = np.clip(colour + _stack(draws.uniform(-0.06, 0.06) for _ in range(3)), 0, 1)
    luma = brightness(colour)
    near, far = (tint(draws, _away_from(luma, draws.uniform())) for _ in range(2))
    pattern = backgrounds.pattern(draws, scene.ground, size)
    shadow_x, shadow_y = draws.uniform(0.01, 0.06) * size, draws.uniform(0.02, 0.07) * size
    shadow, sheen = draws.uniform(0.1, 0.5), draws.uniform(-0.25, 0.25)

    pixel = scene.scale * style.zoom * size / (EXTENT * shapes.fineness)  # (N,) one cell in pixels
    body, ink = _distances(shapes, glyphs, scene, pixel, size)  # (N, size, size) each
    if style.lines_only:
        line = np.clip(np.maximum(1.6 - np.abs(body), 0.5 + ink), 0, 1)
        if style.on_paper:
            return mix(np.broadcast_to(PAPER, (*line.shape, 3)), PENCIL, line)
        return mix(mix(near, far, pattern), colour, line)

    moved = _cells(shapes, scene, pixel, size, shadow_x, shadow_y)
    behind = _sample(shapes.body, glyphs, *moved) * _wide(pixel)
    images = mix(near, far, pattern) * (1 - _wide(shadow) * np.clip(0.5 + behind / 4, 0, 1))[..., None]
    images = mix(images, _shade(colour, body, sheen), np.clip(0.5 + body, 0, 1))
    dark = luma[:, None] < 0.3
    pen = np.where(
        dark, 0.4 * colour + 0.55, 0.25 * colour
    )  # light lines on dark things, dark ones on others
    lined = shapes.lined[glyphs]
    images[lined] = mix(images[lined], pen[lined], np.clip(0.5 + ink[lined], 0, 1))
    return images


def photograph(images: np.ndarray, seed: int, indices: Indices, style: Style) -> np.ndarray:
    """What a camera adds, well below the mildest corruption. float32 -> uint8, (N, size, size, 3)"""
    size = images.shape[1]
    draws = Draws(seed, indices, CAMERA)
    blur, noise = draws.uniform(0, 0.12), draws.uniform(0, 0.03)
    exposure, slope, angle = draws.uniform(0.88, 1.1), draws.uniform(0, 0.15), draws.uniform(0, 2 * np.pi)
    compressed, quality = draws.happens(0.25), 75 + draws.integers(21)
    window = draws.integers(backgrounds.TILE), draws.integers(backgrounds.TILE)
    cast = _stack(draws.uniform(0.75, 1.15) for _ in range(3))

    images = _blur(images, blur)
    line = np.linspace(-1, 1, size, dtype=np.float32)
    light = _wide(slope * np.cos(angle)) * line + _wide(slope * np.sin(angle)) * line[:, None]
    light = _wide(exposure) * (1 + light)
    if style.grain:
        images = images * cast[:, None, None, :]
        light = 0.75 * light * (1 - 0.35 * (line**2 + line[:, None] ** 2))
        noise = noise + style.grain
    images *= light[..., None]
    images += _wide(noise)[..., None] * backgrounds.grain(size, *window)
    if style.negative:
        images = 1 - images
    images = (np.clip(images, 0, 1) * 255 + 0.5).astype(np.uint8)
    for i in np.flatnonzero(compressed):
        images[i] = _jpeg(images[i], int(quality[i]))
    return images


def mix(images: np.ndarray, colour: np.ndarray, amount: np.ndarray) -> np.ndarray:
    """Lay a colour, (3,), (N, 3) or (N, H, W, 3), over images or a colour by `amount` (N, H, W)."""
    images, colour = (value[:, None, None] if value.ndim == 2 else value for value in (images, colour))
    return images + (colour - images) * amount[..., None]


def tint(draws: Draws, luma: np.ndarray) -> np.ndarray:
    """A random colour of the given brightness. (N,) -> float32 (N, 3)"""
    hue = _stack(draws.uniform() for _ in range(3))
    vivid = draws.uniform(0.1, 0.8)[:, None]
    return np.clip(luma[:, None] + vivid * (hue - brightness(hue)[:, None]), 0, 1)


def brightness(colour: np.ndarray) -> np.ndarray:
    """Luma. (N, 3) -> (N,)"""
    return (colour * LUMA).sum(axis=1)  # not a matrix product, whose last bit may depend on N


def _away_from(luma: np.ndarray, where: np.ndarray) -> np.ndarray:
    """Spread `where` (N,) in [0, 1] over the brightnesses that differ from `luma` by CONTRAST or more."""
    darker, lighter = np.maximum(luma - CONTRAST - 0.04, 0), np.maximum(0.97 - luma - CONTRAST, 0)
    at = where * (darker + lighter)
    return np.where(at < darker, 0.04 + at, luma + CONTRAST + at - darker)


def _distances(
    shapes: Atlas, glyphs: np.ndarray, scene: Scene, pixel: np.ndarray, size: int
) -> tuple[np.ndarray, np.ndarray]:
    """How many pixels inside the body, and inside its lines if it has any. Two float32 (N, size, size)"""
    columns, rows = _cells(shapes, scene, pixel, size)
    body = _sample(shapes.body, glyphs, columns, rows) * _wide(pixel)
    ink = np.full_like(body, -1)
    lined = shapes.lined[glyphs]
    ink[lined] = _sample(shapes.ink, glyphs[lined], columns[lined], rows[lined]) * _wide(pixel[lined])
    return body, ink


def _cells(
    shapes: Atlas,
    scene: Scene,
    pixel: np.ndarray,
    size: int,
    right: np.ndarray | float = 0,
    down: np.ndarray | float = 0,
) -> tuple[np.ndarray, np.ndarray]:
    """Where each pixel falls in its glyph's field, the object moved by pixels. Two float32 (N, size, size)"""
    x = np.arange(size, dtype=np.float32)[None, None, :] - _wide(scene.x * size - 0.5 + right)
    y = np.arange(size, dtype=np.float32)[None, :, None] - _wide(scene.y * size - 0.5 + down)
    cos, sin = np.cos(scene.turn), np.sin(scene.turn)
    # Inverse of: stretch, shear, turn, enlarge.
    across = cos / (pixel * scene.stretch), sin / (pixel * scene.stretch)
    along = -sin * scene.stretch / pixel, cos * scene.stretch / pixel
    columns = _wide(across[0] - scene.shear * along[0]) * x + _wide(across[1] - scene.shear * along[1]) * y
    rows = _wide(along[0]) * x + _wide(along[1]) * y
    middle = (shapes.fineness * CELL - 1) / 2
    return columns + middle, rows + middle


def _sample(fields: np.ndarray, glyphs: np.ndarray, columns: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Bilinear look-up in each picture's own field; beyond its border, the border. float32 (N, H, W)"""
    side = fields.shape[-1]
    columns, rows = np.clip(columns, 0, side - 1.01), np.clip(rows, 0, side - 1.01)
    left, top = np.floor(columns), np.floor(rows)  # floats: an integer here would make everything float64
    right_share, down_share = columns - left, rows - top
    corner = (glyphs * side**2).astype(np.int32)[:, None, None] + (top * side + left).astype(np.int32)
    flat = fields.ravel()
    upper, lower = flat.take(corner), flat.take(corner + side)
    upper += (flat.take(corner + 1) - upper) * right_share
    lower += (flat.take(corner + side + 1) - lower) * right_share
    return upper + (lower - upper) * down_share


def _shade(colour: np.ndarray, body: np.ndarray, sheen: np.ndarray) -> np.ndarray:
    """Colours with a bevel lit from the upper left, a dark rim and a gradient from top to bottom.

    Args:
        colour: (N, 3).
        body: (N, size, size) pixels to the edge, positive inside.
        sheen: (N,) how much lighter the top is than the middle.

    Returns:
        float32 (N, size, size, 3).
    """
    slope = np.zeros_like(body)  # towards the middle of the object, seen from the upper left
    slope[:, :, 1:] += np.diff(body, axis=2)
    slope[:, 1:, :] += np.diff(body, axis=1)
    bevel = slope * np.clip(1 - body / 4, 0, 1)
    light = 1 + 0.18 * bevel - 0.45 * np.clip(1.4 - body, 0, 1)
    light -= _wide(sheen) * np.linspace(-1, 1, body.shape[1], dtype=np.float32)[:, None]
    return colour[:, None, None] * light[..., None] + (0.1 * bevel)[..., None]


def _blur(images: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """Three taps in both directions, `weight` (N,) on either neighbour: a variance of 2 weight pixels."""
    side = weight[:, None, None, None]
    padded = np.pad(images, ((0, 0), (1, 1), (0, 0), (0, 0)), mode="edge")
    images = images * (1 - 2 * side) + (padded[:, 2:] + padded[:, :-2]) * side
    padded = np.pad(images, ((0, 0), (0, 0), (1, 1), (0, 0)), mode="edge")
    return images * (1 - 2 * side) + (padded[:, :, 2:] + padded[:, :, :-2]) * side


def _jpeg(image: np.ndarray, quality: int) -> np.ndarray:
    """Save and load. uint8 (H, W, 3) -> uint8 (H, W, 3)"""
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, "jpeg", quality=quality)
    return np.asarray(Image.open(buffer))


def _stack(columns: Iterable[np.ndarray]) -> np.ndarray:
    """Some columns (N,), side by side."""
    return np.stack(list(columns), axis=1)


def _wide(values: np.ndarray) -> np.ndarray:
    """(N,) -> (N, 1, 1), to go with pixels."""
    return values[:, None, None]
