"""Hyper-parameters: declared once, beside the class that reads them; checked and described from there.

@dataclass(frozen=True)
class TentConfig(hparams.Config):
    lr: float = knob(1e-3, 1e-6, 1e-1, log=True, help="Step size.")
    steps: int = knob(1, 1, 20, help="Gradient steps per batch.")
    loss: Literal["soft", "hard"] = knob("soft", help="Target of the contrastive loss.")
    gamma: float | Literal["auto"] = knob(0.005, 1e-4, 10.0, log=True, help="Width of the soft step.")
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from inspect import get_annotations
from typing import Any, Literal, Self, get_args, get_origin, get_type_hints

Value = bool | int | float | str
Kind = Literal["bool", "int", "float", "choice"]
LONGEST = 10**100  # of whole numbers that are written out: Python refuses to write those with 5,000 digits


@dataclass(frozen=True)
class Knob:
    """One hyper-parameter as an interface needs to know it."""

    name: str
    kind: Kind
    default: Value
    low: float | None  # inclusive; None where there is no number to bound
    high: float | None
    log: bool  # whether a slider should be logarithmic
    choices: tuple[str, ...]  # allowed words; beside a number range they are alternatives to a number
    help: str

    def check(self, owner: str, value: Any) -> Value:
        """Return `value` in the knob's own type, or raise the sentence that says what must hold."""
        if isinstance(value, str) and value in self.choices:
            return value
        if self.kind == "bool" and isinstance(value, bool):
            return value
        if self.kind in ("int", "float") and isinstance(value, int | float) and not isinstance(value, bool):
            assert self.low is not None and self.high is not None  # numbers have a range: see `knob`
            if self.low <= value <= self.high and (self.kind == "float" or value == int(value)):
                return float(value) if self.kind == "float" else int(value)
            if isinstance(value, int) and abs(value) > LONGEST:
                value = "a number with very many digits"
        raise ValueError(f"{owner}: {self.name} must be {self._allowed()}, got {value!r:.200}.")

    def _allowed(self) -> str:
        words = ", ".join(f"'{word}'" for word in self.choices)
        if self.kind == "bool":
            return "True or False"
        if self.kind == "choice":
            return f"one of {words}"
        number = "a whole number" if self.kind == "int" else "a number"
        return f"{number} in [{self.low:g}, {self.high:g}]" + (f" or {words}" if words else "")


def knob(
    default: Value, low: float | None = None, high: float | None = None, *, log: bool = False, help: str
) -> Any:
    """Declare a hyper-parameter as a dataclass field; numbers need a range, words and switches do not."""
    return field(default=default, metadata={"low": low, "high": high, "log": log, "help": help})


@dataclass(frozen=True)
class Config:
    """Base of every method's configuration: values are checked against their knobs at construction."""

    def __post_init__(self) -> None:
        for item in self.knobs():
            object.__setattr__(self, item.name, item.check(self.owner(), getattr(self, item.name)))

    @classmethod
    def owner(cls) -> str:
        """Whose configuration this is, for error sentences: Tent, of TentConfig or of Tent.Config."""
        return cls.__qualname__.removesuffix("Config").rstrip(".").rpartition(".")[2] or cls.__qualname__

    @classmethod
    def knobs(cls) -> tuple[Knob, ...]:
        """Every hyper-parameter, in the order of declaration; those of a whole kind of methods come last."""
        return _knobs(cls)

    @classmethod
    def from_values(cls, values: Mapping[str, Value]) -> Self:
        """Build from a plain mapping; an unknown name raises a sentence that lists the known ones."""
        known = [item.name for item in cls.knobs()]
        for name in values:
            if name not in known:
                raise ValueError(f"{cls.owner()}: has no knob '{name}'. Known: {', '.join(known) or 'none'}.")
        return cls(**values)


@cache
def _knobs(cls: type[Config]) -> tuple[Knob, ...]:
    hints = get_type_hints(cls)
    kinds = (base for base in cls.__mro__[1:] if Config in base.__bases__)
    common = {name for kind in kinds for name in get_annotations(kind)} - set(get_annotations(cls))
    fields = sorted(dataclasses.fields(cls), key=lambda f: f.name in common)
    return tuple(_describe(f, hints[f.name]) for f in fields)


def _describe(f: dataclasses.Field[Any], hint: Any) -> Knob:
    parts = get_args(hint) if get_origin(hint) not in (None, Literal) else (hint,)
    kinds: dict[Any, Kind] = {bool: "bool", int: "int", float: "float"}
    numbers: list[Kind] = [kinds[part] for part in parts if part in kinds]
    choices = tuple(word for part in parts if get_origin(part) is Literal for word in get_args(part))
    kind: Kind = numbers[0] if numbers else "choice"
    meta: Mapping[str, Any] = f.metadata
    default: Any = f.default
    return Knob(f.name, kind, default, meta["low"], meta["high"], meta["log"], choices, meta["help"])
