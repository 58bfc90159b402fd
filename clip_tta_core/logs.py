"""The log of a run that is about to begin."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

from clip_tta_core.methods import title_of
from clip_tta_core.records import RunConfig, RunLog
from clip_tta_core.sources.rendered import TASK
from clip_tta_core.validation import ZERO_SHOT, references_of

NOT_SETTINGS = ("contenders", "pictures", "unknown_pictures")  # too large, or kept elsewhere in the log


def settings_of(config: RunConfig) -> dict[str, object]:
    """What decides a run's numbers besides its contenders and uploaded pictures, as plain values."""
    names = (item.name for item in dataclasses.fields(config) if item.name not in NOT_SETTINGS)
    kept: dict[str, object] = {name: getattr(config, name) for name in names}
    plain = {"class_names": "\n".join(config.class_names), "start_settings": dict(config.start_settings)}
    return kept | plain


def classes_of(config: RunConfig) -> tuple[str, ...]:
    """The classes a run will choose between, where that is known before its source is opened."""
    if config.class_names:
        return config.class_names
    return config.pictures.class_names if config.pictures is not None else tuple(TASK)


def open_log(config: RunConfig, settings: Mapping[str, object] | None = None) -> RunLog:
    """An empty log that knows who takes part and on what.

    Args:
        config: of the run.
        settings: plain values to keep with it, as a form holds them; those of `config` come beneath.
    """
    others = (one for one in config.contenders if one.label != ZERO_SHOT)
    contenders = (*references_of(config), *others)
    return RunLog(
        class_names=classes_of(config),
        contenders=contenders,
        titles={one.label: title_of(one) for one in contenders},
        settings=settings_of(config) | dict(settings or {}),
        total=config.batches,
    )
