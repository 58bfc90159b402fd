"""Whether a configuration can be run, decided once, before anything is loaded."""

from __future__ import annotations

import dataclasses
import math
from collections import Counter
from dataclasses import dataclass
from numbers import Integral, Real
from typing import Any

from clip_tta_core import adversary, limits
from clip_tta_core.attacks import Attack
from clip_tta_core.clip import precision, prompts
from clip_tta_core.clip.loading import check_name, choose_device
from clip_tta_core.corruptions import CORRUPTIONS
from clip_tta_core.corruptions.schedule import SCHEDULES
from clip_tta_core.hparams import Config
from clip_tta_core.methods import METHODS, Method, title_of
from clip_tta_core.records import Chosen, Contender, Cost, RunConfig, contenders_of
from clip_tta_core.sources.base import ORDERS
from clip_tta_core.sources.rendered import STYLES, TASK
from clip_tta_core.starts import STARTS
from clip_tta_core.stream import ARRIVALS, open_source, open_unknowns

ZERO_SHOT = "zero_shot"  # the reference of every comparison, part of every run
LONGEST_LABEL = 60  # characters
LIMITS = {
    "batch_size": (1, 512),
    "batches": (1, 2000),
    "severity": (1, 5),
    "seed": (0, 2**32 - 1),
    "unknown_share": (0.0, 0.8),
    "attack_epsilon": (0.0, 255.0),  # levels
    "attack_step": (0.0, 2.0),
    "attack_iterations": (1, 200),
    "shots": (1, 16),
    "contenders": (1, 6),  # at once; any number in turns
    "prompts": (1, 100_000),  # class names times templates
}


@dataclass(frozen=True)
class Entry:
    """A contender whose method exists and whose settings are allowed."""

    contender: Contender
    method: type[Method[Any]]
    config: Config

    @property
    def title(self) -> str:
        return title_of(self.contender)


@dataclass(frozen=True)
class Checked:
    """A configuration that can be run; only `check` makes one."""

    config: RunConfig
    entries: tuple[Entry, ...]  # zero-shot CLIP first, once


def check(config: RunConfig) -> Checked:
    """What can be run, or one sentence about why it cannot; loads nothing."""
    most = LIMITS["contenders"][1]
    if len(config.contenders) > most:
        raise ValueError(
            f"Run: at most {most} methods may run at once, got {len(config.contenders)}; "
            "the Compare tab takes all of them in turns."
        )
    entries = check_contenders(config.contenders)
    check_stream(config)
    for one in references_of(config)[1:]:
        if any(one.label in (entry.contender.label, entry.title) for entry in entries):
            raise ValueError(f"Run: the label '{one.label}' is that of the run's start; choose another.")
    check_amount(config, config.contenders)
    references = (
        Entry(one, METHODS[ZERO_SHOT], METHODS[ZERO_SHOT].Config()) for one in references_of(config)
    )
    return Checked(config, (*references, *(one for one in entries if one.contender.label != ZERO_SHOT)))


def references_of(config: RunConfig) -> tuple[Contender, ...]:
    """Who takes part in every run and never adapts: zero-shot CLIP and, where there is one, the start."""
    zero_shot = Contender(ZERO_SHOT, ZERO_SHOT, from_start=False)
    if config.start == "none":
        return (zero_shot,)
    return (zero_shot, Contender(start_label(config), ZERO_SHOT))


def start_label(config: RunConfig) -> str:
    """What the start of a run is called among its contenders."""
    return f"{STARTS[config.start].title}, {config.shots} shot" + "s" * (config.shots != 1)


def check_contenders(contenders: tuple[Contender, ...]) -> tuple[Entry, ...]:
    """Contenders with their methods, or one sentence about the first that cannot take part."""
    if not contenders:
        raise ValueError("Run: at least one method must be chosen, got none.")
    for one in contenders:
        if not isinstance(one.label, str) or not 0 < len(one.label.strip()) <= LONGEST_LABEL:
            raise ValueError(
                f"Run: a label must have 1 to {LONGEST_LABEL} characters, got {one.label!r:.80}."
            )
    entries = tuple(
        Entry(one, METHODS[one.method], METHODS[one.method].Config.from_values(one.settings))
        for one in contenders
    )
    for one in contenders:
        if (one.label == ZERO_SHOT) != (one.method == ZERO_SHOT):
            raise ValueError(
                f"Run: zero-shot CLIP takes part once, labelled '{ZERO_SHOT}', got '{one.method}' labelled "
                f"'{one.label}'; leave it out or give the method another label."
            )
    names = Counter(one.label for one in contenders) | Counter(entry.title for entry in entries)
    twice = [name for name, count in names.items() if count > 1]
    if twice:
        raise ValueError(
            f"Run: every contender needs a label of its own, got '{twice[0]}' twice; rename one of them."
        )
    return entries


def check_stream(config: RunConfig) -> None:
    """Everything about a run but who takes part."""
    for name in ("batch_size", "batches", "severity", "seed", "unknown_share", "shots"):
        _check_number(name, getattr(config, name), whole=name != "unknown_share")
    if config.predict not in ("post", "pre"):
        raise ValueError(f"Run: predict must be 'post' or 'pre', got '{config.predict}'.")
    if config.clock not in ("waits", "runs"):
        raise ValueError(f"Run: clock must be 'waits' or 'runs', got '{config.clock}'.")
    if config.corruption != "none":
        CORRUPTIONS[config.corruption]
    for registry, name in ((STYLES, config.style), (SCHEDULES, config.schedule), (ORDERS, config.order)):
        registry[name]
    _check_attack(config)
    _check_start(config)
    ARRIVALS[config.unknown_arrival]
    _check_classes(config.class_names)
    # Opened only to be told what is wrong; a data set is fetched where it is opened, so it waits for the run.
    if not config.source.startswith("dataset:"):
        open_source(config, size=0)
    if not config.unknown_source.startswith("dataset:"):
        open_unknowns(config, config.class_names, size=0)
    count = len(prompts.templates(config.templates)) * len(config.class_names)
    if count > LIMITS["prompts"][1]:
        raise ValueError(
            f"Classes: names times prompt templates may be at most {LIMITS['prompts'][1]:,}, got {count:,}; "
            "choose fewer classes or fewer templates."
        )
    choose_device(config.device)
    precision.check(config.precision)
    check_name(config.model)


def _check_attack(config: RunConfig) -> None:
    """An attack must be one, and can only be made on pictures whose class is known."""
    if config.attack_target not in ("loaded", "adapted"):
        raise ValueError(f"Run: attack_target must be 'loaded' or 'adapted', got '{config.attack_target}'.")
    if config.attack == "none":
        return
    for name in ("attack_epsilon", "attack_step", "attack_iterations"):
        _check_number(name, getattr(config, name), whole=name == "attack_iterations")
    attack_of(config)
    pictures = config.pictures if config.source == "upload" else None
    if pictures is not None and any(label < 0 for label in pictures.labels):
        raise ValueError(
            "Attack: the class of every picture must be known, and some of yours have none; put them into "
            "folders named after their classes, or attack nothing."
        )


def _check_start(config: RunConfig) -> None:
    """A start must be one with settings it allows, and needs labelled pictures."""
    if config.start == "none":
        if config.start_settings:
            raise ValueError(
                "Run: settings of a start need a start, and none is chosen; choose one or leave them out."
            )
        return
    STARTS[config.start].Config.from_values(config.start_settings)
    pictures = config.pictures if config.source == "upload" else None
    if pictures is not None and len(pictures) > 1 and not (pictures.labels >= 0).any():
        raise ValueError(
            "Start: it learns from labelled pictures, and yours have no labels; put them into folders named "
            "after their classes, or start from CLIP as it is."
        )


def attack_of(config: RunConfig) -> Attack:
    """How the pictures of a run are attacked; a radius of 0 where they are not."""
    if config.attack == "none":
        return Attack(epsilon=0.0)
    radius = config.attack_epsilon / 255
    return Attack(config.attack, radius, config.attack_step, config.attack_iterations)  # pyright: ignore


def check_amount(config: RunConfig, contenders: tuple[Contender, ...]) -> None:
    """What the operator allows one run; a step is one backward pass over as many pictures as a batch has."""
    images = config.batch_size * config.batches
    passes = costs(contenders, config.batch_size, config.batches).values()
    steps = math.ceil(sum(cost.backwards for cost in passes) * config.batches)
    steps += start_steps(config) + attack_steps(config, contenders)
    for limit, amount, what in ((limits.MAX_IMAGES, images, "pictures"), (limits.MAX_STEPS, steps, "steps")):
        if 0 < limit.value < amount:
            raise ValueError(
                f"Run: on this page a run may take {limit.value:,} {what}, this one asks for {amount:,}; "
                "choose fewer batches."
            )


def start_steps(config: RunConfig) -> int:
    """Steps that making the run's start takes, the first time."""
    if config.start == "none":
        return 0
    classes = len(config.class_names) or len(TASK)
    cls = STARTS[config.start]
    return cls.steps_of(cls.Config.from_values(config.start_settings), config.shots * classes)


def attack_steps(config: RunConfig, contenders: tuple[Contender, ...]) -> int:
    """Steps that making the run's pictures adversarial takes."""
    if not attack_of(config).epsilon:
        return 0
    aims = 1  # of the model that all begin with
    for entry in check_contenders(contenders) if config.attack_target == "adapted" else ():
        if adversary.knows_more(entry.method, entry.config):
            aims += adversary.views_of(entry.method, entry.config)
    return aims * config.attack_iterations * config.batches


def costs(chosen: Chosen, batch_size: int = 64, batches: int = 16) -> dict[str, Cost]:
    """What contenders cost on such a stream. {label: cost}"""
    found = {}
    for one in contenders_of(chosen):
        cls = METHODS[one.method]
        config = cls.Config.from_values(one.settings)
        cost = cls.cost(config, batch_size, batches)
        if getattr(config, "beta_source", 0):  # what learns goes through the frozen model, too
            cost = dataclasses.replace(cost, forwards=cost.forwards + cost.backwards)
        found[one.label] = cost
    return found


def _check_number(name: str, value: object, whole: bool) -> None:
    low, high = LIMITS[name]
    if not isinstance(value, Integral if whole else Real) or isinstance(value, bool):
        raise ValueError(f"Run: {name} must be a {'whole ' * whole}number, got {value!r}.")
    if not low <= value <= high:  # pyright: ignore[reportOperatorIssue] (numbers.Real is not typed as ordered)
        raise ValueError(f"Run: {name} must be in [{low}, {high}], got {value!r}.")


def _check_classes(names: tuple[str, ...]) -> None:
    if len(names) == 1:
        raise ValueError("Classes: at least two are needed to choose between, got 1.")
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ValueError(f"Classes: each must be listed once, got '{twice[0]}' again; remove the repetition.")
    if any(not name.strip() for name in names):
        raise ValueError("Classes: every class needs a name, got an empty one; remove the empty line.")
