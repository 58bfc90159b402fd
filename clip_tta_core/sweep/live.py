"""Corrupted sets as published beside the same corruptions made live from clean pictures: a check of ours.

Where the two differ by more than their seeds, a corruption of ours is not the published one.
"""

from __future__ import annotations

from clip_tta_core.clip.embedded import PHOTO
from clip_tta_core.records import Contender
from clip_tta_core.sweep.cells import Protocol, Shift
from clip_tta_core.sweep.contenders import PROTOCOL, ZERO_SHOT
from clip_tta_core.sweep.papers import B16
from clip_tta_core.sweep.tables import STANDARD, TABLES, Column, Numbers, Row, Table, declare

STREAM = Protocol(batch_size=128, batches=20)


def _pairs(clean: str, title: str) -> tuple[Row, ...]:
    """Every standard corruption twice: of the published set, and made from the clean one."""
    return tuple(
        Row(f"{shift.title}, {how}", shift, f"dataset:{source}", STREAM, data)
        for shift in map(Shift, STANDARD)
        for how, source, data in (
            ("published", f"{clean}-c", f"{title}-C"),
            ("live", clean, f"{title}, corrupted here"),
        )
    )


@declare("photo-live", "photo-CLIP: CIFAR-10-C as published beside the same corruptions made live")
def photo_live(known: Numbers) -> Table:
    contenders = (ZERO_SHOT, Contender("tent", "tent", PROTOCOL), Contender("cliptta", "cliptta", PROTOCOL))
    columns = tuple(Column(one, PHOTO.name) for one in contenders)
    return Table("photo-live", TABLES["photo-live"].title, _pairs("cifar10", "CIFAR-10"), columns, (0,))


@declare(
    "imagenet-live", "ImageNet-C as published beside the same corruptions made live, ViT-B/16, unadapted"
)
def imagenet_live(known: Numbers) -> Table:
    columns = (Column(ZERO_SHOT, B16[0], (B16[1], "CLIP")),)
    return Table(
        "imagenet-live", TABLES["imagenet-live"].title, _pairs("imagenet", "ImageNet"), columns, (0,)
    )
