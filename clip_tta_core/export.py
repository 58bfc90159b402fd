"""A run's log <-> files: every number as CSV; the whole log, its pictures included, as JSON and back.

JSON mirrors the records field by field, so that a new field is in the file by being declared. A format's
number goes up when what is written can no longer be read as it was; earlier files still open.
"""

from __future__ import annotations

import base64
import csv
import dataclasses
import io
import json
import math
import re
import types
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints

import numpy as np
from PIL import Image

from clip_tta_core.records import RunConfig, RunLog, Standing

T = TypeVar("T")
RUN, STANDINGS = "clip-tta-run", "clip-tta-standings"
VERSION = 2
APART = ("contenders", "pictures", "unknown_pictures", "class_names")  # in rows of their own, or too large
SETTINGS = tuple(  # of a run, as columns of a CSV, so that tables of several runs can be put together
    item.name for item in dataclasses.fields(RunConfig) if item.name not in APART
)


def to_csv(log: RunLog) -> str:
    """Tidy: one row per batch and contender, one column per curve, and every setting in columns of its own.

    Empty where a number is undefined. `settings` holds a contender's knobs as JSON; `from_start` is 0 for one
    that begins at the model as it is. One's own class list may be long: the page has a file of all settings.
    """
    curves = list(dict.fromkeys(curve for series in log.series.values() for curve in series))
    settings = [name for name in SETTINGS if name in log.settings]
    chosen = {one.label: (json.dumps(dict(one.settings)), int(one.from_start)) for one in log.contenders}
    unset = ("{}", 1)  # of a file that names no contenders
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    head = ["batch", "contender", "method", "pictures", "elapsed_seconds", *curves]
    writer.writerow([*head, "settings", "from_start", *settings])
    stream = _written(log.settings, settings)
    for number, (size, elapsed) in enumerate(zip(log.sizes, log.elapsed, strict=True)):
        for label, series in log.series.items():
            numbers = [_number(series[curve][number]) if curve in series else "" for curve in curves]
            who = [label, log.methods[label], size, f"{elapsed:.3f}"]
            writer.writerow([number + 1, *who, *numbers, *chosen.get(label, unset), *stream])
    return out.getvalue()


def _written(settings: Mapping[str, object], names: Sequence[str]) -> list[object]:
    """Settings as cells of a CSV; several in one as JSON."""
    values = [settings[name] for name in names]
    return [json.dumps(dict(one)) if isinstance(one, Mapping) else one for one in values]


def pictures_to_csv(log: RunLog) -> str:
    """One row per picture and contender: what it was, what was answered, how confidently.

    A picture of none of the classes is `unknown`, 1, and has no label; so have known ones that bring none.
    """
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(
        [
            "batch",
            "picture",
            "name",
            "applied",
            "unknown",
            "label",
            "contender",
            "answer",
            "confidence",
            "right",
        ]
    )
    for batch, labels in enumerate(log.labels):
        for picture, label in enumerate(labels):
            outside = log.outside[batch][picture] if batch < len(log.outside) else ""  # an early file
            what = [log.names[batch][picture], log.applied[batch][picture], outside]
            truth = log.class_names[label] if label >= 0 else ""
            for contender, answers in log.answers.items():
                answer = answers[batch][picture]
                right = int(answer == label) if label >= 0 else ""
                said = [log.class_names[answer], f"{log.confidence[contender][batch][picture]:.6g}", right]
                writer.writerow([batch + 1, picture + 1, *what, truth, contender, *said])
    return out.getvalue()


def file_stem(log: RunLog) -> str:
    """A file's name without its ending; the date in it keeps files from overwriting each other."""
    settings = log.settings
    parts = [settings.get("corruption", "run"), settings.get("model", ""), f"seed{settings.get('seed', 0)}"]
    when = re.sub(r"[^0-9T]", "", log.made.get("date", "").split("+")[0])
    words = ["clip-tta", *map(str, parts), f"{len(log)}-batches", when]
    return "-".join(re.sub(r"[^\w.-]+", "_", word) for word in words if word)


def to_json(log: RunLog) -> str:
    """Everything in the log; `from_json` gives it back."""
    return json.dumps({"format": f"{RUN}/{VERSION}"} | _encode(log), allow_nan=False)


def from_json(text: str) -> RunLog:
    """Read what `to_json` wrote, now or in an earlier version; anything else raises one sentence."""
    return _read(text, RUN, lambda plain, version: _decode(RunLog, _run_of(plain) if version == 1 else plain))


def end_from_json(text: str) -> RunLog:
    """No more of what `to_json` wrote than its curves' values after the last batch, which is soon read."""

    def read(plain: dict[str, Any], version: int) -> RunLog:
        plain = {name: (_run_of(plain) if version == 1 else plain)[name] for name in NEEDED}
        ends = {
            label: {curve: values[-1:] for curve, values in curves.items()}
            for label, curves in plain["series"].items()
        }
        return _decode(RunLog, plain | {"series": ends, "sizes": plain["sizes"][-1:]})

    return _read(text, RUN, read)


def standings_to_json(standings: Iterable[Standing]) -> str:
    """A comparison's standings; `standings_from_json` gives them back."""
    plain = {"format": f"{STANDINGS}/{VERSION}", "standings": _encode(list(standings))}
    return json.dumps(plain, indent=1, allow_nan=False) + "\n"


def standings_from_json(text: str) -> list[Standing]:
    """Read what `standings_to_json` wrote, now or earlier; anything else raises one sentence."""

    def read(plain: dict[str, Any], version: int) -> list[Standing]:
        rows = plain["standings"]
        if version == 1:
            rows = [row | {"label": row["method"]} for row in rows]
        return _decode(list[Standing], rows)

    return _read(text, STANDINGS, read)


COLUMNS = ("accuracy", "effective_classes_run", "changed", "ece", "auroc", "fpr95")  # of a table of standings


def standings_to_csv(standings: Iterable[Standing], settings: Mapping[str, object] | None = None) -> str:
    """Tidy: one row per contender with all its numbers, and with the `settings` of the stream.

    `batches` are those done, `of` those of the stream; own class names stand below each other in one cell.
    """
    rows, stream = list(standings), settings or {}
    who = ["contender", "method", "settings", "from_start", "batches", "of"]
    names = [name for name in (*SETTINGS, "class_names") if name in stream and name not in who]
    measures = list(dict.fromkeys(name for row in rows for name in row.metrics))
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow([*who, *measures, "seconds_per_batch", "problem", *names])
    same = _written(stream, names)
    for row in rows:
        numbers = [_number(row.metrics.get(name, math.nan)) for name in measures]
        knobs = json.dumps(dict(row.settings))
        who = [row.label, row.method or row.label, knobs, int(row.from_start), row.done, row.total]
        writer.writerow([*who, *numbers, _number(row.seconds), row.problem, *same])
    return out.getvalue()


def standings_to_markdown(standings: Sequence[Standing], titles: Mapping[str, str], caption: str = "") -> str:
    """A table for a README, in the order of the standings; what is undefined for all is left out."""
    head, rows = _table(standings, titles)
    aligned = ["---", *(["--:"] * (len(head) - 1))]
    cells = [[_escaped(cell, r"([\\|])", r"\\\1") for cell in row] for row in (head, *rows)]
    lines = [cells[0], aligned, *cells[1:]]
    said = "\n" + _escaped(caption, r"([\\`*_<>\[\]])", r"\\\1") + "\n" if caption else ""
    return "".join(f"| {' | '.join(line)} |\n" for line in lines) + said


def standings_to_latex(standings: Sequence[Standing], titles: Mapping[str, str], caption: str = "") -> str:
    """A table for a paper (package booktabs), in the order of the standings; its caption as a comment."""
    head, rows = _table(standings, titles)
    lines = [" & ".join(map(_latex, row)) + r" \\" for row in (head, *rows)]
    layout = "l" + "r" * (len(head) - 1)
    body = [lines[0], r"\midrule", *lines[1:]]
    said = [f"% {' '.join(caption.split())}"] if caption else []
    return "\n".join(
        [*said, rf"\begin{{tabular}}{{{layout}}}", r"\toprule", *body, r"\bottomrule", r"\end{tabular}", ""]
    )


LATEX = {"\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}"}
LATEX |= {letter: "\\" + letter for letter in "&%$#_{}"}


def _latex(text: str) -> str:
    return "".join(LATEX.get(letter, letter) for letter in text)


def _escaped(text: str, pattern: str, replacement: str) -> str:
    return re.sub(pattern, replacement, text.replace("\n", " "))


def _table(standings: Sequence[Standing], titles: Mapping[str, str]) -> tuple[list[str], list[list[str]]]:
    """Head and rows of a table of standings; shares in percent with one digit."""
    shown = [
        name for name in COLUMNS if any(math.isfinite(one.metrics.get(name, math.nan)) for one in standings)
    ]
    shares = {"accuracy", "changed", "ece", "auroc", "fpr95"}
    head = {"accuracy": "Accuracy %", "effective_classes_run": "Classes in use", "changed": "Changed %"}
    head |= {"ece": "ECE %", "auroc": "AUROC %", "fpr95": "FPR95 %"}
    rows = []
    for one in standings:
        values = [one.metrics.get(name, math.nan) * (100 if name in shares else 1) for name in shown]
        rows.append(
            [titles.get(one.label, one.label), *(f"{v:.1f}" if math.isfinite(v) else "-" for v in values)]
        )
    return ["Method", *(head[name] for name in shown)], rows


def _read(text: str, wanted: str, read: Callable[[dict[str, Any], int], T]) -> T:
    """What `read` makes of the object in a file that says it is of the wanted format."""
    try:
        plain = json.loads(text)
    except (ValueError, RecursionError):
        raise ValueError("Run file: must be JSON as the page exports it, got something else.") from None
    name, _, version = str(plain.get("format") if isinstance(plain, dict) else "").partition("/")
    if name != wanted or not version.isdecimal():
        raise ValueError(f"Run file: must be of the format '{wanted}/{VERSION}', got {_format_of(plain)}.")
    if not 1 <= int(version) <= VERSION:
        raise ValueError(
            f"Run file: this page reads '{wanted}' up to {VERSION}, got {version}; open it with a newer page."
        )
    try:
        return read({key: value for key, value in plain.items() if key != "format"}, int(version))
    except (KeyError, TypeError, AttributeError, ValueError, OSError, RecursionError) as error:
        raise ValueError(f"Run file: something is missing or of the wrong kind ({error}).") from None


def _run_of(plain: dict[str, Any]) -> dict[str, Any]:
    """A run of format 1 in the words of the present one: a batch was a step, a contender a method."""
    knobs = plain["settings"].get("methods", {})
    contenders = [
        {"label": name, "method": name, "settings": knobs.get(name, {})} for name in plain["titles"]
    ]
    series = {
        name: {_curve_of(curve): values for curve, values in curves.items()}
        for name, curves in plain["series"].items()
    }
    last = plain["last"]
    if last is not None:
        last = {"batch_number" if key == "step" else key: value for key, value in last.items()}
    return plain | {"contenders": contenders, "series": series, "last": last}


def _curve_of(name: str) -> str:
    return "loss" if name == "loss loss" else name.replace("loss ", "loss_", 1)


def _encode(value: Any) -> Any:
    """Records of numpy and plain Python as JSON holds them; numbers that are not finite become null."""
    if dataclasses.is_dataclass(value):
        return {item.name: _encode(getattr(value, item.name)) for item in dataclasses.fields(value)}
    if isinstance(value, np.ndarray):
        return _encode_array(value)
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    if isinstance(value, Mapping):
        return {str(key): _encode(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_encode(one) for one in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def _decode(kind: Any, plain: Any) -> Any:
    """What `_encode` made of a value of this kind, back again."""
    origin, parts = get_origin(kind), get_args(kind)
    if dataclasses.is_dataclass(kind):
        return _decode_record(kind, plain)
    if origin in (Union, types.UnionType):
        others = [part for part in parts if part is not type(None)]
        if plain is None and len(others) < len(parts):
            return None
        return _decode(others[0], plain) if len(others) == 1 else plain
    if origin in (list, tuple):
        if not isinstance(plain, list):
            raise TypeError(f"a list was expected, got {type(plain).__name__}")
        return origin(_decode(parts[0], one) for one in plain)
    if origin is not None and issubclass(origin, Mapping):
        return {key: _decode(parts[1], one) for key, one in plain.items()}
    if kind is np.ndarray:
        return _decode_array(plain)
    if kind is bytes:
        return base64.b64decode(plain, validate=True)
    if kind is float and plain is None:
        return math.nan
    if kind is float and isinstance(plain, int | float) and not isinstance(plain, bool):
        return float(plain)
    if kind in (object, Any) or (kind in (int, str, bool) and type(plain) is kind):
        return plain
    raise TypeError(f"{getattr(kind, '__name__', kind)} was expected, got {type(plain).__name__}")


def _decode_record(kind: Any, plain: Any) -> Any:
    hints, values = _hints(kind), {}
    for item in dataclasses.fields(kind):
        if item.name in plain:
            values[item.name] = _decode(hints[item.name], plain[item.name])
        elif item.default is dataclasses.MISSING and item.default_factory is dataclasses.MISSING:
            raise KeyError(item.name)
        elif item.name in NEEDED:
            raise KeyError(item.name)
    return kind(**values)


NEEDED = ("class_names", "series", "sizes")  # a log can begin without them, a file cannot


@cache
def _hints(kind: type) -> dict[str, Any]:
    return get_type_hints(kind)


def _encode_array(values: np.ndarray) -> Any:
    if values.dtype == np.uint8:  # all pictures below each other in one PNG, without loss
        out = io.BytesIO()
        count, height, width, _ = values.shape
        Image.fromarray(values.reshape(count * height, width, 3)).save(out, "PNG", optimize=True)
        return {"count": count, "png": base64.b64encode(out.getvalue()).decode()}
    if values.dtype.kind == "f":
        data = np.ascontiguousarray(values, dtype="<f4")
        return {"shape": list(data.shape), "float32": base64.b64encode(data.tobytes()).decode()}
    return values.tolist()


def _decode_array(plain: Any) -> np.ndarray:
    if isinstance(plain, list):
        values = np.array(plain)
        if values.dtype.kind not in "bi":
            raise TypeError(f"whole numbers or true and false were expected, got {values.dtype}")
        return values
    if "png" in plain:
        png = io.BytesIO(base64.b64decode(plain["png"]))
        with Image.open(png, formats=["PNG"]) as sheet:
            rows = np.asarray(sheet.convert("RGB"))
        return rows.reshape(plain["count"], -1, rows.shape[1], 3).copy()
    return np.frombuffer(base64.b64decode(plain["float32"]), dtype="<f4").reshape(plain["shape"]).copy()


def _number(value: float) -> str:
    return f"{value:.6g}" if math.isfinite(value) else ""


def _format_of(plain: Any) -> str:
    return repr(plain.get("format")) if isinstance(plain, dict) else type(plain).__name__
