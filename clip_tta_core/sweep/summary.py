"""What a table says so far: means and spreads over seeds, beside what papers report."""

from __future__ import annotations

import csv
import io
import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from clip_tta_core.sweep.published import Published, lookup
from clip_tta_core.sweep.tables import Column, Numbers, Row, Table

MEAN = "mean"  # the title of the last row
NEAR = 1.0  # points by which two measurements of one unadapted CLIP may differ
PAPERS = {"accuracy": "acc", "auroc": "AUROC", "fpr95": "FPR95"}  # ours: theirs, in percent


@dataclass(frozen=True)
class Entry:
    """One number of a summary."""

    row: str
    column: str
    mean: float  # over the seeds that are measured; NaN before the first
    spread: float  # standard deviation over seeds; NaN with fewer than two
    seeds: int
    published: tuple[Published, ...] = ()

    @property
    def text(self) -> str:
        """ "52.1 ± 0.4" in percent; a dash before anything is measured."""
        if math.isnan(self.mean):
            return "-"
        spread = "" if math.isnan(self.spread) else f" ± {100 * self.spread:.1f}"
        return f"{100 * self.mean:.1f}{spread}"


def summarize(table: Table, known: Numbers, metric: str = "accuracy") -> list[list[Entry]]:
    """Rows of entries, then their means: of each data set that papers report as one, and last of all rows.

    Means wait until all of their rows have a seed.
    """
    grid = [[_values(table, known, row, column, metric) for column in table.columns] for row in table.rows]
    lines = [
        [
            _entry(
                row.title, column, values, () if _split(table, row) else _published(row.data, column, metric)
            )
            for column, values in zip(table.columns, line, strict=True)
        ]
        for row, line in zip(table.rows, grid, strict=True)
    ]
    if len(table.rows) > 1:
        data = [row.data for row in table.rows]
        for one in dict.fromkeys(data) if len(set(data)) > 1 else ():
            if one and data.count(one) > 1:
                part = [line for line, own in zip(grid, data, strict=True) if own == one]
                lines.append(_mean(table, part, f"{MEAN} of {one}", one, metric))
        lines.append(_mean(table, grid, MEAN, data[0] if len(set(data)) == 1 else "", metric))
    return lines


def _mean(
    table: Table, grid: Sequence[Sequence[dict[int, float]]], title: str, data: str, metric: str
) -> list[Entry]:
    """The mean of some rows, beside what papers report of them as one data set."""
    entries = []
    for place, column in enumerate(table.columns):
        whole = {
            seed: statistics.fmean(line[place][seed] for line in grid)
            for seed in table.seeds
            if all(seed in line[place] for line in grid)
        }
        entries.append(_entry(title, column, whole, _published(data, column, metric)))
    return entries


def light(entries: Sequence[Entry]) -> str:
    """Whether unadapted CLIP is as papers report it: told before anybody compares methods. "" if none does.

    Args:
        entries: of unadapted CLIP, as `summarize` has them.
    """
    known = [one for one in entries if one.published and not math.isnan(one.mean)]
    if not known:
        return ""
    for one in known:
        nearest = min((other.value for other in one.published), key=lambda value: abs(100 * one.mean - value))
        if abs(100 * one.mean - nearest) > NEAR:
            return (
                f"Unadapted CLIP has {100 * one.mean:.1f} % on {one.row} where papers report {nearest:g} %: "
                "look at model, prompt and preprocessing before comparing methods."
            )
    return f"Unadapted CLIP is within {NEAR:g} point of what papers report."


def _split(table: Table, row: Row) -> bool:
    """Whether a paper's number is of several rows together, as the mean of CIFAR-10-C is."""
    return sum(other.data == row.data for other in table.rows) > 1


def _values(table: Table, known: Numbers, row: Row, column: Column, metric: str) -> dict[int, float]:
    found = {seed: known.get(table.cell(row, column, seed)) for seed in table.seeds}
    return {seed: numbers[metric] for seed, numbers in found.items() if numbers and metric in numbers}


def _entry(row: str, column: Column, values: dict[int, float], known: tuple[Published, ...]) -> Entry:
    numbers = list(values.values())
    mean = statistics.fmean(numbers) if numbers else math.nan
    spread = statistics.stdev(numbers) if len(numbers) > 1 else math.nan
    return Entry(row, column.contender.label, mean, spread, len(numbers), known)


def _published(data: str, column: Column, metric: str) -> tuple[Published, ...]:
    if not data or metric not in PAPERS:
        return ()
    return lookup(column.names[0], data, column.names[1], PAPERS[metric])


def to_csv(lines: Sequence[Sequence[Entry]]) -> str:
    """One line per entry, numbers as shares; published ones as their papers give them, one line each."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(["row", "column", "mean", "spread", "seeds", "published", "source"])
    for entry in (entry for line in lines for entry in line):
        own = [entry.row, entry.column, *(_plain(v) for v in (entry.mean, entry.spread)), entry.seeds]
        for known in entry.published or (None,):
            writer.writerow([*own, *((known.value, known.source) if known else ("", ""))])
    return out.getvalue()


def _plain(value: float) -> str:
    return "" if math.isnan(value) else f"{value:.6g}"


def to_markdown(lines: Sequence[Sequence[Entry]]) -> str:
    """A table with contenders down and rows across, as there are more contenders than a page is wide."""
    head = ["", *(line[0].row for line in lines)]
    text = [f"| {' | '.join(head)} |", f"| --- |{' ---: |' * len(lines)}"]
    for column in zip(*lines, strict=True):
        text.append(f"| {' | '.join([column[0].column, *map(_with_published, column)])} |")
    return "\n".join(text) + "\n"


def _with_published(entry: Entry) -> str:
    reported = ", ".join(f"{known.value:g}" for known in entry.published)
    return f"{entry.text} ({reported})" if reported else entry.text


def to_latex(lines: Sequence[Sequence[Entry]]) -> str:
    """The same as a LaTeX tabular for the booktabs package."""

    def escaped(text: str) -> str:
        return "".join(f"\\{sign}" if sign in "&%$#_{}" else sign for sign in text).replace("±", r"$\pm$")

    head = " & ".join(["", *(escaped(line[0].row) for line in lines)])
    body = [
        " & ".join([escaped(column[0].column), *(escaped(_with_published(one)) for one in column)]) + r" \\"
        for column in zip(*lines, strict=True)
    ]
    rows = "\n".join(body)
    top = f"\\begin{{tabular}}{{l{'r' * len(lines)}}}\n\\toprule\n{head} \\\\\n\\midrule\n"
    return f"{top}{rows}\n\\bottomrule\n\\end{{tabular}}\n"


FORMATS = {"csv": to_csv, "md": to_markdown, "tex": to_latex}
