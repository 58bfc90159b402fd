"""Settings in the query string of a link: only what differs from a starting point, all checked on the way in.

A link names its version, so that defaults that change later do not change what it means. Whatever else came
with the address is not ours and says nothing.
"""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

import numpy as np

from clip_tta_core import engine
from clip_tta_core.comparison import Knobs
from clip_tta_core.methods import METHODS
from clip_tta_core.records import Pictures, RunConfig
from clip_tta_core.ui.session.lessons import LESSONS
from clip_tta_core.ui.session.settings import Settings, to_config

LONGEST = 4000  # characters of one value
BLANK = Pictures(np.zeros((1, 1, 1, 3), dtype=np.uint8), np.full(1, -1), ("",))
# What a link of each version says nothing of. When a default changes, a version is added and none is edited.
STARTS: dict[int, Settings] = {
    1: {
        "lesson": "",
        "class_names": "",
        "templates": "usual",
        "methods": {
            "zero_shot": {},
            "tent": {"lr": 0.001, "steps": 10},
            "cliptta": {"lr": 0.001, "steps": 10},
        },
        "copies": [],
        "severity": 5,
        "batch_size": 64,
        "batches": 16,
        "seed": 0,
        "model": "mini-clip",
        "source": "rendered",
        "style": "none",
        "corruption": "none",
        "schedule": "constant",
        "order": "shuffled",
        "predict": "post",
        "clock": "waits",
        "unknown_source": "none",
        "unknown_arrival": "mixed",
        "device": "auto",
        "precision": "auto",
        "episodic": False,
        "unknown_share": 0.5,
        "attack_iterations": 7,
        "attack": "none",
        "attack_epsilon": 1.0,
        "attack_target": "loaded",
        "start": "none",
        "start_settings": {},
        "shots": 16,
    }
}
VERSION = max(STARTS)
# What knobs of methods stood at where a link of a version says nothing of them, and their default is another
# now: {version: {method: {knob: value}}}.
KNOBS: dict[int, dict[str, Knobs]] = {}
COMPOUND = (
    "methods",
    "copies",
    "start_settings",
)  # these have several entries in a link, or one of their own
# What to look at, and as what: the page's scripts read these themselves.
LOOKS = ("tab", "curve", "run", "preset", "present", "embed", "compare", "knobs")


def to_query(settings: Mapping[str, Any]) -> str:
    """'v=1&lesson=sorted', or 'v=1&corruption=fog&methods=tent,cliptta&tent.lr=0.001'."""
    to_config(settings)
    same = {"lesson": settings.get("lesson", "")}
    lesson = next((one for one in LESSONS if one.settings() == {**settings, **same}), None)
    if lesson is not None and lesson.name == same["lesson"]:
        return urlencode({"v": VERSION, "lesson": lesson.name})
    start, pairs = STARTS[VERSION], {}
    for name, default in start.items():
        value = settings.get(name, default)
        if name not in (*COMPOUND, "lesson") and value != default:
            pairs[name] = _write(value)
    if settings.get("methods") != start["methods"]:
        pairs["methods"] = ",".join(settings["methods"])
        for method, knobs in settings["methods"].items():
            pairs |= {f"{method}.{knob}": _write(value) for knob, value in knobs.items()}
    pairs |= {f"start.{knob}": _write(value) for knob, value in settings.get("start_settings", {}).items()}
    if copies := settings.get("copies"):
        rows = [_row(one) for one in copies]
        pairs["copies"] = json.dumps(rows, separators=(",", ":"))
    return urlencode({"v": VERSION} | {name: _fitting(name, text) for name, text in pairs.items()})


def from_query(params: Mapping[str, str]) -> tuple[Settings, str] | None:
    """The settings that a link asks for and, when some are impossible, one sentence; those stay as they were.

    None where nothing in the address is ours.
    """
    own = {name: str(value) for name, value in params.items() if _is_ours(name)}
    if not own:
        return None
    version, problems = _version(own)
    settings = _start(own, version, problems)
    # Methods before their knobs, and before the class list what it is for.
    ordered = sorted(own, key=lambda name: (name not in ("methods", "source", "start"), "." in name))
    for name in ordered:
        if name in ("v", "lesson", *LOOKS):
            continue
        try:
            candidate = _apply(settings, name, _fitting(name, own[name]))
            engine.check(_complete(to_config(candidate)))
            settings = candidate | {"lesson": ""}
        except ValueError as error:
            problems.append(
                f"The link asks for something impossible, so that setting keeps its default. {error}"
            )
    return settings if "lesson" in own else _as_then(settings, version), _together(problems)


def _as_then(settings: Settings, version: int) -> Settings:
    """Settings whose methods have the knobs that a link of that version leaves out as they were then."""
    then = KNOBS.get(version, {})
    methods = {name: {**then.get(name, {}), **knobs} for name, knobs in settings["methods"].items()}
    copies = [
        copy | {"settings": {**then.get(copy["method"], {}), **copy["settings"]}}
        for copy in settings["copies"]
    ]
    return settings | {"methods": methods, "copies": copies}


def _together(problems: list[str]) -> str:
    """The first of what is wrong, and how much more is."""
    if len(problems) < 2:
        return "".join(problems)
    others = len(problems) - 1
    return f"{problems[0]} So {'does 1 other' if others == 1 else f'do {others} others'} of its settings."


def _is_ours(name: str) -> bool:
    owner, dot, _ = name.partition(".")
    return name in ("v", "run", *STARTS[VERSION]) or bool(dot) and (owner in METHODS or owner == "start")


def _version(own: Mapping[str, str]) -> tuple[int, list[str]]:
    """The version of a link, the oldest where it names none; and what is wrong with the one it names."""
    version = _read(own.get("v", "1"))
    if version in STARTS and not isinstance(version, bool):
        return version, []
    return VERSION, [
        f"Link: its version must be {' or '.join(map(str, STARTS))}, got {own['v']:.20}; "
        "it is read as one of this page."
    ]


def _start(own: Mapping[str, str], version: int, problems: list[str]) -> Settings:
    """Where a link begins: a lesson, else the starting point of its version. What is wrong is added."""
    name = own.get("lesson", "")
    lesson = next((one for one in LESSONS if one.name == name), None)
    if name and lesson is None:
        names = ", ".join(one.name for one in LESSONS)
        problems.append(f"Link: its lesson must be one of {names}; got '{name:.40}'.")
    if lesson is not None:
        return lesson.settings()
    if own.keys() <= {"run"} or (name and own.keys() <= {"v", "run", "lesson"}):
        return LESSONS[0].settings()  # nothing else is asked for
    return json.loads(json.dumps(STARTS[version]))


def _complete(config: RunConfig) -> RunConfig:
    """A link cannot carry pictures: these stand for what its visitor will add."""
    return dataclasses.replace(config, pictures=BLANK, unknown_pictures=BLANK)


def _apply(settings: Settings, name: str, text: str) -> Settings:
    """Settings with one value of the link set."""
    if name == "methods":
        known = settings["methods"]
        return settings | {"methods": {part: dict(known.get(part, {})) for part in text.split(",") if part}}
    if name == "copies":
        return settings | {"copies": _copies(text)}
    method, dot, knob = name.partition(".")
    if name == "start_settings":
        raise ValueError(
            f"Link: settings of a start have one entry each, as start.steps=20; got '{text:.40}'."
        )
    if method == "start" and dot:
        return settings | {"start_settings": settings["start_settings"] | {knob: _read(text)}}
    if name == "start":
        return settings | {"start": text, "start_settings": {}}
    if dot:
        if method not in settings["methods"]:
            raise ValueError(f"Link: {name} sets a method that takes no part; name it in methods.")
        knobs = settings["methods"][method] | {knob: _read(text)}
        return settings | {"methods": settings["methods"] | {method: knobs}}
    return settings | {name: text if isinstance(settings[name], str) else _read(text)}


def _copies(text: str) -> list[dict[str, Any]]:
    try:
        return [_copy(*row) for row in json.loads(text)]
    except (ValueError, TypeError, AttributeError, RecursionError):
        raise ValueError(
            f"Link: copies must be a JSON list of [label, method, settings], got '{text:.40}'."
        ) from None


def _row(copy: Mapping[str, Any]) -> list[Any]:
    """A copy in a link: [label, method, settings], and false where it does not begin at the start."""
    row = [copy["label"], copy["method"], copy.get("settings", {})]
    return row if copy.get("from_start", True) else [*row, False]


def _copy(label: Any, method: Any, knobs: Any, from_start: Any = True) -> dict[str, Any]:
    settings = {k: _plain(v) for k, v in knobs.items()}
    found: dict[str, Any] = {"label": str(label), "method": str(method), "settings": settings}
    return found if from_start else found | {"from_start": False}


def _fitting(name: str, text: str) -> str:
    if len(text) > LONGEST:
        raise ValueError(
            f"Link: {name} may have {LONGEST:,} characters, got {len(text):,}; send it as a file."
        )
    return text


def _write(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _read(text: str) -> Any:
    """A number or a switch where the text is one, else the text itself."""
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return text
    return _plain(value) if isinstance(value, bool | int | float) else text


def _plain(value: Any) -> Any:
    """A whole number beyond all of ours as a float, which every check knows how to refuse."""
    if not isinstance(value, int) or abs(value) <= 2**63:
        return value
    if abs(value) < 10**300:
        return float(value)
    return math.inf if value > 0 else -math.inf
