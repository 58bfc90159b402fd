"""Shapes to draw: symbols, letters and digits of DejaVu Sans, kept as signed distances to their edges.

The font ships inside matplotlib, so there is nothing to fetch. A distance field can be drawn at any size with
smooth edges, and outlines, bevels and soft shadows are simple functions of it.
"""

from __future__ import annotations

import string
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Literal

import matplotlib
import numpy as np
from PIL import Image, ImageDraw, ImageFont

CELL = 128  # side of one glyph's field in cells, for small pictures; large ones need a multiple of it
EXTENT = 96  # longer side of the glyph inside it: the margin leaves room for outlines and shadows
REACH = 24  # cells; distances are exact up to this and constant beyond


@dataclass(frozen=True)
class Glyph:
    """One symbol of the font under the name people give to what it shows."""

    name: str
    character: str
    body: Literal["solid", "filled", "silhouette"] = (
        "solid"  # line drawings are filled, with or without their lines
    )


@dataclass(frozen=True)
class Atlas:
    """Distances to the edge of some glyphs, in cells, positive inside."""

    body: np.ndarray  # float32 (G, side, side): the whole object
    ink: np.ndarray  # float32 (G, side, side): lines drawn on it
    lined: np.ndarray  # bool (G,), whether there are any
    fineness: int  # side = fineness * CELL


SYMBOLS = (
    Glyph("umbrella", "\u2602"),
    Glyph("airplane", "\u2708"),
    Glyph("anchor", "\u2693"),
    Glyph("scissors", "\u2702"),
    Glyph("telephone", "\u260e"),
    Glyph("cat", "\U0001f431", "filled"),
    Glyph("horse", "\u265e"),
    Glyph("crown", "\u265a"),
    Glyph("cup", "\u2615", "filled"),
    Glyph("envelope", "\u2709", "filled"),
    Glyph("pencil", "\u270f", "filled"),
    Glyph("gear", "\u2699"),
    Glyph("skull", "\u2620", "filled"),
    Glyph("clover", "\u2618"),
    Glyph("star", "\u2605"),
    Glyph("heart", "\u2665"),
    Glyph("snowflake", "\u2744"),
    Glyph("flag", "\u2691"),
    Glyph("sun", "\u2600"),
    Glyph("music note", "\u266b"),
    Glyph("mouse", "\U0001f42d", "filled"),
    Glyph("cow", "\U0001f42e", "filled"),
    Glyph("monkey", "\U0001f435", "filled"),
    Glyph("smiley", "\u263a", "filled"),
    Glyph("snowman", "\u2603", "filled"),
    Glyph("cloud", "\u2601"),
    Glyph("moon", "\u263e", "filled"),
    Glyph("lightning", "\u26a1", "silhouette"),
    Glyph("flower", "\u273f"),
    Glyph("tulip", "\u2698"),
    Glyph("leaf", "\u2767"),
    Glyph("queen", "\u265b"),
    Glyph("castle", "\u265c"),
    Glyph("bishop", "\u265d"),
    Glyph("pawn", "\u265f"),
    Glyph("spade", "\u2660"),
    Glyph("diamond", "\u2666"),
    Glyph("wheel", "\u2638"),
    Glyph("hammers", "\u2692"),
    Glyph("swords", "\u2694"),
    Glyph("scales", "\u2696"),
    Glyph("atom", "\u269b"),
    Glyph("vase", "\u26b1", "silhouette"),
    Glyph("keyboard", "\u2328", "filled"),
    Glyph("house", "\u2302", "filled"),
    Glyph("dice", "\u2684", "filled"),
    Glyph("domino", "\U0001f074", "filled"),
    Glyph("card", "\U0001f0a1", "filled"),
    Glyph("drum", "\u26c1", "filled"),
    Glyph("hand", "\u261d", "filled"),
    Glyph("pen", "\u2712"),
    Glyph("headphones", "\u260a"),
    Glyph("dumbbell", "\u26af"),
    Glyph("rings", "\u26ad"),
    Glyph("trident", "\u2646"),
    Glyph("clock", "\u25f4", "filled"),
    Glyph("window", "\u229e", "filled"),
    Glyph("arrow", "\u27a1"),
    Glyph("wheelchair", "\u267f"),
    Glyph("biohazard", "\u2623"),
    Glyph("target", "\u25ce", "filled"),
    Glyph("medal", "\u272a", "filled"),
    Glyph("molecule", "\u232c", "filled"),
)

CHARACTERS = tuple(Glyph(character, character) for character in string.ascii_letters + string.digits)


def font_path() -> Path:
    """The font file inside matplotlib."""
    return Path(matplotlib.get_data_path()) / "fonts" / "ttf" / "DejaVuSans.ttf"


def atlas(glyphs: Sequence[Glyph], fineness: int = 1) -> Atlas:
    """Distance fields of some glyphs, at least one, `fineness` times as fine as small pictures need."""
    bodies, inks = zip(*(_fields(glyph, fineness) for glyph in glyphs), strict=True)
    lined = np.array([glyph.body == "filled" for glyph in glyphs])
    return Atlas(np.stack(bodies), np.stack(inks), lined, fineness)


@cache
def _fields(glyph: Glyph, fineness: int) -> tuple[np.ndarray, np.ndarray]:
    """Distances to the edge of the body, and of the lines on it. Two float32 (side, side)

    Computed once per process: 5 ms for a glyph of CELL cells, some 60 ms for one four times as fine.
    """
    drawn = _draw(glyph.character, fineness * CELL)
    body = drawn if glyph.body == "solid" else ~_outside(drawn)
    lined = glyph.body == "filled"
    ink = _signed_distance(drawn) if lined else np.full(drawn.shape, -REACH, dtype=np.float32)
    return _signed_distance(body), ink


def _draw(character: str, side: int) -> np.ndarray:
    """A character centred in its field, of which its longer side takes EXTENT / CELL. bool (side, side)"""
    left, top, right, bottom = _bounds(_ink(character, side, side))
    image = _ink(character, side * (side * EXTENT / CELL) / max(right - left, bottom - top), side)
    left, top, right, bottom = _bounds(image)
    corner = (left + right - side) // 2, (top + bottom - side) // 2
    return np.asarray(image.crop((*corner, corner[0] + side, corner[1] + side))) > 127


def _ink(character: str, font_size: float, side: int) -> Image.Image:
    """A character on a canvas with room to spare, six times the side of its field."""
    image = Image.new("L", (6 * side, 6 * side))
    font = ImageFont.truetype(font_path(), font_size)
    ImageDraw.Draw(image).text((3 * side, 3 * side), character, font=font, fill=255, anchor="mm")
    return image


def _bounds(image: Image.Image) -> tuple[int, int, int, int]:
    """Left, top, right and bottom of what is drawn."""
    box = image.getbbox()
    if box is None:
        raise ValueError("glyphs: the font must draw every character, got one without ink; choose another.")
    return box


def _outside(ink: np.ndarray) -> np.ndarray:
    """What can be reached from the border without crossing ink. bool (H, W) -> bool (H, W)"""
    reached = np.zeros_like(ink)
    reached[[0, -1], :] = reached[:, [0, -1]] = True
    reached &= ~ink
    count = 0
    while reached.sum() != count:  # each round carries the flood on, in the four directions, up to the ink
        count = reached.sum()
        for turn in range(4):
            reached = np.rot90(_flooded(np.rot90(reached, turn), np.rot90(ink, turn)), -turn)
    return reached


def _flooded(reached: np.ndarray, ink: np.ndarray) -> np.ndarray:
    """Reach everything to the right of what is reached, as far as the next ink. bool (H, W) -> bool (H, W)"""
    place = np.arange(1, ink.shape[1] + 1)
    last_reached = np.maximum.accumulate(np.where(reached, place, 0), axis=1)
    return last_reached > np.maximum.accumulate(np.where(ink, place, 0), axis=1)


def _signed_distance(inside: np.ndarray) -> np.ndarray:
    """Euclidean distance to the edge, positive inside, to REACH. bool (H, W) -> float32 (H, W)"""
    # Between the centres of an inside and an outside cell lies the edge: half a cell from each.
    return np.where(inside, _distance(inside) - 0.5, 0.5 - _distance(~inside)).astype(np.float32)


def _distance(inside: np.ndarray) -> np.ndarray:
    """Distance from cells inside to the nearest cell outside, at most REACH. bool (H, W) -> float32 (H, W)"""
    squared = np.where(inside, np.int16(REACH**2), np.int16(0))
    for _ in range(2):  # a squared distance is separable: a minimum over rows, then, transposed, over columns
        nearest = squared.copy()
        for shift in range(1, REACH):
            np.minimum(nearest[shift:], squared[:-shift] + np.int16(shift**2), out=nearest[shift:])
            np.minimum(nearest[:-shift], squared[shift:] + np.int16(shift**2), out=nearest[:-shift])
        squared = np.ascontiguousarray(nearest.T)
    return np.sqrt(squared)
