"""Tables that were measured earlier and come with the project: its cards and its page show them.

A recording holds cells by what they are, not by the code that measured them, which it names: numbers of a
release stay at hand while work goes on, and a table may be measured in several sittings. New weights make
them worthless, and they are then as if not there.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from clip_tta_core.sweep.cells import Cell, weights_version
from clip_tta_core.sweep.folder import Folder
from clip_tta_core.sweep.tables import Numbers, Table

FOLDER = Path(__file__).parents[2] / "assets" / "tables"
KEPT = (
    *("accuracy", "ece", "auroc", "fpr95", "effective_classes", "seconds", "pictures"),
    *("third_1", "third_2", "third_3"),
)
MADE = ("code", "weights", "date", "machine", "torch", "open_clip_torch", "numpy", "python")


@dataclass(frozen=True)
class Recorded:
    """What was recorded in a folder of tables."""

    path: Path = field(default_factory=lambda: FOLDER)

    def get(self, cell: Cell) -> Mapping[str, float] | None:
        """The numbers of a cell, or None where it was not recorded with the weights there are."""
        found = _cells(self.path).get(cell.content)
        return found[1] if found and found[0]["weights"] == weights_version(cell.model) else None

    def read(self, cells: Iterable[Cell]) -> tuple[dict[Cell, Mapping[str, float]], dict[Cell, str]]:
        """As a folder answers; what is recorded has not failed."""
        found = {cell: self.get(cell) for cell in cells}
        return {cell: numbers for cell, numbers in found.items() if numbers}, {}

    def card(self, cell: Cell) -> dict[str, Any]:
        """All that is kept of a cell that was recorded, as a folder tells it."""
        made, numbers = _cells(self.path)[cell.content]
        return {"cell": asdict(cell), "numbers": numbers, **made}


@dataclass(frozen=True)
class Either:
    """The numbers of the first, and where it has none those of the second."""

    first: Numbers
    second: Numbers

    def get(self, cell: Cell) -> Mapping[str, float] | None:
        return self.first.get(cell) or self.second.get(cell)


def record(table: Table, folder: Folder, path: Path = FOLDER) -> Path:
    """Add what a folder has of a table to <path>/<table>.json.gz: the same bytes for the same numbers.

    Cells of the table that were recorded earlier stay where the folder has none, unless the weights are
    new; cells that are no longer the table's go.

    Raises:
        ValueError: nothing of it is measured.
    """
    before, made, cells = Recorded(path), [], {}
    for cell in {cell.content: cell for cell in table.cells()}.values():
        if folder.has(cell):
            card = folder.card(cell)
        elif before.get(cell):
            card = before.card(cell)
        else:
            continue
        sitting = {name: card[name] for name in MADE if name in card} | {"date": card["date"][:10]}
        if sitting not in made:
            made.append(sitting)
        cells[cell.content] = [made.index(sitting), _short(card["numbers"])]
    if not cells:
        raise ValueError(
            f"Sweep: nothing of table '{table.name}' is measured in {folder.path}; measure it first."
        )
    file = path / f"{table.name}.json.gz"
    path.mkdir(parents=True, exist_ok=True)
    content = {"made": made, "cells": dict(sorted(cells.items()))}
    file.write_bytes(gzip.compress(json.dumps(content, separators=(",", ":")).encode(), mtime=0))
    _cells.cache_clear()
    return file


def _short(numbers: Mapping[str, float]) -> dict[str, float]:
    return {name: float(f"{numbers[name]:.5g}") for name in KEPT if name in numbers}


@cache
def _cells(path: Path) -> dict[str, tuple[dict[str, str], dict[str, float]]]:
    """{what a cell is: (how it was made, its numbers)}, read once."""
    found = {}
    for file in sorted(path.glob("*.json.gz")):
        recording = json.loads(gzip.decompress(file.read_bytes()))
        made = recording["made"]
        found |= {key: (made[sitting], numbers) for key, (sitting, numbers) in recording["cells"].items()}
    return found
