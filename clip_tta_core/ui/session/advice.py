"""Which method when: computed from the table at hand, with its uncertainty."""

from __future__ import annotations

import itertools
import math
import statistics
from collections.abc import Mapping, Sequence

from clip_tta_core.sweep.summary import Entry, light
from clip_tta_core.sweep.tables import Column
from clip_tta_core.ui.session.known import Known
from clip_tta_core.ui.words import benchmark as words

BUDGETS = (5, 50)  # times unadapted CLIP's time for a batch: one step or none, ten steps with a memory


def advice(known: Known, called: Sequence[str], lines: Sequence[Sequence[Entry]]) -> tuple[str, ...]:
    """Which method is ahead on which kind of shift and within which time, as far as the seeds can tell.

    Args:
        known: the table's numbers.
        called: what the page calls the contenders.
        lines: the table summed up over its seeds.
    """
    table, place = known.table, known.baseline
    if place < 0 or not known.numbers:
        return ()
    said = light([line[place] for line in lines])
    if len(table.seeds) < words.FEWEST:
        return tuple(filter(None, (said, words.TOO_FEW)))
    values = dict(zip(called, (_by_row(known, column) for column in table.columns), strict=True))
    kinds = {row.kind: [other.kind == row.kind for other in table.rows] for row in table.rows}
    whole = "all shifts together" if len(kinds) > 1 else next(iter(kinds))
    kinds[whole] = [True] * len(table.rows)
    groups = {kind: {one: _means(values[one], chosen) for one in called} for kind, chosen in kinds.items()}
    slowness = dict(zip(called, _slowness(known, place), strict=True))
    for times in BUDGETS:
        quick = {one: own for one, own in groups[whole].items() if slowness[one] <= times}
        if 1 < len(quick) < len(called):
            groups[words.within(whole, times, called[place])] = quick
    sentences = words.which_method(groups, called[place])
    lacking = sum(len(own) < words.FEWEST for own in groups[whole].values())
    rest = words.left_out(lacking, len(called)) if sentences else ""
    return tuple(filter(None, (said, *sentences, rest)))


def _by_row(known: Known, column: Column) -> list[dict[int, float]]:
    """Accuracy of a contender by seed, for every row."""
    table = known.table
    found = [{seed: known.get(table.cell(row, column, seed)) for seed in table.seeds} for row in table.rows]
    return [{seed: own["accuracy"] for seed, own in line.items() if own} for line in found]


def _means(lines: Sequence[Mapping[int, float]], chosen: Sequence[bool]) -> dict[int, float]:
    """Means over the rows that are chosen, of the seeds that all of them have."""
    rows = [line for line, wanted in zip(lines, chosen, strict=True) if wanted]
    seeds = [seed for seed in rows[0] if all(seed in line for line in rows)]
    return {seed: statistics.fmean(line[seed] for line in rows) for seed in seeds}


def _slowness(known: Known, place: int) -> list[float]:
    """For every contender, how many times the baseline's time a batch takes it; the median over cells."""
    table = known.table
    found = []
    for column in table.columns:
        ratios = []
        for row, seed in itertools.product(table.rows, table.seeds):
            own, base = (known.get(table.cell(row, one, seed)) for one in (column, table.columns[place]))
            if own and base and base["seconds"] > 0:
                ratios.append(own["seconds"] / base["seconds"])
        found.append(statistics.median(ratios) if ratios else math.inf)
    return found
