"""What outlives a visit: files of a run, and links that restore its settings."""

from __future__ import annotations

import base64
import itertools
from collections.abc import Mapping
from typing import Any

from clip_tta_core import export, plots
from clip_tta_core.records import RunLog
from clip_tta_core.ui.session import links
from clip_tta_core.ui.session.lessons import FIRST, LESSONS, Lesson
from clip_tta_core.ui.session.settings import Settings, defaults
from clip_tta_core.ui.wire.parts import KeptFile, Link

WRITERS = {  # by kind of file: the media type, and what writes it
    "csv": ("text/csv", export.to_csv),
    "json": ("application/json", export.to_json),
    "png": ("image/png", plots.to_png),
}
NOTHING_YET = "There is nothing to download yet; press Run first."
_serial = itertools.count(1)


def keep(kind: str, log: RunLog) -> KeptFile:
    """A run as a file; raises the sentence where there is nothing to keep.

    Args:
        kind: csv, json or png.
        log: the run.
    """
    if not len(log):
        raise ValueError(NOTHING_YET)
    media, write = WRITERS[kind]
    content = write(log)
    data = base64.b64encode(content if isinstance(content, bytes) else content.encode()).decode()
    return KeptFile(f"{export.file_stem(log)}.{kind}", media, data, next(_serial))


def link(settings: Mapping[str, Any]) -> Link:
    """A query string that restores the settings; raises the sentence where they do not fit into one."""
    return Link(next(_serial), links.to_query(settings, start()))


def restore(params: Mapping[str, str]) -> tuple[Settings, str] | None:
    """Settings from the link the page was opened with, and what is wrong with it; None without one."""
    own = {key: value for key, value in params.items() if not key.startswith("__")}
    return links.from_query(own, start()) if own else None


def lesson(params: Mapping[str, str]) -> Lesson | None:
    """The lesson that a link names; None where it says more of the settings, which then counts."""
    if params.keys() & start().keys() - {"lesson"}:
        return None
    return next((one for one in LESSONS if one.name == params.get("lesson")), None)


def start() -> Settings:
    """What a link is compared with: the defaults and the knobs the first lesson uses."""
    return defaults() | {"methods": FIRST.settings()["methods"]}
