"""How curves and marks tell contenders apart: an Okabe-Ito colour and a second sign beside it."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import cycle, product

BLUE, VERMILION, GREEN = "#0072B2", "#D55E00", "#009E73"
PINK, ORANGE, SKY = "#CC79A7", "#E69F00", "#56B4E9"
GREY = "#6F7782"  # the reference: zero-shot CLIP
COLOURS = (GREEN, PINK, ORANGE, SKY, VERMILION, BLUE)

SOLID, DASHED, DOTTED, DASH_DOT = "", "7 4", "2 3", "8 3 2 3"
DASHES = (DASH_DOT, DOTTED, DASHED, SOLID)
MARKERS = ("circle", "square", "triangle", "diamond", "cross", "plus", "star")


@dataclass(frozen=True)
class Look:
    """How one contender is drawn everywhere."""

    colour: str
    dash: str  # as in SVG's stroke-dasharray; "" is a solid line
    marker: str
    layer: int = 1  # what has a higher one is listed later and drawn on top


def free(taken: Iterable[Look]) -> Iterator[Look]:
    """Looks without end, unlike those taken in colour and marker while there are such, then in dash only."""
    every = [Look(colour, dash, marker) for dash, marker, colour in product(DASHES, MARKERS, COLOURS)]
    marks = {(one.colour, one.marker) for one in taken}
    for look in every:
        if (look.colour, look.marker) not in marks:
            marks.add((look.colour, look.marker))
            yield look
    yield from cycle([look for look in every if look not in set(taken)] or every)


def copies(look: Look) -> list[Look]:
    """What can stand for a copy: the same colour, another marker and, where it can be, another dash."""
    markers = sorted(MARKERS, key=lambda marker: marker == look.marker)
    dashes = sorted(DASHES, key=lambda dash: dash == look.dash)
    turns = range(len(markers) * len(dashes))
    return [
        dataclasses.replace(look, marker=markers[turn % len(markers)], dash=dashes[turn % len(dashes)])
        for turn in turns  # 7 and 4 have no divisor in common: every pair comes once
    ]


def looks(methods: Mapping[str, str], chosen: Mapping[str, Look]) -> dict[str, Look]:
    """A look for every contender, in the order in which pictures list them.

    Copies of one method share its colour and differ in marker and dash.

    Args:
        methods: {label: method}, in the order in which they were chosen.
        chosen: {method: look}; a method that is not among them gets the next free look.
    """
    spare = free(chosen.values())
    own = {method: chosen.get(method) or next(spare) for method in dict.fromkeys(methods.values())}
    marks = {(look.colour, look.marker) for look in own.values()}
    found: dict[str, Look] = {}
    for label, method in methods.items():
        look = own[method]
        if look in found.values():
            others = copies(look)
            fresh = [one for one in others if (one.colour, one.marker) not in marks]
            look = (fresh or [one for one in others if one not in found.values()] or others)[0]
            marks.add((look.colour, look.marker))
        found[label] = look
    return {label: found[label] for label in sorted(found, key=lambda label: found[label].layer)}
