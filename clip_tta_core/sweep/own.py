"""The project's own tables: what mini-CLIP and photo-CLIP do, as their cards and the page show it."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

from clip_tta_core.clip.embedded import MINI, PHOTO
from clip_tta_core.corruptions import CORRUPTIONS, SEVERITIES
from clip_tta_core.hparams import Value
from clip_tta_core.methods import METHODS
from clip_tta_core.records import Contender
from clip_tta_core.sources.rendered import STYLES, UNKNOWN_SOURCES
from clip_tta_core.starts import STARTS
from clip_tta_core.sweep.cells import PreStep, Protocol, Shift
from clip_tta_core.sweep.contenders import (
    PROTOCOL,
    STREAM,
    ZERO_SHOT,
    as_published,
    chosen,
    grid,
    under_protocol,
)
from clip_tta_core.sweep.tables import (
    CLEAN,
    STANDARD,
    TABLES,
    Column,
    Numbers,
    Row,
    Table,
    corrupted,
    declare,
)

CIFAR, HUNDRED = "dataset:cifar10", "dataset:cifar100"
AT_HOME = {MINI.name: "rendered", PHOTO.name: CIFAR}  # the pictures that each model's tables are of
FOG = Shift("fog")
LONG = Protocol(batch_size=250, batches=8)


def by_the_rule(known: Numbers, model: str) -> dict[str, Mapping[str, Value]]:
    """{method: the settings that the common rule chooses with a model}; empty where no grid is measured."""
    if model not in AT_HOME:
        return {}
    found = chosen(known, model, AT_HOME[model])
    return {one.method: one.settings for one in found if one.label.partition(",")[0] == one.method}


def _joint(name: str, known: Numbers, model: str) -> Table:
    """Every method on the fifteen corruptions: as published, by the common rule, under CLIPTTA's protocol."""
    source = AT_HOME[model]
    contenders = (*as_published(), *chosen(known, model, source), *under_protocol())
    columns = tuple(Column(one, model, batches=1 if _starts_over(one) else 0) for one in contenders)
    return Table(name, TABLES[name].title, corrupted(STANDARD, source, STREAM), columns)


def _starts_over(one: Contender) -> bool:
    """Whether nothing reaches the next batch, so that a stream of one measures it as well as a longer one."""
    cls = METHODS[one.method]
    return cls.forgets or bool(one.settings.get("episodic", cls.episodic))


@declare("mini-grid", "mini-CLIP: step size and steps, chosen on the four extra corruptions")
def mini_grid(known: Numbers) -> Table:
    return dataclasses.replace(grid(MINI.name, AT_HOME[MINI.name]), name="mini-grid")


@declare("mini", "mini-CLIP: every method on the fifteen corruptions at severity 5")
def mini(known: Numbers) -> Table:
    return _joint("mini", known, MINI.name)


@declare("photo-grid", "photo-CLIP on CIFAR-10: step size and steps, chosen on the four extra corruptions")
def photo_grid(known: Numbers) -> Table:
    return dataclasses.replace(grid(PHOTO.name, AT_HOME[PHOTO.name]), name="photo-grid")


@declare("photo", "photo-CLIP on CIFAR-10: every method on the fifteen corruptions at severity 5")
def photo(known: Numbers) -> Table:
    return _joint("photo", known, PHOTO.name)


# ---- one picture of a stream may differ from the next: other shifts, orders and batches ----


def _streams(name: str, model: str, source: str, styles: tuple[str, ...]) -> Table:
    """Every method as published, on streams that differ in kind."""
    usual = Protocol(batches=STREAM)
    rows = (
        Row("clean", CLEAN, source, usual),
        *(Row(Shift(style=style).title, Shift(style=style), source, usual) for style in styles),
        Row("few classes at a time, fog", FOG, source, dataclasses.replace(usual, order="few")),
        Row("sorted classes, fog", FOG, source, dataclasses.replace(usual, order="sorted")),
        Row("every picture another corruption", Shift(schedule="mixed"), source, usual),
        Row("batches of one, fog", FOG, source, Protocol(batch_size=1, batches=64)),
    )
    columns = tuple(Column(one, model) for one in as_published() if not METHODS[one.method].forgets)
    return Table(name, TABLES[name].title, rows, columns)


@declare(
    "mini-streams", "mini-CLIP: every method on clean pictures, styles, and streams that are not shuffled"
)
def mini_streams(known: Numbers) -> Table:
    return _streams("mini-streams", MINI.name, "rendered", tuple(name for name in STYLES if name != "none"))


@declare("photo-streams", "photo-CLIP: every method on clean pictures, and streams that are not shuffled")
def photo_streams(known: Numbers) -> Table:
    return _streams("photo-streams", PHOTO.name, CIFAR, ())


# ---- unadapted ----


def _zero_shot(name: str, model: str, source: str, shifts: list[Shift], extra: tuple[Row, ...] = ()) -> Table:
    """Zero-shot CLIP on long streams of a seed that neither training nor another table uses."""
    rows = tuple(Row(shift.title, shift, source, LONG) for shift in shifts)
    return Table(name, TABLES[name].title, (*rows, *extra), (Column(ZERO_SHOT, model),), (2024,))


@declare("mini-severities", "mini-CLIP, unadapted: clean, every corruption at every severity, every style")
def mini_severities(known: Numbers) -> Table:
    shifts = [CLEAN, *(Shift(name, s) for name in CORRUPTIONS for s in SEVERITIES)]
    shifts += [Shift(style=name) for name in STYLES if name != "none"]
    return _zero_shot("mini-severities", MINI.name, "rendered", shifts)


@declare("photo-severities", "photo-CLIP, unadapted: clean, the fifteen corruptions at every severity")
def photo_severities(known: Numbers) -> Table:
    shifts = [Shift(name, s) for name in STANDARD for s in SEVERITIES]
    whole = dataclasses.replace(LONG, batches=40)  # ends where the pictures do
    clean = (Row("CIFAR-10", CLEAN, CIFAR, whole), Row("CIFAR-100", CLEAN, HUNDRED, whole))
    return _zero_shot("photo-severities", PHOTO.name, CIFAR, shifts, clean)


# ---- unknown pictures ----


def _open(name: str, model: str, rows: tuple[Row, ...]) -> Table:
    """CLIPTTA's open-set protocol: TENT with the bonus, as there, and the same step for all that learn."""
    contenders = (
        ZERO_SHOT,
        Contender("tent + diversity", "tent", {**PROTOCOL, "beta_reg": 1.0}),
        Contender("unient", "unient", PROTOCOL),
        Contender("cliptta", "cliptta", PROTOCOL),
        Contender("cliptta + oce", "cliptta", {**PROTOCOL, "open_set": True}),
    )
    return Table(name, TABLES[name].title, rows, tuple(Column(one, model) for one in contenders))


def _unknown(title: str, shift: Shift, source: str, unknown: str) -> Row:
    return Row(f"{title}, {shift.title}", shift, source, Protocol(batches=8, unknown_source=unknown))


@declare("mini-unknown", "mini-CLIP: half of the pictures unknown")
def mini_unknown(known: Numbers) -> Table:
    rows = (
        _unknown(kind.title.lower(), shift, "rendered", name)
        for name, kind in UNKNOWN_SOURCES.items()
        for shift in (CLEAN, FOG)
    )
    return _open("mini-unknown", MINI.name, tuple(rows))


@declare("photo-unknown", "photo-CLIP: half of the pictures unknown, CIFAR-100's for CIFAR-10's and back")
def photo_unknown(known: Numbers) -> Table:
    shifts = (CLEAN, Shift("gaussian_noise"), FOG)
    ten = (_unknown("CIFAR-100 among CIFAR-10", shift, CIFAR, HUNDRED) for shift in shifts)
    hundred = (_unknown("CIFAR-10 among CIFAR-100", shift, HUNDRED, CIFAR) for shift in shifts)
    return _open("photo-unknown", PHOTO.name, (*ten, *hundred))


# ---- the paper's protocol on photographs ----

LOSSES = (  # CLIPTTA put together part by part, then with its loss the other way round and both ways
    Contender("loss alone", "cliptta", {**PROTOCOL, "composition": "batch_only", "beta_reg": 0.0}),
    Contender("with bonus", "cliptta", {**PROTOCOL, "composition": "batch_only"}),
    Contender("with bonus and memory", "cliptta", PROTOCOL),
    Contender("text to image", "cliptta", {**PROTOCOL, "direction": "text_to_image"}),
    Contender("symmetric", "cliptta", {**PROTOCOL, "direction": "symmetric"}),
)
TENTS = (
    Contender("tent", "tent", PROTOCOL),
    Contender("tent + diversity", "tent", {**PROTOCOL, "beta_reg": 1.0}),
)


@declare("photo-paper", "photo-CLIP on CIFAR-10 under CLIPTTA's protocol: every test picture, batches of 128")
def photo_paper(known: Numbers) -> Table:
    whole = Protocol(batch_size=128, batches=79)  # of 10,000 pictures; a smaller set ends the streams earlier
    rows = (dataclasses.replace(row, protocol=whole) for row in corrupted(STANDARD, CIFAR, STREAM))
    protocol = (ZERO_SHOT, *TENTS, Contender("cliptta", "cliptta", PROTOCOL))
    ruled = (one for one in chosen(known, PHOTO.name, CIFAR) if one.method in {"tent", "cliptta"})
    columns = (Column(one, PHOTO.name) for one in (*protocol, *ruled))
    return Table("photo-paper", TABLES["photo-paper"].title, tuple(rows), tuple(columns), (0,))


@declare("photo-parts", "photo-CLIP on CIFAR-10, fog: the parts of CLIPTTA's loss by the size of a batch")
def photo_parts(known: Numbers) -> Table:
    rows = tuple(
        Row(f"batches of {size}", FOG, CIFAR, Protocol(batch_size=size, batches=512 // size))
        for size in (1, 4, 16, 64, 256, 512)
    )
    columns = tuple(Column(one, PHOTO.name) for one in (ZERO_SHOT, *TENTS, *LOSSES))
    return Table("photo-parts", TABLES["photo-parts"].title, rows, columns, (0,))


# ---- a few labelled pictures beforehand ----

NOISE = Shift("gaussian_noise")
FEW = Protocol(batches=STREAM)
LED = "clipood"  # the start of the lesson, from which CLIPTTA is measured, too


def _starts(name: str, model: str, source: str, shifts: tuple[Shift, ...]) -> Table:
    """CLIP and every start as they are, CLIPTTA from CLIP and from one of them, on pictures no start saw."""
    columns = [Column(ZERO_SHOT, model), Column(Contender("cliptta", "cliptta"), model)]
    for start, cls in STARTS.items():
        columns.append(Column(Contender(cls.title, ZERO_SHOT.method), model, pre_step=PreStep(start)))
        if start == LED:
            both = Contender(f"{cls.title}, then cliptta", "cliptta")
            columns.append(Column(both, model, pre_step=PreStep(start)))
    rows = tuple(Row(shift.title, shift, source, FEW) for shift in shifts)
    return Table(name, TABLES[name].title, rows, tuple(columns))


@declare("mini-starts", "mini-CLIP: what 16 labelled pictures a class are worth before adapting")
def mini_starts(known: Numbers) -> Table:
    return _starts("mini-starts", MINI.name, "rendered", (CLEAN, FOG, NOISE, Shift(style="line_drawing")))


@declare(
    "photo-starts", "photo-CLIP on CIFAR-10: what 16 labelled pictures a class are worth before adapting"
)
def photo_starts(known: Numbers) -> Table:
    return _starts("photo-starts", PHOTO.name, CIFAR, (CLEAN, FOG, NOISE, Shift("defocus_blur")))


# ---- attacks ----

RADIUS = 4.0  # levels of 255: the authors of R-TPT and TAPT attack with 1 and with 4
ATTACKED = (
    ZERO_SHOT,
    Contender("tent", "tent"),
    Contender("cliptta", "cliptta"),
    Contender("zero", "zero", {"views": 32}),
    Contender("r_tpt", "r_tpt", {"views": 32}),
    Contender("tapt", "tapt", {"views": 32}),
    Contender("tapt, larger tokens", "tapt", {"views": 32, "spread": 0.02}),
)


def _attacks(name: str, model: str, source: str) -> Table:
    """Clean pictures, attacked ones, and pictures attacked for each method as it has adapted."""
    few = Protocol(batch_size=32, batches=2)
    linf = Shift(attack="linf", attack_epsilon=RADIUS)
    shifts = (CLEAN, linf, dataclasses.replace(linf, attack_target="adapted"))
    rows = tuple(Row(shift.title, shift, source, few) for shift in shifts)
    return Table(name, TABLES[name].title, rows, tuple(Column(one, model) for one in ATTACKED))


@declare("mini-attacks", "mini-CLIP: pictures attacked for the model, and for each method as it has adapted")
def mini_attacks(known: Numbers) -> Table:
    return _attacks("mini-attacks", MINI.name, "rendered")


@declare(
    "photo-attacks",
    "photo-CLIP on CIFAR-10: pictures attacked for the model, and for each method as it has adapted",
)
def photo_attacks(known: Numbers) -> Table:
    return _attacks("photo-attacks", PHOTO.name, CIFAR)
