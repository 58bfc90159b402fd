"""Shapes to draw: symbols, letters and digits of DejaVu Sans, kept as signed distances to their edges.

The font ships inside matplotlib, so there is nothing to fetch. A distance field can be drawn at any size with
smooth edges, and outlines, bevels and soft shadows are simple functions of it.
"""

from __future__ import annotations

import string
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Literal

import matplotlib
import numpy as np
from PIL import Image, ImageDraw, ImageFont

CELL = 128  # side of one glyph's field
EXTENT = 96  # longer side of the glyph inside it: the margin leaves room for outlines and shadows
REACH = 24  # distances are exact up to this and constant beyond


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
    """Distances to the edge of every glyph, in cells, positive inside."""

    body: np.ndarray  # float32 (G, CELL, CELL): the whole object
    ink: np.ndarray  # float32 (G, CELL, CELL): lines drawn on it
    lined: np.ndarray  # bool (G,), whether there are any


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


@cache
def atlas(glyphs: tuple[Glyph, ...]) -> Atlas:
    """Distance fields of some glyphs, computed once per process (about a second for all of SYMBOLS)."""
    drawn = np.stack([_draw(glyph.character) for glyph in glyphs])  # bool (G, CELL, CELL)
    hollow = np.array([glyph.body != "solid" for glyph in glyphs])
    lined = np.array([glyph.body == "filled" for glyph in glyphs])
    body = drawn.copy()
    body[hollow] = ~_outside(drawn[hollow])
    ink = np.full(drawn.shape, -REACH, dtype=np.float32)
    ink[lined] = _signed_distance(drawn[lined])
    return Atlas(body=_signed_distance(body), ink=ink, lined=lined)


def _draw(character: str) -> np.ndarray:
    """A character centred in its cell, its longer side EXTENT. bool (CELL, CELL)"""
    left, top, right, bottom = _ink(character, CELL).getbbox()
    image = _ink(character, CELL * EXTENT / max(right - left, bottom - top))
    left, top, right, bottom = image.getbbox()
    corner = (left + right - CELL) // 2, (top + bottom - CELL) // 2
    return np.asarray(image.crop((*corner, corner[0] + CELL, corner[1] + CELL))) > 127


def _ink(character: str, font_size: float) -> Image.Image:
    """A character on a canvas with room to spare."""
    image = Image.new("L", (6 * CELL, 6 * CELL))
    font = ImageFont.truetype(font_path(), font_size)
    ImageDraw.Draw(image).text((3 * CELL, 3 * CELL), character, font=font, fill=255, anchor="mm")
    return image


def _outside(ink: np.ndarray) -> np.ndarray:
    """What can be reached from the border without crossing ink. bool (G, H, W) -> bool (G, H, W)"""
    reached = np.zeros_like(ink)
    reached[:, [0, -1], :] = reached[:, :, [0, -1]] = True
    count = 0
    while reached.sum() != count:  # each round carries the flood on by one cell in the four directions
        count = reached.sum()
        grown = reached.copy()
        grown[:, 1:] |= reached[:, :-1]
        grown[:, :-1] |= reached[:, 1:]
        grown[:, :, 1:] |= reached[:, :, :-1]
        grown[:, :, :-1] |= reached[:, :, 1:]
        reached = grown & ~ink
    return reached


def _signed_distance(inside: np.ndarray) -> np.ndarray:
    """Euclidean distance to the edge, positive inside, to REACH. bool (G, H, W) -> float32 (G, H, W)"""
    # Between the centres of an inside and an outside cell lies the edge: half a cell from each.
    return np.where(inside, _distance(inside) - 0.5, 0.5 - _distance(~inside)).astype(np.float32)


def _distance(inside: np.ndarray) -> np.ndarray:
    """Distance from cells inside to the nearest cell outside. bool (G, H, W) -> float32 (G, H, W)"""
    squared = np.where(inside, np.float32(REACH**2), np.float32(0))
    for axis in (2, 1):  # a squared distance is separable: a minimum over columns, then over rows
        rows = np.moveaxis(squared, axis, 2)
        nearest = rows.copy()
        for shift in range(1, REACH):
            np.minimum(nearest[..., shift:], rows[..., :-shift] + shift**2, out=nearest[..., shift:])
            np.minimum(nearest[..., :-shift], rows[..., shift:] + shift**2, out=nearest[..., :-shift])
        squared = np.moveaxis(nearest, 2, axis)
    return np.sqrt(squared)
