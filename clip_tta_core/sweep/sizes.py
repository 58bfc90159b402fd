"""Sizes of a table: from a glimpse of a few minutes to all that is declared."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

from clip_tta_core.registry import Registry
from clip_tta_core.sweep.tables import Row, Table


@dataclass(frozen=True)
class Size:
    """How much of a table is measured; 0 and an empty tuple are no limit."""

    name: str
    title: str
    help: str
    methods: tuple[str, ...] = ()
    rows: int = 0  # spread evenly over those of the table
    batches: int = 0
    seeds: int = 0
    once: bool = False  # a method with one setting only, the first in the table from each start

    def of(self, table: Table) -> Table:
        """The part of a table that has this size."""
        columns, seen = [], set()
        for column in table.columns:
            method, start = column.contender.method, column.pre_step.start
            if (self.methods and method not in self.methods) or (self.once and (method, start) in seen):
                continue
            seen.add((method, start))
            columns.append(column)
        step = -(-len(table.rows) // self.rows) if self.rows else 1
        rows = tuple(map(self._shorter, table.rows[::step]))
        return dataclasses.replace(
            table, rows=rows, columns=tuple(columns), seeds=table.seeds[: self.seeds or None]
        )

    def _shorter(self, row: Row) -> Row:
        batches = min(row.protocol.batches, self.batches or row.protocol.batches)
        return dataclasses.replace(row, protocol=dataclasses.replace(row.protocol, batches=batches))


SIZES: Registry[Size] = Registry("size")
SIZES.register(
    Size(
        "quick",
        "Quick",
        "Six methods on four shifts, short streams, one seed.",
        ("zero_shot", "tent", "sar", "tda", "clipartt", "cliptta"),
        rows=4,
        batches=4,
        seeds=1,
        once=True,
    )
)
SIZES.register(
    Size(
        "seeds",
        "Three seeds",
        "The same with three seeds, which tell luck from skill.",
        SIZES["quick"].methods,
        rows=4,
        batches=4,
        once=True,
    )
)
SIZES.register(
    Size("wide", "All methods", "Every method once, every shift, short streams, one seed.", (), 0, 4, 1, True)
)
SIZES.register(
    Size(
        "published", "As published", "Every method once, with its authors' settings; three seeds.", once=True
    )
)
SIZES.register(Size("full", "Full", "All that the table declares."))
