"""What contenders look like inside, batch by batch: a plane of features, variance, drift, memories.

An observer looks at what a run has computed anyway and changes nothing of it. It keeps no features: of a
batch it leaves two numbers a picture, one a trained layer, and which pictures a memory took in or let go.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from clip_tta_core import metrics
from clip_tta_core.clip.classifier import ClipClassifier
from clip_tta_core.memory import Entry, Shelves, to_bytes
from clip_tta_core.methods import Method
from clip_tta_core.records import Inside, Kept, Outcome, Plane

AXES = 2


def principal_axes(rows: np.ndarray) -> tuple[np.ndarray, float]:
    """The two directions along which centred rows vary most, and their share of the variance. (N, D)

    Each points to where its largest entry is positive, so that equal rows give equal axes.

    Returns:
        (D, 2) orthonormal columns, the first the longest; 0 to 1.
    """
    _, lengths, directions = np.linalg.svd(rows.astype(np.float64), full_matrices=False)
    axes = directions[:AXES].T
    largest = axes[np.abs(axes).argmax(axis=0), np.arange(AXES)]
    variances = lengths**2
    return axes * np.sign(largest), float(variances[:AXES].sum() / max(variances.sum(), 1e-30))


class Projection:
    """Features -> places on a plane that is fitted once, to the frozen model's pictures and captions.

    In CLIP's space all pictures lie on one side and all captions on another (Liang et al., NeurIPS 2022,
    arXiv 2203.02053), and that gap would take the first axis. So each of the two kinds is centred on its own
    mean, that of the frozen model, which stays: a cloud that moves as a whole is seen to move.

    Args:
        features: (B, D) of pictures, by the frozen model.
        texts: (K, D), of the classes.
    """

    def __init__(self, features: np.ndarray, texts: np.ndarray) -> None:
        self.centre = features.mean(axis=0)
        captions = texts - texts.mean(axis=0)
        self.axes, explained = principal_axes(np.concatenate([features - self.centre, captions]))
        self.plane = Plane((captions @ self.axes).astype(np.float32), explained)

    def places(self, features: np.ndarray) -> np.ndarray:
        """(B, D) -> float32 (B, 2)"""
        return ((features - self.centre) @ self.axes).astype(np.float32)


class Shelf:
    """Follows one memory of pictures from batch to batch."""

    def __init__(self) -> None:
        self._known: dict[int, tuple[Entry, tuple[int, int]]] = {}  # by identity: an entry never changes
        self._batches = 0

    def look(
        self, entries: Sequence[Entry], images: Tensor
    ) -> tuple[tuple[Kept, ...], tuple[tuple[int, int], ...]]:
        """What has come since the last look and what has gone, as `Inside.stored` and `Inside.dropped`.

        Args:
            entries: all that is stored now.
            images: (B, 3, H, W) the batch that the new ones are of.
        """
        self._batches += 1
        here = {id(entry) for entry in entries}
        dropped = tuple(origin for key, (_, origin) in self._known.items() if key not in here)
        self._known = {key: value for key, value in self._known.items() if key in here}
        new = [entry for entry in entries if id(entry) not in self._known]
        places = _places(new, images)
        stored = tuple(
            Kept(place, entry.label, entry.confidence) for entry, place in zip(new, places, strict=True)
        )
        self._known |= {id(e): (e, (self._batches, place)) for e, place in zip(new, places, strict=True)}
        return stored, dropped


def _places(entries: Sequence[Entry], images: Tensor) -> list[int]:
    """Which picture of the batch each entry is, -1 for none; equal pictures one after another."""
    if not entries:
        return []
    where: dict[bytes, list[int]] = {}
    for place, image in enumerate(to_bytes(images)):
        where.setdefault(image.numpy().tobytes(), []).append(place)
    found = [where.get(entry.image.numpy().tobytes(), [-1]) for entry in entries]
    return [places.pop(0) if len(places) > 1 else places[0] for places in found]


def layer_names(clip: ClipClassifier) -> list[str]:
    """The layer of each parameter that is trained, in the order of `trainable`."""
    towers = [tower for tower in (clip.visual, clip.encode_text) if isinstance(tower, nn.Module)]
    names = {id(p): name for tower in reversed(towers) for name, p in tower.named_parameters()}
    return [names[id(p)].rpartition(".")[0] or names[id(p)] for p in clip.trainable()]


@torch.no_grad()
def drift_by_layer(
    layers: Sequence[str], parameters: Sequence[Tensor], start: Sequence[Tensor]
) -> Mapping[str, float]:
    """How far each layer's weights are from where they started: the norm of the difference.

    Args:
        layers: of each parameter; weight and bias of a layer count together.
        parameters, start: as they are and as they were.
    """
    squares = torch.stack([(p - q).square().sum() for p, q in zip(parameters, start, strict=True)])
    total: dict[str, float] = {}
    for layer, square in zip(layers, squares.tolist(), strict=True):
        total[layer] = total.get(layer, 0.0) + square
    return {layer: square**0.5 for layer, square in total.items()}


class Observer:
    """Looks at every contender of one run after every batch."""

    def __init__(self, frozen: ClipClassifier) -> None:
        self.frozen = frozen
        self._projection: Projection | None = None
        self._layers: dict[str, list[str]] = {}
        self._shelves: dict[str, Shelf] = {}

    @property
    def plane(self) -> Plane | None:
        """What the run is drawn on; None before the first batch."""
        return self._projection.plane if self._projection else None

    def look(
        self,
        label: str,
        outcome: Outcome,
        method: Method[Any],
        start: Sequence[Tensor],
        images: Tensor,
    ) -> Outcome:
        """The same outcome with `inside`.

        Args:
            label: of the contender.
            outcome: of the batch.
            method: after it.
            start: the trained weights before the run.
            images: (B, 3, H, W) the batch.
        """
        if self._projection is None:
            features = self.frozen.zero_shot(images).features.float().cpu().numpy()
            self._projection = Projection(features, self.frozen.text_features.float().cpu().numpy())
        inside = Inside(
            self._projection.places(outcome.features),
            metrics.between_class_variance(outcome.features, outcome.probs.argmax(axis=1)),
        )
        if start:
            names = self._layers.get(label)
            new = names is None
            names = self._layers.setdefault(label, names or layer_names(method.clip))
            moved = drift_by_layer(names, method.clip.trainable(), start)
            layers = tuple(moved) if new else ()
            inside = dataclasses.replace(inside, drift=tuple(moved.values()), layers=layers)
        memory = getattr(method, "memory", None)
        if isinstance(memory, Shelves):
            shelf = self._shelves.setdefault(label, Shelf())
            stored, dropped = shelf.look(memory.entries, images)
            inside = dataclasses.replace(inside, stored=stored, dropped=dropped)
        return dataclasses.replace(outcome, inside=inside)
