"""A run's log -> what each part of the page draws."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from weakref import WeakKeyDictionary

import numpy as np

from clip_tta_core import thumbnails
from clip_tta_core.methods import looks_of
from clip_tta_core.records import INTERVALS, RunLog
from clip_tta_core.ui.wire import encode, measures
from clip_tta_core.ui.wire.encode import Counts, DataUrl, Lines, Numbers, joined
from clip_tta_core.ui.wire.measures import Measure
from clip_tta_core.ui.wire.parts import Classes, Contender, Curves, Gallery, Results, Scores, Sentence
from clip_tta_core.ui.words.run import sentence as sentence_at
from clip_tta_core.ui.words.run import summary

_histories = encode.Histories()
_numbers: WeakKeyDictionary[RunLog, int] = WeakKeyDictionary()
_fresh = itertools.count(1)
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
        low={name: _bounds(log, 0, recent) for name, recent in INTERVALS.items()},
        high={name: _bounds(log, 1, recent) for name, recent in INTERVALS.items()},
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
    return gallery_at(log, len(log) - 1) if log.names else _gallery_of_report(log)


def _gallery_of_report(log: RunLog) -> Gallery | None:
    """Of a file of an earlier version, which holds the answers of its last batch only."""
    report = log.last
    if report is None:
        return None
    batch, outcomes = report.batch, report.outcomes
    return Gallery(
        methods=methods(log),
        classes=tuple(log.class_names),
        run=_number(log),
        sprite=encode.jpeg_url(thumbnails.sheet(batch.images)),
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


def gallery_at(log: RunLog, step: int) -> Gallery | None:
    """A batch (0 for the first) as the log has kept it; None where there is none.

    The pictures of a long run's first batches may be gone; what was answered is there.
    """
    if not 0 <= step < min(len(log), len(log.names)):
        return None
    outside = _outside(log, step)
    sheet = log.sheets[step] if step < len(log.sheets) else b""
    return Gallery(
        methods=methods(log),
        classes=tuple(log.class_names),
        run=_number(log),
        sprite=encode.jpeg_url(sheet) if sheet else DataUrl(""),
        step=step + 1,
        total=log.total,
        columns=thumbnails.columns(log.sizes[step]),
        labels=joined(log.labels[step]),
        unknown=joined(outside.astype(int).tolist()),
        names=log.names[step],
        applied=log.applied[step],
        answers={name: joined(batches[step]) for name, batches in log.answers.items()},
        sure={
            name: joined((100 * np.array(batches[step])).round().astype(int))
            for name, batches in log.confidence.items()
        },
        accepted={name: joined(_accepted(log, name, step, outside)) for name in log.answers},
    )


def _outside(log: RunLog, step: int) -> np.ndarray:
    """Which pictures of a batch show something outside the class list. -> bool (B,)"""
    if step < len(log.outside):
        return np.array(log.outside[step], dtype=bool)
    # A file of before they were marked: where there are unknown pictures, those without a label.
    return np.array(log.labels[step]) < 0 if log.has_unknowns else np.zeros(log.sizes[step], dtype=bool)


def _accepted(log: RunLog, label: str, step: int, outside: np.ndarray) -> list[int]:
    """1 where a picture's score lies above its batch's threshold."""
    scores, unknown = np.zeros(len(outside)), log.unknown[label][step]
    if outside.sum() == len(unknown):
        scores[~outside], scores[outside] = log.known[label][step], unknown
    return (scores > log.series[label]["threshold"][step]).astype(int).tolist()


def _number(log: RunLog) -> int:
    """Tells one run from another."""
    return _numbers.setdefault(log, next(_fresh))


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
