"""A table as the page draws it, and those that can be asked for."""

from __future__ import annotations

import math

from clip_tta_core.clip.embedded import EMBEDDED
from clip_tta_core.records import Catalog
from clip_tta_core.sources import datasets
from clip_tta_core.sweep.folder import Folder
from clip_tta_core.sweep.recorded import Recorded
from clip_tta_core.sweep.sizes import SIZES
from clip_tta_core.sweep.summary import summarize
from clip_tta_core.sweep.tables import TABLES, Column, Table
from clip_tta_core.ui.session.advice import advice
from clip_tta_core.ui.session.known import Known
from clip_tta_core.ui.wire.form import Option
from clip_tta_core.ui.wire.parts import Heat, HeatProps, HeatRow, HeatTable
from clip_tta_core.ui.wire.states import RunState
from clip_tta_core.ui.words import benchmark as words

FIRST = "mini"  # the table that is shown first


def props(folder: Folder, recorded: Recorded) -> HeatProps:
    """The tables and sizes there are; those that need what is not here say so."""
    made = {name: one.make(folder) for name, one in TABLES.items()}
    families = dict.fromkeys(column.family for table in made.values() for column in table.columns)
    kinds = dict.fromkeys(row.kind for table in made.values() for row in table.rows)
    return HeatProps(
        tuple(HeatTable(name, TABLES[name].title, needs(table)) for name, table in made.items()),
        tuple(Option(one.name, one.title, one.help) for one in SIZES.values()),
        FIRST,
        _first_size(made[FIRST], folder, recorded),
        tuple(families),
        tuple(kinds),
    )


def _first_size(table: Table, folder: Folder, recorded: Recorded) -> str:
    """The whole field with three seeds, where that was recorded and nothing else is at hand."""
    shown, small = SIZES["published"], SIZES["quick"]
    measured = any(map(folder.has, small.of(table).cells()))
    return small.name if measured or not any(map(recorded.get, shown.of(table).cells())) else shown.name


def needs(table: Table) -> str:
    """What a table wants that is not here, in a sentence; "" where it can be measured."""
    models = dict.fromkeys(one.model for one in table.columns if one.model not in EMBEDDED)
    named = (name for row in table.rows for name in (row.source, row.protocol.unknown_source))
    data = dict.fromkeys(name.partition(":")[2] for name in named if name.startswith("dataset:"))
    lacking = [name for name in data if not datasets.is_here(name)]
    return words.needs([*models], lacking, table.name) if models or lacking else ""


def view(known: Known, catalog: Catalog, state: RunState, doing: str = "") -> Heat:
    """A table as the page draws it: contenders down, shifts across, their means last."""
    table, lines = known.table, summarize(known.table, known)
    called = titles(table, catalog)
    failed = {known.places[cell]: problem for cell, problem in known.problems.items()}
    rows = tuple(
        HeatRow(
            title,
            tuple(_plain(line[place].mean) for line in lines),
            tuple(_plain(line[place].spread) for line in lines),
            tuple(line[place].seeds for line in lines),
            tuple(failed.get((place, shift), "") for shift in range(len(lines))),
            tuple(", ".join(f"{one.value:g}" for one in line[place].published) for line in lines),
        )
        for place, title in enumerate(called)
    )
    return Heat(
        state=state,
        table=table.name,
        columns=tuple(line[0].row for line in lines),
        shifts=len(table.rows),
        rows=rows,
        baseline=known.baseline,
        now=known.places[known.now] if known.now else (),
        done=len(known.numbers),
        count=len(known.places),
        doing=doing,
        advice=advice(known, called, lines),
        message="",
    )


def titles(table: Table, catalog: Catalog) -> tuple[str, ...]:
    """What the page calls the contenders; the model, too, where there are several."""
    named = {card.name: card.title for card in catalog.methods}
    several = len({column.model for column in table.columns}) > 1

    def title(column: Column) -> str:
        one = column.contender
        called = one.label.replace(one.method, named.get(one.method, one.method), 1)
        return f"{called}, {column.model}" if several else called

    return tuple(map(title, table.columns))


def _plain(value: float) -> float | None:
    return round(value, 5) if math.isfinite(value) else None
