"""Every contender in turn over the same stream: who is right how often, and at what price.

for standing in in_turns(RunConfig(corruption="fog"), {name: {} for name in METHODS}):
    print(standing.label, standing.metrics["accuracy"])
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Generator, Iterable, Mapping

from clip_tta_core import hosting, limits, validation
from clip_tta_core.control import Control
from clip_tta_core.hparams import Value
from clip_tta_core.methods import METHODS
from clip_tta_core.records import Chosen, Contender, Report, RunConfig, Standing, contenders_of

PROTOCOL = "CLIPTTA protocol"  # the preset's name, for methods whose authors chose otherwise

Knobs = Mapping[str, Value]
Engine = Callable[[RunConfig, Control], Generator[Report]]


def protocol_knobs() -> dict[str, Knobs]:
    """Every method as in CLIPTTA's tables where it has such a preset, else at its defaults."""
    return {name: dict(cls.presets.get(PROTOCOL, {})) for name, cls in METHODS.items()}


def check(config: RunConfig, chosen: Chosen) -> None:
    """Raise one sentence if these contenders cannot be compared on this stream; loads nothing."""
    contenders = contenders_of(chosen)
    if not contenders:
        raise ValueError("Comparison: at least one method must be chosen, got none.")
    validation.check_contenders(contenders)
    validation.check_stream(config)
    validation.check_amount(config, contenders)  # of all together: for every limit it is one run


def in_turns(
    config: RunConfig, chosen: Chosen, control: Control | None = None, run: Engine = hosting.run
) -> Generator[Standing]:
    """Run contenders one after the other over the stream of `config` and report batch by batch.

    Any number of them: a run of its own for each keeps the memory that of one. The stream comes from the seed
    and a contender's numbers do not depend on what runs beside it, so the standings are those of a joint run.

    Args:
        config: the stream, the model and the protocol; its own contenders are not read.
        chosen: contenders, or {method: settings}, in the order in which they have their turn.
        control: pauses, steps and stops, as in `engine.run`.
        run: what runs one contender.

    Returns:
        a generator of standings. A contender that cannot run here has one with the reason, and the next has
        its turn.
    """
    contenders = contenders_of(chosen)
    check(config, contenders)
    return _in_turns(config, contenders, control or Control(), run)


def _in_turns(
    config: RunConfig, contenders: tuple[Contender, ...], control: Control, run: Engine
) -> Generator[Standing]:
    control.limit(limits.MAX_SECONDS.value)
    finished = 0
    for one in contenders:
        if control.left < 0:
            raise ValueError(
                f"Comparison: on this page it may take {limits.MAX_SECONDS.value} seconds, and only "
                f"{finished} of {len(contenders)} methods had their turn by then; "
                "choose fewer methods or batches."
            )
        standing = Standing(
            one.label,
            0,
            config.batches,
            {},
            math.nan,
            method=one.method,
            settings=dict(one.settings),
            from_start=one.from_start,
        )
        spent = 0.0
        reports = run(dataclasses.replace(config, contenders=(one,)), control)
        try:
            for report in reports:
                outcome = report.outcomes[one.label]
                spent += outcome.seconds
                standing = dataclasses.replace(
                    standing,
                    classes=outcome.probs.shape[1],
                    done=report.batch_number,
                    total=report.total,
                    metrics=outcome.metrics,
                    seconds=spent / report.batch_number,
                )
                yield standing
            finished += 1
        except ValueError as problem:
            yield dataclasses.replace(standing, problem=str(problem))
        finally:
            reports.close()
        if control.stopped:
            return


def ranked(standings: Iterable[Standing]) -> list[Standing]:
    """The best first, by accuracy where there are labels; last what has not seen the whole stream."""

    def place(standing: Standing) -> tuple[bool, float]:
        accuracy = standing.metrics.get("accuracy", math.nan)
        return standing.done == standing.total, -math.inf if math.isnan(accuracy) else accuracy

    return sorted(standings, key=place, reverse=True)
