"""What a table of many runs says: which method is ahead, where the seeds can tell, and what is missing."""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from typing import Any

from clip_tta_core.starts import STARTS
from clip_tta_core.sweep.cells import Cell
from clip_tta_core.sweep.published import Published
from clip_tta_core.sweep.summary import Entry
from clip_tta_core.sweep.tables import Table
from clip_tta_core.ui.words.numbers import listed, percent

Values = Mapping[int, float]  # {seed: accuracy}
FEWEST = 3  # seeds
# Student's t, 97.5 %, by the number of pairs: what a mean difference must be in standard errors.
CRITICAL = {2: 12.706, 3: 4.303, 4: 3.182, 5: 2.776, 6: 2.571, 7: 2.447, 8: 2.365, 9: 2.306, 10: 2.262}
MOST_NAMED = 3
VERSIONS = ("clip_tta_core", "python", "torch", "open_clip_torch", "numpy")
LOADED = "Made for the model before anything adapts: what it says of a method is a first look."
ADAPTED = (
    "Made for each method as it has adapted: an attack on the loaded model may miss the weights that answer, "
    "and a method then looks robust that nobody attacked."
)
TOO_FEW = "One seed does not tell one method from another; three seeds may."


def lead(one: Values, other: Values) -> tuple[float, float]:
    """By how much one is better than the other, and the half width of its 95 % interval: paired over seeds.

    Infinite where there are fewer than FEWEST seeds, so that nobody is ahead.
    """
    differences = [one[seed] - other[seed] for seed in one.keys() & other.keys()]
    count = len(differences)
    if count < FEWEST:
        return 0.0, math.inf
    error = statistics.stdev(differences) / math.sqrt(count)
    return statistics.fmean(differences), CRITICAL[min(count, 10)] * error


def is_ahead(one: Values, other: Values) -> bool:
    """Whether the seeds say that one is better than the other."""
    difference, half = lead(one, other)
    return difference > half


def which_method(groups: Mapping[str, Mapping[str, Values]], baseline: str) -> tuple[str, ...]:
    """Which method is best on which kind of shift, as far as the seeds can tell.

    Args:
        groups: {kind of shift: {method: its values, means over the shifts of that kind}}.
        baseline: the method that all others must be better than.
    """
    return tuple(filter(None, (_best(kind, values, baseline) for kind, values in groups.items())))


def _best(kind: str, values: Mapping[str, Values], baseline: str) -> str:
    whole = {name: own for name, own in values.items() if len(own) >= FEWEST}
    if baseline not in whole or len(whole) < 2:
        return ""
    means = {name: statistics.fmean(own.values()) for name, own in whole.items()}
    best = max(means, key=lambda name: means[name])
    before = f"On {kind}: "
    if not is_ahead(whole[best], whole[baseline]):
        return f"{before}the seeds do not tell any method from {baseline} ({percent(means[baseline])})."
    level = [
        name for name in whole if name not in (best, baseline) and not is_ahead(whole[best], whole[name])
    ]
    gain, half = lead(whole[best], whole[baseline])
    said = (
        f"{before}{best}, {percent(means[best])}, {100 * gain:.1f} ± {100 * half:.1f} points above {baseline}"
    )
    if not level:
        return said + "."
    named = listed(level) if len(level) <= MOST_NAMED else f"{len(level)} others"
    return f"{said}; too close to tell from it: {named}."


def within(kind: str, times: float, baseline: str) -> str:
    """A time budget, as a kind of shift."""
    return f"{kind}, in at most {times:g} times the time of {baseline}"


def left_out(count: int, of: int) -> str:
    """What the sentences above it do not speak of."""
    if not count:
        return ""
    verb = "is" if count == 1 else "are"
    return f"{count} of {of} methods {verb} not measured with {FEWEST} seeds on every shift, and left out."


def under_way(done: int, count: int, doing: str) -> str:
    """How far a table is, and the cell that is measured now."""
    return f"{done} of {count} cells" + (f" · {doing}" if doing else "")


def ahead(missing: int, count: int, seconds: float) -> str:
    """What is still to be measured, and for how long."""
    if not missing:
        return f"All {count} cells are measured."
    there = f", {count - missing} of them measured" if missing < count else ""
    button = "Go on" if there else "Start"
    if math.isnan(seconds):
        return f"{count} cells{there}."
    return f"{count} cells{there}; {button} takes about {_duration(seconds)} on this machine."


def caption(title: str, size: str, table: Table, known: Sequence[Mapping[str, Any]], baseline: str) -> str:
    """What the reader of a table's picture must know: streams, seeds, what colours say, and what made it.

    Args:
        title: of the table.
        size: how much of it was measured.
        table: its rows, columns and seeds.
        known: what is kept of one of its cells, empty where none is measured.
        baseline: the method that colours compare with, "" for none.
    """
    protocols = dict.fromkeys(row.protocol for row in table.rows)
    streams = dict.fromkeys(f"{one.batches} × {one.batch_size}" for one in protocols)
    shown = f"at most {listed([*streams])}" if len(streams) <= MOST_NAMED else "as many as each row says"
    parts = [
        title,
        f"size: {size}",
        f"pictures a cell: {shown}",
        f"seeds {', '.join(map(str, table.seeds))}",
        "accuracy in percent",
        f"colours compare with {baseline}" if baseline else "",
        "what starts over at every batch is measured on one"
        if any(one.batches for one in table.columns)
        else "",
    ]
    for one in known:
        day = str(one["date"]).partition("T")[0]
        parts.append(f"measured {day} with code {one['code']}, torch {one['torch']}")
    return " · ".join(filter(None, parts))


def recorded(card: Mapping[str, Any], ahead: str) -> str:
    """Whose numbers are shown before anything is measured here, and what measuring them here would take."""
    day = str(card["date"]).partition("T")[0]
    return f"Recorded with the project on {day}, code {card['code']}; nothing is measured here yet. {ahead}"


def _duration(seconds: float) -> str:
    if seconds < 90:
        return "a minute"
    if seconds < 5400:
        return f"{round(seconds / 60)} minutes"
    return f"{round(seconds / 3600)} hours"


def needs(models: Sequence[str], data: Sequence[str], name: str) -> str:
    """Why a table cannot be measured on the page, and how it can."""
    return (
        f"Needs {listed([*models, *data])}. Where they are, python -m clip_tta_core.sweep {name} measures it."
    )


def card(
    cells: Sequence[Cell], found: Sequence[Mapping[str, Any]], entry: Entry
) -> tuple[tuple[str, str], ...]:
    """All there is to know of one place of a table, as pairs of what and its value.

    Args:
        cells: its cells, one a seed.
        found: what is kept of those that are measured.
        entry: the place in the summary.
    """
    cell, protocol = cells[0], cells[0].protocol
    knobs = ", ".join(f"{knob} {value}" for knob, value in cell.settings.items())
    lines = {
        "Accuracy": f"{entry.text} %" if found else "not measured yet",
        "Seeds": ", ".join(_seed(kept) for kept in found),
        "Papers report": "; ".join(_reported(one, entry.mean) for one in entry.published),
        "Settings": knobs or "its defaults",
        "Shift": cell.shift.title,
        "Attack": _attack(cell),
        "Start": _start(cell),
        "Pictures": cell.source,
        "Stream": f"{protocol.batches} × {protocol.batch_size}, {protocol.order}",
        "Predicts": "before the update" if protocol.predict == "pre" else "after the update",
        "Clock": "does not wait" if protocol.clock == "runs" else "",
        "Weights": "reset for every batch" if protocol.episodic else "kept over the stream",
        "Model": cell.model,
    }
    if found:
        kept = found[0]
        lines |= {
            "Time per batch": f"{statistics.fmean(one['numbers']['seconds'] for one in found):.3g} s",
            "Made with": ", ".join(f"{name} {kept[name]}" for name in VERSIONS if name in kept),
            "Code and weights": f"{kept['code']}, {kept['weights']}",
            "When and where": f"{kept['date']}, {kept['machine']}",
        }
    return tuple((what, said) for what, said in lines.items() if said)


def _attack(cell: Cell) -> str:
    """Whom the pictures were attacked for, and why that matters."""
    if cell.shift.attack == "none":
        return ""
    return ADAPTED if cell.shift.attack_target == "adapted" else LOADED


def _start(cell: Cell) -> str:
    """What a few labelled pictures made of the model beforehand."""
    step = cell.pre_step
    if step.start == "none":
        return ""
    knobs = ", ".join(f"{knob} {value}" for knob, value in step.start_settings.items())
    return f"{STARTS[step.start].title}, {step.shots} pictures a class{f', {knobs}' if knobs else ''}"


def _seed(kept: Mapping[str, Any]) -> str:
    return f"{kept['cell']['seed']}: {percent(kept['numbers'].get('accuracy', math.nan), 1)}"


def _reported(one: Published, mean: float) -> str:
    difference = f", a difference of {100 * mean - one.value:+.1f}" if math.isfinite(mean) else ""
    return f"{one.value:g} ({one.source}){difference}"
