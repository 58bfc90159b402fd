"""Tables of many runs on the page: cell by cell, one run for every limit, and no cell is measured twice."""

from __future__ import annotations

import base64
import functools
import itertools
import math
import statistics
import threading
import time
from collections import OrderedDict
from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from matplotlib.figure import Figure

from clip_tta_core import engine, limits, plots
from clip_tta_core.clip.embedded import EMBEDDED
from clip_tta_core.control import Control
from clip_tta_core.records import Catalog, Cost, RunConfig
from clip_tta_core.sources import datasets
from clip_tta_core.sweep.cells import Cell, measure
from clip_tta_core.sweep.folder import Folder
from clip_tta_core.sweep.recorded import Either, Recorded
from clip_tta_core.sweep.sizes import SIZES, Size
from clip_tta_core.sweep.summary import FORMATS, light, summarize
from clip_tta_core.sweep.tables import TABLES, UNADAPTED, Column, Table
from clip_tta_core.ui.session.follow import follow
from clip_tta_core.ui.session.runs import Run
from clip_tta_core.ui.session.settings import Settings, defaults
from clip_tta_core.ui.session.site import Site
from clip_tta_core.ui.session.turns import Full, Turn
from clip_tta_core.ui.wire.form import Option
from clip_tta_core.ui.wire.parts import Heat, HeatCard, HeatProps, HeatRow, HeatTable, KeptFile
from clip_tta_core.ui.wire.states import RunState
from clip_tta_core.ui.words import benchmark as words
from clip_tta_core.ui.words.comparison import turn
from clip_tta_core.validation import attack_steps, start_steps

KEPT_CELLS = 20_000  # files of about 1 KB
KEPT_VISITORS = 64
FIGURES = {"png": plots.figure_png, "svg": plots.figure_svg}
KINDS = {
    **{"csv": "text/csv", "md": "text/markdown", "tex": "application/x-tex"},
    **{"png": "image/png", "svg": "image/svg+xml"},
}
BUDGETS = (
    5,
    50,
)  # times what unadapted CLIP takes for a batch: one step or none, and ten steps with a memory
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
    """What is known of a table's cells."""

    table: Table
    source: Folder | Recorded
    numbers: dict[Cell, Numbers] = field(default_factory=dict)
    problems: dict[Cell, str] = field(default_factory=dict)
    now: Cell | None = None  # which is measured

    @classmethod
    def read(cls, table: Table, source: Folder | Recorded) -> Known:
        """What a folder or a recording has of a table."""
        return cls(table, source, *source.read(table.cells()))

    def get(self, cell: Cell) -> Numbers | None:
        """As a folder answers."""
        return self.numbers.get(cell)

    def take(self, news: Measured) -> None:
        self.now = None if news.numbers or news.problem else news.cell
        self.problems.pop(news.cell, None)
        if news.numbers:
            self.numbers[news.cell] = news.numbers
        elif news.problem:
            self.problems[news.cell] = news.problem

    @functools.cached_property
    def places(self) -> dict[Cell, tuple[int, int]]:
        """(contender, shift) of every cell, in the order in which they are measured."""
        table = self.table
        return {
            table.cell(row, column, seed): (place, shift)
            for seed in table.seeds
            for shift, row in enumerate(table.rows)
            for place, column in enumerate(table.columns)
        }

    def missing(self) -> list[Cell]:
        return [cell for cell in self.places if cell not in self.numbers]


@dataclass(frozen=True)
class Pace:
    """Seconds that this machine takes for a batch of 64: to make it, and for one pass of CLIP over it."""

    stream: float
    forward: float


def props(folder: Folder) -> HeatProps:
    """The tables and sizes there are; those that need what is not here say so."""
    made = [(one, one.make(folder)) for one in TABLES.values()]
    families = dict.fromkeys(column.family for _, table in made for column in table.columns)
    kinds = dict.fromkeys(row.kind for _, table in made for row in table.rows)
    return HeatProps(
        tuple(HeatTable(one.name, one.title, _needs(table)) for one, table in made),
        tuple(Option(one.name, one.title, one.help) for one in SIZES.values()),
        tuple(families),
        tuple(kinds),
    )


def _needs(table: Table) -> str:
    models = dict.fromkeys(one.model for one in table.columns if one.model not in EMBEDDED)
    named = (name for row in table.rows for name in (row.source, row.protocol.unknown_source))
    data = dict.fromkeys(name.partition(":")[2] for name in named if name.startswith("dataset:"))
    lacking = [name for name in data if not datasets.is_here(name)]
    return words.needs([*models], lacking, table.name) if models or lacking else ""


def view(known: Known, catalog: Catalog, state: RunState, doing: str = "") -> Heat:
    """A table as the page draws it: contenders down, shifts across, their means last."""
    table, lines = known.table, summarize(known.table, known)
    failed = {known.places[cell]: problem for cell, problem in known.problems.items()}
    rows = tuple(
        HeatRow(
            title,
            tuple(_plain(line[place].mean) for line in lines),
            tuple(_plain(line[place].spread) for line in lines),
            tuple(line[place].seeds for line in lines),
            tuple(failed.get((place, shift), "") for shift in range(len(lines))),
            tuple(", ".join(f"{one.value:g}" for one in line[place].published) for line in lines),
        )
        for place, title in enumerate(titles(table, catalog))
    )
    return Heat(
        state=state,
        table=table.name,
        columns=tuple(line[0].row for line in lines),
        shifts=len(table.rows),
        rows=rows,
        baseline=_baseline(table),
        now=known.places[known.now] if known.now else (),
        done=len(known.numbers),
        count=len(known.places),
        doing=doing,
        advice=advice(known, catalog),
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


def advice(known: Known, catalog: Catalog) -> tuple[str, ...]:
    """Which method is ahead on which kind of shift and within which time, as far as the seeds can tell."""
    table, place = known.table, _baseline(known.table)
    if place < 0 or not known.numbers:
        return ()
    said = light([line[place] for line in summarize(table, known)])
    if len(table.seeds) < words.FEWEST:
        return tuple(filter(None, (said, words.TOO_FEW)))
    called = titles(table, catalog)
    values = dict(zip(called, (_by_row(known, column) for column in table.columns), strict=True))
    kinds = {row.kind: [other.kind == row.kind for other in table.rows] for row in table.rows}
    whole = "all shifts together" if len(kinds) > 1 else next(iter(kinds))
    kinds[whole] = [True] * len(table.rows)
    groups = {kind: {one: _means(values[one], chosen) for one in called} for kind, chosen in kinds.items()}
    slowness = dict(zip(called, _slowness(known, place), strict=True))
    for times in BUDGETS:
        quick = {one: own for one, own in groups[whole].items() if slowness[one] <= times}
        if 1 < len(quick) < len(called):
            groups[words.within(whole, times, called[place])] = quick
    sentences = words.which_method(groups, called[place])
    lacking = sum(len(own) < words.FEWEST for own in groups[whole].values())
    rest = words.left_out(lacking, len(called)) if sentences else ""
    return tuple(filter(None, (said, *sentences, rest)))


def _by_row(known: Known, column: Column) -> list[dict[int, float]]:
    """Accuracy of a contender by seed, for every row."""
    table = known.table
    found = [{seed: known.get(table.cell(row, column, seed)) for seed in table.seeds} for row in table.rows]
    return [{seed: own["accuracy"] for seed, own in line.items() if own} for line in found]


def _means(lines: Sequence[Mapping[int, float]], chosen: Sequence[bool]) -> dict[int, float]:
    """Means over the rows that are chosen, of the seeds that all of them have."""
    rows = [line for line, wanted in zip(lines, chosen, strict=True) if wanted]
    seeds = [seed for seed in rows[0] if all(seed in line for line in rows)]
    return {seed: statistics.fmean(line[seed] for line in rows) for seed in seeds}


def _slowness(known: Known, place: int) -> list[float]:
    """For every contender, how many times the baseline's time a batch takes it; the median over cells."""
    table = known.table
    found = []
    for column in table.columns:
        ratios = []
        for row, seed in itertools.product(table.rows, table.seeds):
            own, base = (known.get(table.cell(row, one, seed)) for one in (column, table.columns[place]))
            if own and base and base["seconds"] > 0:
                ratios.append(own["seconds"] / base["seconds"])
        found.append(statistics.median(ratios) if ratios else math.inf)
    return found


def _baseline(table: Table) -> int:
    methods = [column.contender.method for column in table.columns]
    return methods.index(UNADAPTED) if UNADAPTED in methods else -1


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
        known, catalog = self._known(table), self.site.catalog
        missing = known.missing() if known.source is self.folder else [*known.places]
        seconds = self._seconds(missing) if missing and not _needs(table) else math.nan
        doing = _needs(table) or words.ahead(len(missing), len(known.places), seconds)
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
            if said := _needs(table):
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
        called, place = titles(table, self.site.catalog), _baseline(table)
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
    part = size.of(declared.make(known))
    return part.only(*(str(wanted.get(name) or "") for name in ("methods", "shifts")))
