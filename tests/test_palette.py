"""Contenders can be told apart, and copies of one method recognized."""

from __future__ import annotations

import pytest

from clip_tta_core.methods import METHODS, looks_of
from clip_tta_core.palette import BLUE, COLOURS, DASHES, MARKERS, SOLID, Look, copies, looks

ALONE = {name: name for name in METHODS}


def mark(look: Look) -> tuple[str, str]:
    return look.colour, look.marker


def test_every_method_looks_the_same_alone_and_beside_all_others():
    together = looks_of(ALONE)
    assert all(looks_of({name: name}) == {name: together[name]} for name in METHODS)


def test_no_two_known_methods_look_alike():
    assert len(set(looks_of(ALONE).values())) == len(METHODS)


def test_zero_shot_comes_first_and_cliptta_on_top():
    assert list(looks_of({name: name for name in ("cliptta", "tent", "zero_shot")})) == [
        "zero_shot",
        "tent",
        "cliptta",
    ]


def test_a_method_that_chose_no_look_gets_one_that_no_other_has():
    new = looks_of(ALONE | {"tomorrow": "a method of tomorrow"})["tomorrow"]
    assert mark(new) not in {mark(look) for look in looks_of(ALONE).values()}


def test_more_methods_than_there_are_looks_still_get_one():
    names = {str(number): str(number) for number in range(300)}
    drawn = looks(names, {})
    marks = [mark(look) for look in drawn.values()]
    assert len(drawn) == 300 and len(set(marks)) == len(COLOURS) * len(MARKERS)


@pytest.mark.parametrize("name", METHODS)
def test_copies_share_the_colour_and_differ_in_marker_and_dash(name):
    drawn = list(looks_of({label: name for label in ("one", "two", "three")}).values())
    assert drawn[0] == looks_of(ALONE)[name] and {look.colour for look in drawn} == {drawn[0].colour}
    assert len({look.marker for look in drawn}) == len({look.dash for look in drawn}) == 3


def test_a_copy_does_not_take_the_mark_of_another_contender():
    labels = {"a": "cliptta", "b": "batclip", "c": "clip_ot", "d": "cliptta", "e": "cliptta"}
    assert len({mark(look) for look in looks_of(labels).values()}) == 5


def test_all_pairs_of_marker_and_dash_can_stand_for_a_copy():
    assert len(set(copies(Look(BLUE, SOLID, "circle")))) == len(MARKERS) * len(DASHES)
