"""A run's log -> pictures to keep. Matplotlib's object interface throughout, so that threads cannot mix."""

from __future__ import annotations

import io
import math
from collections.abc import Mapping
from functools import cache

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.font_manager import findfont, get_font
from matplotlib.ticker import MaxNLocator, PercentFormatter

from clip_tta_core.corruptions import CORRUPTIONS
from clip_tta_core.methods import looks_of
from clip_tta_core.metrics import WINDOW
from clip_tta_core.records import RunLog

MARKERS = {"circle": "o", "square": "s", "triangle": "^", "diamond": "D", "cross": "X", "line": "_"}
INK, SOFT, NOTE = "#1d2430", "#8a92a0", "#566072"
ACROSS = 5  # pictures in a row of the corruption sheet
MOST_CLASSES = 40  # more names than that cannot be read on a sheet


def to_png(log: RunLog) -> bytes:
    """The run on one sheet, as a PNG file."""
    return figure_png(sheet(log))


def figure_png(figure: Figure) -> bytes:
    """A figure as a PNG file."""
    out = io.BytesIO()
    figure.savefig(out, format="png")
    return out.getvalue()


def corruption_sheet(clean: np.ndarray, pictures: Mapping[str, np.ndarray], severity: int) -> Figure:
    """One picture as it is, and under corruptions, five in a row, in the order in which they come.

    Args:
        clean: uint8 (n, n, 3).
        pictures: a corruption's name -> uint8 (n, n, 3).
        severity: of all of them, for the title.
    """
    rows = math.ceil((1 + len(pictures)) / ACROSS)
    figure = Figure(figsize=(1.6 * ACROSS, 1.9 * rows + 0.4), dpi=150, layout="constrained")
    places = figure.subplots(rows, ACROSS, squeeze=False).ravel()
    for axes in places:
        axes.set_axis_off()
    _tile(places[0], clean, "As it is", "")
    for axes, (name, image) in zip(places[1:], pictures.items(), strict=False):
        corruption = CORRUPTIONS[name]
        _tile(axes, image, corruption.title, corruption.family + ("" if corruption.standard else ", extra"))
    figure.suptitle(f"Severity {severity}", color=INK, fontsize=11)
    return figure


def _tile(axes: Axes, image: np.ndarray, title: str, note: str) -> None:
    axes.imshow(image, interpolation="nearest")
    axes.set_title(title, color=INK, fontsize=8, loc="left", pad=3)
    axes.set_title(note, color=NOTE, fontsize=7, loc="right", pad=3)


def sheet(log: RunLog) -> Figure:
    """One page of a run: curves, predicted classes, and scores where there were unknown pictures."""
    parts = 3 if log.has_unknowns else 2
    figure = Figure(figsize=(5.4 * parts, 4.8), dpi=150, layout="constrained")
    axes = figure.subplots(1, parts, squeeze=False)[0]
    curve = "accuracy_window" if log.labelled else "changed"
    draw_curves(axes[0], log, curve)
    axes[0].set_title(
        "Accuracy over the last batches" if log.labelled else "Answers that adaptation has changed"
    )
    draw_classes(axes[1], log)
    if log.has_unknowns:
        draw_scores(axes[2], log)
    figure.suptitle(_plain(_caption(log)), color=INK, fontsize=11)
    return figure


def draw_curves(axes: Axes, log: RunLog, curve: str) -> None:
    """One curve per method over the stream."""
    for name, sign in looks_of({name: name for name in log.series}).items():
        values = log.series[name].get(curve, [])
        axes.plot(
            range(1, len(values) + 1),
            values,
            color=sign.colour,
            linestyle=_dash(sign.dash),
            marker=MARKERS[sign.marker],
            markevery=max(1, len(values) // 6),
            label=_plain(log.titles.get(name, name)),
        )
    axes.set_xlim(1, max(2, log.total))
    axes.set_ylim(0, 1)
    axes.yaxis.set_major_formatter(PercentFormatter(1.0))
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.set_xlabel("batch")
    axes.grid(axis="y", color="#e3e5e9", linewidth=0.8)
    _bare(axes)
    axes.legend(frameon=False)


def draw_classes(axes: Axes, log: RunLog) -> None:
    """How often each class was predicted in the last batches, beside how often it was there."""
    classes = len(log.class_names)
    place, signs = np.arange(classes), looks_of({name: name for name in log.predicted})
    width = 0.8 / max(1, len(signs))
    for k, (name, sign) in enumerate(signs.items()):
        counts = recent(log.predicted[name], classes)
        used = log.series[name].get("effective_classes", [math.nan])[-1]
        label = f"{log.titles.get(name, name)}: {used:.1f} of {classes} in use"
        axes.bar(place + (k + 0.5) * width - 0.4, counts, width, color=sign.colour, label=_plain(label))
    if log.labelled:
        truth = recent(log.truth, classes)
        axes.step(
            np.arange(classes + 1) - 0.5, [*truth, truth[-1]], where="post", color=INK, label="really there"
        )
    if classes <= MOST_CLASSES:
        axes.set_xticks(
            place, [_plain(name) for name in log.class_names], rotation=60, ha="right", fontsize=7
        )
    axes.set_title(f"Predicted classes, last {min(WINDOW, len(log))} batches")
    axes.yaxis.set_major_locator(MaxNLocator(integer=True))
    _bare(axes)
    axes.legend(frameon=False, fontsize=8)


def draw_scores(axes: Axes, log: RunLog) -> None:
    """Scores of known pictures (solid) and unknown ones (dotted) lately, above their batch's threshold."""
    for name, sign in looks_of({name: name for name in log.known}).items():
        thresholds = log.series[name]["threshold"][-WINDOW:]
        for steps, style in ((log.known[name], "solid"), (log.unknown[name], "dotted")):
            lately = zip(steps[-WINDOW:], thresholds, strict=True)
            scores = np.concatenate([np.array(step) - threshold for step, threshold in lately])
            if len(scores):
                label = _plain(log.titles.get(name, name)) if style == "solid" else None
                axes.hist(
                    scores, 30, density=True, histtype="step", color=sign.colour, linestyle=style, label=label
                )
    axes.axvline(0, color=INK, linewidth=1)
    axes.set_title("Scores: known solid, unknown dotted")
    axes.set_xlabel("score above the threshold")
    axes.set_yticks([])
    _bare(axes)
    axes.legend(frameon=False, fontsize=8)


def recent(steps: list[tuple[int, ...]], classes: int) -> np.ndarray:
    """Counts of the last batches, added up. -> (K,)"""
    return np.sum(steps[-WINDOW:], axis=0) if steps else np.zeros(classes, dtype=int)


def _caption(log: RunLog) -> str:
    settings = log.settings
    shift = [str(settings[key]) for key in ("style", "corruption") if settings.get(key, "none") != "none"]
    words = " and ".join(shift).replace("_", " ") or "no shift"
    severity = f", severity {settings['severity']}" if "severity" in settings and shift else ""
    return f"{words}{severity} · {len(log)} batches of {log.sizes[0] if log.sizes else 0} pictures"


def _plain(text: str) -> str:
    """Text as typed: no formula behind a dollar sign, a box for letters the font does not have."""
    drawn = "".join(letter if ord(letter) in _letters() else "\u25a1" for letter in text)
    return drawn.replace("\\", "\\\\").replace("$", r"\$") if "$" in drawn else drawn


@cache
def _letters() -> frozenset[int]:
    return frozenset(get_font(findfont("DejaVu Sans")).get_charmap())


def _dash(pattern: str) -> str | tuple[int, list[float]]:
    return (0, [float(part) / 2 for part in pattern.split()]) if pattern else "solid"


def _bare(axes: Axes) -> None:
    axes.spines[["top", "right"]].set_visible(False)
    axes.tick_params(colors=SOFT)
    axes.title.set_color(INK)
