"""What outlives a visit: files of a run, and links that restore its settings."""

from __future__ import annotations

import base64
import dataclasses
import itertools
import json
from collections.abc import Mapping
from typing import Any

from clip_tta_core import export, plots
from clip_tta_core.engine import ZERO_SHOT
from clip_tta_core.records import Contender, RunLog
from clip_tta_core.ui.session import links
from clip_tta_core.ui.session.settings import Settings, defaults, to_config
from clip_tta_core.ui.wire.parts import KeptFile, Link

WRITERS = {  # by what is asked for: the end of its name, the media type, and what writes it
    "csv": (".csv", "text/csv", export.to_csv),
    "pictures": ("-pictures.csv", "text/csv", export.pictures_to_csv),
    "json": (".json", "application/json", export.to_json),
    "png": (".png", "image/png", plots.to_png),
    "svg": (".svg", "image/svg+xml", plots.to_svg),
}
NOTHING_YET = "There is nothing to download yet; press Run first."
LARGEST = 64 * 2**20  # characters of a saved run
_serial = itertools.count(1)


def keep(kind: str, log: RunLog) -> KeptFile:
    """A run as a file; raises the sentence where there is nothing to keep.

    Args:
        kind: a name of WRITERS.
        log: the run.
    """
    if not len(log):
        raise ValueError(NOTHING_YET)
    ending, media, write = WRITERS[kind]
    content = write(log)
    data = base64.b64encode(content if isinstance(content, bytes) else content.encode()).decode()
    return KeptFile(f"{export.file_stem(log)}{ending}", media, data, next(_serial))


def link(settings: Mapping[str, Any]) -> Link:
    """A query string that restores the settings; raises the sentence where they do not fit into one."""
    return Link(next(_serial), links.to_query(settings))


def opened(text: str) -> RunLog:
    """A run from the JSON that `keep` wrote; raises the sentence where it is none."""
    if len(text) > LARGEST:
        raise ValueError(f"Run file: it may have {LARGEST // 2**20} MB, got {len(text) / 2**20:.0f} MB.")
    log = export.from_json(text)
    if not len(log):
        raise ValueError("Run file: it must hold one batch at least, got none.")
    return log


def settings_of(log: RunLog) -> Settings | None:
    """What the form has to be set to for a run like this one; None where that is no longer possible."""
    same = {one.label: dict(one.settings) for one in log.contenders if one.label == one.method}
    copies = [_copy(one) for one in log.contenders if one.label != one.method and one.method != ZERO_SHOT]
    own = {name: log.settings[name] for name in defaults() if name in log.settings}
    settings = json.loads(json.dumps(defaults() | own | {"methods": same, "copies": copies, "lesson": ""}))
    try:
        to_config(settings)
    except ValueError:
        return None
    return settings


def _copy(one: Contender) -> Settings:
    """A method that takes part again, as the form holds it."""
    plain = dataclasses.asdict(one)
    return plain if not one.from_start else {key: plain[key] for key in ("label", "method", "settings")}
