"""A run's log -> pictures to keep. Matplotlib's object interface throughout, so that threads cannot mix."""

from __future__ import annotations

import io
import math
import textwrap
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.font_manager import findfont, get_font
from matplotlib.ticker import MaxNLocator, PercentFormatter

from clip_tta_core.corruptions import CORRUPTIONS
from clip_tta_core.methods import looks_of
from clip_tta_core.metrics import WINDOW
from clip_tta_core.palette import Look
from clip_tta_core.records import INTERVALS, RunLog, Standing

MARKERS = {
    "circle": "o",
    "square": "s",
    "triangle": "^",
    "diamond": "D",
    "cross": "X",
    "plus": "P",
    "star": "*",
    "line": "_",
}
INK, SOFT, NOTE = "#1d2430", "#8a92a0", "#566072"
GAIN = ("#e1ab8c", "#ffffff", "#9ac0de")  # as the page draws below and above
FULL_GAIN = 0.2  # a difference of so much has the full colour
EMPTY = "#f1f2f4"
ACROSS = 5  # pictures in a row of the corruption sheet
MOST_CLASSES = 40  # more names than that cannot be read on a sheet
PRINT = 300  # dots an inch of charts and tables
LONGEST = 30  # letters of a name beside a chart
HATCHES = ("", "////", "....", "xxxx", "----", "++++")  # of the first, second ... bar of one colour


def figure_png(figure: Figure) -> bytes:
    """A figure as a PNG file."""
    out = io.BytesIO()
    figure.savefig(out, format="png")
    return out.getvalue()


def figure_svg(figure: Figure) -> bytes:
    """A figure as an SVG file, whose bytes depend on what is drawn only."""
    out = io.BytesIO()
    with rc_context({"svg.hashsalt": "clip-tta"}):
        figure.savefig(out, format="svg", metadata={"Date": None})
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


def charts(log: RunLog) -> dict[str, Callable[[Axes, RunLog], None]]:
    """What can be drawn of a run, by name: scores only where there were unknown pictures."""
    found = {"curves": draw_main_curve, "classes": draw_classes}
    return found | ({"scores": draw_scores} if log.has_unknowns else {})


@dataclass(frozen=True)
class Curve:
    """A curve to draw instead of accuracy."""

    name: str  # in the log's series
    title: str
    share: bool  # whether it is written in percent


def chart(log: RunLog, name: str, curve: Curve | None = None) -> Figure:
    """One chart of a run, captioned so that it stands alone.

    Args:
        log: the run.
        name: of the chart, one of `charts`.
        curve: what the chart of curves draws; None for accuracy, or what there is without labels.

    Raises:
        ValueError: one sentence, where this run has no such chart.
    """
    if name not in charts(log):
        raise ValueError(f"Figure: of this run there are {' and '.join(charts(log))}, got '{name:.40}'.")
    if name == "curves" and curve is not None:
        return _captioned(log, [lambda axes, log: draw_curve(axes, log, curve)])
    return _captioned(log, [charts(log)[name]])


def sheet(log: RunLog) -> Figure:
    """One page of a run: curves, predicted classes, and scores where there were unknown pictures."""
    return _captioned(log, list(charts(log).values()))


def _captioned(log: RunLog, drawn: list[Callable[[Axes, RunLog], None]]) -> Figure:
    caption = textwrap.wrap(caption_of(log), width=80 * len(drawn))
    height = 4.8 + 0.18 * len(caption)
    figure = Figure(figsize=(5.4 * len(drawn), height), dpi=PRINT, layout="constrained")
    for axes, draw in zip(figure.subplots(1, len(drawn), squeeze=False)[0], drawn, strict=True):
        draw(axes, log)
    text = "\n".join(_plain(line) for line in caption)
    figure.supxlabel(text, color=NOTE, fontsize=8, ha="left", x=0.01)
    return figure


def draw_main_curve(axes: Axes, log: RunLog) -> None:
    """Accuracy where there are labels, else the share of answers that adaptation has changed."""
    recent = Curve("accuracy_window", f"Accuracy over the last {WINDOW} pictures", True)
    draw_curve(axes, log, recent if log.labelled else Curve("changed", "Answers changed by adaptation", True))


def draw_curve(axes: Axes, log: RunLog, curve: Curve) -> None:
    """A line per contender over the stream; of accuracy, with its 95 % interval behind."""
    shown: list[float] = []
    for label, sign in _signs(log).items():
        values = log.series[label].get(curve.name, [])
        batches = range(1, len(values) + 1)
        axes.plot(
            batches,
            values,
            color=sign.colour,
            linestyle=_dash(sign.dash),
            marker=MARKERS[sign.marker],
            markevery=_marked(len(values)),
            clip_on=False,
            label=_name(log, label),
        )
        if curve.name in INTERVALS and label in log.answers:
            ends = (log.interval(label, batch, INTERVALS[curve.name]) for batch in batches)
            low, high = zip(*ends, strict=True)
            axes.fill_between(batches, low, high, color=sign.colour, alpha=0.12, linewidth=0)
            shown += [*low, *high]
    shown += [value for series in log.series.values() for value in series.get(curve.name, ())]
    axes.set_xlim(1, max(2, len(log)))
    if curve.share:
        _fit(axes, shown)
        axes.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=None))
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.set_xlabel("batch")
    axes.grid(axis="y", color="#e3e5e9", linewidth=0.8)
    _bare(axes)
    _head(axes, curve.title)


def _marked(batches: int) -> list[int]:
    """Where a line has its sign: at its end, and a few times before."""
    return list(range(batches - 1, -1, -max(1, batches // 6)))


def _fit(axes: Axes, values: list[float]) -> None:
    """Let a share's axis show what there is, with a margin, at least a hundredth of it."""
    finite = [value for value in values if math.isfinite(value)] or [0.0, 1.0]
    low, high = min(finite), max(finite)
    margin = max(0.005, 0.08 * (high - low))
    axes.set_ylim(max(0.0, low - margin), min(1.0, high + margin))


def draw_classes(axes: Axes, log: RunLog) -> None:
    """How often each class was predicted recently, beside how often it was there."""
    classes = len(log.class_names)
    place, signs = np.arange(classes), _signs(log)
    width = 0.8 / max(1, len(signs))
    drawn: list[str] = []  # colours: copies of one method share theirs, and are hatched
    for k, (label, sign) in enumerate(signs.items()):
        counts = recent(log, log.predicted[label])
        used = log.series[label].get("effective_classes", [math.nan])[-1]
        hatch = HATCHES[drawn.count(sign.colour) % len(HATCHES)]
        drawn.append(sign.colour)
        axes.bar(
            place + (k + 0.5) * width - 0.4,
            counts,
            width,
            color=sign.colour,
            hatch=hatch,
            edgecolor="white" if hatch else sign.colour,
            linewidth=0,
            label=f"{_name(log, label)}: {used:.1f} of {classes} in use",
        )
    if log.labelled:
        truth = recent(log, log.truth)
        axes.step(
            np.arange(classes + 1) - 0.5, [*truth, truth[-1]], where="post", color=INK, label="true labels"
        )
    if classes <= MOST_CLASSES:
        axes.set_xticks(
            place, [_plain(name) for name in log.class_names], rotation=60, ha="right", fontsize=7
        )
    axes.yaxis.set_major_locator(MaxNLocator(integer=True))
    _bare(axes)
    _head(axes, f"Predicted classes, last {sum(log.sizes[-log.recent :])} pictures")


def draw_scores(axes: Axes, log: RunLog) -> None:
    """A row per contender: recent scores above their batch's threshold, known filled, unknown outlined; with
    the AUROC of all scores so far."""
    signs = _signs(log)
    for row, (label, sign) in enumerate(signs.items()):
        thresholds = log.series[label]["threshold"][-log.recent :]
        for batches, filled in ((log.known[label], True), (log.unknown[label], False)):
            lately = zip(batches[-log.recent :], thresholds, strict=True)
            scores = np.concatenate([np.array(batch) - threshold for batch, threshold in lately])
            if len(scores):
                _hill(axes, scores, row, sign.colour if filled else INK, filled)
    axes.axvline(0, color=INK, linewidth=1)
    axes.set_title("Scores: known filled, unknown outlined")
    axes.set_xlabel("score above the threshold")
    axes.set_yticks(
        np.arange(len(signs)) + 0.4,
        [f"{_name(log, label)}\nAUROC {100 * log.series[label]['auroc'][-1]:.1f} %" for label in signs],
    )
    axes.set_ylim(0, len(signs))
    _bare(axes)
    axes.tick_params(axis="y", length=0, labelcolor=INK)


def _hill(axes: Axes, scores: np.ndarray, row: int, colour: str, filled: bool) -> None:
    """A histogram that stands on its row and is 0.9 rows high."""
    counts, edges = np.histogram(scores, 30)
    heights = np.concatenate([[0], np.repeat(counts / counts.max() * 0.9, 2), [0]])
    axes.fill(
        np.repeat(edges, 2),
        row + heights,
        facecolor=colour if filled else "none",
        edgecolor=colour,
        alpha=0.6 if filled else 1.0,
        linewidth=1.1,
    )


def draw_standings(standings: Sequence[Standing], titles: Mapping[str, str], caption: str = "") -> Figure:
    """Accuracy of a comparison's contenders as bars, the first on top; zero-shot CLIP as a line."""
    shown = [one for one in standings if math.isfinite(one.metrics.get("accuracy", math.nan))]
    signs = looks_of({one.label: one.method or one.label for one in shown})
    figure = Figure(figsize=(6.4, 1.2 + 0.3 * max(2, len(shown))), dpi=PRINT, layout="constrained")
    axes = figure.subplots()
    values = [one.metrics["accuracy"] for one in shown]
    names = [_plain(textwrap.shorten(titles.get(one.label, one.label), 32)) for one in shown]
    bars = axes.barh(names, values, color=[signs[one.label].colour for one in shown])
    for one in shown:
        if one.label == "zero_shot":
            axes.axvline(one.metrics["accuracy"], color=INK, linewidth=1, linestyle="dashed")
    written = axes.bar_label(
        bars, [f"{100 * value:.1f}" for value in values], padding=3, color=INK, fontsize=8
    )
    for text in written:  # over the line
        text.set_bbox({"facecolor": "white", "edgecolor": "none", "pad": 0.5})
    axes.margins(x=0.1, y=0.02)
    axes.invert_yaxis()
    axes.xaxis.set_major_formatter(PercentFormatter(1.0))
    frozen = any(one.label == "zero_shot" for one in shown)
    axes.set_title(f"Accuracy over the stream{', dashed: zero-shot CLIP' if frozen else ''}")
    _bare(axes)
    axes.tick_params(axis="y", length=0, labelcolor=INK)
    text = "\n".join(_plain(line) for line in textwrap.wrap(caption, 90))
    figure.supxlabel(text, color=NOTE, fontsize=8, ha="left", x=0.01)
    return figure


def draw_heat(
    names: Sequence[str],
    columns: Sequence[str],
    means: Sequence[Sequence[float]],
    texts: Sequence[Sequence[str]],
    baseline: int,
    caption: str = "",
) -> Figure:
    """A table of shares as a heat map: contenders down, shifts across, coloured against one of them.

    Args:
        names: of the contenders.
        columns: of the shifts and their means.
        means: a line per contender, NaN where nothing is measured.
        texts: what is written in each place.
        baseline: the contender that colours compare with; -1 for none, and no colours.
        caption: what a reader must know besides.
    """
    values = np.array(means, dtype=float)  # (contenders, columns)
    gains = values - values[baseline] if baseline >= 0 else np.full_like(values, math.nan)
    wide = max(len(text) for line in texts for text in line)
    width, height = 2.4 + len(columns) * (0.2 + 0.075 * wide), 1.6 + 0.24 * len(names)
    figure = Figure(figsize=(max(5.4, width), height), dpi=PRINT, layout="constrained")
    axes = figure.subplots()
    colours = LinearSegmentedColormap.from_list("gain", GAIN).with_extremes(bad=EMPTY)
    measured = np.ma.masked_invalid(gains)
    axes.imshow(measured, cmap=colours, vmin=-FULL_GAIN, vmax=FULL_GAIN, aspect="auto")
    for row, (line, written) in enumerate(zip(means, texts, strict=True)):
        for column, (value, text) in enumerate(zip(line, written, strict=True)):
            ink = INK if math.isfinite(value) else SOFT
            axes.text(column, row, _plain(text), ha="center", va="center", color=ink, fontsize=8)
    axes.set_yticks(range(len(names)), [_plain(textwrap.shorten(name, 40)) for name in names], fontsize=8)
    axes.set_xticks(
        range(len(columns)), [_plain(name) for name in columns], fontsize=8, rotation=40, ha="left"
    )
    axes.xaxis.tick_top()
    axes.set_xticks(np.arange(len(columns)) + 0.5, minor=True)
    axes.set_yticks(np.arange(len(names)) + 0.5, minor=True)
    axes.grid(which="minor", color="white", linewidth=1.5)
    axes.spines[:].set_visible(False)
    axes.tick_params(which="both", length=0, labelcolor=INK)
    letters = int(15 * figure.get_figwidth())
    text = "\n".join(_plain(line) for line in textwrap.wrap(caption, letters))
    figure.supxlabel(text, color=NOTE, fontsize=8, ha="left", x=0.01)
    return figure


def recent(log: RunLog, batches: list[tuple[int, ...]]) -> np.ndarray:
    """Counts of the batches that hold the recent pictures, added up. -> (K,)"""
    return np.sum(batches[-log.recent :], axis=0) if batches else np.zeros(len(log.class_names), dtype=int)


def caption_of(log: RunLog) -> str:
    """What a chart's reader must know: stream, model, contenders with their settings, seed, n."""
    settings = log.settings
    parts = [str(settings["stream"])] if settings.get("stream") else _stream_of(log)
    shown = [one for one in log.contenders if one.label in log.series]
    for one in shown:
        knobs = ", ".join(f"{name} {value}" for name, value in one.settings.items())
        parts.append(f"{log.titles.get(one.label, one.label)} ({knobs or 'defaults'})")
    parts.append(f"n = {sum(log.sizes):,} pictures")
    return " · ".join(parts)


def caption_of_standings(stream: str, standings: Sequence[Standing], titles: Mapping[str, str]) -> str:
    """What a comparison's reader must know besides its numbers: the stream in words, and every setting."""
    chosen = [one for one in standings if one.settings]
    parts = [stream] if stream else []
    for one in chosen:
        knobs = ", ".join(f"{name} {value}" for name, value in one.settings.items())
        parts.append(f"{titles.get(one.label, one.label)} ({knobs})")
    if len(chosen) < len(standings):
        parts.append("all others at their defaults" if chosen else "every method at its defaults")
    return " · ".join(parts)


def _stream_of(log: RunLog) -> list[str]:
    """The stream of a log without words for it: what differs from the usual, from its settings."""
    settings = {name: value for name, value in log.settings.items() if value != "none"}
    shift = [str(settings["style"])] if "style" in settings else []
    scheduled = settings.get("schedule", "constant") != "constant"
    if "corruption" in settings or scheduled:
        over = f", schedule {settings['schedule']}" if scheduled else ""
        shift.append(f"{settings.get('corruption', 'corrupted')}, severity {settings['severity']}{over}")
    if "attack" in settings:
        shift.append(f"attack {settings['attack']} of {settings['attack_epsilon']}/255")
    parts = [" and ".join(shift) or "no shift", f"{len(log)} batches of {max(log.sizes, default=0)} pictures"]
    for name, usual in (("source", "rendered"), ("order", "shuffled"), ("start", None)):
        if settings.get(name, usual) != usual:
            parts.append(f"{name} {settings[name]}")
    parts += [str(settings["model"])] if "model" in settings else []
    if "unknown_source" in settings:
        share = 100 * float(str(settings["unknown_share"]))
        parts.append(f"{share:.0f} % unknown ({settings['unknown_source']})")
    if "predict" in settings:
        parts.append(f"predicted {'after' if settings['predict'] == 'post' else 'before'} the update")
    parts += [f"seed {settings['seed']}"] if "seed" in settings else []
    return [part.replace("_", " ") for part in parts]


def _signs(log: RunLog) -> dict[str, Look]:
    return looks_of({label: log.methods[label] for label in log.series})


def _name(log: RunLog, label: str) -> str:
    """A contender's title, cut to what fits beside a chart."""
    title = log.titles.get(label, label)
    return _plain(title if len(title) <= LONGEST else f"{title[: LONGEST - 1]}…")


def _head(axes: Axes, title: str) -> None:
    """The title, and below it, above the axes where nothing is drawn, what stands for what."""
    names = axes.get_legend_handles_labels()[1]
    columns = 2 if max(map(len, names), default=0) <= LONGEST + 6 else 1
    axes.legend(
        frameon=False,
        fontsize=8,
        ncols=columns,
        loc="lower left",
        bbox_to_anchor=(0, 1),
        borderaxespad=0.4,
        columnspacing=1.2,
    )
    axes.set_title(title, pad=8 + 13 * math.ceil(len(names) / columns))


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
