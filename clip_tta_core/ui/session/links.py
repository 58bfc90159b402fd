"""Settings in the query string of a link: only what differs from the defaults, all checked on the way in."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

import numpy as np

from clip_tta_core import engine
from clip_tta_core.records import Pictures, RunConfig
from clip_tta_core.ui.session.settings import Settings, to_config

LONGEST = 4000  # characters of one value
BLANK = Pictures(np.zeros((1, 1, 1, 3), dtype=np.uint8), np.full(1, -1), ("",))


def to_query(settings: Mapping[str, Any], start: Settings) -> str:
    """'corruption=fog&methods=tent,cliptta&tent.lr=0.001'; the lesson's name when nothing else is needed."""
    to_config(settings)
    pairs = {}
    for name, default in start.items():
        value = settings.get(name, default)
        if name not in ("methods", "lesson") and value != default:
            pairs[name] = _fitting(name, _write(value))
    if settings.get("methods") != start["methods"]:
        pairs["methods"] = ",".join(settings["methods"])
        for method, knobs in settings["methods"].items():
            pairs |= {f"{method}.{knob}": _write(value) for knob, value in knobs.items()}
    return urlencode(pairs)


def from_query(params: Mapping[str, str], start: Settings) -> tuple[Settings, str]:
    """The settings a link asks for and, when some are impossible, one sentence; those keep their defaults."""
    settings, problem = json.loads(json.dumps(start)), ""
    # Methods before their knobs, and before the class list what it is for.
    ordered = sorted(params, key=lambda name: (name not in ("methods", "source"), "." in name))
    for name in ordered:
        try:
            if name in ("lesson",) or name.startswith("__"):
                continue
            candidate = _apply(settings, name, _fitting(name, str(params[name])), start)
            if candidate is not None:
                engine.check(_complete(to_config(candidate)))
                settings = candidate | {"lesson": ""}
        except ValueError as error:
            problem = (
                problem
                or f"The link asks for something impossible, so that setting keeps its default. {error}"
            )
    return settings, problem


def _complete(config: RunConfig) -> RunConfig:
    """A link cannot carry pictures: these stand for what its visitor will add."""
    return dataclasses.replace(config, pictures=BLANK, unknown_pictures=BLANK)


def _apply(settings: Settings, name: str, text: str, start: Settings) -> Settings | None:
    """Settings with one value of the link set; None for a name that is none of ours."""
    if name == "methods":
        known = start["methods"]
        return settings | {"methods": {part: dict(known.get(part, {})) for part in text.split(",") if part}}
    method, dot, knob = name.partition(".")
    if dot and method in settings["methods"]:
        knobs = settings["methods"][method] | {knob: _read(text)}
        return settings | {"methods": settings["methods"] | {method: knobs}}
    if name not in settings:
        return None
    return settings | {name: text if isinstance(start[name], str) else _read(text)}


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
    except ValueError:
        return text
    return value if isinstance(value, bool | int | float) else text
