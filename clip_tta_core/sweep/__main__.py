"""Measure a table, or go on with it: python -m clip_tta_core.sweep TABLE [--jobs 2] [--out FOLDER]

Stop it whenever you like and call it again: what is measured is kept. The summary is written anew while the
table fills in, as <out>/<table>.csv, .md and .tex.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Mapping
from pathlib import Path

from clip_tta_core.sweep.folder import Folder
from clip_tta_core.sweep.recorded import Either, Recorded, record
from clip_tta_core.sweep.sizes import SIZES
from clip_tta_core.sweep.summary import FORMATS, Entry, light, summarize
from clip_tta_core.sweep.tables import TABLES, UNADAPTED, Numbers, Table
from clip_tta_core.sweep.workers import LOCAL, fill

SUMMARY_EVERY = 20.0  # seconds


def main() -> int:
    arguments = _parse()
    if not arguments.table:
        print("\n".join(f"{name:16s} {table.title}" for name, table in TABLES.items()))
        return 0
    try:
        return _sweep(arguments)
    except (ValueError, RuntimeError) as problem:
        print(problem, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nStopped; the same command goes on from here.", file=sys.stderr)
        return 130


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m clip_tta_core.sweep", description=(__doc__ or "").partition("\n")[0]
    )
    parser.add_argument("table", nargs="?", help="its name; without one, the tables there are")
    parser.add_argument("--on", default=LOCAL, help="local, or a dask scheduler such as tcp://host:8786")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="local processes")
    parser.add_argument("--out", type=Path, default=Path("sweep"), help="folder of cells and summaries")
    parser.add_argument("--size", choices=list(SIZES), default="full", help="how much of the table")
    parser.add_argument("--batches", type=int, default=0, help="per stream, 0 for what the table declares")
    parser.add_argument("--seeds", type=int, default=0, help="at most so many, 0 for all")
    parser.add_argument(
        "--record",
        action="store_true",
        help="add the numbers to the project's own; measure only what they lack",
    )
    parser.add_argument("--again", action="store_true", help="try cells again that failed before")
    return parser.parse_args()


def _sweep(arguments: argparse.Namespace) -> int:
    folder = Folder(arguments.out)
    whole = TABLES[arguments.table].make(Either(folder, Recorded()))
    table = SIZES[arguments.size].of(whole).shorter(arguments.batches, arguments.seeds)
    known = Either(folder, Recorded()) if arguments.record else folder
    cells = [cell for cell in table.cells() if known is folder or not Recorded().get(cell)]
    start, written, count = time.monotonic(), 0.0, len(folder.missing(cells, arguments.again))
    print(f"{table.title}: {len({cell.key for cell in cells})} cells, {count} to measure.", flush=True)
    for number, done in enumerate(
        fill(folder, cells, arguments.on, arguments.jobs, arguments.again), start=1
    ):
        seconds = (time.monotonic() - start) / number * done.left
        said = done.problem or _numbers(folder.get(done.cell) or {})
        print(
            f"{number}/{count}  {done.cell.method}, {done.cell.shift.title}, seed {done.cell.seed}: {said}  "
            f"({_duration(seconds)} left)",
            flush=True,
        )
        if time.monotonic() - written > SUMMARY_EVERY:
            written = time.monotonic()
            _write(table, known, arguments.out)
    lines = _write(table, known, arguments.out)
    for place, column in enumerate(table.columns):
        if column.contender.method == UNADAPTED and (said := light([line[place] for line in lines])):
            print(f"{column.model}: {said}")
    print(f"Written to {arguments.out / table.name}.md, .csv and .tex.")
    if arguments.record:
        print(f"Recorded as {record(whole, folder)}.")  # what another sitting measured of it stays
    failures = folder.failures(cells)
    for key, problem in failures.items():
        print(f"{key}: {problem}", file=sys.stderr)
    return 1 if failures else 0


def _write(table: Table, known: Numbers, out: Path) -> list[list[Entry]]:
    lines = summarize(table, known)
    out.mkdir(parents=True, exist_ok=True)  # where all is recorded, no cell has made it
    for ending, to_text in FORMATS.items():
        (out / f"{table.name}.{ending}").write_text(to_text(lines), encoding="utf-8")
    return lines


def _numbers(numbers: Mapping[str, float]) -> str:
    parts = [f"{100 * numbers['accuracy']:.1f} %"] if "accuracy" in numbers else []
    return ", ".join([*parts, f"{numbers.get('seconds', 0):.2f} s a batch"])


def _duration(seconds: float) -> str:
    return f"{seconds / 60:.0f} min" if seconds >= 90 else f"{seconds:.0f} s"


if __name__ == "__main__":
    sys.exit(main())
