"""A run's log -> what each part of the page draws."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from clip_tta_core import thumbnails
from clip_tta_core.methods import looks_of
from clip_tta_core.records import Report, RunLog
from clip_tta_core.ui.wire import encode, measures
from clip_tta_core.ui.wire.encode import Counts, DataUrl, Lines, Numbers, joined
from clip_tta_core.ui.wire.measures import Measure
from clip_tta_core.ui.wire.parts import Classes, Contender, Curves, Gallery, Results, Scores, Sentence
from clip_tta_core.ui.words.run import sentence as sentence_at
from clip_tta_core.ui.words.run import summary

_histories = encode.Histories()
BANDS = {"accuracy_window": True, "accuracy": False}  # measures with an interval: whether of recent pictures
DRAWN_ALWAYS = ("accuracy", "changed")  # one of these is what a reader sees who has chosen nothing


def methods(log: RunLog) -> tuple[Contender, ...]:
    """Name, title and look of every method of the run, in the order pictures list them."""
    looks = looks_of({label: log.methods[label] for label in log.series})
    return tuple(
        Contender(name, log.titles.get(name, name), sign.colour, sign.dash, sign.marker)
        for name, sign in looks.items()
    )


def curves(log: RunLog) -> Curves:
    """Every curve over the stream; the picture lets its reader choose which one to draw."""
    return Curves(
        methods=methods(log),
        total=log.total,
        labelled=log.labelled,
        unknowns=log.has_unknowns,
        classes=len(log.class_names),
        curves={
            m.name: {name: _series(log, name, m.name) for name in log.series}
            for m in measures.shown("curves")
            if m.name in DRAWN_ALWAYS or any(m.name in series for series in log.series.values())
        },
        low={name: _bounds(log, 0, recent) for name, recent in BANDS.items()},
        high={name: _bounds(log, 1, recent) for name, recent in BANDS.items()},
    )


def _bounds(log: RunLog, side: int, recent: bool) -> dict[str, Numbers]:
    """One end of each accuracy's 95 % interval, batch by batch."""
    return {
        label: Numbers(
            _histories.grown(
                log,
                ("interval", label, str(side), str(recent)),
                range(1, len(log.labels) + 1),
                lambda batch, label=label: encode.number(log.interval(label, batch, recent)[side]),
            )
        )
        for label in log.answers
    }


def classes(log: RunLog) -> Classes:
    """Predicted classes per step and method beside the true ones, and how many classes are in use."""
    return Classes(
        methods=methods(log),
        classes=tuple(log.class_names),
        window=log.recent,
        labelled=log.labelled,
        counts={
            name: Counts(_histories.grown(log, ("counts", name), steps, encode.sparse))
            for name, steps in log.predicted.items()
        },
        truth=Counts(_histories.grown(log, ("truth",), log.truth, encode.sparse)),
        effective={name: _series(log, name, "effective_classes") for name in log.series},
    )


def scores(log: RunLog) -> Scores | None:
    """Scores of known and unknown pictures around the threshold; None when nothing unknown has come."""
    if not log.has_unknowns:
        return None

    def each(curve: str) -> dict[str, Numbers]:
        return {name: _series(log, name, curve) for name in log.series}

    return Scores(
        methods=methods(log),
        window=log.recent,
        known=_lines(log, "known", log.known),
        unknown=_lines(log, "unknown", log.unknown),
        threshold=each("threshold"),
        auroc=each("auroc"),
        fpr95=each("fpr95"),
        accepted=each("accepted"),
    )


def results(log: RunLog) -> Results:
    """The table: a row per method, a column per measure that fits the run; accuracy always, if as a dash."""
    columns = tuple(m for m in measures.shown("table") if m.name == "accuracy" or _fits(log, m))
    return Results(
        methods=methods(log),
        columns=columns,
        values={m.name: {name: _column(log, name, m.name) for name in log.series} for m in columns},
    )


def sentence(log: RunLog) -> Sentence:
    """What to say at every step and of all of it, and what the visitor should know about the run."""
    steps = _histories.grown(log, ("sentence",), range(len(log)), lambda step: sentence_at(log, step) + "\n")
    return Sentence(Lines(steps), summary(log), str(log.settings.get("stream", "")), tuple(log.notes))


def gallery(log: RunLog) -> Gallery | None:
    """The latest batch: a sprite sheet, the labels, and every method's predictions."""
    report = log.last
    if report is None:
        return None
    batch, outcomes = report.batch, report.outcomes
    return Gallery(
        methods=methods(log),
        classes=tuple(log.class_names),
        sprite=_sprite(log, report),
        step=report.batch_number,
        total=report.total,
        columns=thumbnails.columns(len(batch)),
        labels=joined(np.where(batch.unknown, -1, batch.labels).tolist()),
        unknown=joined(batch.unknown.astype(int).tolist()),
        names=tuple(batch.names),
        applied=tuple(batch.applied),
        answers={name: joined(item.probs.argmax(axis=1).tolist()) for name, item in outcomes.items()},
        sure={
            name: joined((100 * item.probs.max(axis=1)).round().astype(int))
            for name, item in outcomes.items()
        },
        accepted={
            name: joined((item.scores > item.threshold).astype(int)) for name, item in outcomes.items()
        },
    )


def _sprite(log: RunLog, report: Report) -> DataUrl:
    """The latest batch's pictures; a recorded run of an earlier version kept them without a sheet."""
    return encode.jpeg_url(log.sheets[-1] if log.sheets else thumbnails.sheet(report.batch.images))


def _fits(log: RunLog, measure: Measure) -> bool:
    return {"": True, "labels": log.labelled, "unknowns": log.has_unknowns}[measure.needs]


def _column(log: RunLog, method: str, curve: str) -> Numbers:
    if curve != "seconds":
        return _series(log, method, curve)
    seconds = np.array(log.series[method].get("seconds", []))
    means = seconds.cumsum() / np.arange(1, len(seconds) + 1)
    return Numbers(_histories.grown(log, ("mean seconds", method), means.tolist(), encode.number))


def _series(log: RunLog, method: str, curve: str) -> Numbers:
    steps = log.series[method].get(curve, ())
    return Numbers(_histories.grown(log, (curve, method), steps, encode.number))


def _lines(log: RunLog, key: str, steps: Mapping[str, Sequence[Sequence[float]]]) -> dict[str, Lines]:
    """A line a batch, for each method."""
    return {name: Lines(_histories.grown(log, (key, name), own, encode.line)) for name, own in steps.items()}
