"""What a pre-step is: from a frozen CLIP and a few labelled pictures of its classes to another image encoder.

The result has the architecture of the model it was made from, so it is a plain CLIP again: every method
adapts from it, and it can be saved and loaded as any checkpoint. Labels enter here and nowhere later: what
the stream shows is never among the pictures.
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Generic, TypeVar

import numpy as np
import torch
from torch import Tensor, nn

from clip_tta_core import augment, hparams, optim
from clip_tta_core.clip.classifier import ClipClassifier
from clip_tta_core.registry import Registry

C = TypeVar("C", bound=hparams.Config)

STARTS: Registry[type[Start[Any]]] = Registry("start")


@dataclass(frozen=True)
class Shots:
    """The pictures that a pre-step may see."""

    images: Tensor  # float (N, 3, H, W) in [0, 1]
    labels: Tensor  # int64 (N,), a class each
    unlabelled: Tensor  # float (M, 3, H, W), more of the same kind; M may be 0

    def __len__(self) -> int:
        return len(self.images)


class Start(Generic[C]):
    """Base of all pre-steps: keeps what it is given; `make` gives the new image encoder.

    Args:
        clip: the frozen model with the classes of the run, in float32; it is never changed.
        config: hyper-parameters.
        rng: the pre-step's own source of randomness, on the CPU.
    """

    name: ClassVar[str]  # in code and links
    title: ClassVar[str]  # on the page
    citation: ClassVar[str]
    fails: ClassVar[str]  # one sentence: where it is known to help little or to harm
    Config: ClassVar[type[hparams.Config]]  # C itself, which a class variable cannot say

    def __init__(self, clip: ClipClassifier, config: C, rng: torch.Generator) -> None:
        self.clip = clip
        self.config = config
        self.rng = rng
        self.on_step: Callable[[int, int], None] = lambda step, steps: None

    def make(self, shots: Shots) -> nn.Module:
        """The image encoder that a run begins with, frozen, in float32."""
        raise NotImplementedError

    @classmethod
    def draw(
        cls, config: C, shots: int, classes: int, rng: np.random.Generator
    ) -> tuple[np.ndarray, np.ndarray]:
        """How many pictures of every class it wants. -> with labels int64 (K,), without int64 (K,)"""
        return np.full(classes, shots), np.zeros(classes, dtype=np.int64)

    @classmethod
    def steps_of(cls, config: C, pictures: int) -> int:
        """Passes forward and backward through the encoder that it takes, of a batch each.

        Args:
            config: hyper-parameters.
            pictures: how many have a label.
        """
        return getattr(config, "steps", 0)

    def steps(self, count: int) -> Iterator[int]:
        """Count steps; between them whoever waits can watch and stop (`on_step`)."""
        for step in range(count):
            self.on_step(step, count)
            yield step

    def descend(
        self, optimizer: torch.optim.Optimizer, steps: int, loss: Callable[[], Tensor]
    ) -> Iterator[int]:
        """Take steps on `loss()` whose size falls along half a cosine to 0; yields after each, from 1."""
        most = [group["lr"] for group in optimizer.param_groups]
        for step in self.steps(steps):
            for group, lr in zip(optimizer.param_groups, most, strict=True):
                group["lr"] = lr * (1 + math.cos(math.pi * step / steps)) / 2
            optim.guarded_step(optimizer, loss())
            yield step + 1

    def batches(self, images: Tensor, labels: Tensor, size: int) -> Iterator[tuple[Tensor, Tensor]]:
        """Batches without end, each picture once an epoch and slightly changed; never larger than there are.

        The changes are RoTTA's (`augment.strong`): colours, place, size, blur and grain.
        """
        while True:
            order = torch.randperm(len(images), generator=self.rng).to(images.device)
            for chosen in order[: len(order) // size * size or len(order)].split(size):
                yield augment.strong(images[chosen], self.rng), labels[chosen]


def register(cls: type[Start]) -> type[Start]:
    """Class decorator: make a pre-step known by its name; its docstring is what the page says of it."""
    if not inspect.getdoc(cls):
        raise ValueError(f"Start '{cls.name}' needs a docstring: the page shows it.")
    return STARTS.register(cls)


def frozen(visual: nn.Module) -> nn.Module:
    """An image encoder that nobody trains any more."""
    return visual.requires_grad_(False).eval()


@torch.no_grad()
def features_of(clip: ClipClassifier, images: Tensor, size: int = 64) -> Tensor:
    """Unit features, so many pictures at a time; N may be 0. (N, 3, H, W) -> (N, D)"""
    found = [clip.encode_image(part) for part in images.split(size) if len(part)]
    return torch.cat([clip.text_features[:0], *found])


def sizes(total: int, weights: Sequence[float]) -> list[int]:
    """Split a whole number in proportion to weights; what rounding leaves goes to the largest remainders."""
    shares = np.asarray(weights, dtype=float)
    exact = total * shares / shares.sum()
    counts = np.floor(exact).astype(int)
    left = np.argsort(counts - exact, kind="stable")[: total - counts.sum()]
    counts[left] += 1
    return counts.tolist()
