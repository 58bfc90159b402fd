"""Tables of many runs on the page: cell by cell, one run for every limit, and no cell is measured twice."""

from __future__ import annotations

import base64
import functools
import math
import statistics
import threading
import time
from collections import OrderedDict
from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from clip_tta_core import engine, limits
from clip_tta_core.clip.embedded import EMBEDDED
from clip_tta_core.control import Control
from clip_tta_core.corruptions import CORRUPTIONS
from clip_tta_core.records import Catalog, Cost, RunConfig
from clip_tta_core.sweep.cells import Cell, measure
from clip_tta_core.sweep.folder import Folder
from clip_tta_core.sweep.recorded import Either, Recorded
from clip_tta_core.sweep.sizes import SIZES
from clip_tta_core.sweep.summary import FORMATS, summarize
from clip_tta_core.sweep.tables import TABLES, Column, Row, Table
from clip_tta_core.ui.session.follow import follow
from clip_tta_core.ui.session.runs import Run
from clip_tta_core.ui.session.settings import Settings, defaults
from clip_tta_core.ui.session.site import Site
from clip_tta_core.ui.session.turns import Full
from clip_tta_core.ui.wire.form import Option
from clip_tta_core.ui.wire.parts import Heat, HeatCard, HeatProps, HeatRow, HeatTable, KeptFile
from clip_tta_core.ui.wire.states import RunState
from clip_tta_core.ui.words import benchmark as words
from clip_tta_core.ui.words.comparison import turn
from clip_tta_core.validation import attack_steps, start_steps

KEPT_CELLS = 20_000  # files of about 1 KB
KEPT_VISITORS = 64
KINDS = {"csv": "text/csv", "md": "text/markdown", "tex": "application/x-tex"}
FIRST = {"table": "mini", "size": "quick"}
LATE = "Benchmark: on this page one press may take {seconds} seconds. What is measured is kept: press Go on."
ENOUGH = "What one press may measure on this page is measured, and kept: press Go on for the rest."
Numbers = Mapping[str, float]


@dataclass(frozen=True)
class Measured:
    """A cell begins, or has come to its end."""

    cell: Cell
    numbers: Numbers | None = None  # None while it begins, or where it failed
    problem: str = ""


@dataclass
class Known:
    """What is known of a table's cells, by their keys."""

    table: Table
    numbers: dict[str, Numbers] = field(default_factory=dict)
    problems: dict[str, str] = field(default_factory=dict)
    now: str = ""  # the cell that is measured

    @classmethod
    def read(cls, table: Table, source: Folder | Recorded) -> Known:
        """What a folder or a recording has of a table."""
        found = {cell.key: source.get(cell) for cell in table.cells()}
        numbers = {key: own for key, own in found.items() if own}
        return cls(table, numbers, source.failures(table.cells()) if isinstance(source, Folder) else {})

    def get(self, cell: Cell) -> Numbers | None:
        """As a folder answers."""
        return self.numbers.get(cell.key)

    def take(self, news: Measured) -> None:
        key = news.cell.key
        self.now = "" if news.numbers or news.problem else key
        self.problems.pop(key, None)
        if news.numbers:
            self.numbers[key] = news.numbers
        elif news.problem:
            self.problems[key] = news.problem

    @functools.cached_property
    def places(self) -> dict[str, tuple[int, int]]:
        """(contender, shift) of every cell."""
        table = self.table
        return {
            table.cell(row, column, seed).key: (place, shift)
            for shift, row in enumerate(table.rows)
            for place, column in enumerate(table.columns)
            for seed in table.seeds
        }


@dataclass(frozen=True)
class Pace:
    """Seconds that this machine takes for a batch of 64: to make it, and for one pass of CLIP over it."""

    stream: float
    forward: float


def props(folder: Folder) -> HeatProps:
    """The tables and sizes there are; those that need what is not here say so."""
    tables = tuple(HeatTable(one.name, one.title, _needs(one.make(folder))) for one in TABLES.values())
    return HeatProps(tables, tuple(Option(one.name, one.title, one.help) for one in SIZES.values()))


def _needs(table: Table) -> str:
    models = dict.fromkeys(one.model for one in table.columns if one.model not in EMBEDDED)
    named = (name for row in table.rows for name in (row.source, row.protocol.unknown_source))
    data = dict.fromkeys(name.partition(":")[2] for name in named if name.startswith("dataset:"))
    return words.needs([*models], [*data], table.name) if models or data else ""


def view(known: Known, catalog: Catalog, state: RunState, doing: str = "") -> Heat:
    """A table as the page draws it: contenders down, shifts across, their mean last."""
    table, lines = known.table, summarize(known.table, known)
    failed = {known.places[key]: problem for key, problem in known.problems.items()}
    rows = tuple(
        HeatRow(
            title,
            tuple(_plain(line[place].mean) for line in lines),
            tuple(_plain(line[place].spread) for line in lines),
            tuple(line[place].seeds for line in lines),
            tuple(failed.get((place, shift), "") for shift in range(len(lines))),
        )
        for place, title in enumerate(titles(table, catalog))
    )
    return Heat(
        state=state,
        table=table.name,
        columns=tuple(line[0].row for line in lines),
        rows=rows,
        baseline=_baseline(table),
        now=known.places.get(known.now, ()),
        done=len(known.numbers),
        count=len(known.places),
        doing=doing,
        sentence=sentence(known, catalog),
        message="",
    )


def titles(table: Table, catalog: Catalog) -> tuple[str, ...]:
    """What the page calls the contenders; the model, too, where there are several."""
    named = {card.name: card.title for card in catalog.methods}
    several = len({column.model for column in table.columns}) > 1

    def title(column: Column) -> str:
        one = column.contender
        called = one.label.replace(one.method, named.get(one.method, one.method), 1)
        return f"{called}, {column.model}" if several else called

    return tuple(map(title, table.columns))


def sentence(known: Known, catalog: Catalog) -> str:
    """Which method is ahead on which kind of shift; nothing before every cell has come to its end."""
    table = known.table
    place = _baseline(table)
    if len(known.numbers) < len(known.places) or place < 0:
        return ""
    if len(table.seeds) < words.FEWEST:
        return words.TOO_FEW
    kinds: dict[str, list[Row]] = {}
    for row in table.rows:
        kinds.setdefault(_kind(row), []).append(row)
    if len(kinds) > 1:
        kinds["all shifts together"] = list(table.rows)
    called = titles(table, catalog)
    groups = {
        kind: {
            title: {seed: _mean(known, rows, column, seed) for seed in table.seeds}
            for title, column in zip(called, table.columns, strict=True)
        }
        for kind, rows in kinds.items()
    }
    return words.which_method(groups, called[place])


def _kind(row: Row) -> str:
    item = CORRUPTIONS.get(row.shift.corruption)
    if row.shift.attack != "none":
        return "attacked pictures"
    return item.family if item else "clean pictures" if row.shift.style == "none" else "styles"


def _mean(known: Known, rows: Iterable[Row], column: Column, seed: int) -> float:
    cells = (known.table.cell(row, column, seed) for row in rows)
    return statistics.fmean(known.numbers[cell.key]["accuracy"] for cell in cells)


def _baseline(table: Table) -> int:
    methods = [column.contender.method for column in table.columns]
    return methods.index("zero_shot") if "zero_shot" in methods else -1


def _plain(value: float) -> float | None:
    return round(value, 5) if math.isfinite(value) else None


class Benchmark:
    """Start, Stop and everything that can be asked of a table; all visitors share what is measured."""

    def __init__(self, site: Site, folder: Folder, recorded: Recorded | None = None) -> None:
        self.site, self.folder, self.recorded = site, folder, recorded or Recorded()
        self._latest: OrderedDict[str, Mapping[str, Any]] = OrderedDict()  # by session, for Stop
        self._lock = threading.Lock()
        self._pace: Pace | None = None

    def look(self, wanted: Mapping[str, Any]) -> Heat:
        """What is measured of a table already, and how long the rest will take."""
        try:
            table = self._part(wanted)
        except ValueError as problem:
            return Heat("failed", message=str(problem))
        source = self._source(table)
        known = Known.read(table, source)
        missing = self.folder.missing(table.cells(), again=True)
        seconds = self._seconds(missing) if missing and not _needs(table) else math.nan
        doing = _needs(table) or words.ahead(len(missing), len(known.places), seconds)
        heat = view(known, self.site.catalog, "idle", doing)
        if source is not self.folder:
            card = self.recorded.card(next(cell for cell in table.cells() if self.recorded.get(cell)))
            heat = replace(heat, done=0, doing=words.recorded(card, doing))
        return replace(heat, size=str(wanted.get("size")))

    def _part(self, wanted: Any) -> Table:
        """What is asked for; settings that one rule chose are those found here, or else the recorded ones."""
        return _part(wanted, Either(self.folder, self.recorded))

    def _source(self, table: Table) -> Folder | Recorded:
        """Whose numbers a table shows: what was measured here, or else what comes with the project."""
        cells = list(table.cells())
        here = any(map(self.folder.has, cells))
        return self.recorded if not here and any(map(self.recorded.get, cells)) else self.folder

    def start(self, wanted: Mapping[str, Any], session: str) -> Iterator[Heat]:
        """Measure what is missing of a table, in the order in which a table that is cut off is worth most."""
        try:
            table = self._part(wanted)
            if said := _needs(table):
                raise ValueError(said)
            turn = self.site.turns.join(session, "Start")
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
                yield self.stopped(session)
                return
            for heat in self._show(table, session):
                yield replace(heat, size=str(wanted.get("size")))
        finally:
            self.site.turns.leave(turn)

    def _show(self, table: Table, session: str) -> Iterator[Heat]:
        self.folder.keep(KEPT_CELLS)
        known = Known.read(table, self.folder)
        missing = self.folder.missing(table.cells(), again=True)
        cells = allowed(missing)
        run = Run(functools.partial(self._measure, cells), RunConfig())
        self.site.runs.begin(session, run)
        catalog = self.site.catalog
        named = {card.name: card.title for card in catalog.methods}
        try:
            for moment in follow(run, lambda news, active: known.take(news), self.site.absence(session)):
                if moment.last:
                    known.now = ""
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
        title = titles(table, self.site.catalog)[table.columns.index(column)]
        cells, source = [table.cell(row, column, seed) for seed in table.seeds], self._source(table)
        found = [source.card(cell) for cell in cells if source.get(cell)]
        single = replace(table, rows=(row,), columns=(column,))
        lines = words.card(cells, found, summarize(single, source)[0][0])
        command = f"python -m clip_tta_core.sweep {table.name} --size {SIZES[str(wanted['size'])].name}"
        return HeatCard(f"{title}, {row.title}", lines, command, to_settings(cells[0]))

    def keep(self, wanted: Mapping[str, Any]) -> KeptFile | None:
        """A table as a file, in one of FORMATS."""
        try:
            table, ending = self._part(wanted), str(wanted.get("format"))
        except ValueError:
            return None
        if ending not in FORMATS:
            return None
        text = FORMATS[ending](summarize(table, self._source(table)))
        name = f"{table.name}-{wanted['size']}.{ending}"
        return KeptFile(name, KINDS[ending], base64.b64encode(text.encode()).decode())

    def _note(self, session: str, wanted: Mapping[str, Any]) -> None:
        self._latest[session] = wanted
        self._latest.move_to_end(session)
        while len(self._latest) > KEPT_VISITORS:
            self._latest.popitem(last=False)

    def _seconds(self, cells: Iterable[Cell]) -> float:
        """About how long cells will take here."""
        with self._lock:  # one look at the machine for all who ask
            self._pace = self._pace or pace(self.site)
        stream, forward = self._pace.stream, self._pace.forward
        seconds, begun = 0.0, set()
        for cell in cells:
            config = cell.config()
            passes = _cost(cell).relative + 3 * attack_steps(config, config.contenders) / config.batches
            seconds += _batches(cell) * (stream + forward * passes)
            start = (cell.model, cell.source, cell.seed, str(cell.pre_step))
            if start not in begun:  # made once, then remembered
                seconds += 3 * forward * start_steps(config)
                begun.add(start)
        return seconds


def pace(site: Site) -> Pace:
    """How fast this machine is: the second of two batches of the frozen model, when all is warm."""
    config = RunConfig(methods={"zero_shot": {}}, batches=2, corruption="fog")
    start, whole, forward = time.monotonic(), 0.0, 0.0
    for report in site.engine(config, Control()):
        whole, start = time.monotonic() - start, time.monotonic()
        forward = report.outcomes["zero_shot"].seconds
    return Pace(max(0.0, whole - forward), forward)


def _batches(cell: Cell) -> float:
    """How many batches of 64 a cell has."""
    return cell.protocol.batches * cell.protocol.batch_size / 64


def _cost(cell: Cell) -> Cost:
    one = {cell.method: cell.settings}
    return engine.costs(one, cell.protocol.batch_size, cell.protocol.batches)[cell.method]


def allowed(cells: Sequence[Cell]) -> Sequence[Cell]:
    """The first cells, as many as the operator allows in one run, and one at least."""
    pictures = steps = 0.0
    for count, cell in enumerate(cells):
        pictures += cell.protocol.batch_size * cell.protocol.batches
        config = cell.config()
        steps += _cost(cell).backwards * cell.protocol.batches
        steps += start_steps(config) + attack_steps(config, config.contenders)
        over = (0 < limits.MAX_IMAGES.value < pictures) or (0 < limits.MAX_STEPS.value < steps)
        if over and count:
            return cells[:count]
    return cells


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
    return size.of(declared.make(known))
