"""The declarations of this room as the scripts read them: TypeScript's types, and a module of constants."""

from __future__ import annotations

import dataclasses
import inspect
import json
import types
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from clip_tta_core.ui.wire import encode, form, measures, parts, states
from clip_tta_core.ui.wire.class_list import CLASS_LIST, ClassList, ClassListWords
from clip_tta_core.ui.wire.encode import plain
from clip_tta_core.ui.wire.parts import ON_THE_BOARD, PARTS
from clip_tta_core.ui.wire.states import STATES

SCRIPTS = Path(__file__).parents[3] / "assets" / "js"
HEAD = "// Written by `python -m clip_tta_core.ui.wire`; edit clip_tta_core/ui/wire instead.\n"
TEXTS = (encode.Numbers, encode.Lines, encode.Counts, encode.Indices, encode.DataUrl)
WORDS = {str: "string", bool: "boolean", int: "number", float: "number", type(None): "null", Any: "any"}
NAMED = {"RunState": states.RunState, "Field": form.Field, "Exports": parts.Exports}


def files() -> dict[Path, str]:
    """What is to be written, by the place where it belongs."""
    return {SCRIPTS / "wire.d.ts": types_text(), SCRIPTS / "wire.js": constants_text()}


def types_text() -> str:
    """wire.d.ts: an interface for every record, and one that says which part takes which."""
    texts = [
        "/** Histories and lists in one string each: see clip_tta_core/ui/wire/encode.py. */",
        *(f"export type {text.__name__} = string;" for text in TEXTS),
    ]
    named = [f"export type {name} = {_union(get_args(what))};" for name, what in NAMED.items()]
    records = [_interface(record) for record in _records()]
    return "\n".join([HEAD, *texts, "", *named, "", "\n\n".join(records), "", _parts(), "", _constants(), ""])


def constants_text() -> str:
    """wire.js: what the scripts need at run time."""
    events = {name: list(spec.events) for name, spec in PARTS.items() if spec.events}
    constants = {
        "PARTS": list(PARTS),
        "ON_THE_BOARD": list(ON_THE_BOARD),
        "EVENTS": events,
        "STATES": plain(STATES),
        "CLASS_LIST": plain(CLASS_LIST),
    }
    written = (
        f"export const {name} = {json.dumps(value, indent=2, ensure_ascii=False)};\n"
        for name, value in constants.items()
    )
    return "\n".join([HEAD, *written])


def _records() -> list[type]:
    """Every record of the room, those that others are made of first."""
    homes = (states, measures, form, parts)
    found = [
        item
        for home in homes
        for item in vars(home).values()
        if isinstance(item, type) and dataclasses.is_dataclass(item) and item.__module__ == home.__name__
    ]
    hidden = (parts.Spec, parts.Nothing)
    return [
        ClassListWords,
        ClassList,
        *(r for r in found if r not in hidden and not r.__name__.startswith("_")),
    ]


def _interface(record: type) -> str:
    doc = " ".join((inspect.getdoc(record) or "").split())
    hints, lines = get_type_hints(record), []
    for item in dataclasses.fields(record):
        optional, what = _optional(hints[item.name])
        lines.append(f"  {item.name}{'?' if optional else ''}: {_type(what)};")
    return "\n".join([f"/** {doc} */", f"export interface {record.__name__} {{", *lines, "}"])


def _parts() -> str:
    lines = [
        "/** What each part draws, is built with, triggers, and asks the server for. */",
        "export interface Parts {",
    ]
    for name, spec in PARTS.items():
        events, serves = (_union(names) if names else "never" for names in (spec.events, spec.serves))
        lines.append(
            f"  {name}: {{ view: {_type(spec.view)}; props: {_type(spec.props)}; events: {events}; "
            f"serves: {serves} }};"
        )
    return "\n".join([*lines, "}"])


def _constants() -> str:
    return "\n".join(
        [
            "export const PARTS: (keyof Parts)[];",
            f"export const ON_THE_BOARD: ({_union(ON_THE_BOARD)})[];",
            "export const EVENTS: Partial<Record<keyof Parts, string[]>>;",
            "export const STATES: Record<RunState, State>;",
            "export const CLASS_LIST: ClassList;",
        ]
    )


def _optional(what: Any) -> tuple[bool, Any]:
    """Whether a field may be absent, and what it is where it is there."""
    rest = [part for part in _members(what) if part is not type(None)]
    if len(rest) == len(_members(what)):
        return False, what
    return True, Union[tuple(rest)]  # noqa: UP007, an `|` of a list


def _members(what: Any) -> tuple[Any, ...]:
    return get_args(what) if get_origin(what) in (Union, types.UnionType) else (what,)


def _type(what: Any) -> str:
    for name, named in NAMED.items():
        if what == named:
            return name
    if what in TEXTS:
        return what.__name__
    if what is parts.Nothing:
        return "null"
    if isinstance(what, type) and dataclasses.is_dataclass(what):
        return what.__name__
    origin, args = get_origin(what), get_args(what)
    if origin in (Literal, Union, types.UnionType):
        return _union(args)
    if origin is tuple:
        return f"{_many(args[0])}[]" if args[-1] is Ellipsis else f"[{', '.join(map(_type, args))}]"
    if origin in (dict, Mapping):
        return f"Record<string, {_type(args[1])}>"
    return WORDS[what]


def _many(what: Any) -> str:
    text = _type(what)
    return f"({text})" if "|" in text else text


def _union(parts_of: tuple[Any, ...]) -> str:
    return " | ".join(
        dict.fromkeys(json.dumps(one) if isinstance(one, str) else _type(one) for one in parts_of)
    )
