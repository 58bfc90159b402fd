"""Where a run takes place: in this process, or on a GPU that is lent for the length of one call.

Hugging Face's ZeroGPU lends one to the functions that its package `spaces` decorates. Such a function runs in
another process: its arguments and every report are pickled, and what it changes there is not changed here. So
one call is one whole run, everything that is trained is built inside it, and of the run's control only Stop
reaches it, between batches. What contenders look like inside comes back with the reports; the steps of a
batch under way, where nobody can hold it, are not seen. The embedded CLIPs need none and stay in this
process, where Pause and Step work. Without the package, or elsewhere, `run` is the engine's own.
"""

from __future__ import annotations

import dataclasses
import logging
import math
import os
from collections.abc import Callable, Generator

from clip_tta_core import engine, limits
from clip_tta_core.clip.embedded import EMBEDDED
from clip_tta_core.clip.loading import load
from clip_tta_core.control import Control, OutOfTime, Progress, Stopped
from clip_tta_core.records import Report, RunConfig
from clip_tta_core.validation import Checked, start_steps

# What a run asks for. The rates are guesses on the safe side, not measurements: a call that takes longer than
# it declared is ended, and one that declares more than a visitor has left today is refused.
START_SECONDS = 8.0  # weights to the GPU, class names, first kernels
STEP_SECONDS = 0.03  # of a small model, where the GPU waits for Python
FLOPS_PER_SECOND = 5e13  # with autocast
SHORTEST, LONGEST = 15, 120

log = logging.getLogger(__name__)
Borrowed = Callable[[RunConfig, bool], Generator[Report]]


def seconds(config: RunConfig, inside: bool = False) -> int:
    """How long a run will hold a GPU, generously; what is declared when one is asked for.

    Args:
        config: of the run.
        inside: as the run is given it; looking costs next to nothing.
    """
    images = config.batch_size * config.batches
    costs = engine.costs(config.contenders, config.batch_size, config.batches).values()
    work = (
        sum(cost.relative for cost in costs)
        * images
        * load(config.model, "cpu", wanted=config.precision).flops
    )
    # A method that needs `relative` forwards for a picture takes about a third as many steps for a batch.
    steps = sum(1 + cost.relative / 3 for cost in costs) * config.batches + start_steps(config)
    expected = START_SECONDS + work / FLOPS_PER_SECOND + steps * STEP_SECONDS
    longest = min(LONGEST, limits.MAX_SECONDS.value or LONGEST)
    return min(longest, max(SHORTEST, math.ceil(expected)))


def _run_here(config: RunConfig, inside: bool) -> Generator[Report]:
    control = Control()
    control.inside = inside
    yield from engine.run(config, control)


def _borrow() -> Borrowed | None:
    """The run as a function that gets a GPU for its time, where there is somebody to lend one."""
    if not os.environ.get("SPACES_ZERO_GPU"):
        return None
    try:
        import spaces  # pyright: ignore[reportMissingImports] (only where GPUs are lent)
    except ImportError:
        return None
    return spaces.GPU(duration=seconds)(_run_here)


_borrowed = _borrow()  # when this is imported: the package wants to know its functions before the page starts


def has_controls(model: str) -> bool:
    """Whether runs of `model` can be paused and stepped here; Stop works always."""
    return _borrowed is None or model in EMBEDDED


def run(config: RunConfig, control: Control | None = None) -> Generator[Report]:
    """What `engine.run` does, on a lent GPU where there is one and the model is worth it.

    Whatever goes wrong inside is a ValueError with a sentence for the visitor; what nobody foresaw has its
    trace in the log.
    """
    if _borrowed is None:
        return _explained(engine.run(config, control))
    if config.model in EMBEDDED:
        return _explained(engine.run(dataclasses.replace(config, device="cpu"), control))
    return _explained(_relayed(_borrowed, engine.check(config), control or Control()))


def _explained(reports: Generator[Report]) -> Generator[Report]:
    """The border of a run: no error leaves it without a sentence."""
    try:
        yield from reports
    except ValueError:
        raise
    except Exception as error:
        log.exception("a run failed")
        raise ValueError(
            f"Run: something went wrong inside ({type(error).__name__}: {error!s:.200}); what was computed "
            "so far is kept. The server's log has the details."
        ) from error


def _relayed(borrowed: Borrowed, checked: Checked, control: Control) -> Generator[Report]:
    """Fetch the model without a GPU, then pass on what the other process reports."""
    reports = None
    control.limit(limits.MAX_SECONDS.value)
    try:
        here = dataclasses.replace(checked.config, device="cpu")
        engine.prepare(dataclasses.replace(checked, config=here), control)
        reports = borrowed(dataclasses.replace(checked.config, device="auto"), control.inside)
        for report in reports:
            control.announce(Progress(report.batch_number, report.total))
            yield report
    except Stopped:
        return
    except OutOfTime:
        raise ValueError(
            f"Run: on this page a run may take {limits.MAX_SECONDS.value} seconds, and this one was not done "
            "by then; choose fewer batches or steps, or try again when the model is here."
        ) from None
    finally:
        if reports is not None:
            reports.close()
