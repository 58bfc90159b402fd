"""What outlives a visit: files of a run or a comparison, and links that restore settings."""

from __future__ import annotations

import base64
import dataclasses
import itertools
import json
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from matplotlib.figure import Figure

from clip_tta_core import export, plots
from clip_tta_core.engine import ZERO_SHOT
from clip_tta_core.records import Catalog, Contender, RunLog
from clip_tta_core.ui.session import links
from clip_tta_core.ui.session.compare import Table
from clip_tta_core.ui.session.script import snippet
from clip_tta_core.ui.session.settings import Settings, defaults, to_config
from clip_tta_core.ui.wire import measures
from clip_tta_core.ui.wire.parts import KeptFile, Link, Refused, Snippet

T = TypeVar("T")
FIGURES = {"png": ("image/png", plots.figure_png), "svg": ("image/svg+xml", plots.figure_svg)}
NOTHING_YET = "There is nothing to download yet; press Run first."
NO_TABLE = "There is nothing to download yet; press Compare first."
LARGEST = 64 * 2**20  # characters of a saved run
_serial = itertools.count(1)


def settings_to_json(log: RunLog) -> str:
    """What a run was set to, beside its tables: `settings` as /experiment takes them, and its `classes`.

    Raises:
        ValueError: one sentence, where these settings are no longer possible.
    """
    settings = settings_of(log)
    if settings is None:
        raise ValueError("Settings: this page cannot run those of this run; its JSON holds what they were.")
    plain = {"settings": settings, "classes": list(log.class_names), "made": log.made}
    return json.dumps(plain, indent=1, allow_nan=False) + "\n"


WRITERS = {  # by what is asked for: the end of its name, the media type, and what writes it
    "csv": (".csv", "text/csv", export.to_csv),
    "settings": ("-settings.json", "application/json", settings_to_json),
    "pictures": ("-pictures.csv", "text/csv", export.pictures_to_csv),
    "json": (".json", "application/json", export.to_json),
}


def keep(kind: str, log: RunLog) -> KeptFile:
    """A run as a file; raises the sentence where there is nothing to keep.

    Args:
        kind: a name of WRITERS.
        log: the run.
    """
    if not len(log):
        raise ValueError(NOTHING_YET)
    ending, media, write = WRITERS[kind]
    return _file(f"{export.file_stem(log)}{ending}", media, write(log))


def keep_figure(kind: str, log: RunLog, chart: str = "", curve: str = "") -> KeptFile:
    """A picture of a run; raises the sentence where there is none.

    Args:
        kind: a name of FIGURES.
        log: the run.
        chart: one of `plots.charts`; "" for all on one sheet.
        curve: the measure that the chart of curves shows.
    """
    if not len(log):
        raise ValueError(NOTHING_YET)
    media, write = FIGURES[kind]
    measure = next((one for one in measures.shown("curves") if one.name == curve), None)
    drawn = measure and plots.Curve(measure.name, measure.title, measure.kind == "share")
    figure = plots.chart(log, chart, drawn) if chart else plots.sheet(log)
    stem = "-".join(
        part for part in (export.file_stem(log), chart, curve if chart == "curves" else "") if part
    )
    return _file(f"{stem}.{kind}", media, write(figure))


def keep_table(kind: str, table: Table | None, catalog: Catalog) -> KeptFile:
    """A comparison as a file; raises the sentence where there is nothing to keep.

    Args:
        kind: a name of TABLES.
        table: what has been measured so far.
        catalog: for the titles of methods.
    """
    standings = table.ranked() if table else []
    if table is None or not standings:
        raise ValueError(NO_TABLE)
    ending, media, write = TABLES[kind]
    settings, titles = table.settings, {card.name: card.title for card in catalog.methods}
    name = f"comparison-{settings.get('corruption', 'run')}-seed{settings.get('seed', 0)}{ending}"
    return _file(name, media, write(table, titles))


def _with_caption(draw: Callable[..., T], table: Table, titles: Mapping[str, str]) -> T:
    """A table, or a figure of it, that says of which stream and settings it is."""
    standings = table.ranked()
    return draw(standings, titles, plots.caption_of_standings(table.stream, standings, titles))


def _figure(table: Table, titles: Mapping[str, str]) -> Figure:
    return _with_caption(plots.draw_standings, table, titles)


TABLES: dict[str, tuple[str, str, Callable[[Table, Mapping[str, str]], str | bytes]]] = {  # as WRITERS
    "csv": (".csv", "text/csv", lambda table, _: export.standings_to_csv(table.ranked(), table.settings)),
    "png": (".png", "image/png", lambda *what: plots.figure_png(_figure(*what))),
    "svg": (".svg", "image/svg+xml", lambda *what: plots.figure_svg(_figure(*what))),
    "markdown": (
        ".md",
        "text/markdown",
        lambda *what: _with_caption(export.standings_to_markdown, *what),
    ),
    "latex": (
        ".tex",
        "application/x-tex",
        lambda *what: _with_caption(export.standings_to_latex, *what),
    ),
}


def _file(name: str, media: str, content: bytes | str) -> KeptFile:
    data = base64.b64encode(content if isinstance(content, bytes) else content.encode()).decode()
    return KeptFile(name, media, data, next(_serial))


def link(settings: Any) -> Link:
    """A query string that restores the settings; raises the sentence where they do not fit into one."""
    if not isinstance(settings, Mapping) or not isinstance(settings.get("methods"), Mapping):
        raise ValueError("Link: the settings must name methods; choose one under Methods.")
    return Link(next(_serial), links.to_query(settings))


def script(settings: Any) -> Snippet:
    """A script that runs what is set up; raises the sentence where none can."""
    return Snippet(next(_serial), snippet(settings))


def refused(problem: str) -> Refused:
    """The sentence in place of a file."""
    return Refused(next(_serial), problem)


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
