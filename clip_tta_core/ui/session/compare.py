"""A visitor's comparison: every method in turn over the stream of Play, and a ranking that fills in."""

from __future__ import annotations

import functools
import math
from collections import OrderedDict
from collections.abc import Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from clip_tta_core import comparison, export
from clip_tta_core.control import Control, Progress
from clip_tta_core.logs import classes_of, settings_of
from clip_tta_core.methods import looks_of
from clip_tta_core.records import Catalog, Contender, RunConfig, Standing
from clip_tta_core.registry import unknown_name
from clip_tta_core.sweep import own
from clip_tta_core.sweep.recorded import Recorded
from clip_tta_core.ui.session.follow import follow
from clip_tta_core.ui.session.lessons import FIRST
from clip_tta_core.ui.session.runs import Run
from clip_tta_core.ui.session.settings import to_config
from clip_tta_core.ui.session.site import Site
from clip_tta_core.ui.session.turns import Full, Turn
from clip_tta_core.ui.wire import measures
from clip_tta_core.ui.wire.form import Option
from clip_tta_core.ui.wire.parts import Ranking, RankingRow
from clip_tta_core.ui.wire.states import RunState
from clip_tta_core.ui.words.comparison import places, ranking, turn
from clip_tta_core.ui.words.stream import stream

KEPT_TABLES = 64
BETWEEN = 0.4  # seconds between two drawings of the table, which take a browser tens of milliseconds
KNOBS = (  # how each method is set
    Option("defaults", "defaults", "Every method with its default hyper-parameters."),
    Option("protocol", "CLIPTTA's protocol", "As in CLIPTTA's tables: ten steps a batch for most methods."),
    Option(
        "rule",
        "one rule for all",
        "For each method that learns along a stream the step size and steps that do best on four other "
        "corruptions, out of one grid; the others with their defaults.",
    ),
    Option("play", "as in Play", "The methods chosen in Play as they are set there, all others at defaults."),
)


@dataclass
class Table:
    """What has been measured so far."""

    methods: tuple[str, ...]  # in the order of their turns
    classes: int
    stream: str  # in words
    settings: dict[str, object] = field(default_factory=dict)  # the same as plain values
    standings: dict[str, Standing] = field(default_factory=dict)

    def take(self, standing: Standing) -> None:
        """Note how far a method is."""
        self.standings[standing.label] = standing
        self.classes = standing.classes or self.classes  # a data set's are known once it is open

    def ranked(self) -> list[Standing]:
        """The best first; methods that have not begun are left out."""
        return comparison.ranked(self.standings.values())

    def finished(self) -> int:
        """How many methods have had their turn."""
        return sum(one.done == one.total or bool(one.problem) for one in self.standings.values())


def view(table: Table, catalog: Catalog, state: RunState, progress: Progress | None = None) -> Ranking:
    """A table as the page draws it.

    Args:
        table: what has been measured so far.
        catalog: for the titles of methods.
        state: what the comparison is doing.
        progress: where the method at work is.
    """
    standings = table.ranked()
    titles = {card.name: card.title for card in catalog.methods}
    return Ranking(
        state=state,
        stream=table.stream,
        classes=table.classes,
        methods=table.methods,
        finished=table.finished(),
        share=round(_share(table, progress), 4),
        doing=turn(progress, titles) if progress else "",
        sentence=ranking(standings, titles, table.classes, len(table.methods)),
        rows=tuple(map(_row, standings, places(standings))),
    )


def _row(standing: Standing, place: str) -> RankingRow:
    measured = {**standing.metrics, "seconds": standing.seconds}
    values = {one.name: measured.get(one.name, math.nan) for one in measures.shown("ranking")}
    del values["cost"]  # of the card: known before the method has begun
    shown = {name: round(float(x), 6) if math.isfinite(x) else None for name, x in values.items()}
    return RankingRow(
        standing.label,
        standing.method or standing.label,
        standing.done,
        standing.total,
        shown,
        standing.problem,
        place,
    )


def _share(table: Table, progress: Progress | None) -> float:
    """Finished part of the whole comparison, 0 to 1; every method counts the same."""
    inside = (progress.batch - 1) / progress.batches if progress and progress.batches else 0.0
    return min(1.0, (table.finished() + max(0.0, inside)) / max(1, len(table.methods)))


class Compare:
    """Start and Stop; a visitor's comparison takes the place of their run."""

    def __init__(self, site: Site, recorded: Table | None = None) -> None:
        self.site = site
        self.recorded = recorded  # made before the page was opened
        self._tables: OrderedDict[str, Table] = OrderedDict()  # by session

    def first_paint(self) -> Ranking:
        """The recorded comparison."""
        return view(self.recorded, self.site.catalog, "recorded") if self.recorded else Ranking("idle")

    def start(
        self, settings: Mapping[str, Any], names: Sequence[str], knobs: str, session: str, press: int = 0
    ) -> Iterator[Ranking]:
        """Give every chosen method its turn.

        Args:
            settings: of the stream.
            names: the methods that take part, and the labels of copies set up in Play.
            knobs: how they are set, a name of KNOBS.
            session: the visitor's.
            press: the number of the press of Compare, by which Stop finds it.
        """
        try:
            config = self.site.configure(settings, session)
            methods = chosen(names, knobs, config)
            comparison.check(config, methods)
        except ValueError as problem:
            yield Ranking("failed", message=str(problem))
            return
        try:
            turn = self.site.turns.join(session, "Compare", press)
        except Full as problem:
            yield replace(self.stopped(session), message=str(problem))
            return
        try:
            for place in self.site.turns.wait(turn, self.site.absence(session)):
                yield Ranking("waiting", doing=place.capitalize())
            if not self.site.turns.has(turn):  # Stop, or nobody there
                if not turn.told:
                    yield self.stopped(session)
                return
            yield from self._show(methods, config, turn)
        finally:
            self.site.turns.leave(turn)

    def _show(self, methods: tuple[Contender, ...], config: RunConfig, turn: Turn) -> Iterator[Ranking]:
        catalog, session = self.site.catalog, turn.session
        labels = tuple(one.label for one in methods)
        table = Table(labels, len(classes_of(config)), stream(config, catalog), settings_of(config))
        run = Run(functools.partial(self._engine, methods), config)
        self.site.begin(turn, run)
        self._keep(session, table)
        absence = self.site.absence(session)
        try:
            for moment in follow(run, lambda standing, active: table.take(standing), absence, BETWEEN):
                if moment.last:
                    yield replace(view(table, catalog, moment.state), message=run.problem)
                    continue
                state = "stopping" if moment.state == "stopping" else "running"
                yield view(table, catalog, state, run.control.progress)
        finally:  # the end, Stop, a closed tab, an error
            self.site.runs.end(session, run)

    def stop(self, session: str, press: int = 0) -> Ranking | None:
        """End the comparison that a press began, or keep one from beginning that is on its way still.

        Returns:
            the answer to the latter, else None: what has begun says itself how it ended.
        """
        return None if self.site.stop(session, press) else self.stopped(session)

    def stopped(self, session: str) -> Ranking:
        """What is left of a comparison that has been stopped, perhaps while it was still in line."""
        table = self._tables.get(session)
        return view(table, self.site.catalog, "stopped") if table else self.first_paint()

    def table(self, session: str) -> Table | None:
        """The visitor's latest comparison, or the recorded one."""
        return self._tables.get(session) or self.recorded

    def describe(self, settings: Mapping[str, Any]) -> str:
        """The stream that would be compared on, in words; empty where the settings are impossible."""
        try:
            return stream(to_config(settings), self.site.catalog)
        except ValueError:
            return ""

    def _engine(
        self, methods: tuple[Contender, ...], config: RunConfig, control: Control
    ) -> Generator[Standing]:
        return comparison.in_turns(config, methods, control, self.site.engine)

    def _keep(self, session: str, table: Table) -> None:
        self._tables[session] = table
        self._tables.move_to_end(session)
        while len(self._tables) > KEPT_TABLES:
            self._tables.popitem(last=False)


def chosen(names: Sequence[str], knobs: str, config: RunConfig) -> tuple[Contender, ...]:
    """Those that take part, zero-shot CLIP first and CLIPTTA last; copies keep the settings of Play.

    Args:
        names: of methods, or labels of the copies in `config`.
        knobs: how they are set, a name of KNOBS.
        config: of Play.

    Raises:
        ValueError: one sentence, where there is no such way to set them or `names` is no list.
    """
    ways = [one.name for one in KNOBS]
    if knobs not in ways:
        raise ValueError(unknown_name("way to set methods", knobs, ways))
    if not isinstance(names, list | tuple) or not all(isinstance(name, str) for name in names):
        raise ValueError(f"Comparison: methods must be a list of names, got {names!r:.60}.")
    values: Mapping[str, comparison.Knobs] = {}
    there = {one.label: one for one in config.contenders}
    if knobs == "protocol":
        values = comparison.protocol_knobs()
    elif knobs == "rule":
        values = _by_the_rule(config.model)
    elif knobs == "play":
        values = {label: one.settings for label, one in there.items() if label == one.method}
    copies = {label: one for label, one in there.items() if label != one.method}
    methods = {str(name): copies[name].method if name in copies else str(name) for name in names}
    return tuple(
        copies.get(name) or Contender(name, methods[name], values.get(name, {})) for name in looks_of(methods)
    )


def _by_the_rule(model: str) -> Mapping[str, comparison.Knobs]:
    values = own.by_the_rule(Recorded(), model)
    if not values:
        models = " and ".join(own.AT_HOME)
        raise ValueError(
            f"Comparison: what one rule chooses is measured with {models} alone, and the model is "
            f"{model!r:.60}; choose another model, or another way to set the methods."
        )
    return values


def read_recorded(path: Path, catalog: Catalog) -> Table | None:
    """The comparison that is shown before anybody presses anything."""
    if not path.is_file():
        return None
    standings = export.standings_from_json(path.read_text("utf-8"))
    methods = tuple(one.label for one in standings)
    config = to_config(FIRST.settings())
    table = Table(methods, len(catalog.task), stream(config, catalog), settings_of(config))
    for standing in standings:
        table.take(standing)
    return table
