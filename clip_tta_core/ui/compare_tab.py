"""The Compare tab: every method in turn over the stream of the Play tab, and a ranking that fills in."""

from __future__ import annotations

import functools
import math
import time
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import gradio as gr

from clip_tta_core import comparison, export
from clip_tta_core.control import Control, Progress
from clip_tta_core.engine import LIMITS
from clip_tta_core.methods import looks_of
from clip_tta_core.records import Catalog, RunConfig, Standing
from clip_tta_core.ui import words
from clip_tta_core.ui.handlers import BETWEEN, POLL, Handlers
from clip_tta_core.ui.lessons import FIRST
from clip_tta_core.ui.pictures import Picture
from clip_tta_core.ui.runs import Run
from clip_tta_core.ui.settings import class_names, to_config
from clip_tta_core.ui.theme import ASSETS

View = dict[str, Any]

RECORDED = ASSETS / "recorded_comparison.json"
KEPT_TABLES = 64
KNOBS = (  # how each method is set
    ("defaults", "by default", "Every method at the settings it has when it is first chosen."),
    ("protocol", "CLIPTTA's protocol", "As in CLIPTTA's tables, which give most methods ten steps a batch."),
    ("play", "as in Play", "The methods chosen in Play as they are set there, all others by default."),
)
COLUMNS = ("accuracy", "effective_classes", "changed", "ece", "auroc", "fpr95")


@dataclass
class Table:
    """What has been measured so far."""

    methods: tuple[str, ...]  # in the order of their turns
    classes: int
    stream: str  # in words
    standings: dict[str, Standing] = field(default_factory=dict)

    def take(self, standing: Standing) -> None:
        """Note how far a method is."""
        self.standings[standing.label] = standing

    def ranked(self) -> list[Standing]:
        """The best first; methods that have not begun are left out."""
        return comparison.ranked(self.standings.values())

    def finished(self) -> int:
        """How many methods have had their turn."""
        return sum(one.done == one.total or bool(one.problem) for one in self.standings.values())


def view(table: Table, catalog: Catalog, state: str, progress: Progress | None = None) -> View:
    """A table as the page draws it.

    Args:
        state: idle, recorded, running, stopping, done, stopped or failed.
        progress: where the method at work is.
    """
    ranking = table.ranked()
    titles = {card.name: card.title for card in catalog.methods}
    return {
        "state": state,
        "stream": table.stream,
        "classes": table.classes,
        "methods": list(table.methods),
        "finished": table.finished(),
        "share": round(_share(table, progress), 4),
        "doing": words.turn(progress) if progress else "",
        "sentence": words.ranking(ranking, titles, table.classes, len(table.methods)),
        "rows": [_row(standing) for standing in ranking],
    }


def _row(standing: Standing) -> View:
    numbers = {name: standing.metrics.get(name, math.nan) for name in COLUMNS}
    numbers["seconds"] = standing.seconds
    shown = {name: round(float(x), 4) if math.isfinite(x) else None for name, x in numbers.items()}
    parts = {"name": standing.label, "done": standing.done, "total": standing.total}
    return parts | shown | {"problem": standing.problem}


def _share(table: Table, progress: Progress | None) -> float:
    """Finished part of the whole comparison, 0 to 1; every method counts the same."""
    inside = (progress.batch - 1) / progress.batches if progress and progress.batches else 0.0
    return min(1.0, (table.finished() + max(0.0, inside)) / max(1, len(table.methods)))


class Comparer:
    """What happens when something is pressed; a visitor's comparison takes the place of their run."""

    def __init__(self, handlers: Handlers, recorded: Table | None = None) -> None:
        self.catalog = handlers.catalog
        self.recorded = recorded
        self._handlers = handlers
        self._tables: OrderedDict[str, Table] = OrderedDict()  # by session

    def first_paint(self) -> View:
        """A comparison made before the page was opened."""
        return view(self.recorded, self.catalog, "recorded") if self.recorded else {"state": "idle"}

    def start(self, settings: dict, event: gr.EventData, request: gr.Request) -> Iterator[View]:
        """Give every chosen method its turn."""
        try:
            config = self._handlers.configure(settings, request)
            methods = self._chosen(event._data or {}, config)
            comparison.check(config, methods)
        except ValueError as problem:
            yield {"message": str(problem), "state": "failed"}
            return
        names = class_names(config, self.catalog)
        table = Table(tuple(methods), len(names), words.stream(config, self.catalog))
        run = Run(functools.partial(self._engine, methods), config)
        self._handlers.runs.begin(request.session_hash, run)
        self._keep(request.session_hash, table)
        try:
            yield from self._follow(run, table)
        finally:  # the end, Stop, a closed tab, an error
            self._handlers.runs.end(request.session_hash, run)

    def stop(self, request: gr.Request) -> None:
        """End the visitor's comparison; waits a moment so that its own last words come first."""
        if run := self._handlers.runs.current(request.session_hash):
            run.control.stop()
            run.ended.wait(2.0)

    def stopped(self, request: gr.Request) -> View:
        """What is left of a comparison that has been stopped, perhaps while it was still in line."""
        table = self._tables.get(request.session_hash)
        return view(table, self.catalog, "stopped") if table else self.first_paint()

    def describe(self, settings: dict) -> str:
        """The stream that would be compared on, in words; empty where the settings are impossible."""
        try:
            return words.stream(self._handlers.configure(settings, None), self.catalog)
        except ValueError:
            return ""

    def _chosen(self, wanted: Mapping[str, Any], config: RunConfig) -> dict[str, comparison.Knobs]:
        """The ticked methods with their knobs, zero-shot CLIP first and CLIPTTA last."""
        ticked = [str(name) for name in wanted.get("methods", ())]
        protocol = comparison.protocol_knobs()
        play = {one.method: one.settings for one in config.contenders}
        settings = {
            "defaults": lambda name: {},
            "protocol": lambda name: protocol.get(name, {}),
            "play": lambda name: play.get(name, {}),
        }
        knobs = settings.get(str(wanted.get("knobs")), settings["defaults"])
        return {name: knobs(name) for name in looks_of({name: name for name in ticked})}

    def _engine(
        self, methods: Mapping[str, comparison.Knobs], config: RunConfig, control: Control
    ) -> Iterator[Standing]:
        return comparison.in_turns(config, methods, control, self._handlers.engine)

    def _keep(self, session: str, table: Table) -> None:
        self._tables[session] = table
        self._tables.move_to_end(session)
        while len(self._tables) > KEPT_TABLES:
            self._tables.popitem(last=False)

    def _follow(self, run: Run, table: Table) -> Iterator[View]:
        shown = 0.0
        while not (run.ended.is_set() and run.empty()):
            for standing in run.drain(POLL):
                table.take(standing)
            if (now := time.monotonic()) - shown >= BETWEEN:
                shown = now
                state = "stopping" if run.control.stopped else "running"
                yield view(table, self.catalog, state, run.control.progress)
        state = "failed" if run.problem else "stopped" if run.control.stopped else "done"
        yield view(table, self.catalog, state) | {"message": run.problem}


def read_recorded(catalog: Catalog) -> Table | None:
    """The comparison that is shown before anybody presses anything."""
    if not RECORDED.is_file():
        return None
    standings = export.standings_from_json(RECORDED.read_text("utf-8"))
    methods = tuple(one.label for one in standings)
    table = Table(methods, len(catalog.task), words.stream(to_config(FIRST.settings()), catalog))
    for standing in standings:
        table.take(standing)
    return table


class Ranking(Picture):
    """The table, a picture of it, and its buttons; its events are start, stop and watch."""

    def __init__(self, value: Any = None, *, methods: list | None = None, **kwargs: Any) -> None:
        template = """<div class="bar">
<div class="buttons"><button type="button" class="strong" data-do="start">Compare</button>
<button type="button" class="quiet" data-do="stop" disabled>Stop</button></div>
<div class="how"></div><div class="about"><p class="stream"></p><p class="help"></p></div></div>
<p class="message" role="alert" hidden></p>
<div class="progress" role="progressbar" aria-label="Comparison" aria-valuemin="0" aria-valuemax="100" hidden>
<i></i></div><p class="doing help">&nbsp;</p><p class="said"></p><p class="unseen" aria-live="polite"></p>
<figure class="map"><figcaption><h3>Who collapses?</h3></figcaption>
<svg role="img" aria-label="Accuracy against classes in use: nothing yet." style="height:330px"></svg>
<p class="help">Each mark is a method: how many classes it still answers with, and how often it is right. The
lines cross at CLIP left alone.</p></figure>
<figure class="table"><figcaption><h3>Ranking</h3>
<button type="button" class="quiet" data-do="csv">Numbers (CSV)</button></figcaption>
<div class="scroll" tabindex="0" role="region" aria-label="Ranking"><table><thead></thead><tbody></tbody>
</table></div></figure>"""
        super().__init__(
            value,
            name="ranking",
            template=template,
            describe="Standings of methods, best first.",
            methods=methods or [],
            most=LIMITS["contenders"][1],
            knobs=[{"name": name, "title": title, "help": help} for name, title, help in KNOBS],
            **kwargs,
        )


def compare_tab(tabs: gr.Tabs, comparer: Comparer, form: gr.Component, cards: list[View]) -> None:
    """What stands in the tab; `form` holds the settings of the stream."""

    def describe(settings: dict) -> str:  # Gradio marks the function, which a bound method does not bear
        return comparer.describe(settings)

    ranking = Ranking(comparer.first_paint(), methods=cards, server_functions=[describe])
    event = ranking.start(
        comparer.start,
        [form],
        [ranking],
        api_name="compare",
        concurrency_limit=2,
        concurrency_id="device",
        trigger_mode="once",
        show_progress="hidden",
    )
    now = {"queue": False, "show_progress": "hidden", "api_visibility": "private"}
    stop = ranking.stop(comparer.stop, None, None, **now)
    # A comparison that is still in line has no thread to stop: take it out of the line.
    stop.then(comparer.stopped, None, [ranking], cancels=[event], **now)
    ranking.watch(lambda: gr.Tabs(selected="play"), None, [tabs], **now)
