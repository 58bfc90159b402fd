"""A stream: which pictures come in which order, what happens to each of them, and which of them are unknown.

Everything is decided for the whole stream before the first picture is made, from the seed alone, so a stream
is the same whatever its batch size and whoever watches it.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from PIL import Image

from clip_tta_core.corruptions import CORRUPTIONS, corrupt_batch
from clip_tta_core.corruptions.schedule import UNTOUCHED, plan
from clip_tta_core.records import Batch, Choice, RunConfig
from clip_tta_core.registry import Registry
from clip_tta_core.sources.base import PictureSource, Source
from clip_tta_core.sources.datasets import DatasetSource
from clip_tta_core.sources.endless import RenderedSource, RenderedUnknowns

ARRIVALS: Registry[Choice] = Registry("arrival")  # when the unknown pictures come
ARRIVALS.register(Choice("mixed", "Mixed in", "Unknown pictures are spread evenly over the stream."))
ARRIVALS.register(
    Choice("bursts", "In bursts", "Stretches with twice the share, stretches with none, in turn.")
)
ARRIVALS.register(Choice("late", "From the middle on", "None at first; from the middle on, all at once."))
BURSTS = 4  # stretches of unknowns in a stream


@dataclass(frozen=True)
class Plan:
    """What a stream shows, picture by picture, decided before the first one is made."""

    items: np.ndarray  # int64 (N,), what to read from its source
    labels: np.ndarray  # int64 (N,), -1 where there is none
    unknown: np.ndarray  # bool (N,), which of the two sources it comes from
    changes: list[tuple[str, int]]  # N corruptions with their severities; ("none", 0) for none
    struck: np.ndarray  # bool (N,), which an attack reaches where the run has one


def lay_out(config: RunConfig, source: Source, unknowns: Source | None) -> Plan:
    """Decide a whole stream from its seed.

    A finite source may hold fewer pictures than are wanted: the stream then ends where one of the two runs
    dry, and few unknown pictures are spread over all known ones.
    """
    for_order, for_arrival, for_unknowns = (np.random.default_rng([config.seed, part]) for part in range(3))
    wanted, share = config.batch_size * config.batches, config.unknown_share
    mask = unknown_mask(wanted, config, for_arrival) if unknowns else np.zeros(wanted, dtype=bool)
    known = source.arrange(int((~mask).sum()), config.order, for_order)
    strange = (np.zeros(0, dtype=np.int64),) * 2
    if unknowns:
        strange = unknowns.arrange(int(mask.sum()), "shuffled", for_unknowns)
        if len(strange[0]) < mask.sum():
            known = source.arrange(wanted - len(strange[0]), config.order, for_order)
            count = len(known[0]) + len(strange[0])
            share = len(strange[0]) / count
            mask = unknown_mask(count, dataclasses.replace(config, unknown_share=share), for_arrival)
    enough = (np.cumsum(~mask) <= len(known[0])) & (np.cumsum(mask) <= len(strange[0]))
    unknown = mask if enough.all() else mask[: int(enough.argmin())]
    if not len(unknown):
        raise ValueError(
            "Stream: no picture is left to show; choose a source with pictures, or more classes."
        )
    items, labels = np.zeros(len(unknown), dtype=np.int64), np.full(len(unknown), -1, dtype=np.int64)
    items[~unknown], labels[~unknown] = (part[: (~unknown).sum()] for part in known)
    items[unknown] = strange[0][: unknown.sum()]
    changes = plan(config.schedule, config.corruption, config.severity, len(unknown), config.seed)
    return Plan(items, labels, unknown, changes, _struck(config.schedule, len(unknown)))


def _struck(schedule: str, count: int) -> np.ndarray:
    """Which pictures an attack reaches: those that the schedule corrupts, whatever the corruption. (N,)

    So "Sudden change" attacks from the middle of the stream on, and all others every picture, on top of what
    they corrupt it with.
    """
    return np.array([step != UNTOUCHED for step in plan(schedule, next(iter(CORRUPTIONS)), 1, count)])


class Stream:
    """Batches of pictures by number.

    Args:
        config: what to show; `class_names` may be empty for the source's own.
        size: side of rendered pictures, in pixels.
    """

    def __init__(self, config: RunConfig, size: int) -> None:
        self.config = config
        self.source = open_source(config, size)
        self.unknowns = open_unknowns(config, self.source.class_names, size)
        self.corrupted = getattr(self.source, "corrupted", False)  # when the set was made, not now
        if self.corrupted and config.schedule != "constant":
            raise ValueError(
                "Stream: this data set's pictures come corrupted, so the schedule must be 'constant', got "
                f"'{config.schedule}'."
            )
        self.plan = lay_out(config, self.source, self.unknowns)

    @property
    def class_names(self) -> tuple[str, ...]:
        return self.source.class_names

    def __len__(self) -> int:
        """Batches, the last of which may be smaller."""
        return -(-len(self.plan.items) // self.config.batch_size)

    def __iter__(self) -> Iterator[Batch]:
        return (self.batch(index) for index in range(len(self)))

    def batch(self, index: int) -> Batch:
        """Batch `index`, counted from 0."""
        start = index * self.config.batch_size
        return self.pictures(start, min(start + self.config.batch_size, len(self.plan.items)))

    def pictures(self, start: int, stop: int) -> Batch:
        """The pictures from `start` up to, not including, `stop`."""
        here = slice(start, stop)
        unknown = self.plan.unknown[here]
        images, names = self._read(here, unknown)
        changes = self.plan.changes[here]
        if not self.corrupted:
            images = self._corrupt(images, changes, start)
        elif unknown.any():  # these come from elsewhere, clean
            images = np.where(unknown[:, None, None, None], self._corrupt(images, changes, start), images)
        applied = tuple("" if name == "none" else f"{name} {severity}" for name, severity in changes)
        batch = Batch(images, self.plan.labels[here], names, unknown, applied)
        readable = self._readable(self.plan.items[here], unknown)
        return batch if readable.all() else _only(batch, readable)

    def struck(self, start: int, stop: int) -> np.ndarray:
        """Which of `pictures(start, stop)` an attack reaches, once they have been read. -> bool (B,)"""
        here = slice(start, stop)
        return self.plan.struck[here][self._readable(self.plan.items[here], self.plan.unknown[here])]

    @property
    def notes(self) -> tuple[str, ...]:
        """What its sources have to say to the visitor so far, in sentences."""
        return (*getattr(self.source, "notes", ()), *getattr(self.unknowns, "notes", ()))

    def _readable(self, items: np.ndarray, unknown: np.ndarray) -> np.ndarray:
        """Which items of a batch, now that it was read, are no broken files. -> bool (n,)"""
        broken = [list(getattr(source, "broken", ())) for source in (self.source, self.unknowns)]
        return ~np.where(unknown, np.isin(items, broken[1]), np.isin(items, broken[0]))

    def _read(self, here: slice, unknown: np.ndarray) -> tuple[np.ndarray, tuple[str, ...]]:
        items, labels = self.plan.items[here], self.plan.labels[here]
        if self.unknowns is None or not unknown.any():
            return self.source.read(items, labels)
        strange, strange_names = self.unknowns.read(items[unknown], labels[unknown])
        if unknown.all():
            return strange, strange_names
        images, names = self.source.read(items[~unknown], labels[~unknown])
        mixed = np.empty((len(items), *images.shape[1:]), dtype=np.uint8)
        mixed[~unknown], mixed[unknown] = images, fit(strange, images.shape[1])
        known_names, strange_names = iter(names), iter(strange_names)
        return mixed, tuple(next(strange_names if is_strange else known_names) for is_strange in unknown)

    def _corrupt(self, images: np.ndarray, changes: list[tuple[str, int]], start: int) -> np.ndarray:
        """Apply each picture's corruption; neighbours with the same one go together."""
        images = images.copy()
        edges = [0, *(i for i in range(1, len(changes)) if changes[i] != changes[i - 1]), len(changes)]
        for first, last in zip(edges, edges[1:], strict=False):
            name, severity = changes[first]
            if name != "none":
                images[first:last] = corrupt_batch(
                    images[first:last], name, severity, self.config.seed, start + first
                )
        return images


def _only(batch: Batch, kept: np.ndarray) -> Batch:
    """The pictures of a batch where `kept`, bool (B,), says so; there may be none."""
    names, applied = (
        tuple(text for text, keep in zip(texts, kept, strict=True) if keep)
        for texts in (batch.names, batch.applied)
    )
    return Batch(batch.images[kept], batch.labels[kept], names, batch.unknown[kept], applied)


def open_source(config: RunConfig, size: int) -> Source:
    """The source of known pictures."""
    kind, _, name = config.source.partition(":")
    if kind == "dataset":
        return DatasetSource(name, config.class_names, config.corruption, config.severity)
    if kind == "rendered":
        return RenderedSource(config.class_names, config.seed, config.style, size)
    if kind == "upload":
        if config.pictures is None or not len(config.pictures):
            raise ValueError("Upload: at least one picture is needed, got none; add pictures first.")
        return PictureSource(config.pictures, config.class_names)
    raise ValueError(f"Source must be 'rendered', 'upload' or 'dataset:' and a name, got '{config.source}'.")


def open_unknowns(config: RunConfig, class_names: tuple[str, ...], size: int) -> Source | None:
    """The source of unknown pictures, or None when the stream has none."""
    if config.unknown_source == "none" or config.unknown_share == 0:
        return None
    if config.unknown_source == "upload":
        if config.unknown_pictures is None or not len(config.unknown_pictures):
            raise ValueError(
                "Unknown pictures: at least one is needed, got none; add some or choose another source."
            )
        return PictureSource(config.unknown_pictures)
    kind, _, name = config.unknown_source.partition(":")
    if kind == "dataset":
        return DatasetSource(name, (), config.corruption, config.severity)
    return RenderedUnknowns(config.unknown_source, class_names, config.seed, config.style, size)


def unknown_mask(count: int, config: RunConfig, rng: np.random.Generator) -> np.ndarray:
    """Where the unknown pictures are: about `unknown_share` of the whole stream. -> bool (count,)"""
    ARRIVALS[config.unknown_arrival]
    share, where = config.unknown_share, np.arange(count) / count
    if config.unknown_arrival == "bursts":
        density = np.where(
            (where * 2 * BURSTS).astype(int) % 2 == 1, min(1.0, 2 * share), max(0.0, 2 * share - 1)
        )
    elif config.unknown_arrival == "late":
        density = np.where(where >= 0.5, min(1.0, 2 * share), max(0.0, 2 * share - 1))
    else:
        density = np.full(count, share)
    # Rounding the running sum keeps every stretch at its share; shuffling short stretches hides the rhythm.
    mask = np.diff(np.floor(np.cumsum(density) + 0.5), prepend=0.0) > 0
    for first in range(0, count, 16):
        rng.shuffle(mask[first : first + 16])
    return mask


def fit(images: np.ndarray, size: int) -> np.ndarray:
    """Resize square pictures where they are of another size. uint8 (B, S, S, 3) -> (B, size, size, 3)"""
    if images.shape[1] == size:
        return images
    resized = [Image.fromarray(image).resize((size, size), Image.Resampling.BICUBIC) for image in images]
    return np.stack([np.asarray(image) for image in resized])
