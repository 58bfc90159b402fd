"""Tables of many runs on the page: cell by cell, one run for every limit, and no cell is measured twice."""

from __future__ import annotations

import base64
import functools
import itertools
import math
from collections import OrderedDict
from collections.abc import Generator, Iterator, Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any

from matplotlib.figure import Figure

from clip_tta_core import limits, plots
from clip_tta_core.control import Control
from clip_tta_core.records import RunConfig
from clip_tta_core.sweep.cells import Cell, measure
from clip_tta_core.sweep.folder import Folder
from clip_tta_core.sweep.recorded import Either, Recorded
from clip_tta_core.sweep.sizes import SIZES, Size
from clip_tta_core.sweep.summary import FORMATS, summarize
from clip_tta_core.sweep.tables import TABLES, Table
from clip_tta_core.ui.session.cell_costs import Clock, allowed
from clip_tta_core.ui.session.follow import follow
from clip_tta_core.ui.session.heat import needs, titles, view
from clip_tta_core.ui.session.known import Known, Measured
from clip_tta_core.ui.session.runs import Run
from clip_tta_core.ui.session.settings import Settings, defaults
from clip_tta_core.ui.session.site import Site
from clip_tta_core.ui.session.turns import Full, Turn
from clip_tta_core.ui.wire.parts import Heat, HeatCard, KeptFile
from clip_tta_core.ui.words import benchmark as words
from clip_tta_core.ui.words.comparison import turn

KEPT_CELLS = 20_000  # files of about 1 KB
KEPT_VISITORS = 64
FIGURES = {"png": plots.figure_png, "svg": plots.figure_svg}
KINDS = {
    **{"csv": "text/csv", "md": "text/markdown", "tex": "application/x-tex"},
    **{"png": "image/png", "svg": "image/svg+xml"},
}
LATE = "Benchmark: on this page one press may take {seconds} seconds. What is measured is kept: press Go on."
ENOUGH = "What one press may measure on this page is measured, and kept: press Go on for the rest."


class Benchmark:
    """Start, Stop and everything that can be asked of a table; all visitors share what is measured."""

    def __init__(self, site: Site, folder: Folder, recorded: Recorded | None = None) -> None:
        self.site, self.folder, self.recorded = site, folder, recorded or Recorded()
        self._latest: OrderedDict[str, Mapping[str, Any]] = OrderedDict()  # by session, for Stop
        self._clock = Clock(site)

    def look(self, wanted: Mapping[str, Any]) -> Heat:
        """What is measured of a table already, and how long the rest will take."""
        try:
            table = self._part(wanted)
        except ValueError as problem:
            return Heat("failed", message=str(problem))
        known, catalog = self._known(table), self.site.catalog
        missing = known.missing() if known.source is self.folder else [*known.places]
        seconds = self._clock.seconds(missing) if missing and not needs(table) else math.nan
        doing = needs(table) or words.ahead(len(missing), len(known.places), seconds)
        heat = view(known, catalog, "idle", doing)
        if known.source is not self.folder:
            heat = replace(heat, done=0, doing=words.recorded(self._one(known)[0], doing))
        return replace(heat, size=str(wanted.get("size")))

    def _part(self, wanted: Any) -> Table:
        """What is asked for; settings that one rule chose are those found here, or else the recorded ones."""
        return _part(wanted, Either(self.folder, self.recorded))

    def _known(self, table: Table) -> Known:
        """What a table shows: what was measured here, or else what comes with the project."""
        known = Known.read(table, self.folder)
        recorded = known if known.numbers else Known.read(table, self.recorded)
        return recorded if recorded.numbers else known

    def _one(self, known: Known) -> list[Mapping[str, Any]]:
        """All that is kept of one cell, which tells what made them; empty where there is none."""
        return [known.source.card(cell) for cell in itertools.islice(known.numbers, 1)]

    def start(self, wanted: Mapping[str, Any], session: str, press: int = 0) -> Iterator[Heat]:
        """Measure what is missing of a table, in the order in which a table that is cut off is worth most.

        Args:
            wanted: the table, its size, and the part of it.
            session: the visitor's.
            press: the number of the press of Start, by which Stop finds it.
        """
        try:
            table = self._part(wanted)
            if said := needs(table):
                raise ValueError(said)
            turn = self.site.turns.join(session, "Start", press)
        except Full as problem:
            yield replace(self.look(wanted), message=str(problem))
            return
        except ValueError as problem:
            yield Heat("failed", message=str(problem))
            return
        self._note(session, wanted)
        try:
            for place in self.site.turns.wait(turn, self.site.absence(session)):
                yield Heat("waiting", doing=place.capitalize())
            if not self.site.turns.has(turn):  # Stop, or nobody there
                if not turn.told:
                    yield self.stopped(session)
                return
            for heat in self._show(table, turn):
                yield replace(heat, size=str(wanted.get("size")))
        finally:
            self.site.turns.leave(turn)

    def _show(self, table: Table, place: Turn) -> Iterator[Heat]:
        session = place.session
        self.folder.keep(KEPT_CELLS)
        known = Known.read(table, self.folder)
        missing = known.missing()
        cells = allowed(missing)
        run = Run(functools.partial(self._measure, cells), RunConfig())
        self.site.begin(place, run)
        catalog = self.site.catalog
        named = {card.name: card.title for card in catalog.methods}
        try:
            for moment in follow(run, lambda news, active: known.take(news), self.site.absence(session)):
                if moment.last:
                    known.now = None
                    rest = ENOUGH if moment.state == "done" and len(cells) < len(missing) else ""
                    ended = view(known, catalog, "stopped" if rest else moment.state)
                    yield replace(ended, message=run.problem or rest)
                    continue
                state = "stopping" if moment.state == "stopping" else "running"
                doing = turn(run.control.progress, named)
                said = words.under_way(len(known.numbers), len(known.places), doing)
                yield view(known, catalog, state, said)
        finally:  # the end, Stop, a closed tab, an error
            self.site.runs.end(session, run)

    def _measure(self, cells: Sequence[Cell], config: RunConfig, control: Control) -> Generator[Measured]:
        for cell in cells:
            yield Measured(cell)
            try:
                # Another visitor may have measured it meanwhile.
                numbers = self.folder.get(cell) or measure(
                    cell, lambda config: self.site.engine(config, control), lambda: control.stopped
                )
            except ValueError as problem:
                if control.left < 0:
                    raise ValueError(LATE.format(seconds=limits.MAX_SECONDS.value)) from None
                self.folder.fail(cell, str(problem))
                yield Measured(cell, problem=str(problem))
                continue
            if not numbers:
                return
            self.folder.put(cell, numbers)
            yield Measured(cell, numbers)

    def stop(self, session: str, press: int = 0) -> Heat | None:
        """End the table that a press began, or keep one from beginning that is on its way still.

        Returns:
            the answer to the latter, else None: what has begun says itself how it ended.
        """
        return None if self.site.stop(session, press) else self.stopped(session)

    def stopped(self, session: str) -> Heat:
        """What is left of a table that has been stopped, perhaps while it was still in line."""
        if session not in self._latest:
            return Heat("stopped")
        return replace(self.look(self._latest[session]), state="stopped")

    def card(self, wanted: Mapping[str, Any]) -> HeatCard | None:
        """All there is to know of the cell in `row` and `column`; None where there is no such cell."""
        try:
            table = self._part(wanted)
            column, row = table.columns[int(wanted["row"])], table.rows[int(wanted["column"])]
        except (KeyError, IndexError, TypeError, ValueError):
            return None
        title = titles(table, self.site.catalog)[int(wanted["row"])]
        single = replace(table, rows=(row,), columns=(column,))
        known = Known.read(single, self._known(table).source)
        cells = [table.cell(row, column, seed) for seed in table.seeds]
        found = [known.source.card(cell) for cell in cells if known.get(cell)]
        lines = words.card(cells, found, summarize(single, known)[0][0])
        command = f"python -m clip_tta_core.sweep {table.name} --size {SIZES[str(wanted['size'])].name}"
        return HeatCard(f"{title}, {row.title}", lines, command, to_settings(cells[0]))

    def keep(self, wanted: Mapping[str, Any]) -> KeptFile | None:
        """A table as a file, one of KINDS."""
        try:
            table, kind = self._part(wanted), str(wanted.get("format"))
        except ValueError:
            return None
        if kind not in KINDS:
            return None
        known, size = self._known(table), SIZES[str(wanted["size"])]
        if kind in FORMATS:
            content = FORMATS[kind](summarize(table, known)).encode()
        else:
            content = FIGURES[kind](self._figure(known, size))
        name = f"{table.name}-{size.name}.{kind}"
        return KeptFile(name, KINDS[kind], base64.b64encode(content).decode())

    def _figure(self, known: Known, size: Size) -> Figure:
        table, lines = known.table, summarize(known.table, known)
        called, place = titles(table, self.site.catalog), known.baseline
        title = TABLES[table.name].title
        caption = words.caption(
            title, size.title, table, self._one(known), called[place] if place >= 0 else ""
        )
        texts = [[entry.text for entry in column] for column in zip(*lines, strict=True)]
        means = [[entry.mean for entry in column] for column in zip(*lines, strict=True)]
        return plots.draw_heat(called, [line[0].row for line in lines], means, texts, place, caption)

    def _note(self, session: str, wanted: Mapping[str, Any]) -> None:
        self._latest[session] = wanted
        self._latest.move_to_end(session)
        while len(self._latest) > KEPT_VISITORS:
            self._latest.popitem(last=False)


def to_settings(cell: Cell) -> Settings:
    """The run of a cell as Play takes it, beside zero-shot CLIP."""
    stream = asdict(cell.shift) | asdict(cell.protocol) | asdict(cell.pre_step)
    methods = {"zero_shot": {}} | {cell.method: dict(cell.settings)}
    own = {"model": cell.model, "source": cell.source, "seed": cell.seed, "methods": methods}
    return {**defaults(), **stream, **own}


def _part(wanted: Any, known: Either) -> Table:
    """The table that is asked for, in its size.

    Raises:
        ValueError: one sentence, where there is no such table or size.
    """
    if not isinstance(wanted, Mapping):
        raise ValueError(
            f"Benchmark: a table is asked for by its name and size, got {type(wanted).__name__}."
        )
    declared, size = TABLES[str(wanted.get("table"))], SIZES[str(wanted.get("size"))]
    part = size.of(declared.make(known))
    return part.only(*(str(wanted.get(name) or "") for name in ("methods", "shifts")))
