"""Measure mini-CLIP and write its model card: python -m clip_tta_core.card [table ...] [--jobs 2]

Every number is a cell, kept in results.json beside the weights: a run that was cut off goes on where it
stopped, and new weights start afresh.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import math
import multiprocessing
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass, field
from pathlib import Path

import torch

from clip_tta_core.clip import mini
from clip_tta_core.corruptions import CORRUPTIONS, SEVERITIES
from clip_tta_core.engine import run
from clip_tta_core.methods import METHODS
from clip_tta_core.records import RunConfig, Value
from clip_tta_core.registry import unknown_name
from clip_tta_core.sources.rendered import COLOURS, OBJECTS, STYLES, TASK, UNKNOWN_SOURCES

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


ZERO_SHOT = Column("zero-shot", "zero_shot", batches=16, batch_size=250)
QUICK = Column("zero-shot", "zero_shot", batches=4, batch_size=250)
REFERENCE = Column("zero-shot", "zero_shot")  # on the stream the adapting methods see
TENT = Column("TENT, lr 1e-3", "tent", {"lr": 1e-3, "steps": 10})
CLIPTTA = Column("CLIPTTA, lr 1e-3", "cliptta", {"lr": 1e-3, "steps": 10})
ADAPTED = (REFERENCE, TENT, Column("CLIPTTA, lr 1e-4", "cliptta", {"lr": 1e-4, "steps": 10}), CLIPTTA)
OPEN_SET = Column("CLIPTTA open set, lr 1e-3", "cliptta", {"lr": 1e-3, "steps": 10, "open_set": True})
OPEN = (REFERENCE, TENT, CLIPTTA, OPEN_SET)
FIELD = tuple(
    Column(cls.title, name) for name, cls in METHODS.items() if name not in ("zero_shot", "tent", "cliptta")
)


@dataclass(frozen=True)
class Row:
    """One kind of picture."""

    title: str
    corruption: str = "none"
    style: str = "none"
    severity: int = SEVERITY
    unknown: str = "none"  # half of the pictures come from this source of unknowns


CLEAN = Row("clean")
CORRUPTED = {name: Row(item.title.lower(), corruption=name) for name, item in CORRUPTIONS.items()}
STYLED = {name: Row(item.title.lower(), style=name) for name, item in STYLES.items() if name != "none"}
MIXED = tuple(
    Row(
        f"{source.title.lower()}, {change.replace('_', ' ') if change != 'none' else 'clean'}",
        change,
        unknown=name,
    )
    for name, source in UNKNOWN_SOURCES.items()
    for change in ("none", "gaussian_noise", "defocus_blur", "fog")
)


def weaker(name: str, severity: int) -> Row:
    """A corruption at less than full severity."""
    return Row(f"{CORRUPTED[name].title} {severity}", corruption=name, severity=severity)


Cell = dict[
    str, float
]  # accuracy over the stream, effective classes at its end; of mixed rows AUROC and FPR95


class Results:
    """Measured cells on disk, by row and column; forgotten when the weights change."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "results.json"
        self.weights = hashlib.sha256((folder / "model.safetensors").read_bytes()).hexdigest()
        self.cells = self._stored()

    def get(self, row: Row, column: Column) -> Cell | None:
        return self.cells.get(_key(row, column))

    def put(self, row: Row, column: Column, cell: Cell) -> None:
        # Read again before writing: another process may be measuring another table.
        self.cells = self._stored() | {_key(row, column): cell}
        record = {"weights": self.weights, "cells": self.cells}
        self.path.write_text(json.dumps(record, indent=1, sort_keys=True) + "\n", encoding="utf-8")

    def _stored(self) -> dict[str, Cell]:
        stored = json.loads(self.path.read_text(encoding="utf-8")) if self.path.exists() else {}
        return stored["cells"] if stored.get("weights") == self.weights else {}


def measure(row: Row, column: Column) -> Cell:
    """Run one method over one stream, predicting after the update."""
    config = RunConfig(
        methods={column.method: column.knobs},
        corruption=row.corruption,
        style=row.style,
        severity=row.severity,
        batches=column.batches,
        batch_size=column.batch_size,
        unknown_source=row.unknown,
        device="cpu",
        seed=SEED,
    )
    for report in run(config):
        metrics = report.outcomes[column.method].metrics
    names = ("accuracy", "effective_classes", "auroc", "fpr95")
    return {name: round(metrics[name], 4) for name in names if not math.isnan(metrics[name])}


TABLES: dict[str, list[tuple[Row, Column]]] = {  # what each table needs, what is quick first
    "zero_shot": [(row, ZERO_SHOT) for row in (CLEAN, *CORRUPTED.values(), *STYLED.values())],
    "adapted": [(row, column) for row in (CLEAN, *CORRUPTED.values()) for column in ADAPTED],
    "severities": [(weaker(name, s), QUICK) for name in CORRUPTED for s in SEVERITIES if s < SEVERITY],
    "unknown": [(row, column) for row in MIXED for column in OPEN],
    "methods": [(row, column) for column in FIELD for row in CORRUPTED.values()],
}


def fill(results: Results, tables: list[str], jobs: int) -> Iterator[str]:
    """Measure the cells that are missing, several at once, and say what came out."""
    wanted = (cell for table in tables for cell in TABLES[table] if results.get(*cell) is None)
    missing = {_key(*cell): cell for cell in wanted}  # some cells are in two tables
    context = multiprocessing.get_context("spawn")
    # One thread each: a small model gains more from another cell at its side than from a second thread.
    with ProcessPoolExecutor(jobs, context, torch.set_num_threads, (1,)) as pool:
        running = {pool.submit(measure, *cell): cell for cell in missing.values()}
        for done in as_completed(running):
            row, column = running[done]
            results.put(row, column, done.result())
            yield f"{row.title:36s} {column.title:26s} {_both(done.result())}"


def card(folder: Path, results: Results) -> str:
    """The whole card as Markdown."""
    training = json.loads((folder / "config.json").read_text(encoding="utf-8"))["training"]
    size = sum(file.stat().st_size for file in folder.glob("*.*")) / 1e6
    parts = [INTRODUCTION.format(objects=len(OBJECTS), colours=len(COLOURS), task=", ".join(TASK), size=size)]
    parts.append(TRAINING.format(pictures=training["steps_done"] * training["batch_size"] / 1e6, **training))
    parts.append(_zero_shot_section(results))
    for table, section in SECTIONS.items():
        if any(results.get(*cell) for cell in TABLES[table]):
            parts.append(section(results))
    parts.append(LIMITS)
    return "\n".join(parts)


def _zero_shot_section(results: Results) -> str:
    count = f"{ZERO_SHOT.batches * ZERO_SHOT.batch_size:,}"
    lines = [f"| Pictures ({count} each, 20 classes) | accuracy |", "| --- | ---: |"]
    for row in (CLEAN, *CORRUPTED.values()):
        lines.append(f"| {row.title} | {_percent(results.get(row, ZERO_SHOT))} |")
    standard = [results.get(CORRUPTED[name], ZERO_SHOT) for name in STANDARD]
    lines.append(f"| **mean of the {len(standard)} standard corruptions** | {_percent(_mean(standard))} |")
    every = [results.get(row, ZERO_SHOT) for row in CORRUPTED.values()]
    lines.append(f"| **mean of all {len(every)}** | {_percent(_mean(every))} |")
    lines += [f"| style: {row.title} | {_percent(results.get(row, ZERO_SHOT))} |" for row in STYLED.values()]
    return ZERO_SHOT_TEXT.format(severity=SEVERITY, seed=SEED) + "\n".join(lines) + "\n"


def _adapted_section(results: Results) -> str:
    table = _table(results, (CLEAN, *CORRUPTED.values()), ADAPTED, _both, "mean of the corruptions")
    return ADAPTED_TEXT.format(batches=TENT.batches, size=TENT.batch_size) + table


def _severities_section(results: Results) -> str:
    lines = ["| |" + "".join(f" {s} |" for s in SEVERITIES), "| --- |" + " ---: |" * len(SEVERITIES)]
    for name, row in CORRUPTED.items():
        cells = [results.get(weaker(name, s), QUICK) for s in SEVERITIES[:-1]] + [results.get(row, ZERO_SHOT)]
        lines.append(f"| {row.title} |" + "".join(f" {_percent(cell)} |" for cell in cells))
    return SEVERITIES_TEXT.format(count=f"{QUICK.batches * QUICK.batch_size:,}") + "\n".join(lines) + "\n"


def _unknown_section(results: Results) -> str:
    return UNKNOWN_TEXT.format(batches=TENT.batches, size=TENT.batch_size) + _table(
        results, MIXED, OPEN, _detection, "mean"
    )


def _methods_section(results: Results) -> str:
    rows = tuple(CORRUPTED.values())
    columns = (*ADAPTED, *(column for column in FIELD if any(results.get(row, column) for row in rows)))
    return METHODS_TEXT + _table(results, rows, columns, _both, "mean")


SECTIONS = {
    "adapted": _adapted_section,
    "severities": _severities_section,
    "unknown": _unknown_section,
    "methods": _methods_section,
}


def _table(
    results: Results,
    rows: tuple[Row, ...],
    columns: tuple[Column, ...],
    show: Callable[[Cell | None], str],
    last: str,
) -> str:
    """A table of cells; its last line is the mean over all rows but the clean one."""
    lines = [
        "| |" + "".join(f" {column.title} |" for column in columns),
        "| --- |" + " ---: |" * len(columns),
    ]
    for row in rows:
        lines.append(
            f"| {row.title} |" + "".join(f" {show(results.get(row, column))} |" for column in columns)
        )
    means = [_mean([results.get(row, column) for row in rows if row is not CLEAN]) for column in columns]
    lines.append(f"| **{last}** |" + "".join(f" {show(mean)} |" for mean in means))
    return "\n".join(lines) + "\n"


def _key(row: Row, column: Column) -> str:
    knobs = ",".join(f"{name}={value:g}" for name, value in sorted(column.knobs.items()))
    stream = f"{column.batches}x{column.batch_size}"
    pictures = f"{row.style}/{row.corruption}/{row.severity}" + (
        f"/{row.unknown}" if row.unknown != "none" else ""
    )
    return f"{pictures}/{column.method}({knobs})/{stream}/{SEED}"


def _mean(cells: list[Cell | None]) -> Cell | None:
    """None as long as a cell is missing: a mean over some of the rows would mislead."""
    full = [cell for cell in cells if cell]
    if len(full) < len(cells):
        return None
    return {name: sum(cell[name] for cell in full) / len(full) for name in full[0]}


def _percent(cell: Cell | None) -> str:
    return f"{cell['accuracy']:.1%}" if cell else "-"


def _both(cell: Cell | None) -> str:
    return f"{cell['accuracy']:.1%} ({cell['effective_classes']:.1f})" if cell else "-"


def _detection(cell: Cell | None) -> str:
    return f"{cell['auroc']:.1%} / {cell['fpr95']:.1%} / {cell['accuracy']:.1%}" if cell else "-"


INTRODUCTION = """\
# mini-CLIP

A small CLIP, trained from scratch for this project, so that its page works without a download. It sees
64-pixel pictures of {objects} rendered objects in {colours} colours and reads their English names. The
default task is 20 of them: {task}. The folder holds {size:.1f} MB.

Image tower: three 3x3 convolutions of stride 2 with LayerNorm and GELU, 2x2 patches of what they give (16
tokens), a 4-layer, 128-wide vision transformer. Text tower: a 2-layer, 64-wide transformer over CLIP's own
word pieces, of which only those in use are stored. Transformers and tokenizer are open_clip's.
"""

TRAINING = """\
## Training

`python -m clip_tta_core.pretrain --steps {steps} --seed {seed}`: {steps_done:,} steps of {batch_size} fresh
pictures with captions ({pictures:.2f} million pairs, none twice), CLIP's symmetric contrastive loss in
which pictures with equal captions share the target, and a scale fixed at 100; AdamW, learning rate {lr:g}
after {warm_up} steps of warm-up, falling like a cosine, weight decay {weight_decay:g}; {minutes:.0f} minutes
on {device}. No class labels and no corrupted pictures were used. Pictures have slight blur, grain,
compression and uneven light, all well below severity 1.
"""

ZERO_SHOT_TEXT = """\
## Zero-shot accuracy

Prompt "a photo of a ...", severity {severity}, seed {seed}, which training never used.

"""

ADAPTED_TEXT = """\
## Adapted

Accuracy over a stream of {batches} batches of {size} pictures, in brackets the effective number of classes
(of 20) in the last 4 batches. 10 steps of Adam a batch, predictions after the update, weights carried on
from batch to batch.

"""

SEVERITIES_TEXT = """\
## Zero-shot accuracy at every severity

{count} pictures each; severity 5 as above.

"""

UNKNOWN_TEXT = """\
## Unknown pictures

Half of the pictures show none of the 20 classes, severity 5 where corrupted, {batches} batches of {size}. In
each cell: AUROC / FPR95 (share of unknown pictures accepted where 95 % of the known are) / accuracy on the
known ones. Methods without a score of their own get CLIPTTA's, the largest log-probability at scale 1.

"""

METHODS_TEXT = """\
## The field

Every method on the streams of "Adapted", all but TENT and CLIPTTA at their default settings: accuracy, and in
brackets the effective classes at the end. Predictions after the update for all.

"""

LIMITS = """\
## Limits

It knows nothing but rendered objects: on photographs its answers mean nothing, and other words are refused.
It is a teaching model; how methods rank on it says little about how they rank on real CLIPs.

`python -m clip_tta_core.card` measures what is missing from the tables and writes this file, in hours.
"""


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="clip_tta_core.card", description=(__doc__ or "").partition("\n")[0]
    )
    parser.add_argument("tables", nargs="*", help=f"of {', '.join(TABLES)}; all unless named")
    parser.add_argument("--jobs", type=int, default=1, help="cells measured at once, a core each")
    args = parser.parse_args()
    for name in args.tables:
        if name not in TABLES:
            parser.error(unknown_name("table", name, TABLES))
    results = Results(mini.FOLDER)
    try:
        for line in fill(results, args.tables or list(TABLES), args.jobs):
            print(line, flush=True)
    finally:
        (mini.FOLDER / "README.md").write_text(card(mini.FOLDER, results), encoding="utf-8")


if __name__ == "__main__":
    main()
