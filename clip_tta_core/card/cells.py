"""Every number of a card is a cell: one method on one stream. Cells are measured, kept and laid out here.

They are kept in results.json beside the weights: a measurement that was cut off goes on where it stopped, and
new weights start afresh.
"""

from __future__ import annotations

import hashlib
import json
import math
import multiprocessing
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch

from clip_tta_core.clip.embedded import Member
from clip_tta_core.corruptions import CORRUPTIONS
from clip_tta_core.engine import run
from clip_tta_core.records import RunConfig, Value

SEED = 2024  # of the pictures that are measured on; training draws from another world
SEVERITY = 5
STANDARD = tuple(name for name, item in CORRUPTIONS.items() if item.standard)


@dataclass(frozen=True)
class Column:
    """One method at one setting, on a stream of some length."""

    title: str
    method: str
    knobs: Mapping[str, Value] = field(default_factory=dict)
    batches: int = 8
    batch_size: int = 64


@dataclass(frozen=True)
class Row:
    """One kind of picture."""

    title: str
    corruption: str = "none"
    style: str = "none"
    severity: int = SEVERITY
    unknown: str = "none"  # half of the pictures come from this source of unknowns
    source: str = "rendered"


# Over the stream: accuracy, ece, of mixed rows auroc and fpr95; effective classes at its end, e to the
# entropy of the mean prediction; and the mean accuracy of a batch in each third of it.
Cell = dict[str, float]
Wanted = tuple[Row, Column]
Show = Callable[[Cell | None], str]


@dataclass(frozen=True)
class Plan:
    """What the card of a member consists of."""

    member: Member
    tables: Mapping[str, Sequence[Wanted]]  # what each table needs, what is quick first
    write: Callable[[Path, Results], str]  # the whole card as Markdown


class Results:
    """Measured cells on disk, by row and column; forgotten when the weights change."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "results.json"
        self.weights = hashlib.sha256((folder / "model.safetensors").read_bytes()).hexdigest()
        self.cells = self._stored()

    def get(self, row: Row, column: Column) -> Cell | None:
        return self.cells.get(key(row, column))

    def put(self, row: Row, column: Column, cell: Cell) -> None:
        # Read again before writing: another process may be measuring another table.
        self.cells = self._stored() | {key(row, column): cell}
        record = {"weights": self.weights, "cells": self.cells}
        self.path.write_text(json.dumps(record, indent=1, sort_keys=True) + "\n", encoding="utf-8")

    def _stored(self) -> dict[str, Cell]:
        stored = json.loads(self.path.read_text(encoding="utf-8")) if self.path.exists() else {}
        return stored["cells"] if stored.get("weights") == self.weights else {}


def key(row: Row, column: Column) -> str:
    """What a cell is called on the disk."""
    knobs = sorted(column.knobs.items())
    knobs = ",".join(f"{name}={v if isinstance(v, str) else format(v, 'g')}" for name, v in knobs)
    stream = f"{column.batches}x{column.batch_size}"
    pictures = f"{row.style}/{row.corruption}/{row.severity}"
    pictures = f"{row.source}/{pictures}" if row.source != "rendered" else pictures
    pictures = f"{pictures}/{row.unknown}" if row.unknown != "none" else pictures
    return f"{pictures}/{column.method}({knobs})/{stream}/{SEED}"


def measure(model: str, row: Row, column: Column) -> Cell:
    """Run one method over one stream, predicting after the update."""
    config = RunConfig(
        methods={column.method: column.knobs},
        model=model,
        source=row.source,
        corruption=row.corruption,
        style=row.style,
        severity=row.severity,
        batches=column.batches,
        batch_size=column.batch_size,
        unknown_source=row.unknown,
        device="cpu",
        seed=SEED,
    )
    by_batch = []
    for report in run(config):
        metrics = report.outcomes[column.method].metrics
        by_batch.append(metrics["accuracy_batch"])
    cell = {name: metrics[name] for name in ("accuracy", "ece", "auroc", "fpr95")}
    cell["effective_classes"] = metrics["effective_classes_soft"]
    if len(by_batch) >= 3:
        thirds = np.array_split(by_batch, 3)
        cell |= {f"third_{number}": float(np.mean(part)) for number, part in enumerate(thirds, 1)}
    return {name: round(value, 4) for name, value in cell.items() if not math.isnan(value)}


def fill(model: str, results: Results, wanted: Iterable[Wanted], jobs: int) -> Iterator[str]:
    """Measure the cells that are missing, several at once, and say what came out."""
    missing = {key(*cell): cell for cell in wanted if results.get(*cell) is None}  # some are in two tables
    context = multiprocessing.get_context("spawn")
    # One thread each: a small model gains more from another cell at its side than from a second thread.
    with ProcessPoolExecutor(jobs, context, torch.set_num_threads, (1,)) as pool:
        running = {pool.submit(measure, model, *cell): cell for cell in missing.values()}
        for done in as_completed(running):
            row, column = running[done]
            results.put(row, column, done.result())
            yield f"{row.title:36s} {column.title:26s} {both(done.result())}"


def table(results: Results, rows: Sequence[Row], columns: Sequence[Column], show: Show, last: str) -> str:
    """A table of cells; its last line is the mean over all rows but the clean ones without unknowns."""
    lines = [
        "| |" + "".join(f" {column.title} |" for column in columns),
        "| --- |" + " ---: |" * len(columns),
    ]
    for row in rows:
        lines.append(
            f"| {row.title} |" + "".join(f" {show(results.get(row, column))} |" for column in columns)
        )
    counted = [row for row in rows if row.corruption != "none" or row.unknown != "none"]
    means = [mean([results.get(row, column) for row in counted]) for column in columns]
    lines.append(f"| **{last}** |" + "".join(f" {show(average)} |" for average in means))
    return "\n".join(lines) + "\n"


def mean(cells: Sequence[Cell | None]) -> Cell | None:
    """None as long as a cell is missing: a mean over some of the rows would mislead."""
    measured = [cell for cell in cells if cell]
    if not measured or len(measured) < len(cells):
        return None
    shared = [name for name in measured[0] if all(name in cell for cell in measured)]
    return {name: sum(cell[name] for cell in measured) / len(measured) for name in shared}


def percent(cell: Cell | None) -> str:
    return f"{cell['accuracy']:.1%}" if cell else "-"


def both(cell: Cell | None) -> str:
    return f"{cell['accuracy']:.1%} ({cell['effective_classes']:.1f})" if cell else "-"


def detection(cell: Cell | None) -> str:
    return f"{cell['auroc']:.1%} / {cell['fpr95']:.1%} / {cell['accuracy']:.1%}" if cell else "-"
