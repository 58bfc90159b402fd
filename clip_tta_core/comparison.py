"""Every method in turn over the same stream: who is right how often, and at what price.

for standing in in_turns(RunConfig(corruption="fog"), {name: {} for name in METHODS}):
    print(standing.method, standing.metrics["accuracy"])
"""

from __future__ import annotations

import dataclasses
import math
import time
from collections.abc import Callable, Iterable, Iterator, Mapping

from clip_tta_core import engine, hosting, limits
from clip_tta_core.control import Control
from clip_tta_core.hparams import Value
from clip_tta_core.methods import METHODS
from clip_tta_core.records import Report, RunConfig, Standing

PROTOCOL = "CLIPTTA protocol"  # the preset's name, for methods whose authors chose otherwise

Knobs = Mapping[str, Value]
Run = Callable[[RunConfig, Control], Iterator[Report]]


def protocol_knobs() -> dict[str, Knobs]:
    """Every method as in CLIPTTA's tables where it has such a preset, else at its defaults."""
    return {name: dict(cls.presets.get(PROTOCOL, {})) for name, cls in METHODS.items()}


def check(config: RunConfig, methods: Mapping[str, Knobs]) -> None:
    """Raise one sentence if these methods cannot be compared on this stream; loads nothing."""
    if not methods:
        raise ValueError("Comparison: at least one method must be chosen, got none.")
    for name, knobs in methods.items():
        engine.check(_alone(config, name, knobs))


def in_turns(
    config: RunConfig,
    methods: Mapping[str, Knobs],
    control: Control | None = None,
    run: Run = hosting.run,
) -> Iterator[Standing]:
    """Run the methods one after the other over the stream of `config` and report batch by batch.

    Any number of them: a run of its own for each keeps the memory that of one. The stream comes from the seed
    and a method's numbers do not depend on what runs beside it, so the standings are those of a joint run.

    Args:
        config: the stream, the model and the protocol; its own methods are not read.
        methods: {method: knobs}, in the order in which they have their turn.
        control: pauses, steps and stops, as in `engine.run`.
        run: what runs one method.

    Returns:
        a generator of standings. A method that cannot run here has one with the reason, and the next has its
        turn.
    """
    check(config, methods)
    return _in_turns(config, methods, control or Control(), run)


def _in_turns(
    config: RunConfig, methods: Mapping[str, Knobs], control: Control, run: Run
) -> Iterator[Standing]:
    seconds = limits.MAX_SECONDS.value
    end = time.monotonic() + seconds if seconds else math.inf
    for turn, (name, knobs) in enumerate(methods.items()):
        if time.monotonic() > end:
            raise ValueError(
                f"Comparison: on this page it may take {seconds} seconds, and only {turn} of {len(methods)} "
                "methods had their turn by then; choose fewer methods or batches."
            )
        standing, spent = Standing(name, 0, config.batches, {}, math.nan), 0.0
        reports = run(_alone(config, name, knobs), control)
        try:
            for report in reports:
                outcome = report.outcomes[name]
                spent += outcome.seconds
                standing = Standing(name, report.step, report.total, outcome.metrics, spent / report.step)
                yield standing
        except ValueError as problem:
            yield dataclasses.replace(standing, problem=str(problem))
        finally:
            reports.close()
        if control.stopped:
            return


def _alone(config: RunConfig, name: str, knobs: Knobs) -> RunConfig:
    return dataclasses.replace(config, methods={name: knobs})


def ranked(standings: Iterable[Standing]) -> list[Standing]:
    """The best first, by accuracy where there are labels; last what has not seen the whole stream."""

    def place(standing: Standing) -> tuple[bool, float]:
        accuracy = standing.metrics.get("accuracy", math.nan)
        return standing.done == standing.total, -math.inf if math.isnan(accuracy) else accuracy

    return sorted(standings, key=place, reverse=True)
