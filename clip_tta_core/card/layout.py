"""Tables of a card, as Markdown, from whoever knows the numbers of their cells. A dash is not measured."""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Iterable, Mapping, Sequence

from clip_tta_core.methods import METHODS
from clip_tta_core.sweep.summary import MEAN, Entry, summarize
from clip_tta_core.sweep.tables import TABLES, Column, Numbers, Row, Table

Cell = Mapping[str, float]
KINDS = ("", ", chosen", ", protocol")  # how a contender's label ends; see sweep.contenders
HEADS = ("as published", "by the common rule", "CLIPTTA's protocol")

THREE_COLUMNS = """\
Three columns, and nothing is chosen for one method alone: each method as its authors published it (its
defaults here); with the step size and the number of steps that do best on the four extra corruptions, out of
one grid for all methods that learn along a stream (1e-5, 1e-4, 3e-4, 1e-3; 1 or 10 steps; one seed that no
other column uses); and with the settings that CLIPTTA's paper runs all methods with (1e-4, 10 steps, but
where its code departs from that: TENT's step is 1e-3 there).
Sorted by the better of the first two; a dash stands for what is not measured, and for methods without a step
size and steps to set.

"""

STARTS = """\
## A better start

What 16 labelled pictures a class, clean and none of the stream's, make of the model (`clip_tta_core.starts`),
each start as it is, with its settings here: accuracy in percent with its standard deviation over seeds, on
streams of 4 batches of 64, severity 5 where corrupted. CLIPTTA, as published, adapts once from CLIP and once
from CLIPood.

"""

ATTACKS = """\
## Attacks

Accuracy on 2 batches of 32: of clean pictures; of pictures whose every pixel moves by up to 4 of 255 levels
(PGD, 7 iterations), where that misleads the model; and of pictures attacked anew for each method as it has
adapted, by somebody who knows its weights and whether it answers from views (`clip_tta_core.adversary`). An
attack on the model alone says little about a method that answers with other weights, or from views. ZERO,
R-TPT and TAPT look at 32 views, all else is as published. TAPT learns from views and answers from the picture
itself; its authors' tokens are trained against attacks, those here are not: they begin almost at zero, and
once with the size of its authors' untrained ones. They bring back hardly anything of what the attack takes,
and cost clean pictures.

"""

ON_THE_PAGE = """\
Accuracy in percent on the fifteen standard corruptions at severity 5, their mean with its standard deviation
over seeds; in brackets the classes in use at the end, and what the rule chose.
"""

BY_ROW = """\
## The field, corruption by corruption

The same, as published, in percent.

"""


def percent(cell: Cell | None) -> str:
    return f"{cell['accuracy']:.1%}" if cell else "-"


def detection(cell: Cell | None) -> str:
    """AUROC / FPR95 / calibration error / accuracy."""
    return " / ".join(f"{cell[name]:.1%}" for name in ("auroc", "fpr95", "ece", "accuracy")) if cell else "-"


def course(cell: Cell | None) -> str:
    """Accuracy over a stream, and in its first, second and last third."""
    if not cell:
        return "-"
    return f"{cell['accuracy']:.1%}: " + " → ".join(f"{cell[f'third_{part}']:.1%}" for part in (1, 2, 3))


def grid(table: Table, known: Numbers, show: Callable[[Cell | None], str]) -> str:
    """Rows by columns, each entry the mean over the seeds that are measured."""
    titles = [title(column) for column in table.columns]
    lines = [_line("", titles), _rule(len(titles))]
    for row in table.rows:
        lines.append(_line(row.title, (show(average(table, known, row, column)) for column in table.columns)))
    return "\n".join(lines) + "\n"


def average(table: Table, known: Numbers, row: Row, column: Column) -> Cell | None:
    """The mean over seeds of every number that all of them have."""
    cells = [known.get(table.cell(row, column, seed)) for seed in table.seeds]
    found = [cell for cell in cells if cell]
    shared = [name for name in found[0] if all(name in cell for cell in found)] if found else []
    return {name: statistics.fmean(cell[name] for cell in found) for name in shared} or None


def severities(table: Table, known: Numbers) -> str:
    """Corruptions down and severities across, of a table with one contender; then the rows without one."""
    column = table.columns[0]
    shown = {row: average(table, known, row, column) for row in table.rows}
    corrupted = [row for row in table.rows if row.shift.corruption != "none"]
    names = dict.fromkeys(row.shift.corruption for row in corrupted)
    levels = sorted({row.shift.severity for row in corrupted})
    cells = {(row.shift.corruption, row.shift.severity): shown[row] for row in corrupted}
    lines = [_line("", map(str, levels)), _rule(len(levels))]
    for name in names:
        lines.append(_line(name.replace("_", " "), (percent(cells[name, level]) for level in levels)))
    means = (_mean([cells[name, level] for name in names]) for level in levels)
    lines.append(_line("**mean**", means))
    others = [row for row in table.rows if row not in corrupted]
    lines += ["", "| unadapted, not corrupted | accuracy |", "| --- | ---: |"]
    lines += [_line(row.title, [percent(shown[row])]) for row in others]
    return "\n".join(lines) + "\n"


def _mean(cells: Sequence[Cell | None]) -> str:
    measured = [cell["accuracy"] for cell in cells if cell]
    return f"{statistics.fmean(measured):.1%}" if len(measured) == len(cells) else "-"


def field(table: Table, known: Numbers) -> str:
    """Every method's mean over the rows, as published, as chosen and under the protocol; best rule first.

    In brackets the classes in use at the end, and of what was chosen the step size and the steps.
    """
    means = {entry.column: entry for entry in summarize(table, known)[-1]}
    classes = {entry.column: entry for entry in summarize(table, known, "effective_classes")[-1]}
    columns = {column.contender.label: column for column in table.columns}
    names = [label for label in means if not label.endswith(KINDS[1:])]

    def worth(name: str) -> float:
        found = [means[name + kind].mean for kind in KINDS[:2] if name + kind in means]
        return max((value for value in found if not math.isnan(value)), default=-1.0)

    def entry(label: str) -> str:
        alike = [one for one in columns if label in columns and _same(columns[label], columns[one])]
        measured = [one for one in alike if one in means and not math.isnan(means[one].mean)]
        found = max(measured, key=lambda one: means[one].seeds, default=None)
        if found is None:
            return "-"
        settings = columns[label].contender.settings
        steps = "1 step" if settings.get("steps") == 1 else f"{settings.get('steps')} steps"
        said = f", lr {settings['lr']:g}, {steps}" if label.endswith(KINDS[1]) else ""
        return f"{means[found].text} ({classes[found].mean:.1f}{said})"

    seeds = sorted({entry.seeds for entry in means.values() if entry.seeds})
    lines = [
        f"Seeds measured: {' or '.join(map(str, seeds))}.",
        "",
        _line("method", HEADS),
        _rule(len(HEADS)),
    ]
    lines += [
        _line(title(columns[name]), (entry(name + kind) for kind in KINDS))
        for name in sorted(names, key=worth, reverse=True)
    ]
    return "\n".join(lines) + "\n"


def _same(one: Column, other: Column) -> bool:
    """Whether two contenders are one method with the same settings, written out or left at their defaults."""
    methods = {one.contender.method, other.contender.method}
    if len(methods) > 1:
        return False
    config = METHODS[methods.pop()].Config
    return config.from_values(one.contender.settings) == config.from_values(other.contender.settings)


def three_ways(known: Numbers) -> str:
    """What both cards say of three ways to set every method, for the page; "" before anything is measured."""
    parts = [section(name, known, f"#### {TABLES[name].title}\n\n", field) for name in ("mini", "photo")]
    return "\n".join([THREE_COLUMNS, ON_THE_PAGE, *parts]) if any(parts) else ""


def by_row(table: Table, known: Numbers, spread: bool = False) -> str:
    """Every contender as published, row by row; the best mean first.

    Args:
        table: what is shown.
        known: whoever knows its numbers.
        spread: also the standard deviation over seeds.
    """
    entries = [column for column in zip(*summarize(table, known), strict=True) if _is_published(column[0])]
    columns = {column.contender.label: column for column in table.columns}
    entries.sort(key=lambda column: _order(column[-1]), reverse=True)
    heads = [one.row if one.row == MEAN else one.row.removesuffix(" 5") for one in entries[0]]
    lines = [_line("", heads), _rule(len(heads))]
    for column in entries:
        shown = (one.text if spread else one.text.partition(" ")[0] for one in column)
        lines.append(_line(title(columns[column[0].column]), shown))
    return "\n".join(lines) + "\n"


def _is_published(entry: Entry) -> bool:
    return not entry.column.endswith(KINDS[1:])


def _order(entry: Entry) -> float:
    return -1.0 if math.isnan(entry.mean) else entry.mean


def title(column: Column) -> str:
    """What a card calls a contender: its method's title in place of the method's name."""
    one = column.contender
    return one.label.replace(one.method, METHODS[one.method].title, 1)


def section(name: str, known: Numbers, text: str, show: Callable[[Table, Numbers], str]) -> str:
    """A table under its text; "" as long as nobody in it is measured on all rows.

    Some of its cells may be known before: those that it shares with other tables.
    """
    table = TABLES[name].make(known)
    if not any(_is_whole(table, known, column, seed) for column in table.columns for seed in table.seeds):
        return ""
    return text + show(table, known)


def _is_whole(table: Table, known: Numbers, column: Column, seed: int) -> bool:
    return all(known.get(table.cell(row, column, seed)) for row in table.rows)


def _line(first: str, entries: Iterable[str]) -> str:
    return f"| {' | '.join([first, *entries])} |"


def _rule(count: int) -> str:
    return "| --- |" + " ---: |" * count
