"""One look per method, the same in every picture: an Okabe-Ito colour and a second sign beside it."""

from __future__ import annotations

import zlib
from collections.abc import Iterable
from dataclasses import dataclass

BLUE, VERMILION, GREEN = "#0072B2", "#D55E00", "#009E73"
PINK, ORANGE, SKY = "#CC79A7", "#E69F00", "#56B4E9"
GREY = "#6F7782"  # the reference: zero-shot CLIP

SOLID, DASHED, DOTTED, DASH_DOT = "", "7 4", "2 3", "8 3 2 3"

# Methods that are often compared differ in colour; those that share one differ in dash and marker.
_LOOKS = {
    "zero_shot": (GREY, DASHED, "line"),
    "tent": (VERMILION, SOLID, "square"),
    "cliptta": (BLUE, SOLID, "circle"),
    "eta": (ORANGE, SOLID, "triangle"),
    "eata": (ORANGE, DASHED, "circle"),
    "sar": (GREEN, SOLID, "diamond"),
    "lame": (PINK, SOLID, "cross"),
    "clipartt": (SKY, SOLID, "square"),
    "watt": (SKY, DASHED, "circle"),
    "tda": (GREEN, DASHED, "cross"),
    "calip": (PINK, DASHED, "diamond"),
    "rotta": (GREEN, DOTTED, "triangle"),
    "sotta": (ORANGE, DOTTED, "square"),
    "ostta": (VERMILION, DASHED, "diamond"),
    "unient": (VERMILION, DOTTED, "triangle"),
    "stamp": (PINK, DOTTED, "circle"),
    "ms_tta": (SKY, DOTTED, "cross"),
    "fret": (ORANGE, DASH_DOT, "diamond"),
    "batclip": (BLUE, DASHED, "diamond"),
    "clip_ot": (BLUE, DOTTED, "cross"),
}
_COLOURS = (GREEN, PINK, ORANGE, SKY, VERMILION, BLUE)
_DASHES = (DASH_DOT, DOTTED, DASHED, SOLID)
_MARKERS = ("circle", "square", "triangle", "diamond", "cross")


@dataclass(frozen=True)
class Look:
    """How one method is drawn everywhere."""

    colour: str
    dash: str  # as in SVG's stroke-dasharray; "" is a solid line
    marker: str


def look(method: str) -> Look:
    """The look of a method; a name without a chosen one gets a stable one from its letters."""
    if method in _LOOKS:
        return Look(*_LOOKS[method])
    number = zlib.crc32(method.encode())
    colour = _COLOURS[number % len(_COLOURS)]
    dash = _DASHES[number // 7 % len(_DASHES)]
    return Look(colour, dash, _MARKERS[number // 31 % len(_MARKERS)])


def ordered(methods: Iterable[str]) -> list[str]:
    """Methods as pictures list them: zero-shot first, CLIPTTA last, so that it is drawn on top."""
    rank = {"zero_shot": 0, "cliptta": 2}
    return sorted(methods, key=lambda name: rank.get(name, 1))
