"""What a run sees, in one line."""

from __future__ import annotations

from clip_tta_core.corruptions import CORRUPTIONS
from clip_tta_core.corruptions.schedule import SCHEDULES, UNTOUCHED, plan
from clip_tta_core.records import Catalog, Choice, RunConfig, StartCard
from clip_tta_core.sources.datasets import DATASETS
from clip_tta_core.stream import lay_out, open_source, open_unknowns
from clip_tta_core.ui.words.numbers import percent

SIDE = 8  # pixels; nothing is drawn to count
LONG = 1000  # pictures of a stream that goes through all that a schedule has


def length(config: RunConfig) -> str:
    """How many pictures a stream shows: of a finite source, those that there are."""
    most = f"{config.batches} × {config.batch_size} pictures"
    if config.source == "rendered":  # without end
        return most
    if config.source != "upload" or config.pictures is None:
        return f"up to {most}"
    try:
        source = open_source(config, SIDE)
        count = len(lay_out(config, source, open_unknowns(config, source.class_names, SIDE)).items)
    except ValueError:  # the run will say what is wrong
        return f"up to {most}"
    if count == config.batches * config.batch_size:
        return most
    batches = -(-count // config.batch_size)
    return f"{count:,} pictures in {batches} batch{'' if batches == 1 else 'es'}"


def corruptions(config: RunConfig) -> tuple[str, ...]:
    """What corrupts a stream's pictures: "fog 5", "fog 5 (sudden change)"; nothing where they stay clean.

    Some schedules bring corruptions of their own, whatever the one that is chosen.
    """
    steps = {*plan(config.schedule, config.corruption, config.severity, LONG)} - {UNTOUCHED}
    if not steps:
        return ()
    names = {name for name, _ in steps}
    if len(names) == 1:
        said = f"{CORRUPTIONS[names.pop()].title.lower()} {config.severity}"
    else:
        how = "at" if len({severity for _, severity in steps}) == 1 else "up to"
        said = f"{len(names)} corruptions {how} severity {config.severity}"
    return (
        said if config.schedule == "constant" else f"{said} ({SCHEDULES[config.schedule].title.lower()})",
    )


def stream(config: RunConfig, catalog: Catalog) -> str:
    """What a run sees, in one line: pictures, what happens to them, order, length, model."""

    def title(choices: tuple[Choice, ...] | tuple[StartCard, ...], name: str) -> str:
        known = {f"dataset:{one.name}": one.title for one in DATASETS.values()}  # also those not offered here
        return next((one.title for one in choices if one.name == name), known.get(name, name))

    shift = []
    if config.style != "none":
        shift.append(title(catalog.styles, config.style).lower())
    shift += corruptions(config)
    if config.attack != "none" and config.attack_epsilon:
        whom = ", each method as adapted" if config.attack_target == "adapted" else ""
        shift.append(f"attacked ({config.attack}, {config.attack_epsilon:g}/255{whom})")
    parts = [
        f"{title(catalog.sources, config.source)}, {' and '.join(shift) if shift else 'clean'}",
        f"{title(catalog.orders, config.order).lower()}, {length(config)}",
        title(catalog.models, config.model),
        f"predicts {'after' if config.predict == 'post' else 'before'} the update",
        f"seed {config.seed}",
    ]
    if config.unknown_source != "none":
        unknown = title(catalog.unknown_sources, config.unknown_source).lower()
        parts.insert(1, f"{percent(config.unknown_share)} unknown ({unknown})")
    if config.clock == "runs":
        parts.append("the stream does not wait")
    if config.start != "none":
        parts.insert(
            -1, f"begins with {title(catalog.starts, config.start)}, {config.shots} pictures a class"
        )
    if config.episodic:
        parts.append("weights reset after every batch")
    return " · ".join(parts)
