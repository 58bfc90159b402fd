"""What is known of the cells of a table, and what comes in while they are measured."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass, field

from clip_tta_core.sweep.cells import Cell
from clip_tta_core.sweep.folder import Folder
from clip_tta_core.sweep.recorded import Recorded
from clip_tta_core.sweep.tables import UNADAPTED, Table

Numbers = Mapping[str, float]


@dataclass(frozen=True)
class Measured:
    """A cell begins, or has come to its end."""

    cell: Cell
    numbers: Numbers | None = None  # None while it begins, or where it failed
    problem: str = ""


@dataclass
class Known:
    """What is known of a table's cells."""

    table: Table
    source: Folder | Recorded
    numbers: dict[Cell, Numbers] = field(default_factory=dict)
    problems: dict[Cell, str] = field(default_factory=dict)
    now: Cell | None = None  # which is measured

    @classmethod
    def read(cls, table: Table, source: Folder | Recorded) -> Known:
        """What a folder or a recording has of a table."""
        return cls(table, source, *source.read(table.cells()))

    def get(self, cell: Cell) -> Numbers | None:
        """As a folder answers."""
        return self.numbers.get(cell)

    def take(self, news: Measured) -> None:
        self.now = None if news.numbers or news.problem else news.cell
        self.problems.pop(news.cell, None)
        if news.numbers:
            self.numbers[news.cell] = news.numbers
        elif news.problem:
            self.problems[news.cell] = news.problem

    @functools.cached_property
    def places(self) -> dict[Cell, tuple[int, int]]:
        """(contender, shift) of every cell, in the order in which they are measured."""
        table = self.table
        return {
            table.cell(row, column, seed): (place, shift)
            for seed in table.seeds
            for shift, row in enumerate(table.rows)
            for place, column in enumerate(table.columns)
        }

    def missing(self) -> list[Cell]:
        return [cell for cell in self.places if cell not in self.numbers]

    @property
    def baseline(self) -> int:
        """The place of unadapted CLIP among the contenders, -1 where it is none of them."""
        methods = [column.contender.method for column in self.table.columns]
        return methods.index(UNADAPTED) if UNADAPTED in methods else -1
