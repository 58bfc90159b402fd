"""What papers report: numbers with their sources, to be put beside our own."""

from __future__ import annotations

import csv
from collections import defaultdict
from dataclasses import dataclass
from functools import cache
from pathlib import Path

FILE = Path(__file__).parents[2] / "assets" / "published.csv"


@dataclass(frozen=True)
class Published:
    """One number of one paper."""

    source: str  # paper and table
    model: str
    data: str
    protocol: str
    method: str
    metric: str  # "acc", "AUROC", "FPR95": percent; "seconds", "GB"
    value: float


@cache
def published() -> tuple[Published, ...]:
    """Every number in assets/published.csv."""
    with FILE.open(encoding="utf-8", newline="") as file:
        return tuple(Published(value=float(row.pop("value")), **row) for row in csv.DictReader(file))


@cache
def _by_place() -> dict[tuple[str, str, str, str], tuple[Published, ...]]:
    places = defaultdict(list)
    for one in published():
        places[one.model, one.data, one.method, one.metric].append(one)
    return {place: tuple(found) for place, found in places.items()}


def lookup(model: str, data: str, method: str, metric: str = "acc") -> tuple[Published, ...]:
    """What every paper says of one number, in the papers' own names; where they differ, all of it."""
    return _by_place().get((model, data, method, metric), ())
