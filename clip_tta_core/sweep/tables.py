"""Tables: which cells they consist of. Adding one is one entry of TABLES.

A table is rows of shifts and columns of contenders, each cell measured with several seeds. Gradient methods
stand in a table up to three times: as their authors published them, under CLIPTTA's protocol, and with the
step size and number of steps chosen by one rule that is the same for all (`chosen`).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from clip_tta_core.clip.embedded import PHOTO
from clip_tta_core.clip.loading import MINI
from clip_tta_core.comparison import protocol_knobs
from clip_tta_core.corruptions import CORRUPTIONS
from clip_tta_core.hparams import Value
from clip_tta_core.methods import METHODS
from clip_tta_core.records import Contender
from clip_tta_core.registry import Registry
from clip_tta_core.sources.rendered import STYLES
from clip_tta_core.sweep.cells import Cell, Protocol, Shift
from clip_tta_core.sweep.folder import Folder

STANDARD = tuple(name for name, item in CORRUPTIONS.items() if item.standard)
# Settings are chosen on corruptions that no result is reported on (Hendrycks and Dietterich, ICLR 2019,
# propose the four for this).
EXTRA = tuple(name for name, item in CORRUPTIONS.items() if not item.standard)
GRID = {"lr": (1e-5, 1e-4, 3e-4, 1e-3), "steps": (1, 10)}
PROTOCOL = {"lr": 1e-4, "steps": 10}  # CLIPTTA's (arXiv 2507.14312, section 5)
CIFAR = "dataset:cifar10"
STREAM = 4  # batches of 64, with every corruption and seed anew
CLEAN = Shift()
ZERO_SHOT = Contender("zero_shot", "zero_shot")
SEEDS = (0, 1, 2)


@dataclass(frozen=True)
class Row:
    """One stream of a table, and how papers call its data."""

    title: str
    shift: Shift
    source: str = "rendered"
    protocol: Protocol = Protocol()
    data: str = ""  # in papers: "CIFAR-10-C"; empty where nobody else has measured it


@dataclass(frozen=True)
class Column:
    """One contender on one model, and what papers call the two."""

    contender: Contender
    model: str = MINI
    names: tuple[str, str] = ("", "")  # (model, method) in papers
    batches: int = 0  # at most so many of a row's stream, 0 for all


@dataclass(frozen=True)
class Table:
    """Rows by columns by seeds."""

    name: str
    title: str
    rows: tuple[Row, ...]
    columns: tuple[Column, ...]
    seeds: tuple[int, ...] = SEEDS

    def cell(self, row: Row, column: Column, seed: int) -> Cell:
        one = column.contender
        batches = min(row.protocol.batches, column.batches or row.protocol.batches)
        protocol = dataclasses.replace(row.protocol, batches=batches)
        return Cell(one.method, dict(one.settings), column.model, row.source, row.shift, protocol, seed)

    def cells(self) -> Iterator[Cell]:
        """Every cell, one seed after the other, so that a table that is cut off is whole for fewer seeds."""
        return (
            self.cell(row, column, seed)
            for seed in self.seeds
            for row in self.rows
            for column in self.columns
        )

    def shorter(self, batches: int = 0, seeds: int = 0) -> Table:
        """The same table in less time: shorter streams, fewer seeds; 0 leaves what is declared."""
        rows = self.rows
        if batches:
            rows = tuple(
                dataclasses.replace(row, protocol=dataclasses.replace(row.protocol, batches=batches))
                for row in rows
            )
        return dataclasses.replace(self, rows=rows, seeds=self.seeds[: seeds or None])


@dataclass(frozen=True)
class Declared:
    """A table by name; made when asked for, since some read what other tables found."""

    name: str
    title: str
    make: Callable[[Folder], Table]


TABLES: Registry[Declared] = Registry("table")


def _table(name: str, title: str) -> Callable[[Callable[[Folder], Table]], Callable[[Folder], Table]]:
    def register(make: Callable[[Folder], Table]) -> Callable[[Folder], Table]:
        TABLES.register(Declared(name, title, make))
        return make

    return register


def gradient_methods() -> tuple[str, ...]:
    """The methods that learn along a stream with a step size, and so take part in the common rule."""
    return tuple(
        name
        for name, cls in METHODS.items()
        if {"lr", "steps"} <= {knob.name for knob in cls.Config.knobs()} and not forgets(name)
    )


def forgets(method: str) -> bool:
    """Whether a method looks at many views of one picture and forgets it before the next.

    A stream of one batch then measures it as well as a longer one, at a cost of 64 pictures for each.
    """
    return METHODS[method].draws == "views"


# ---- the contenders ----


def as_published() -> tuple[Contender, ...]:
    """Every method at its defaults, its authors' settings; TENT with the diversity bonus beside TENT."""
    plain = [Contender(name, name) for name in METHODS]
    return (*plain, Contender("tent + diversity", "tent", {"beta_reg": 1.0}))


def under_protocol() -> tuple[Contender, ...]:
    """Every gradient method under CLIPTTA's protocol; see `protocol_settings`."""
    return tuple(
        Contender(f"{one.label}, protocol", one.method, protocol_settings(one.method) | dict(one.settings))
        for one in as_published()
        if one.method in gradient_methods()
    )


def protocol_settings(method: str) -> dict[str, Value]:
    """What CLIPTTA's tables run a method with: PROTOCOL where it learns, its preset where that departs."""
    common = PROTOCOL if method in gradient_methods() else {}
    return {**common, **protocol_knobs()[method]}


def chosen(folder: Folder, model: str = MINI, source: str = "rendered") -> tuple[Contender, ...]:
    """Every gradient method with the settings of GRID that do best on the four extra corruptions.

    A method without a measured grid is left out. Of equal ones the smaller step, then the fewer steps, win.
    """
    table, found = _grid(model, source), []
    for label, columns in _by_label(table).items():
        means = [_mean_accuracy(folder, table, column) for column in columns]
        if None not in means:
            _, *_, best = sorted(zip(means, map(_smallness, columns), range(len(columns)), strict=True))[-1]
            found.append(
                Contender(
                    f"{label}, chosen", columns[best].contender.method, columns[best].contender.settings
                )
            )
    return tuple(found)


def _mean_accuracy(folder: Folder, table: Table, column: Column) -> float | None:
    numbers = [folder.get(table.cell(row, column, seed)) for row in table.rows for seed in table.seeds]
    measured = [one for one in numbers if one]
    return sum(one["accuracy"] for one in measured) / len(numbers) if len(measured) == len(numbers) else None


def _smallness(column: Column) -> tuple[float, float]:
    settings = column.contender.settings
    return -float(settings["lr"]), -float(settings["steps"])


def _by_label(table: Table) -> Mapping[str, list[Column]]:
    columns: dict[str, list[Column]] = {}
    for column in table.columns:
        columns.setdefault(column.contender.label.partition(" at ")[0], []).append(column)
    return columns


def _grid(model: str, source: str) -> Table:
    """Every gradient method over GRID on the four extra corruptions, one seed that no result uses."""
    columns = tuple(
        Column(
            Contender(
                f"{one.label} at {lr:g}, {steps}", one.method, {**one.settings, "lr": lr, "steps": steps}
            ),
            model,
        )
        for one in as_published()
        if one.method in gradient_methods()
        for lr in GRID["lr"]
        for steps in GRID["steps"]
    )
    rows = _corrupted(EXTRA, source)
    return Table("grid", "Step size and steps on the four extra corruptions", rows, columns, (100,))


def _corrupted(names: Sequence[str], source: str) -> tuple[Row, ...]:
    return tuple(
        Row(shift.title, shift, source, Protocol(batches=STREAM))
        for shift in (Shift(name, severity=5) for name in names)
    )


# ---- the project's own tables ----


def _joint(name: str, folder: Folder, model: str, source: str) -> Table:
    """Every method on the fifteen corruptions: as published, by the common rule, under CLIPTTA's protocol."""
    contenders = (*as_published(), *chosen(folder, model, source), *under_protocol())
    columns = tuple(Column(one, model, batches=int(forgets(one.method))) for one in contenders)
    return Table(name, TABLES[name].title, _corrupted(STANDARD, source), columns)


@_table("mini-grid", "mini-CLIP: step size and steps, chosen on the four extra corruptions")
def mini_grid(folder: Folder) -> Table:
    return dataclasses.replace(_grid(MINI, "rendered"), name="mini-grid")


@_table("mini", "mini-CLIP: every method on the fifteen corruptions at severity 5")
def mini(folder: Folder) -> Table:
    return _joint("mini", folder, MINI, "rendered")


@_table("photo-grid", "photo-CLIP on CIFAR-10: step size and steps, chosen on the four extra corruptions")
def photo_grid(folder: Folder) -> Table:
    return dataclasses.replace(_grid(PHOTO.name, CIFAR), name="photo-grid")


@_table("photo", "photo-CLIP on CIFAR-10: every method on the fifteen corruptions at severity 5")
def photo(folder: Folder) -> Table:
    return _joint("photo", folder, PHOTO.name, CIFAR)


@_table("mini-severities", "mini-CLIP, unadapted: clean, every corruption at every severity, every style")
def mini_severities(folder: Folder) -> Table:
    long = Protocol(batch_size=250, batches=16)
    shifts = [Shift(), *(Shift(name, s) for name in CORRUPTIONS for s in range(1, 6))]
    shifts += [Shift(style=name) for name in STYLES if name != "none"]
    rows = tuple(Row(shift.title, shift, protocol=long) for shift in shifts)
    return Table("mini-severities", TABLES["mini-severities"].title, rows, (Column(ZERO_SHOT),), (2024,))


# ---- tables of the CLIPTTA paper (arXiv 2507.14312) ----

PAPER = Protocol(batch_size=128, batches=2000)  # a finite set ends the stream where it ends
PAPER_METHODS = {  # ours: theirs
    "zero_shot": "CLIP",
    "tent": "TENT",
    "eta": "ETA",
    "sar": "SAR",
    "rotta": "RoTTA",
    "clipartt": "CLIPArTT",
    "watt": "WATT",
    "tda": "TDA",
    "cliptta": "CLIPTTA",
}
OPEN_METHODS = {
    "zero_shot": "CLIP",
    "tent": "TENT",
    "ostta": "OSTTA",
    "sotta": "SoTTA",
    "stamp": "STAMP",
    "unient": "UniEnt",
}
B16 = ("ViT-B-16/openai", "ViT-B/16")


def _paper_columns(methods: Mapping[str, str], model: tuple[str, str] = B16) -> tuple[Column, ...]:
    return tuple(
        Column(Contender(theirs, ours, protocol_settings(ours)), model[0], (model[1], theirs))
        for ours, theirs in methods.items()
        if ours in METHODS
    )


def _published_row(data: str, source: str, shift: Shift = CLEAN, **protocol) -> Row:
    return Row(
        data if shift == CLEAN else shift.title,
        shift,
        f"dataset:{source}",
        dataclasses.replace(PAPER, **protocol),
        data,
    )


@_table("T1", "CLIPTTA paper, Table 1: CIFAR-10-C and CIFAR-100-C, ViT-B/16")
def paper_t1(folder: Folder) -> Table:
    rows = tuple(
        _published_row(f"CIFAR-{n}-C", f"cifar{n}-c", Shift(name)) for n in (10, 100) for name in STANDARD
    )
    return Table("T1", TABLES["T1"].title, rows, _paper_columns(PAPER_METHODS), (0,))


@_table("T8", "CLIPTTA paper, Table 8: CIFAR-10 and CIFAR-100 with SVHN as unknowns, ViT-B/16")
def paper_t8(folder: Folder) -> Table:
    # As many unknown pictures as known ones, 128 of each in a batch.
    open_set = {"batch_size": 256, "unknown_source": "dataset:svhn"}
    rows = tuple(_published_row(f"CIFAR-{n} vs SVHN", f"cifar{n}", **open_set) for n in (10, 100))
    return Table("T8", TABLES["T8"].title, rows, _open_columns(), (0,))


@_table("T9", "CLIPTTA paper, Table 9: CIFAR-10-C and CIFAR-100-C with corrupted SVHN as unknowns, ViT-B/16")
def paper_t9(folder: Folder) -> Table:
    open_set = {"batch_size": 256, "unknown_source": "dataset:svhn"}
    rows = tuple(
        _published_row(f"CIFAR-{n}-C vs SVHN-C", f"cifar{n}-c", Shift(name), **open_set)
        for n in (10, 100)
        for name in STANDARD
    )
    return Table("T9", TABLES["T9"].title, rows, _open_columns(), (0,))


def _open_columns() -> tuple[Column, ...]:
    ours = Contender("CLIPTTA+OCE", "cliptta", {**PROTOCOL, "open_set": True})
    return (*_paper_columns(OPEN_METHODS), Column(ours, B16[0], (B16[1], "CLIPTTA+OCE")))


@_table("T15", "CLIPTTA paper, Table 15: clean CIFAR-10 and CIFAR-100, ViT-B/16")
def paper_t15(folder: Folder) -> Table:
    rows = tuple(_published_row(f"CIFAR-{n}", f"cifar{n}") for n in (10, 100))
    return Table("T15", TABLES["T15"].title, rows, _paper_columns(PAPER_METHODS), (0,))


@_table("T18", "CLIPTTA paper, Table 18: other image encoders on clean CIFAR-10 and CIFAR-100")
def paper_t18(folder: Folder) -> Table:
    models = (
        ("RN50/openai", "RN50"),
        ("ViT-B-32/openai", "ViT-B/32"),
        ("ViT-L-14/openai", "ViT-L/14"),
        ("ViT-B-16-SigLIP/webli", "SigLIP-B/16"),
    )
    methods = {name: PAPER_METHODS[name] for name in ("zero_shot", "tent", "cliptta")}
    columns = tuple(column for model in models for column in _paper_columns(methods, model))
    rows = tuple(_published_row(f"CIFAR-{n}", f"cifar{n}") for n in (10, 100))
    return Table("T18", TABLES["T18"].title, rows, columns, (0,))


@_table("T22", "CLIPTTA paper, Table 22: batch sizes from 1 to 512 on clean CIFAR-10, ViT-B/16")
def paper_t22(folder: Folder) -> Table:
    alone = {**PROTOCOL, "beta_reg": 0.0, "composition": "batch_only"}
    columns = (
        *_paper_columns({"tent": "TENT", "cliptta": "CLIPTTA"}),
        Column(Contender("L_s only", "cliptta", alone), B16[0], (B16[1], "L_s only")),
    )
    rows = tuple(
        dataclasses.replace(
            # A run takes 2,000 batches at most: with batches of 1 and 2 the stream is shorter than the set.
            _published_row("CIFAR-10", "cifar10", batch_size=size, batches=min(2000, -(-10_000 // size))),
            title=f"batch {size}",
        )
        for size in (1, 2, 8, 16, 32, 64, 128, 256, 512)
    )
    return Table("T22", TABLES["T22"].title, rows, columns, (0,))
