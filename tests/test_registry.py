"""Names find things, in order, once, and wrong names find the right ones."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from clip_tta_core.registry import Registry, unknown_name


@dataclass(frozen=True)
class Fruit:
    name: str


@pytest.fixture
def fruits() -> Registry[Fruit]:
    fruits = Registry("fruit")
    for name in ("pear", "apple", "fig"):
        assert fruits.register(Fruit(name)) == Fruit(name)
    return fruits


def test_things_are_listed_in_the_order_of_registration(fruits):
    assert list(fruits) == ["pear", "apple", "fig"] and len(fruits) == 3
    assert fruits["fig"] == Fruit("fig") and "fig" in fruits


def test_a_wrong_name_is_answered_with_the_nearest_and_all_known_ones(fruits):
    with pytest.raises(ValueError) as error:
        fruits["appel"]
    assert str(error.value) == "Unknown fruit 'appel'. Did you mean 'apple'? Known: pear, apple, fig."
    with pytest.raises(ValueError, match="^Unknown fruit 'zzz'. Known: "):
        fruits["zzz"]


def test_a_long_list_is_cut_to_the_closest():
    known = [f"model-{number}" for number in range(144)]
    said = unknown_name("model", "model-77x", known)
    assert said.startswith("Unknown model 'model-77x'. Did you mean 'model-77'? Known: model-77, ")
    assert said.endswith(" and 134 more.") and said.count("model-") == 12


@pytest.mark.parametrize("name", [None, 3, ["fig"], {"fig": 1}])
def test_what_is_no_name_is_unknown_not_a_crash(fruits, name):
    assert name not in fruits
    with pytest.raises(ValueError, match="^Unknown fruit"):
        fruits[name]


def test_a_name_is_taken_once(fruits):
    with pytest.raises(ValueError, match="fruit 'fig' is already registered"):
        fruits.register(Fruit("fig"))
