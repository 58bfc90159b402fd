"""What a table is: rows of streams by columns of contenders, each cell measured with several seeds.

Tables are declared in `own`, `papers` and `live`; adding one is one entry of TABLES.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol as Interface

from clip_tta_core.clip.loading import MINI
from clip_tta_core.corruptions import CORRUPTIONS
from clip_tta_core.methods import METHODS
from clip_tta_core.records import Contender
from clip_tta_core.registry import Registry
from clip_tta_core.sweep.cells import Cell, PreStep, Protocol, Shift

STANDARD = tuple(name for name, item in CORRUPTIONS.items() if item.standard)
CLEAN = Shift()
SEEDS = (0, 1, 2)
UNADAPTED = "zero_shot"
UNEVEN = {  # orders in which a batch does not hold a bit of everything
    "sorted": "sorted classes",
    "imbalanced": "imbalanced classes",
    "few": "few classes at a time",
    "correlated": "correlated classes",
}


class Numbers(Interface):
    """Whoever knows the numbers of cells: a folder, or what was recorded."""

    def get(self, cell: Cell) -> Mapping[str, float] | None:
        """The numbers of a cell, or None where nobody has measured it."""


@dataclass(frozen=True)
class Row:
    """One stream of a table, and how papers call its data."""

    title: str
    shift: Shift
    source: str = "rendered"
    protocol: Protocol = Protocol()
    data: str = ""  # in papers: "CIFAR-10-C"; empty where nobody else has measured it

    @property
    def kind(self) -> str:
        """What sort of stream it is: how its pictures come, else what happens to them."""
        if self.protocol.order in UNEVEN:
            return UNEVEN[self.protocol.order]
        if self.protocol.batch_size == 1:
            return "one picture at a time"
        if self.protocol.unknown_source != "none":
            return "unknown pictures"
        if self.shift.schedule != "constant":
            return "changing corruptions"
        if self.shift.attack != "none":
            return "attacked pictures"
        if self.shift.corruption != "none":
            family = CORRUPTIONS[self.shift.corruption].family
            return "digital corruptions" if family == "digital" else family
        return "clean pictures" if self.shift.style == "none" else "styles"


@dataclass(frozen=True)
class Column:
    """One contender on one model, and what papers call the two."""

    contender: Contender
    model: str = MINI
    names: tuple[str, str] = ("", "")  # (model, method) in papers
    batches: int = 0  # at most so many of a row's stream, 0 for all
    pre_step: PreStep = PreStep()

    @property
    def family(self) -> str:
        return METHODS[self.contender.method].family


@dataclass(frozen=True)
class Table:
    """Rows by columns by seeds."""

    name: str
    title: str
    rows: tuple[Row, ...]
    columns: tuple[Column, ...]
    seeds: tuple[int, ...] = SEEDS

    def cell(self, row: Row, column: Column, seed: int) -> Cell:
        one, protocol = column.contender, row.protocol
        if 0 < column.batches < protocol.batches:
            protocol = dataclasses.replace(protocol, batches=column.batches)
        start = column.pre_step
        return Cell(
            one.method, dict(one.settings), column.model, row.source, row.shift, protocol, seed, start
        )

    def cells(self) -> Iterator[Cell]:
        """Every cell, one seed after the other, so that a table that is cut off is whole for fewer seeds."""
        return (
            self.cell(row, column, seed)
            for seed in self.seeds
            for row in self.rows
            for column in self.columns
        )

    def shorter(self, batches: int = 0, seeds: int = 0) -> Table:
        """The same table in less time: shorter streams, fewer seeds; 0 leaves what is declared."""
        rows = self.rows
        if batches:
            rows = tuple(
                dataclasses.replace(row, protocol=dataclasses.replace(row.protocol, batches=batches))
                for row in rows
            )
        return dataclasses.replace(self, rows=rows, seeds=self.seeds[: seeds or None])

    def only(self, methods: str = "", shifts: str = "") -> Table:
        """The part of a table that somebody looks for; unadapted CLIP stays, to compare with.

        Args:
            methods: names or families, or parts of them, separated by commas; "" for all.
            shifts: the same of rows and their kinds.

        Raises:
            ValueError: one sentence, where nothing is called so.
        """
        columns = tuple(one for one in self.columns if _is_meant(methods, _words_of(one)))
        rows = tuple(one for one in self.rows if _is_meant(shifts, f"{one.title} {one.kind} {one.data}"))
        for wanted, found, what, all_of_them in (
            (methods, columns, "method", (one.family for one in self.columns)),
            (shifts, rows, "shift", (one.kind for one in self.rows)),
        ):
            if not found:
                raise ValueError(
                    f"Table '{self.name}': no {what} is called '{wanted:.40}'; give a part of a name, or of "
                    f"{', '.join(dict.fromkeys(all_of_them))}."
                )
        beside = tuple(one for one in self.columns if one in columns or one.contender.method == UNADAPTED)
        return dataclasses.replace(self, columns=beside, rows=rows)


def _words_of(column: Column) -> str:
    one = column.contender
    return f"{one.label} {METHODS[one.method].title} {column.family} {column.model}"


def _is_meant(wanted: str, words: str) -> bool:
    parts = [part.strip().lower() for part in wanted.split(",") if part.strip()]
    return not parts or any(part in words.lower() for part in parts)


@dataclass(frozen=True)
class Declared:
    """A table by name; made when asked for, since some read what other tables found."""

    name: str
    title: str
    make: Callable[[Numbers], Table]


TABLES: Registry[Declared] = Registry("table")


def declare(name: str, title: str) -> Callable[[Callable[[Numbers], Table]], Callable[[Numbers], Table]]:
    def register(make: Callable[[Numbers], Table]) -> Callable[[Numbers], Table]:
        TABLES.register(Declared(name, title, make))
        return make

    return register


def corrupted(names: Sequence[str], source: str, batches: int) -> tuple[Row, ...]:
    """A row for each corruption at severity 5, in batches of 64."""
    return tuple(
        Row(shift.title, shift, source, Protocol(batches=batches))
        for shift in (Shift(name, severity=5) for name in names)
    )
