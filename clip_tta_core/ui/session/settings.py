"""A visitor's settings, as plain values, to a RunConfig and back to the defaults. Bad values stop here."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from clip_tta_core.records import Contender, RunConfig
from clip_tta_core.registry import unknown_name
from clip_tta_core.sources import class_lists
from clip_tta_core.sources.datasets import DATASETS
from clip_tta_core.ui.wire.class_list import CLASS_LIST

Settings = dict[str, Any]

WHOLE = ("severity", "batch_size", "batches", "seed", "attack_iterations", "shots")
NUMBERS = ("unknown_share", "attack_epsilon")
WORDS = (
    *("model", "source", "style", "corruption", "schedule", "order", "predict", "clock"),
    *("unknown_source", "unknown_arrival", "device", "precision", "attack", "attack_target", "start"),
)
USUAL = "usual"  # sentences: a data set's own, for other pictures those of a RunConfig
LARGEST = 1e300  # number: some whole ones are too large for a float
ENTRY = ("label", "method", "settings", "from_start")  # of a list of methods
LONGEST = 200  # characters of a menu value
LONGEST_SENTENCES = 4000  # characters of one's own sentences together


def defaults() -> Settings:
    """The settings of a RunConfig that says nothing, as the form holds them."""
    config = RunConfig()
    plain = {name: getattr(config, name) for name in (*WHOLE, *WORDS, *NUMBERS, "episodic")}
    methods = {one.method: dict(one.settings) for one in config.contenders}
    words = {"lesson": "", "class_names": "", "templates": USUAL}
    return {**words, "methods": methods, "copies": [], "start_settings": {}, **plain}


def to_config(settings: Mapping[str, Any]) -> RunConfig:
    """Settings as the engine takes them, without uploads; a value of the wrong kind raises one sentence."""
    if not isinstance(settings, Mapping):
        raise ValueError(f"Settings must be a mapping of names to values, got {type(settings).__name__}.")
    full = defaults() | dict(settings)
    names = split_names(full["class_names"])
    plain: Settings = {
        **{name: number(name, full[name]) for name in NUMBERS},
        **{name: whole(name, full[name]) for name in WHOLE},
        **{name: word(name, full[name]) for name in WORDS},
    }
    return RunConfig(
        contenders=(*contenders(full["methods"]), *contenders(full["copies"])),
        class_names=names,
        templates=templates(full["templates"], full["source"]),
        start_settings=start_settings(full["start_settings"]),
        episodic=switch("episodic", full["episodic"]),
        **plain,
    )


def split_names(text: Any) -> tuple[str, ...]:
    """Class names in any of the forms of `class_lists`."""
    if isinstance(text, list | tuple):
        text = class_lists.written([str(part) for part in text])
    if not isinstance(text, str):
        raise ValueError(f"Classes: names must be text, got {type(text).__name__}.")
    rules, words = CLASS_LIST, CLASS_LIST.words
    names = class_lists.parse(text)
    if len(names) > rules.most:
        raise ValueError(f"Classes: {words.many.format(most=rules.most, count=len(names))}.")
    if any(len(name) > rules.longest for name in names):
        raise ValueError(f"Classes: {words.long.format(longest=rules.longest)}.")
    return names


def contenders(chosen: Any) -> tuple[Contender, ...]:
    """{method: {knob: value}}, or a list of {label, method, settings} where a method comes more than once;
    what the values may be is for the methods to say."""
    if isinstance(chosen, Mapping):
        chosen = [{"label": name, "method": name, "settings": knobs} for name, knobs in chosen.items()]
    if not isinstance(chosen, list | tuple) or not all(
        isinstance(one, Mapping) and isinstance(one.get("settings", {}), Mapping) for one in chosen
    ):
        raise ValueError("Methods must be a mapping of names to their settings.")
    for one in chosen:
        for name in one:
            if name not in ENTRY:
                raise ValueError(unknown_name("entry of a method", name, ENTRY))
    return tuple(
        Contender(
            str(one.get("label") or one.get("method")),
            str(one.get("method")),
            {str(knob): value for knob, value in one.get("settings", {}).items()},
            switch("from_start", one.get("from_start", True)),
        )
        for one in chosen
    )


def start_settings(value: Any) -> dict[str, Any]:
    """{knob: value} of the start; what the values may be is for the start to say."""
    if not isinstance(value, Mapping):
        raise ValueError(f"Run: start_settings must be a mapping of knobs to values, got {value!r:.60}.")
    return {str(knob): one for knob, one in value.items()}


def templates(value: Any, source: Any) -> str:
    """A name of a template set, or one's own sentences."""
    value = word("templates", value, LONGEST_SENTENCES)
    if value != USUAL:
        return value
    kind, _, name = word("source", source).partition(":")
    return DATASETS[name].templates if kind == "dataset" else RunConfig().templates


def word(name: str, value: Any, longest: int = LONGEST) -> str:
    if not isinstance(value, str) or not value.strip() or len(value) > longest:
        raise ValueError(f"Run: {name} must be a name, got {value!r:.60}.")
    return value.strip()


def number(name: str, value: Any) -> float:
    if isinstance(value, int | float) and not isinstance(value, bool):
        if abs(value) <= LARGEST:
            return float(value)
        if isinstance(value, int):  # Python does not even write out the largest
            value = "one with very many digits"
    raise ValueError(f"Run: {name} must be a number, got {value!r:.60}.")


def switch(name: str, value: Any) -> bool:
    if not isinstance(value, bool):
        raise ValueError(f"Run: {name} must be true or false, got {value!r:.60}.")
    return value


def whole(name: str, value: Any) -> int:
    if number(name, value) != int(value) and not isinstance(value, int):  # a float of many digits is rounded
        raise ValueError(f"Run: {name} must be a whole number, got {value!r:.60}.")
    return int(value)
