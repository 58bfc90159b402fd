"""A run's log <-> files: every number as CSV; the whole log, its last pictures included, as JSON and back."""

from __future__ import annotations

import base64
import csv
import dataclasses
import io
import json
import math
from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeVar

import numpy as np
from PIL import Image

from clip_tta_core.records import Batch, Outcome, Report, RunLog, Standing

T = TypeVar("T")
FORMAT = "clip-tta-run/1"
STANDINGS = "clip-tta-standings/1"


def to_csv(log: RunLog) -> str:
    """One row per batch and method, one column per curve; empty where a number is undefined."""
    curves = list(dict.fromkeys(curve for series in log.series.values() for curve in series))
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(["batch", "method", "pictures", "elapsed_seconds", *curves])
    for step, (size, elapsed) in enumerate(zip(log.sizes, log.elapsed, strict=True)):
        for method, series in log.series.items():
            numbers = [_number(series[curve][step]) if curve in series else "" for curve in curves]
            writer.writerow([step + 1, method, size, f"{elapsed:.3f}", *numbers])
    return out.getvalue()


def to_json(log: RunLog) -> str:
    """Everything in the log; `from_json` gives it back."""
    plain = {item.name: getattr(log, item.name) for item in dataclasses.fields(log)}
    plain["series"] = {
        method: {curve: _without_nan(values) for curve, values in series.items()}
        for method, series in log.series.items()
    }
    plain["last"] = None if log.last is None else _report(log.last)
    return json.dumps({"format": FORMAT} | plain, allow_nan=False)


def from_json(text: str) -> RunLog:
    """Read what `to_json` wrote; anything else raises one sentence."""
    return _read(text, FORMAT, _read_log)


def standings_to_json(standings: Iterable[Standing]) -> str:
    """A comparison's standings; `standings_from_json` gives them back."""
    plain = [
        vars(one) | {"metrics": _numbers(one.metrics), "seconds": _maybe(one.seconds)} for one in standings
    ]
    return json.dumps({"format": STANDINGS, "standings": plain}, indent=1, allow_nan=False) + "\n"


def standings_from_json(text: str) -> list[Standing]:
    """Read what `standings_to_json` wrote; anything else raises one sentence."""
    return _read(text, STANDINGS, lambda plain: [_read_standing(one) for one in plain["standings"]])


def _read_standing(plain: dict[str, Any]) -> Standing:
    numbers = {"metrics": _read_numbers(plain["metrics"]), "seconds": _read_number(plain["seconds"])}
    return Standing(**plain | numbers)


def _read_log(plain: dict[str, Any]) -> RunLog:
    return RunLog(
        class_names=tuple(plain["class_names"]),
        titles=dict(plain["titles"]),
        settings=dict(plain["settings"]),
        total=plain["total"],
        device=plain["device"],
        series={m: {c: _with_nan(v) for c, v in series.items()} for m, series in plain["series"].items()},
        predicted={m: [tuple(step) for step in steps] for m, steps in plain["predicted"].items()},
        truth=[tuple(step) for step in plain["truth"]],
        known={m: [tuple(step) for step in steps] for m, steps in plain["known"].items()},
        unknown={m: [tuple(step) for step in steps] for m, steps in plain["unknown"].items()},
        sizes=list(plain["sizes"]),
        elapsed=list(plain["elapsed"]),
        notes=list(plain["notes"]),
        last=None if plain["last"] is None else _read_report(plain["last"]),
    )


def _read(text: str, wanted: str, read: Callable[[dict[str, Any]], T]) -> T:
    """What `read` makes of the object in a file that says it is of the wanted format."""
    try:
        plain = json.loads(text)
    except ValueError:
        raise ValueError("Run file: must be JSON as the page exports it, got something else.") from None
    if not isinstance(plain, dict) or plain.get("format") != wanted:
        raise ValueError(f"Run file: must be of the format '{wanted}', got {_format_of(plain)}.")
    try:
        return read(plain)
    except (
        KeyError,
        TypeError,
        AttributeError,
        ValueError,
        OSError,
    ) as error:  # the last two: of what is encoded
        raise ValueError(f"Run file: something is missing or of the wrong kind ({error}).") from None


def _report(report: Report) -> dict[str, Any]:
    batch = report.batch
    return {
        "step": report.step,
        "total": report.total,
        "device": report.device,
        "notes": list(report.notes),
        "batch": {
            "images": _pictures(batch.images),
            "labels": batch.labels.tolist(),
            "names": list(batch.names),
            "unknown": batch.unknown.tolist(),
            "applied": list(batch.applied),
        },
        "outcomes": {name: _outcome(outcome) for name, outcome in report.outcomes.items()},
    }


def _outcome(outcome: Outcome) -> dict[str, Any]:
    return {
        "probs": _array(outcome.probs),
        "features": _array(outcome.features),
        "scores": _array(outcome.scores),
        "threshold": _maybe(outcome.threshold),
        "losses": _numbers(outcome.losses),
        "metrics": _numbers(outcome.metrics),
        "seconds": outcome.seconds,
    }


def _read_report(plain: dict[str, Any]) -> Report:
    batch = plain["batch"]
    return Report(
        plain["step"],
        plain["total"],
        Batch(
            _read_pictures(batch["images"]),
            np.array(batch["labels"], dtype=np.int64),
            tuple(batch["names"]),
            np.array(batch["unknown"], dtype=bool),
            tuple(batch["applied"]),
        ),
        {name: _read_outcome(outcome) for name, outcome in plain["outcomes"].items()},
        plain["device"],
        tuple(plain["notes"]),
    )


def _read_outcome(plain: dict[str, Any]) -> Outcome:
    return Outcome(
        _read_array(plain["probs"]),
        _read_array(plain["features"]),
        _read_array(plain["scores"]),
        _read_number(plain["threshold"]),
        _read_numbers(plain["losses"]),
        _read_numbers(plain["metrics"]),
        plain["seconds"],
    )


def _array(values: np.ndarray) -> dict[str, Any]:
    data = np.ascontiguousarray(values, dtype="<f4")
    return {"shape": list(data.shape), "float32": base64.b64encode(data.tobytes()).decode()}


def _read_array(plain: dict[str, Any]) -> np.ndarray:
    return np.frombuffer(base64.b64decode(plain["float32"]), dtype="<f4").reshape(plain["shape"]).copy()


def _pictures(images: np.ndarray) -> dict[str, Any]:
    """All pictures below each other in one PNG, without loss."""
    out = io.BytesIO()
    count, height, width, _ = images.shape
    Image.fromarray(images.reshape(count * height, width, 3)).save(out, "PNG", optimize=True)
    return {"count": count, "png": base64.b64encode(out.getvalue()).decode()}


def _read_pictures(plain: dict[str, Any]) -> np.ndarray:
    with Image.open(io.BytesIO(base64.b64decode(plain["png"])), formats=["PNG"]) as sheet:
        rows = np.asarray(sheet.convert("RGB"))
    return rows.reshape(plain["count"], -1, rows.shape[1], 3).copy()


def _numbers(values: Mapping[str, float]) -> dict[str, float | None]:
    return {name: _maybe(value) for name, value in values.items()}


def _maybe(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None


def _without_nan(values: list[float]) -> list[float | None]:
    return [_maybe(value) for value in values]


def _with_nan(values: list[float | None]) -> list[float]:
    return [_read_number(value) for value in values]


def _read_number(value: float | None) -> float:
    return math.nan if value is None else float(value)


def _read_numbers(values: Mapping[str, float | None]) -> dict[str, float]:
    return {name: _read_number(value) for name, value in values.items()}


def _number(value: float) -> str:
    return f"{value:.6g}" if math.isfinite(value) else ""


def _format_of(plain: Any) -> str:
    return repr(plain.get("format")) if isinstance(plain, dict) else type(plain).__name__
