"""What a source of pictures is, and the orders in which a stream can take them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np

from clip_tta_core.records import Choice, Pictures
from clip_tta_core.registry import Registry
from clip_tta_core.sources import names


class Source(Protocol):
    """Pictures that can be had by number, so that a stream is the same whatever its batch size."""

    class_names: tuple[str, ...]

    def arrange(self, count: int, order: str, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """Choose at most `count` pictures in an order. -> items and labels int64 (n,), -1 without a label"""
        ...

    def read(self, items: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, tuple[str, ...]]:
        """-> uint8 (n, S, S, 3), a name for each"""
        ...


ORDERS: Registry[Choice] = Registry("order")  # ways to line up the pictures of a stream
ORDERS.register(Choice("shuffled", "Shuffled", "Every batch holds a bit of everything."))
ORDERS.register(
    Choice("sorted", "Sorted by class", "One class after the other, as a camera that looks at one thing.")
)
ORDERS.register(
    Choice("imbalanced", "Imbalanced", "A few classes are common, most are rare, ten to one at the ends.")
)
ORDERS.register(
    Choice("few", "Few classes at a time", "Stretches of 64 pictures that show one to four classes each.")
)
ORDERS.register(
    Choice("correlated", "Correlated", "Most pictures of a class come together, by a Dirichlet draw.")
)
STRETCH, FEW = 64, 4  # pictures that share classes in the order "few", and how many classes at most
CONCENTRATION = 0.1  # of the Dirichlet draw in the order "correlated"; larger is closer to shuffled
IMBALANCE = 10.0  # how much more often the most common class comes than the rarest


def class_sequence(classes: int, count: int, order: str, rng: np.random.Generator) -> np.ndarray:
    """Labels of a stream over an endless source. -> int64 (count,)"""
    ORDERS[order]  # an unknown order stops here, with its sentence
    if order == "imbalanced":
        ranks = rng.permutation(classes)
        weights = IMBALANCE ** (-ranks / max(1, classes - 1))
        return rng.choice(classes, size=count, p=weights / weights.sum())
    if order == "few":
        return few_at_a_time(classes, count, rng)
    labels = np.arange(count) % classes
    if order == "correlated":
        return labels[correlated(labels, rng)].astype(np.int64)
    labels = np.sort(labels) if order == "sorted" else rng.permutation(labels)
    return labels.astype(np.int64)


def few_at_a_time(
    classes: int, count: int, rng: np.random.Generator, least: int = 1, most: int = FEW
) -> np.ndarray:
    """Labels whose stretches show `least` to `most` classes, drawn anew for each. -> int64 (count,)

    The streams of StatA, Zanella et al., CVPR 2025, arXiv 2501.03729, whose stretches are batches of 64; here
    they are stretches of the stream, which is the same whatever its batch size.
    """
    labels = []
    for start in range(0, count, STRETCH):
        shown = rng.choice(classes, size=min(classes, rng.integers(least, most + 1)), replace=False)
        labels.append(rng.choice(shown, size=min(STRETCH, count - start)))
    return np.concatenate(labels).astype(np.int64) if labels else np.zeros(0, dtype=np.int64)


def few_of(labels: np.ndarray, items: np.ndarray, count: int, rng: np.random.Generator) -> np.ndarray:
    """Line up `items` of finitely many pictures in stretches of few classes; those of none are one more.

    Each is taken at most once; a stretch ends early where its classes have no picture left. -> (n,)
    """
    left = {int(label): list(items[labels[items] == label]) for label in np.unique(labels[items])}
    lined_up: list[int] = []
    while left and len(lined_up) < count:
        size = min(len(left), rng.integers(1, FEW + 1))
        shown = rng.choice(sorted(left), size=size, replace=False).tolist()
        candidates = rng.permutation([item for label in shown for item in left[label]])[:STRETCH]
        lined_up += candidates.tolist()
        taken = set(candidates.tolist())
        for label in shown:
            left[label] = [item for item in left[label] if item not in taken]
        left = {label: rest for label, rest in left.items() if rest}
    return np.array(lined_up[:count], dtype=np.int64)


def correlated(labels: np.ndarray, rng: np.random.Generator, gamma: float = CONCENTRATION) -> np.ndarray:
    """An order of pictures in which those of a class cluster. labels (n,) -> places (n,), each once

    Every class spreads over as many stretches as 64 pictures go into the stream, in shares drawn from a
    symmetric Dirichlet distribution; within a stretch the pictures are shuffled. The correlated streams of
    StatA (Zanella et al., CVPR 2025, arXiv 2501.03729), which has gamma 0.1, 0.01 and 0.001.
    """
    stretches = max(1, len(labels) // STRETCH)
    place = np.zeros(len(labels), dtype=np.int64)
    for label in np.unique(labels):
        shares = rng.dirichlet(np.full(stretches, gamma))
        mine = labels == label
        place[mine] = rng.choice(stretches, size=int(mine.sum()), p=shares)
    return np.lexsort((rng.random(len(labels)), place))


def relabel(labels: np.ndarray, own: Sequence[str], wanted: Sequence[str]) -> np.ndarray:
    """Labels that index the list `own`, as places in `wanted`; -1 where it lacks the name. (N,) -> (N,)"""
    return np.array([*names.places(own, wanted), -1], dtype=np.int64)[labels]


def choose(labels: np.ndarray, classes: int, count: int, order: str, rng: np.random.Generator) -> np.ndarray:
    """Line up at most `count` of finitely many pictures, each at most once. -> places in `labels` (n,)"""
    ORDERS[order]
    items = rng.permutation(len(labels))
    if order == "sorted":
        items = items[np.argsort(labels[items], kind="stable")]
    elif order == "imbalanced":
        ranks = rng.permutation(classes + 1)  # the last stands for "no label"
        items = items[rng.random(len(items)) < IMBALANCE ** (-ranks[labels[items]] / max(1, classes))]
    elif order == "few":
        return few_of(labels, items, count, rng)
    elif order == "correlated":
        items = items[:count]
        items = items[correlated(labels[items], rng)]
    return items[:count]


class PictureSource:
    """A finite set of pictures, each shown at most once."""

    def __init__(self, pictures: Pictures, class_names: tuple[str, ...] = ()) -> None:
        self.pictures = pictures
        self.class_names = class_names or pictures.class_names
        self.labels = relabel(pictures.labels, pictures.class_names, self.class_names)

    def arrange(self, count: int, order: str, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        items = choose(self.labels, len(self.class_names), count, order, rng)
        return items, self.labels[items]

    def read(self, items: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, tuple[str, ...]]:
        return self.pictures.images[items], tuple(self.pictures.names[i] for i in items)
