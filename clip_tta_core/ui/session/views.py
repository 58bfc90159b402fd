"""A run's log -> what each part of the page draws."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping, Sequence
from weakref import WeakKeyDictionary

import numpy as np

from clip_tta_core import thumbnails
from clip_tta_core.methods import looks_of
from clip_tta_core.records import INTERVALS, RunLog
from clip_tta_core.ui.session.course import Course
from clip_tta_core.ui.wire import encode, measures
from clip_tta_core.ui.wire.diagnostics import reported
from clip_tta_core.ui.wire.encode import Counts, DataUrl, Indices, Lines, Numbers, joined
from clip_tta_core.ui.wire.measures import Measure
from clip_tta_core.ui.wire.parts import (
    Classes,
    Contender,
    Curves,
    Gallery,
    Results,
    Scores,
    Sentence,
    Steps,
)
from clip_tta_core.ui.words import steps as words
from clip_tta_core.ui.words.run import sentence as sentence_at
from clip_tta_core.ui.words.run import summary

_histories = encode.Histories()
_names: WeakKeyDictionary[RunLog, int] = WeakKeyDictionary()
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
    names = list(dict.fromkeys(name for series in log.series.values() for name in series))
    more = reported(names)
    return Curves(
        methods=methods(log),
        total=log.total,
        labelled=log.labelled,
        unknowns=log.has_unknowns,
        classes=len(log.class_names),
        more=more,
        curves={
            m.name: {name: _series(log, name, m.name) for name in log.series}
            for m in (*measures.shown("curves"), *more)
            if m.name in DRAWN_ALWAYS or m.name in names
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
        answers=_answers({name: item.probs for name, item in outcomes.items()}),
        sure=_sure({name: item.probs for name, item in outcomes.items()}),
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
    return _names.setdefault(log, next(_fresh))


def gallery_under_way(log: RunLog, course: Course) -> Gallery | None:
    """The batch that is under way: its pictures, and the predictions of the methods that have any yet."""
    glimpse = course.latest
    if glimpse is None or not course.seen:
        return None
    batch, work = glimpse.batch, course.work
    probs = {label: looks[-1].probs for label, looks in course.seen.items()}
    taken, steps = course.seen[work][-1].taken, course.steps[work]
    at_work = work not in glimpse.outcomes
    return Gallery(
        methods=tuple(one for one in contenders(log) if one.name in probs),
        classes=tuple(log.class_names),
        run=_number(log),
        sprite=encode.jpeg_url(course.sheet),
        step=glimpse.batch_number,
        total=glimpse.total,
        columns=thumbnails.columns(len(batch)),
        labels=joined(np.where(batch.unknown, -1, batch.labels).tolist()),
        unknown=joined(batch.unknown.astype(int).tolist()),
        names=tuple(batch.names),
        applied=tuple(batch.applied),
        answers=_answers(probs),
        sure=_sure(probs),
        accepted={
            name: joined((item.scores > item.threshold).astype(int))
            for name, item in glimpse.outcomes.items()
        },
        work=work,
        after=f"{taken} of {steps} steps" if at_work else None,
    )


def steps(log: RunLog, course: Course) -> Steps | None:
    """How the methods' numbers on the batch move from step to step; None before anything was seen."""
    glimpse = course.latest
    if glimpse is None or not course.seen:
        return None
    batch, seen = glimpse.batch, course.seen
    found = list(dict.fromkeys(name for looks in seen.values() for one in looks for name in one.numbers))
    labelled = bool((batch.labels >= 0).any())
    usual = (one for one in measures.shown("steps") if labelled or one.needs != "labels")
    told = (*_moving(course, reported(found)), *usual)
    answers = {label: looks[-1].probs.argmax(axis=1) for label, looks in seen.items()}
    size = len(log.class_names)

    def counted(classes: np.ndarray) -> Counts:
        return Counts(encode.sparse(np.bincount(classes, minlength=size).tolist()))

    return Steps(
        methods=contenders(log),
        classes=tuple(log.class_names),
        batch=glimpse.batch_number,
        size=len(batch),
        labelled=labelled,
        work=course.work,
        planned=dict(course.steps),
        done=tuple(glimpse.outcomes),
        taken={label: _numbers(one.taken for one in looks) for label, looks in seen.items()},
        measures=told,
        values={
            one.name: {label: _numbers(course.series(label, one.name)) for label in seen} for one in told
        },
        counts={label: counted(own[~batch.unknown]) for label, own in answers.items()},
        truth=counted(batch.labels[(batch.labels >= 0) & ~batch.unknown]),
        says=words.steps(
            log.titles[course.work], course.on.get(course.work), course.work in glimpse.outcomes
        ),
    )


def _moving(course: Course, found: tuple[Measure, ...]) -> tuple[Measure, ...]:
    """What the method at work reports of its loss; a loss of one term is that term."""
    looks = [one.numbers for one in course.seen[course.work]]
    own = [one for one in found if any(one.name in numbers for numbers in looks)]
    return tuple(own[:1] if len(own) == 2 else own)


def contenders(log: RunLog) -> tuple[Contender, ...]:
    """Everybody who takes part, in the order of their turns, also before the first report."""
    looks = looks_of(log.methods)
    return tuple(
        Contender(name, title, looks[name].colour, looks[name].dash, looks[name].marker)
        for name, title in log.titles.items()
    )


def _numbers(values: Iterable[float]) -> Numbers:
    return Numbers("".join(map(encode.number, values)))


def _answers(probs: Mapping[str, np.ndarray]) -> dict[str, Indices]:
    """The likeliest classes, by method. {method: (B, K)}"""
    return {name: joined(own.argmax(axis=1).tolist()) for name, own in probs.items()}


def _sure(probs: Mapping[str, np.ndarray]) -> dict[str, Indices]:
    """The confidence in them in percent, by method. {method: (B, K)}"""
    return {name: joined((100 * own.max(axis=1)).round().astype(int)) for name, own in probs.items()}


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
