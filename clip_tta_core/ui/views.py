"""A run's log -> what each live picture draws: plain values, rounded, made for small differences on the wire.

A history is one string that grows at its end only: a new batch travels as what it adds, and neither the
server nor the browser looks through a thousand batches to find that out. Numbers have a space behind them,
undefined ones are a dash ("0.61 - 0.58 "); what is more than a number has a line a batch.
"""

from __future__ import annotations

import base64
import io
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
from PIL import Image

from clip_tta_core import thumbnails
from clip_tta_core.methods import looks_of
from clip_tta_core.records import Report, RunLog
from clip_tta_core.ui import words
from clip_tta_core.ui.words import CURVES, TABLE

View = dict[str, Any]


def methods(log: RunLog) -> list[View]:
    """Name, title and look of every method of the run, in the order pictures list them."""
    looks = looks_of({label: log.methods[label] for label in log.series})
    return [
        {
            "name": name,
            "title": log.titles.get(name, name),
            "colour": sign.colour,
            "dash": sign.dash,
            "marker": sign.marker,
        }
        for name, sign in looks.items()
    ]


def curves(log: RunLog) -> View:
    """Every curve over the stream; the picture lets its reader choose which one to draw."""
    return {
        "methods": methods(log),
        "total": log.total,
        "labelled": log.labelled,
        "unknowns": log.has_unknowns,
        "classes": len(log.class_names),
        "curves": {m.name: {name: _series(log, name, m.name) for name in log.series} for m in CURVES},
    }


def classes(log: RunLog) -> View:
    """Predicted classes per step and method beside the true ones, and how many classes are in use."""
    return {
        "methods": methods(log),
        "classes": list(log.class_names),
        "window": log.recent,
        "labelled": log.labelled,
        "counts": _histories(log, "counts", log.predicted, _sparse),
        "truth": _grown(log, ("truth",), log.truth, _sparse),
        "effective": {name: _series(log, name, "effective_classes") for name in log.series},
    }


def scores(log: RunLog) -> View | None:
    """Scores of known and unknown pictures around the threshold; None when nothing unknown has come."""
    if not log.has_unknowns:
        return None
    curves_shown = ("threshold", "auroc", "fpr95", "accepted")
    return {
        "methods": methods(log),
        "window": log.recent,
        "known": _histories(log, "known", log.known, _line),
        "unknown": _histories(log, "unknown", log.unknown, _line),
        **{key: {name: _series(log, name, key) for name in log.series} for key in curves_shown},
    }


def results(log: RunLog) -> View:
    """The table: a row per method, a column per measure that fits the run; accuracy always, if as a dash."""
    columns = [m for m in TABLE if m.name == "accuracy" or _shown(log, m)]
    return {
        "methods": methods(log),
        "columns": [
            {"name": m.name, "title": m.title, "kind": m.kind, "better": m.better, "help": m.help}
            for m in columns
        ],
        "values": {m.name: {name: _column(log, name, m.name) for name in log.series} for m in columns},
    }


def sentences(log: RunLog) -> View:
    """What to say at every step, and what the visitor should know about the run."""
    return {
        "steps": _grown(log, ("sentence",), range(len(log)), lambda step: words.sentence(log, step) + "\n"),
        "stream": log.settings.get("stream", ""),
        "notes": list(log.notes),
    }


def gallery(log: RunLog) -> View | None:
    """The latest batch: a sprite sheet, the labels, and every method's answers."""
    report = log.last
    if report is None:
        return None
    return {"methods": methods(log), "classes": list(log.class_names), "sprite": _sprite(log)} | answers(
        report
    )


def _sprite(log: RunLog) -> str:
    """The latest batch's pictures; a recorded run of an earlier version kept them without a sheet."""
    return _address(log.sheets[-1] if log.sheets else thumbnails.sheet(log.last.batch.images))


def answers(report: Report) -> View:
    """Labels and answers of a batch as strings of class numbers, one per picture."""
    batch, outcomes = report.batch, report.outcomes
    return {
        "step": report.batch_number,
        "total": report.total,
        "columns": thumbnails.columns(len(batch)),
        "labels": _joined(np.where(batch.unknown, -1, batch.labels).tolist()),
        "unknown": _joined(batch.unknown.astype(int).tolist()),
        "names": list(batch.names),
        "applied": list(batch.applied),
        "answers": {name: _joined(item.probs.argmax(axis=1).tolist()) for name, item in outcomes.items()},
        "sure": {
            name: _joined((100 * item.probs.max(axis=1)).round().astype(int))
            for name, item in outcomes.items()
        },
        "accepted": {
            name: _joined((item.scores > item.threshold).astype(int)) for name, item in outcomes.items()
        },
    }


def sheet(images: np.ndarray, columns: int, tile: int) -> str:
    """Pictures side by side, as a JPEG data address. uint8 (N, H, W, 3)"""
    return _address(thumbnails.sheet(images, columns, tile))


def data_address(image: Image.Image, quality: int = 82) -> str:
    """A picture as a JPEG data address."""
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=quality)
    return _address(buffer.getvalue())


def _address(jpeg: bytes) -> str:
    return "data:image/jpeg;base64," + base64.b64encode(jpeg).decode()


def _shown(log: RunLog, measure: words.Measure) -> bool:
    return {"": True, "labels": log.labelled, "unknowns": log.has_unknowns}[measure.needs]


def _column(log: RunLog, method: str, curve: str) -> str:
    if curve != "seconds":
        return _series(log, method, curve)
    seconds = np.array(log.series[method].get("seconds", []))
    means = seconds.cumsum() / np.arange(1, len(seconds) + 1)
    return _grown(log, ("mean seconds", method), means, _number)


def _series(log: RunLog, method: str, curve: str) -> str:
    return _grown(log, (curve, method), log.series[method].get(curve, ()), _number)


_written: WeakKeyDictionary[RunLog, dict[tuple[str, ...], tuple[int, str]]] = WeakKeyDictionary()


def _grown(log: RunLog, key: tuple[str, ...], steps: Sequence[Any], write: Callable[[Any], str]) -> str:
    """A history as text; what was written of it for an earlier picture is not written again."""
    kept = _written.setdefault(log, {})
    count, text = kept.get(key, (0, ""))
    text += "".join(map(write, steps[count:]))
    kept[key] = len(steps), text
    return text


def _histories(
    log: RunLog, key: str, steps: Mapping[str, Sequence[Any]], write: Callable[[Any], str]
) -> dict[str, str]:
    """One history per method."""
    return {name: _grown(log, (key, name), own, write) for name, own in steps.items()}


def _number(value: float) -> str:
    return f"{value:.6g} " if math.isfinite(value) else "- "


def _line(values: Iterable[float]) -> str:
    return _joined(values) + "\n"


def _joined(values: Iterable[float]) -> str:
    return " ".join(f"{value:g}" for value in values)


def _sparse(counts: tuple[int, ...]) -> str:
    """Counts as 'class:count' for the classes that occur: a batch fills few of a thousand classes."""
    return " ".join(f"{index}:{count}" for index, count in enumerate(counts) if count) + "\n"
