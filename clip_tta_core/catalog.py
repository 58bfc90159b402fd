"""Everything there is to choose, as plain data."""

from __future__ import annotations

import inspect
from typing import Any

from clip_tta_core.clip import prompts
from clip_tta_core.clip.loading import MODELS
from clip_tta_core.corruptions import CORRUPTIONS
from clip_tta_core.corruptions.schedule import SCHEDULES
from clip_tta_core.methods import METHODS, Method, looks_of
from clip_tta_core.records import Catalog, Choice, MethodCard, StartCard
from clip_tta_core.sources import datasets
from clip_tta_core.sources.base import ORDERS
from clip_tta_core.sources.rendered import OBJECTS, STYLES, TASK, UNKNOWN_SOURCES
from clip_tta_core.starts import STARTS, Start
from clip_tta_core.stream import ARRIVALS


def catalog() -> Catalog:
    """Everything there is to choose, as plain data."""
    none = Choice("none", "None", "Pictures stay as they are.")
    sources = (
        Choice(
            "rendered", "Rendered objects", "Endless pictures of nameable things, drawn as they are needed."
        ),
        Choice("upload", "Your pictures", "Pictures you bring; without labels, accuracy is not known."),
        *datasets.choices(),
    )
    return Catalog(
        methods=tuple(_card(METHODS[name]) for name in METHODS),
        starts=tuple(_start(cls) for cls in STARTS.values()),
        models=tuple(MODELS.values()),
        sources=sources,
        styles=tuple(Choice(s.name, s.title, s.meaning) for s in STYLES.values()),
        corruptions=(none, *(Choice(c.name, c.title, c.meaning, c.family) for c in CORRUPTIONS.values())),
        schedules=tuple(Choice(s.name, s.title, s.meaning) for s in SCHEDULES.values()),
        orders=tuple(ORDERS.values()),
        templates=tuple(Choice(name, title, prompts.example(name)) for name, title in prompts.TITLES.items()),
        unknown_sources=(
            Choice("none", "None", "Every picture shows something on the class list."),
            *(Choice(s.name, s.title, s.meaning) for s in UNKNOWN_SOURCES.values()),
            Choice("upload", "Your pictures", "A second upload: pictures that show none of the classes."),
            *datasets.choices(),
        ),
        arrivals=tuple(ARRIVALS.values()),
        objects=tuple(OBJECTS),
        task=tuple(TASK),
    )


def _card(cls: type[Method[Any]]) -> MethodCard:
    return MethodCard(
        cls.name,
        cls.title,
        cls.family,
        _summary(cls),
        cls.citation,
        cls.Config.knobs(),
        cls.presets,
        cls.needs,
        cls.cost(cls.Config()),
        looks_of({cls.name: cls.name})[cls.name],
    )


def _start(cls: type[Start[Any]]) -> StartCard:
    return StartCard(cls.name, cls.title, _summary(cls), cls.citation, cls.fails, cls.Config.knobs())


def _summary(cls: type) -> str:
    return " ".join((inspect.getdoc(cls) or "").split())
