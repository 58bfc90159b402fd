"""Rendered pictures as sources: endless, so every order can have as many as it wants."""

from __future__ import annotations

import numpy as np

from clip_tta_core.registry import unknown_name
from clip_tta_core.sources import rendered
from clip_tta_core.sources.base import class_sequence

UNKNOWN_WORLD = 1  # added to the seed, so that unknown pictures never repeat the scenes of known ones


class RenderedSource:
    """Rendered objects of the given classes."""

    def __init__(self, class_names: tuple[str, ...], seed: int, style: str, size: int) -> None:
        self.class_names = class_names or rendered.TASK
        for name in self.class_names:
            if name not in rendered.OBJECTS:
                raise ValueError(unknown_name("rendered object", name, rendered.OBJECTS))
        self.seed, self.style, self.size = seed, style, size

    def arrange(self, count: int, order: str, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        return np.arange(count), class_sequence(len(self.class_names), count, order, rng)

    def read(self, items: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, tuple[str, ...]]:
        names = tuple(self.class_names[label] for label in labels)
        images = rendered.render(names, self.seed, items, self.style, self.size)
        return images, tuple(f"{name} {item}" for name, item in zip(names, items, strict=True))


class RenderedUnknowns:
    """Rendered pictures that show none of the given classes."""

    def __init__(self, name: str, class_names: tuple[str, ...], seed: int, style: str, size: int) -> None:
        self.source = rendered.UNKNOWN_SOURCES[name]
        self.class_names = class_names
        self.seed, self.style, self.size = seed + UNKNOWN_WORLD, style, size

    def arrange(self, count: int, order: str, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        return np.arange(count), np.full(count, -1)

    def read(self, items: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, tuple[str, ...]]:
        images = self.source.render(self.class_names, self.seed, items, self.style, self.size)
        return images, tuple(f"{self.source.title.lower()} {item}" for item in items)
