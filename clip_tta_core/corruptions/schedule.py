"""Schedules: what happens to each picture of a stream, decided before the stream starts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from clip_tta_core.corruptions.base import CORRUPTIONS, check_whole
from clip_tta_core.registry import Registry, unknown_name

Step = tuple[str, int]  # a corruption's name and its severity; ("none", 0) leaves the picture as it is

UNTOUCHED: Step = ("none", 0)


@dataclass(frozen=True)
class Schedule:
    """A way to spread corruptions over a stream."""

    name: str
    title: str
    meaning: str  # one sentence
    steps: Callable[
        [str, int, int, np.random.Generator], list[Step]
    ]  # (corruption, severity, n, rng) -> n steps


SCHEDULES: Registry[Schedule] = Registry("schedule")


def plan(schedule: str, corruption: str, severity: int, n: int, seed: int = 0) -> list[Step]:
    """What to do to each of the n pictures of a stream: n pairs of a corruption's name and a severity.

    Args:
        schedule: one of `SCHEDULES`.
        corruption: one of `CORRUPTIONS`, or "none"; the schedules that go through all fifteen ignore it.
        severity: 1 to 5; where severity changes along the stream, the highest.
        n: pictures in the stream.
        seed: decides the order of a random schedule.

    Returns:
        n pairs such as ("fog", 5); ("none", 0) where a picture stays as it is.
    """
    chosen = SCHEDULES[schedule]
    if corruption != "none" and corruption not in CORRUPTIONS:
        raise ValueError(unknown_name("corruption", corruption, ["none", *CORRUPTIONS]))
    check_whole("plan: severity", severity, low=1, high=5)
    return chosen.steps(corruption, severity, n, np.random.default_rng(seed))


def _schedule(title: str) -> Callable[[Callable[..., list[Step]]], Callable[..., list[Step]]]:
    """Register a function as the schedule of its name; its docstring is what a visitor reads."""

    def register(steps: Callable[..., list[Step]]) -> Callable[..., list[Step]]:
        SCHEDULES.register(Schedule(steps.__name__, title, steps.__doc__ or "", steps))
        return steps

    return register


@_schedule("One corruption")
def constant(corruption: str, severity: int, n: int, rng: np.random.Generator) -> list[Step]:
    """The chosen corruption from the first picture to the last."""
    return [_step(corruption, severity)] * n


@_schedule("All in turn")
def in_turn(corruption: str, severity: int, n: int, rng: np.random.Generator) -> list[Step]:
    """The fifteen standard corruptions one after the other, in the benchmark's order and equally long."""
    return _stretched([(name, severity) for name in _standard()], n)


@_schedule("Gradual")
def gradual(corruption: str, severity: int, n: int, rng: np.random.Generator) -> list[Step]:
    """The fifteen in turn, each rising from severity 1 to the chosen one and falling back again."""
    rise = list(range(1, severity + 1))
    return _stretched([(name, strength) for name in _standard() for strength in rise + rise[-2::-1]], n)


@_schedule("Random")
def random(corruption: str, severity: int, n: int, rng: np.random.Generator) -> list[Step]:
    """One of the fifteen standard corruptions for every picture, drawn by chance."""
    names = _standard()
    return [(names[i], severity) for i in rng.integers(len(names), size=n)]


@_schedule("All mixed")
def mixed(corruption: str, severity: int, n: int, rng: np.random.Generator) -> list[Step]:
    """The fifteen standard corruptions in one stream, each equally often, every picture by chance another."""
    steps = _stretched([(name, severity) for name in _standard()], n)
    return [steps[i] for i in rng.permutation(n)]


@_schedule("Sudden change")
def change(corruption: str, severity: int, n: int, rng: np.random.Generator) -> list[Step]:
    """Clean pictures up to the middle of the stream, the chosen corruption from there on."""
    return _stretched([UNTOUCHED, _step(corruption, severity)], n)


def _step(corruption: str, severity: int) -> Step:
    return UNTOUCHED if corruption == "none" else (corruption, severity)


def _standard() -> list[str]:
    return [name for name, corruption in CORRUPTIONS.items() if corruption.standard]


def _stretched(steps: list[Step], n: int) -> list[Step]:
    """n steps that go through `steps` once, giving each an equal share; a short stream skips some."""
    return [steps[i * len(steps) // n] for i in range(n)]
