"""Tables of the CLIPTTA paper (arXiv 2507.14312), to be measured again and put beside what it reports."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

from clip_tta_core.methods import METHODS
from clip_tta_core.records import Contender
from clip_tta_core.sweep.cells import Protocol, Shift
from clip_tta_core.sweep.contenders import PROTOCOL, protocol_settings
from clip_tta_core.sweep.tables import CLEAN, STANDARD, TABLES, Column, Numbers, Row, Table, declare

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


@declare("T1", "CLIPTTA paper, Table 1: CIFAR-10-C and CIFAR-100-C, ViT-B/16")
def paper_t1(known: Numbers) -> Table:
    rows = tuple(
        _published_row(f"CIFAR-{n}-C", f"cifar{n}-c", Shift(name)) for n in (10, 100) for name in STANDARD
    )
    return Table("T1", TABLES["T1"].title, rows, _paper_columns(PAPER_METHODS), (0,))


PARTS = (  # of CLIPTTA's loss, put together one by one
    ("L_s only", {"beta_reg": 0.0, "composition": "batch_only"}),
    ("L_s + L_reg", {"composition": "batch_only"}),
)


def _part_columns() -> tuple[Column, ...]:
    return tuple(
        Column(Contender(name, "cliptta", {**PROTOCOL, **own}), B16[0], (B16[1], name)) for name, own in PARTS
    )


@declare("T4", "CLIPTTA paper, Table 4 without its fine-grained sets: the parts of the loss, ViT-B/16")
def paper_t4(known: Numbers) -> Table:
    # Of the fine-grained sets the paper reports the mean of eleven alone, among them UCF101's video frames.
    rows = (
        _published_row("CIFAR-100", "cifar100"),
        *(_published_row("CIFAR-100-C", "cifar100-c", Shift(name)) for name in STANDARD),
        _published_row("ImageNet", "imagenet"),
        *(_published_row("ImageNet-C", "imagenet-c", Shift(name)) for name in STANDARD),
    )
    before, after = (
        _paper_columns({"zero_shot": "CLIP", "tent": "TENT"}),
        _paper_columns({"cliptta": "CLIPTTA"}),
    )
    return Table("T4", TABLES["T4"].title, rows, (*before, *_part_columns(), *after), (0,))


@declare("T8", "CLIPTTA paper, Table 8: CIFAR-10 and CIFAR-100 with SVHN as unknowns, ViT-B/16")
def paper_t8(known: Numbers) -> Table:
    # As many unknown pictures as known ones, 128 of each in a batch.
    open_set = {"batch_size": 256, "unknown_source": "dataset:svhn"}
    rows = tuple(_published_row(f"CIFAR-{n} vs SVHN", f"cifar{n}", **open_set) for n in (10, 100))
    return Table("T8", TABLES["T8"].title, rows, _open_columns(), (0,))


@declare("T9", "CLIPTTA paper, Table 9: CIFAR-10-C and CIFAR-100-C with corrupted SVHN as unknowns, ViT-B/16")
def paper_t9(known: Numbers) -> Table:
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


@declare("T15", "CLIPTTA paper, Table 15: clean CIFAR-10 and CIFAR-100, ViT-B/16")
def paper_t15(known: Numbers) -> Table:
    rows = tuple(_published_row(f"CIFAR-{n}", f"cifar{n}") for n in (10, 100))
    return Table("T15", TABLES["T15"].title, rows, _paper_columns(PAPER_METHODS), (0,))


@declare("T18", "CLIPTTA paper, Table 18: other image encoders on clean CIFAR-10 and CIFAR-100")
def paper_t18(known: Numbers) -> Table:
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


@declare("T21", "CLIPTTA paper, Table 21: the weight of OCE, ImageNet with Places as unknowns, ViT-B/16")
def paper_t21(known: Numbers) -> Table:
    row = _published_row("ImageNet vs Places", "imagenet", batch_size=256, unknown_source="dataset:places365")
    columns = (
        *_paper_columns({"zero_shot": "CLIP", "cliptta": "CLIPTTA"}),  # without OCE: a weight of 0
        *(
            Column(
                Contender(name, "cliptta", {**PROTOCOL, "open_set": True, "beta_ood": weight}),
                B16[0],
                (B16[1], name),
            )
            for weight in (0.25, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 100.0)
            for name in (f"CLIPTTA+OCE, weight {weight:g}",)
        ),
    )
    return Table("T21", TABLES["T21"].title, (row,), columns, (0,))


@declare("T22", "CLIPTTA paper, Table 22: batch sizes from 1 to 512 on clean CIFAR-10, ViT-B/16")
def paper_t22(known: Numbers) -> Table:
    columns = (*_paper_columns({"tent": "TENT", "cliptta": "CLIPTTA"}), _part_columns()[0])
    rows = tuple(
        dataclasses.replace(
            # A run takes 2,000 batches at most: with batches of 1 and 2 the stream is shorter than the set.
            _published_row("CIFAR-10", "cifar10", batch_size=size, batches=min(2000, -(-10_000 // size))),
            title=f"batch {size}",
        )
        for size in (1, 2, 8, 16, 32, 64, 128, 256, 512)
    )
    return Table("T22", TABLES["T22"].title, rows, columns, (0,))
