"""The few pictures of every class that a pre-step may see: clean, of the run's source, none of its stream."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

import numpy as np

from clip_tta_core.records import RunConfig
from clip_tta_core.sources.endless import RenderedSource
from clip_tta_core.starts import STARTS
from clip_tta_core.stream import Stream, open_source

APART = 2**32  # added to the seed of rendered pictures: beyond every seed that a stream can have


@dataclass(frozen=True)
class Drawn:
    """Pictures with and without a label."""

    images: np.ndarray  # uint8 (N, S, S, 3)
    labels: np.ndarray  # int64 (N,)
    unlabelled: np.ndarray  # uint8 (M, S, S, 3)
    notes: tuple[str, ...] = ()  # sentences for the visitor


def draw(config: RunConfig, stream: Stream, size: int) -> Drawn:
    """Draw by the run's seed what its start asks for.

    Rendered pictures come from a world of their own, as trained whatever the stream's style; of a finite
    source those are left that the stream does not show, and a class may have fewer than were asked for.

    Args:
        config: of the run; its `start` is not "none".
        stream: of the run.
        size: side of rendered pictures, in pixels.

    Raises:
        ValueError: one sentence, where a class has no picture left.
    """
    cls = STARTS[config.start]
    rng = np.random.default_rng([config.seed, 3])  # parts 0 to 2 lay out the stream
    classes = len(stream.class_names)
    wanted = cls.draw(cls.Config.from_values(config.start_settings), config.shots, classes, rng)
    if isinstance(stream.source, RenderedSource):
        apart = dataclasses.replace(config, seed=config.seed + APART, style="none")
        source = open_source(apart, size)
        labels = np.concatenate([np.repeat(np.arange(classes), count) for count in wanted])
        images, _ = source.read(np.arange(len(labels)), labels)
        labelled = int(wanted[0].sum())
        return Drawn(images[:labelled], labels[:labelled], images[labelled:])
    return _from_the_rest(config, stream, wanted, rng)


def _from_the_rest(
    config: RunConfig, stream: Stream, wanted: tuple[np.ndarray, np.ndarray], rng: np.random.Generator
) -> Drawn:
    """Pictures of a finite source that its stream leaves."""
    labels = stream.source.labels  # pyright: ignore[reportAttributeAccessIssue] (every finite source has them)
    left = np.setdiff1d(np.flatnonzero(labels >= 0), stream.plan.items[~stream.plan.unknown])
    chosen: tuple[list[int], list[int]] = ([], [])
    for label, name in enumerate(stream.class_names):
        own = rng.permutation(left[labels[left] == label])
        if not len(own):
            raise ValueError(
                f"Start: every class needs a labelled picture that the stream does not show, and '{name}' "
                "has none left; choose fewer batches, bring more pictures, or start from CLIP as it is."
            )
        first = wanted[0][label]
        chosen[0].extend(own[:first].tolist())
        chosen[1].extend(own[first : first + wanted[1][label]].tolist())
    items, others = (np.array(part, dtype=np.int64) for part in chosen)
    images, _ = stream.source.read(np.concatenate([items, others]), labels[np.concatenate([items, others])])
    notes = []
    if len(items) < wanted[0].sum():
        notes.append(
            f"Start: {wanted[0].sum()} labelled pictures were asked for and {len(items)} are left beside the "
            "stream."
        )
    if stream.corrupted:
        notes.append("Start: this data set's pictures come corrupted, those for the start among them.")
    return Drawn(images[: len(items)], labels[items], images[len(items) :], tuple(notes))
