"""Whom a table compares: every method as published, under CLIPTTA's protocol, and as one rule chooses.

The rule is the same for all: the step size and number of steps of GRID that do best on the four extra
corruptions, with which no result is reported (Hendrycks and Dietterich, ICLR 2019, propose them for this).
"""

from __future__ import annotations

from collections.abc import Mapping

from clip_tta_core.clip.loading import MINI
from clip_tta_core.comparison import protocol_knobs
from clip_tta_core.corruptions import CORRUPTIONS
from clip_tta_core.hparams import Value
from clip_tta_core.methods import METHODS
from clip_tta_core.records import Contender
from clip_tta_core.sweep.tables import Column, Numbers, Table, corrupted
from clip_tta_core.validation import costs

EXTRA = tuple(name for name, item in CORRUPTIONS.items() if not item.standard)
GRID = {"lr": (1e-5, 1e-4, 3e-4, 1e-3), "steps": (1, 10)}
PROTOCOL = {"lr": 1e-4, "steps": 10}  # CLIPTTA's (arXiv 2507.14312, section 5)
ZERO_SHOT = Contender("zero_shot", "zero_shot")
DEAREST = 150  # forward passes a picture; dearer settings of the grid are left out, which meets WATT alone
STREAM = 4  # batches of 64, with every corruption and seed anew


def gradient_methods() -> tuple[str, ...]:
    """The methods that learn along a stream with a step size, and so take part in the common rule."""
    return tuple(
        name
        for name, cls in METHODS.items()
        if {"lr", "steps"} <= {knob.name for knob in cls.Config.knobs()} and not cls.forgets
    )


def as_published() -> tuple[Contender, ...]:
    """Every method at its defaults, its authors' settings; TENT with the diversity bonus beside TENT."""
    plain = [Contender(name, name) for name in METHODS]
    return (*plain, Contender("tent + diversity", "tent", {"beta_reg": 1.0}))


def under_protocol() -> tuple[Contender, ...]:
    """Every gradient method under CLIPTTA's protocol; see `protocol_settings`."""
    return tuple(
        Contender(f"{one.label}, protocol", one.method, protocol_settings(one.method) | dict(one.settings))
        for one in as_published()
        if one.method in gradient_methods()
    )


def protocol_settings(method: str) -> dict[str, Value]:
    """What CLIPTTA's tables run a method with: PROTOCOL where it learns, its preset where that departs."""
    common = PROTOCOL if method in gradient_methods() else {}
    return {**common, **protocol_knobs()[method]}


def chosen(known: Numbers, model: str = MINI, source: str = "rendered") -> tuple[Contender, ...]:
    """Every gradient method with the settings of GRID that do best on the four extra corruptions.

    A method without a measured grid is left out. Of equal ones the smaller step, then the fewer steps, win.
    """
    table, found = grid(model, source), []
    for label, columns in _by_label(table).items():
        means = [_mean_accuracy(known, table, column) for column in columns]
        if None not in means:
            _, *_, best = sorted(zip(means, map(_smallness, columns), range(len(columns)), strict=True))[-1]
            found.append(
                Contender(
                    f"{label}, chosen", columns[best].contender.method, columns[best].contender.settings
                )
            )
    return tuple(found)


def _mean_accuracy(known: Numbers, table: Table, column: Column) -> float | None:
    numbers = [known.get(table.cell(row, column, seed)) for row in table.rows for seed in table.seeds]
    measured = [one for one in numbers if one]
    return sum(one["accuracy"] for one in measured) / len(numbers) if len(measured) == len(numbers) else None


def _smallness(column: Column) -> tuple[float, float]:
    settings = column.contender.settings
    return -float(settings["lr"]), -float(settings["steps"])


def _by_label(table: Table) -> Mapping[str, list[Column]]:
    columns: dict[str, list[Column]] = {}
    for column in table.columns:
        columns.setdefault(column.contender.label.partition(" at ")[0], []).append(column)
    return columns


def grid(model: str, source: str) -> Table:
    """Every gradient method over GRID on the four extra corruptions, one seed that no result uses."""
    tried = (
        Contender(f"{one.label} at {lr:g}, {steps}", one.method, {**one.settings, "lr": lr, "steps": steps})
        for one in as_published()
        if one.method in gradient_methods()
        for lr in GRID["lr"]
        for steps in GRID["steps"]
    )
    columns = tuple(Column(one, model) for one in tried if costs((one,))[one.label].relative <= DEAREST)
    rows = corrupted(EXTRA, source, STREAM)
    return Table("grid", "Step size and steps on the four extra corruptions", rows, columns, (100,))
