"""Runs for scripts: settings in, one plain record a batch out, and an error that the caller sees."""

from __future__ import annotations

import math
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from typing import Any

from clip_tta_core import comparison, engine
from clip_tta_core.control import Control
from clip_tta_core.logs import open_log
from clip_tta_core.methods import METHODS
from clip_tta_core.records import RunConfig, RunLog, Standing
from clip_tta_core.registry import unknown_name
from clip_tta_core.ui.session.compare import chosen
from clip_tta_core.ui.session.follow import follow
from clip_tta_core.ui.session.runs import Reported, Run
from clip_tta_core.ui.session.settings import defaults
from clip_tta_core.ui.session.site import Site

Record = dict[str, Any]


def experiment(site: Site, settings: Mapping[str, Any], session: str) -> Iterator[Record]:
    """Run the methods of `settings` on its stream.

    Args:
        site: whose engine runs.
        settings: any of the fields of the form; what is left out is default. `methods` is {method: {knob:
            value}} or a list of {label, method, settings}.
        session: the caller's.

    Returns:
        a generator of {batch, batches, methods: {label: {measure: number or None}}}. Unknown fields, bad
        values and a run that fails raise ValueError with one sentence.
    """
    check_names(settings)
    config = site.configure(settings, session)
    engine.check(config)
    log, told = open_log(config), 0

    def news() -> Iterator[Record]:
        nonlocal told
        for batch in range(told, len(log)):
            yield record(log, batch)
        told = len(log)

    yield from _in_turn(site, session, Run(site.engine, config), log.append, news)


def compare(
    site: Site, settings: Mapping[str, Any], methods: Sequence[str], knobs: str, session: str
) -> Iterator[Record]:
    """Give methods their turns on the stream of `settings`.

    Args:
        site: whose engine runs.
        settings: as for `experiment`.
        methods: their names, or labels of the copies in `settings`; all methods where there is none.
        knobs: how they are set, a name of session.compare.KNOBS.
        session: the caller's.

    Returns:
        a generator of {contender, method, settings, batch, batches, measures: {measure: number or None},
        problem}, one a batch of each; `problem` says why one could not go on. What is wrong raises ValueError
        with one sentence.
    """
    check_names(settings)
    config = site.configure(settings, session)
    taking = chosen(methods or list(METHODS), knobs, config)
    comparison.check(config, taking)
    came: list[Standing] = []

    def in_turns(config: RunConfig, control: Control) -> Generator[Standing]:
        yield from comparison.in_turns(config, taking, control, site.engine)

    def news() -> Iterator[Record]:
        while came:
            yield standing_record(came.pop(0))

    yield from _in_turn(
        site, session, Run(in_turns, config), lambda standing, active: came.append(standing), news
    )


def _in_turn(
    site: Site,
    session: str,
    run: Run[Reported],
    take: Callable[[Reported, float], None],
    news: Callable[[], Iterator[Record]],
) -> Iterator[Record]:
    """Let a run have its place in the line, and tell what is new of it as it comes.

    Args:
        take: what is done with each report and the seconds of work until then.
        news: the records of what has been taken since the last call.
    """
    turn, absence = site.turns.join(session, button="the same call"), site.absence(session)
    try:
        for _ in site.turns.wait(turn, absence):
            pass
        if not site.turns.has(turn):
            return
        site.begin(turn, run)
        try:
            for _ in follow(run, take, absence):
                yield from news()
            if run.problem:
                raise ValueError(run.problem)
        finally:
            site.runs.end(session, run)
    finally:
        site.turns.leave(turn)


def standing_record(standing: Standing) -> Record:
    """Where a contender is, in plain values."""
    return {
        "contender": standing.label,
        "method": standing.method or standing.label,
        "settings": dict(standing.settings),
        "batch": standing.done,
        "batches": standing.total,
        "measures": {name: _finite(value) for name, value in standing.metrics.items()},
        "problem": standing.problem,
    }


def check_names(settings: Mapping[str, Any]) -> None:
    """Raise one sentence about a field that is none of the form's: a typo must not pass unnoticed."""
    if not isinstance(settings, Mapping):
        raise ValueError(f"Experiment: settings must be a mapping, got {type(settings).__name__}.")
    for name in settings:
        if name not in defaults():
            raise ValueError(unknown_name("setting", name, defaults()))
    if settings.get("lesson"):  # of the page alone: it would change nothing here
        raise ValueError(
            f"Experiment: a lesson is no setting of a run, got {settings['lesson']!r:.40}; choose it on the "
            "page and take its settings from 'Use it from a script'."
        )


def record(log: RunLog, batch: int) -> Record:
    """The numbers of one batch (0 for the first)."""
    numbers = {
        label: {name: _finite(values[batch]) for name, values in series.items()}
        for label, series in log.series.items()
    }
    return {"batch": batch + 1, "batches": log.total, "methods": numbers}


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
