"""What the form is built from: a field for every setting of a run, and one for every knob of a method."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from clip_tta_core.hparams import Value

When = tuple[str, Literal["is", "not"], str]  # the setting of that name is, or is not, that value


@dataclass(frozen=True)
class Option:
    """One entry of a choice."""

    name: str
    title: str
    help: str = ""
    group: str = ""
    value: bool | None = None  # what the setting becomes, where that is not the name


@dataclass(frozen=True)
class Other:
    """A choice's last entry: text of one's own."""

    title: str
    placeholder: str
    rows: int
    help: str
    hole: str = ""  # what every line must hold once


@dataclass(frozen=True, kw_only=True)
class _Field:
    name: str
    title: str
    help: str = ""
    when: tuple[When, ...] = ()  # shown where one of these holds; always where there is none
    default: Value | None = None  # of a knob; those of the settings are the form's own value


@dataclass(frozen=True, kw_only=True)
class NumberField(_Field):
    """A slider and a box that takes exact values."""

    kind: Literal["number"] = "number"
    low: float  # of the slider
    high: float
    limits: tuple[float, float]  # of the box: all that is allowed
    log: bool = False
    whole: bool = True
    choices: tuple[str, ...] = ()  # words that may stand in place of a number
    fallback: float | None = None  # the number that such a word gives way to


@dataclass(frozen=True, kw_only=True)
class ChoiceField(_Field):
    """A menu."""

    kind: Literal["choice"] = "choice"
    options: tuple[Option, ...]
    other: Other | None = None


@dataclass(frozen=True, kw_only=True)
class PickField(_Field):
    """A few options side by side."""

    kind: Literal["pick"] = "pick"
    options: tuple[Option, ...]


@dataclass(frozen=True, kw_only=True)
class NamesField(_Field):
    """The list of classes; its rules are those of `class_list`."""

    kind: Literal["names"] = "names"
    placeholder: Mapping[str, str]  # by source; "" for all others
    knows: Mapping[str, tuple[str, ...]]  # all the words of a model, where they are few


@dataclass(frozen=True, kw_only=True)
class SwitchField(_Field):
    """On or off."""

    kind: Literal["switch"] = "switch"


Field = NumberField | ChoiceField | PickField | NamesField | SwitchField


@dataclass(frozen=True)
class Section:
    """A part of the form that opens and closes."""

    name: str
    title: str
    open: bool
    fields: tuple[Field, ...] = ()


@dataclass(frozen=True)
class Preset:
    """Values of a method's knobs that belong together."""

    title: str
    values: Mapping[str, Value]


@dataclass(frozen=True)
class MethodCard:
    """A method as the form and the ranking show it."""

    name: str
    title: str
    family: str
    summary: str
    citation: str
    paper: str  # address, "" where there is none
    code: str  # address of its file
    colour: str
    marker: str
    front: bool  # whether it stands in front of the form; the others wait behind one line
    presets: tuple[Preset, ...]
    cost: float  # at its defaults, in forwards of zero-shot CLIP
    texts: bool  # whether it encodes texts besides
    knobs: tuple[Field, ...]
