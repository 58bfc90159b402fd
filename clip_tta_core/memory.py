"""What methods remember of the stream. Pictures stay as uint8 on the CPU, a quarter of float32's bytes."""

from __future__ import annotations

import math
import weakref
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, Literal, TypeVar

import torch
from torch import Tensor

T = TypeVar("T")
E = TypeVar("E", bound="Entry")


def to_bytes(images: Tensor) -> Tensor:
    """Pictures in [0, 1] as uint8 on the CPU. (B, 3, H, W) -> (B, 3, H, W)"""
    return (images.detach() * 255).round().clamp(0, 255).to(torch.uint8).cpu()


def to_images(stored: Sequence[Tensor], like: Tensor) -> Tensor:
    """Stored uint8 pictures as floats in [0, 1], placed and typed as `like`. S x (3, H, W) -> (S, 3, H, W)"""
    return torch.stack(list(stored)).to(like.device).to(like.dtype) / 255


@dataclass(frozen=True)
class Entry:
    """One remembered picture."""

    image: Tensor  # uint8 (3, H, W), CPU
    label: int  # the class predicted when it was stored
    confidence: float  # and how sure that prediction was
    key: int  # counts pictures in order of arrival: tells whether it is one of the current batch

    def __deepcopy__(self, memo: dict[int, object]) -> Entry:
        """Nothing ever changes an entry: a memory and its copy share it, picture and all."""
        return self


class Shelves(Generic[E]):
    """Pictures sorted by the class predicted for them."""

    def __init__(self, num_classes: int) -> None:
        self.slots: list[list[E]] = [[] for _ in range(num_classes)]
        self._arrived = 0

    def __len__(self) -> int:
        return sum(len(slot) for slot in self.slots)

    @property
    def entries(self) -> list[E]:
        """Everything stored, by class."""
        return [entry for slot in self.slots for entry in slot]


class ConfidentMemory(Shelves[Entry]):
    """Class-wise confident memory: of each predicted class the `shots` surest. CLIPTTA, arXiv 2507.14312.

    Stored confidences are never refreshed, as in the released code: entries scored by an earlier model stay.
    """

    def __init__(self, num_classes: int, shots: int) -> None:
        super().__init__(num_classes)
        self.shots = shots

    def insert(self, images: Tensor, labels: Tensor, confidence: Tensor) -> range:
        """Offer a batch; each class keeps its `shots` most confident pictures, of equals the older.

        Args:
            images: (B, 3, H, W) in [0, 1].
            labels: (B,) predicted classes.
            confidence: (B,).

        Returns:
            the keys the pictures of this batch got, in order.
        """
        keys = range(self._arrived, self._arrived + len(images))
        self._arrived = keys.stop
        stored = to_bytes(images)
        for image, label, sure, key in zip(stored, labels.tolist(), confidence.tolist(), keys, strict=True):
            entry = Entry(image.clone(), label, sure, key)  # a view would keep the whole batch
            self.slots[label].append(entry)
        for label in set(labels.tolist()):
            self.slots[label] = sorted(self.slots[label], key=lambda entry: -entry.confidence)[: self.shots]
        return keys

    def sample(self, size: int, rng: torch.Generator) -> list[Entry]:
        """Draw max(1, size // K) pictures of each class without replacement, or all of a class with fewer."""
        per_class = max(1, size // len(self.slots))
        drawn = []
        for slot in self.slots:
            if len(slot) > per_class:
                drawn += [slot[i] for i in torch.randperm(len(slot), generator=rng)[:per_class].tolist()]
            else:
                drawn += slot
        return drawn


class FeatureQueues:
    """Per class, the `size` features of lowest entropy seen: the caches of TDA, arXiv 2403.18293."""

    def __init__(self, num_classes: int, size: int, dim: int, device: torch.device) -> None:
        self.features = torch.zeros(num_classes, size, dim, device=device)  # (K, S, D), zero where empty
        self.entropy = torch.full((num_classes, size), math.inf)  # (K, S), CPU; infinite where empty
        self._filled = torch.zeros(num_classes, size, device=device)  # (K, S) 1 or 0

    def __len__(self) -> int:
        return int(self.entropy.isfinite().sum())

    def offer(self, feature: Tensor, label: int, entropy: float) -> int | None:
        """Keep a feature (D,) in an empty place of its class or its worst's. -> place, None if refused"""
        place = int(self.entropy[label].argmax())
        if not entropy < self.entropy[label, place]:  # also refuses what is not a number
            return None
        self.features[label, place] = feature
        self.entropy[label, place] = entropy
        self._filled[label, place] = 1
        return place

    def affinity(self, features: Tensor, beta: float) -> Tensor:
        """exp(-beta (1 - cosine)) to everything kept, 0 for empty places. (B, D) -> (B, K, S)"""
        cosines = torch.einsum("bd,ksd->bks", features, self.features)
        return (-beta * (1 - cosines)).exp() * self._filled


@dataclass(frozen=True)
class DoubtedEntry(Entry):
    """A remembered picture with the doubt there was about it."""

    uncertainty: float  # entropy of the prediction it was stored with, in nats


class _Limited(Shelves[E]):
    """A limited number of pictures in all."""

    def __init__(self, num_classes: int, capacity: int) -> None:
        super().__init__(num_classes)
        self.capacity = capacity

    @property
    def full(self) -> bool:
        return len(self) >= self.capacity

    def _largest(self) -> list[int]:
        """The classes with the most pictures."""
        most = max(len(slot) for slot in self.slots)
        return [label for label, slot in enumerate(self.slots) if len(slot) == most]


class TimelyMemory(_Limited[DoubtedEntry]):
    """Class-balanced, forgetting what is old or doubtful first: RoTTA's CSTU, Yuan et al., CVPR 2023.

    An entry's fault is 1 / (1 + exp(-age / capacity)) + uncertainty / ln K, its age counted in pictures
    offered since. A class holds at most capacity / K, rounded up. Only what has a greater fault makes way.
    """

    def offer(self, image: Tensor, label: int, confidence: float, uncertainty: float) -> bool:
        """Keep a uint8 picture (3, H, W) of a predicted class if it is worth it. -> whether it was kept"""
        new = DoubtedEntry(image.clone(), label, confidence, self._arrived, uncertainty)
        if kept := self._make_way(new):
            self.slots[label].append(new)
        self._arrived += 1
        return kept

    def ages(self) -> list[float]:
        """How long ago each of `entries` came, in capacities."""
        return [(self._arrived - entry.key) / self.capacity for entry in self.entries]

    def _make_way(self, new: DoubtedEntry) -> bool:
        if len(self.slots[new.label]) >= self.capacity / len(self.slots):
            rivals = [new.label]
        elif not self.full:
            return True
        else:
            rivals = self._largest()
        entries = [entry for label in rivals for entry in self.slots[label]]
        worst = max(entries, key=lambda entry: self._fault(entry))
        if self._fault(worst) <= self._fault(new):
            return False
        self.slots[worst.label] = [entry for entry in self.slots[worst.label] if entry is not worst]
        return True

    def _fault(self, entry: DoubtedEntry) -> float:
        age = self._arrived - entry.key
        return 1 / (1 + math.exp(-age / self.capacity)) + entry.uncertainty / math.log(len(self.slots))


class UniformMemory(_Limited[Entry]):
    """As many pictures of one class as of another: SoTTA's HUS, Gong et al., NeurIPS 2023.

    When it is full, a random picture of a largest class makes way; of its own class if that is one.
    """

    def offer(self, image: Tensor, label: int, confidence: float, rng: torch.Generator) -> None:
        """Keep a uint8 picture (3, H, W) of a predicted class."""
        if self.full:
            largest = self._largest()
            victim = label if label in largest else largest[_draw(len(largest), rng)]
            self.slots[victim].pop(_draw(len(self.slots[victim]), rng))
        self.slots[label].append(Entry(image.clone(), label, confidence, self._arrived))
        self._arrived += 1


class ReplayMemory(_Limited[Entry]):
    """First in, first out within the class that was largest lately: STAMP's, Yu et al., ECCV 2024.

    "Lately" is a running mean of the class sizes, 0.9 of it kept at each reading.
    """

    def __init__(self, num_classes: int, capacity: int) -> None:
        super().__init__(num_classes, capacity)
        self.running = [0.0] * num_classes

    def offer(self, image: Tensor, label: int, confidence: float, rng: torch.Generator) -> None:
        """Keep a uint8 picture (3, H, W) of a predicted class."""
        if self.full:
            held = [k for k, slot in enumerate(self.slots) if slot]
            most = max(self.running[k] for k in held)
            largest = [k for k in held if self.running[k] == most]
            self.slots[largest[_draw(len(largest), rng)]].pop(0)
        self.slots[label].append(Entry(image.clone(), label, confidence, self._arrived))
        self._arrived += 1

    def read(self) -> list[Entry]:
        """Everything stored, by class; the class sizes enter the running mean."""
        self.running = [
            0.9 * mean + 0.1 * len(slot) for mean, slot in zip(self.running, self.slots, strict=True)
        ]
        return self.entries


def _draw(count: int, rng: torch.Generator) -> int:
    """A whole number below `count`."""
    return int(torch.randint(count, (1,), generator=rng))


class MeanPrediction:
    """Running mean of the probabilities trained on: tells what is nothing new. EATA, arXiv 2204.02610."""

    def __init__(self) -> None:
        self.mean: Tensor | None = None  # (K,)

    def novel(self, probs: Tensor, epsilon: float | Literal["auto"]) -> Tensor:
        """Whose cosine with the mean is below epsilon in size; all at first. (B, K) -> (B,)

        "auto" is larger for few classes: a sure prediction and an even mean have a cosine of 1 / sqrt(K),
        which epsilon must exceed.
        """
        if self.mean is None:
            return torch.ones(len(probs), dtype=torch.bool, device=probs.device)
        if epsilon == "auto":
            epsilon = max(0.05, 1.3 / math.sqrt(probs.shape[-1]))
        return torch.cosine_similarity(probs, self.mean, dim=-1).abs() < epsilon

    def update(self, probs: Tensor) -> None:
        """Mix a tenth of the mean of these in; of none, nothing. (N, K)"""
        if len(probs):
            new = probs.detach().mean(dim=0)
            self.mean = new if self.mean is None else 0.9 * self.mean + 0.1 * new


class LastResult(Generic[T]):
    """The last thing computed from a tensor of pictures, so that adapting and predicting share a forward."""

    def __init__(self) -> None:
        self._kept: tuple[weakref.ref[Tensor], T] | None = None

    def of(self, images: Tensor, compute: Callable[[Tensor], T]) -> T:
        """compute(images), or what it gave last time if these are the same tensor."""
        if not self.knows(images):
            self.keep(images, compute(images))
        return self.result

    def keep(self, images: Tensor, result: T) -> None:
        """Remember a result under its pictures, whatever was remembered before."""
        self._kept = (weakref.ref(images), result)

    def knows(self, images: Tensor) -> bool:
        """Whether the last result is of these very pictures."""
        return self._kept is not None and self._kept[0]() is images

    @property
    def result(self) -> T:
        """What was kept last."""
        if self._kept is None:
            raise ValueError(
                "LastResult: a result must be kept before it is read, got none; call of or keep."
            )
        return self._kept[1]

    def forget(self) -> None:
        """The weights changed."""
        self._kept = None


@dataclass(frozen=True)
class GradientEntry:
    """A picture's gradient, and what tells whose neighbour it is."""

    key: Tensor  # (D,) the picture's unit feature
    value: Tensor  # (P,) the gradient over `size`, in the memory's precision
    size: float  # the gradient's largest number: half precision keeps little of numbers below 6e-5
    entropy: float  # of the prediction, in nats

    def __deepcopy__(self, memo: dict[int, object]) -> GradientEntry:
        """Nothing ever changes an entry: a memory and its copy share it."""
        return self


class GradientQueues:
    """Of each predicted class the newest gradients, to be looked up by feature: Ramen, arXiv 2604.21728.

    Args:
        num_classes: K.
        capacity: entries per class; the oldest makes way.
        dtype: what gradients are stored in.
    """

    def __init__(self, num_classes: int, capacity: int, dtype: torch.dtype = torch.float16) -> None:
        self.queues: list[deque[GradientEntry]] = [deque(maxlen=capacity) for _ in range(num_classes)]
        self.dtype = dtype

    def __len__(self) -> int:
        return sum(len(queue) for queue in self.queues)

    def add(self, feature: Tensor, gradient: Tensor, label: int, entropy: float) -> None:
        """Remember one picture's gradient. (D,), (P,)"""
        size = max(gradient.abs().max().item(), 1e-30)
        value = (gradient / size).to(self.dtype)  # a copy: a view would keep the whole batch
        self.queues[label].append(GradientEntry(feature.clone(), value, size, entropy))

    def nearest(self, features: Tensor, neighbours: int, beta: float) -> Tensor | None:
        """Mean over classes of the sum over the nearest of e^-entropy e^(-beta distance) gradient. -> (B, P)

        None while nothing is remembered.

        Args:
            features: (B, D) unit rows.
            neighbours: how many entries of each class count, all where there are fewer.
            beta: how fast they count less with their Euclidean distance.
        """
        held = [list(queue) for queue in self.queues if queue]
        total: Tensor | None = None
        for entries in held:
            keys = torch.stack([entry.key for entry in entries])  # (S, D)
            distance = torch.cdist(features, keys, compute_mode="donot_use_mm_for_euclid_dist")  # (B, S)
            near, which = distance.topk(min(neighbours, len(entries)), dim=-1, largest=False)  # (B, k)
            doubt = near.new_tensor([entry.entropy for entry in entries])  # (S,)
            weights = (-doubt[which] - beta * near).exp()
            used, place = which.unique(return_inverse=True)
            chosen = [entries[i] for i in used.tolist()]
            table = weights.new_zeros(len(features), len(chosen)).scatter_(1, place, weights)  # (B, U)
            table = table * table.new_tensor([entry.size for entry in chosen])
            pulled = table @ torch.stack([entry.value for entry in chosen]).to(table.dtype)  # (B, P)
            total = pulled if total is None else total + pulled
        return None if total is None else total / len(held)
