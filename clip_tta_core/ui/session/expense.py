"""What a run will cost before it begins, and what would cost less."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from typing import Any

from clip_tta_core import engine, hosting
from clip_tta_core.bench.pace import Pace
from clip_tta_core.clip.embedded import EMBEDDED
from clip_tta_core.methods import METHODS, title_of
from clip_tta_core.records import Contender, RunConfig
from clip_tta_core.ui.session.settings import to_config
from clip_tta_core.ui.wire.parts import Change, Expense
from clip_tta_core.ui.words import expense as words

LONG = 120.0  # seconds that nobody needs to be told of beforehand
FEW, SHORT = 16, 8  # pictures a batch and batches that show what a method does
WORTH = 0.75  # of the time: what takes more is not proposed
MOST = 4  # proposals
Settings = Mapping[str, Any]


def expense(settings: Settings, pace: Pace) -> Expense | None:
    """What the page says of a run that will take long; None of any other, and where nothing is known.

    Args:
        settings: of the form.
        pace: of this machine.
    """
    try:
        config = to_config(settings)
        engine.check(dataclasses.replace(config, **WITHOUT_OWN) if _own(config) else config)
        if not hosting.has_controls(config.model):  # a GPU that is lent, of which this process knows nothing
            return None
        if config.model in EMBEDDED and not pace.has_seen(config):  # made to be quick: no look at the machine
            return None
        found = pace.estimate(config)
    except (ValueError, TypeError, KeyError):
        return None  # the sentence comes when Run is pressed
    if found is None or found.whole < LONG:
        return None
    proposals = []
    for what, changes in _proposals(settings, config):
        whole = _seconds({**settings, **changes}, pace)
        if whole is not None and whole < WORTH * found.whole:
            proposals.append(Change(words.cheaper(what, whole), {**changes, "lesson": ""}))
    said = words.expense(found.batch, found.whole, found.measured, endless=config.source == "rendered")
    return Expense(said, tuple(proposals[:MOST]))


WITHOUT_OWN: dict[str, Any] = {"source": "rendered", "unknown_source": "none", "class_names": ()}


def _own(config: RunConfig) -> bool:
    """Whether its pictures are the visitor's own, which cost what any cost."""
    return "upload" in (config.source, config.unknown_source)


def _seconds(settings: Settings, pace: Pace) -> float | None:
    """How long a run takes; None where it would be refused."""
    try:
        config = to_config(settings)
        engine.check(dataclasses.replace(config, **WITHOUT_OWN) if _own(config) else config)
        found = pace.estimate(config)
    except ValueError:
        return None
    return found.whole if found else None


def _proposals(settings: Settings, config: RunConfig) -> Iterator[tuple[str, dict[str, Any]]]:
    """What to choose instead, and the settings that do it: fewer steps, fewer pictures, fewer methods, a
    smaller model."""
    if any(_steps(one) > 1 for one in config.contenders):
        methods = {one: _one_step(one, knobs) for one, knobs in settings["methods"].items()}
        copies = [
            {**copy, "settings": _one_step(copy["method"], copy.get("settings", {}))}
            for copy in settings.get("copies", ())
        ]
        yield "One step a batch", {"methods": methods, "copies": copies}
    size, batches = min(FEW, config.batch_size), min(SHORT, config.batches)
    if (size, batches) != (config.batch_size, config.batches):
        yield f"{batches} batches of {size}", {"batch_size": size, "batches": batches}
    costs = engine.costs(config.contenders, config.batch_size, config.batches)
    adapting = [one for one in config.contenders if one.method != engine.ZERO_SHOT]
    if len(adapting) > 1:
        dearest = max(adapting, key=lambda one: costs[one.label].relative)
        methods = {name: knobs for name, knobs in settings["methods"].items() if name != dearest.label}
        copies = [copy for copy in settings.get("copies", ()) if copy.get("label") != dearest.label]
        yield f"Without {title_of(dearest)}", {"methods": methods, "copies": copies}
    if config.model not in EMBEDDED:
        for small in (EMBEDDED[name] for name in EMBEDDED):
            if small.is_at_home(config.source):
                yield small.title, {"model": small.name}


def _steps(one: Contender) -> int:
    config = METHODS[one.method].Config.from_values(one.settings)
    return int(getattr(config, "steps", 1))


def _one_step(method: str, knobs: Mapping[str, Any]) -> dict[str, Any]:
    """A method's settings with one step; those of one without steps as they are."""
    has_steps = any(knob.name == "steps" for knob in METHODS[method].Config.knobs())
    return {**knobs, **({"steps": 1} if has_steps else {})}
