"""photo-CLIP's lessons: the training photographs of CIFAR-10 and CIFAR-100, and their captions.

Krizhevsky, Learning Multiple Layers of Features from Tiny Images, 2009. The class of a picture is told as a
sentence about it, and in no other way. Pictures are shifted, mirrored and made a little brighter, darker or
flatter; none is corrupted.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from clip_tta_core.clip import embedded
from clip_tta_core.clip.prompts import SINGLE, TEMPLATES, fill
from clip_tta_core.clip.towers import SCALE, Config, TwoTowers
from clip_tta_core.pretrain import loop
from clip_tta_core.sources import readers
from clip_tta_core.sources.decoding import square
from clip_tta_core.sources.readers import Items

SETS = {"CIFAR-10": "CIFAR10", "CIFAR-100": "CIFAR100"}  # title -> torchvision's name
SIDE = 32
SENTENCES = ("single", "eight", "eighty")  # of these one is drawn for a batch, and of it one sentence
SIZES = dict(
    image_size=SIDE,
    # Convolutions at the full and at half the resolution: on pictures as small as these they learn most of
    # what there is to learn.
    stem=(32, 64, 64, 128, 128),
    strides=(1, 2, 1, 2, 1),
    patch_size=8,
    width=192,
    layers=2,
    context_length=20,  # the longest caption has 14 word pieces; CLIPArTT's name three classes
    mean=(0.49, 0.48, 0.44),
    std=(0.25, 0.25, 0.26),
)


@dataclass(frozen=True)
class Recipe(loop.Recipe):
    """As `loop.Recipe`, with photo-CLIP's values."""

    steps: int = 5460  # 14 times through the 100,000 pictures
    batch_size: int = 256
    lr: float = 1e-3
    weight_decay: float = 0.05
    warm_up: int = 390
    shift: int = 4  # pixels by which a picture may be moved, each way
    light: float = 0.2  # largest change of brightness and of contrast, as a share
    # At CLIP's scale from the first step on, all features fall together and nothing is learned. CLIP itself
    # starts at 14 and ends at 100; here the way is laid out instead of learned.
    first_scale: float = 10.0
    full_scale_from: float = 0.2  # share of the steps after which the scale is CLIP's

    def scale(self, step: int) -> float:
        way = min(1.0, step / max(1.0, self.full_scale_from * self.steps))
        return self.first_scale * (SCALE / self.first_scale) ** way


class Photographs:
    """What photo-CLIP is trained on. See `loop.Lessons`.

    Args:
        folder: holds the pictures as `readers.cifar` finds them; what is missing is downloaded.
    """

    member = embedded.PHOTO

    def __init__(self, recipe: Recipe, folder: Path) -> None:
        parts = [readers.cifar(name, folder, "train", download=True) for name in SETS.values()]
        self.tests = {
            title: readers.cifar(name, folder, "test", download=True) for title, name in SETS.items()
        }
        self.recipe = recipe
        self.names = tuple(name for part in parts for name in part.class_names)
        self.images = torch.cat([pictures(part) for part in parts])  # uint8 (N, H, W, 3)
        starts = np.cumsum([0, *(len(part.class_names) for part in parts)])
        labels = [part.labels + start for part, start in zip(parts, starts, strict=False)]
        self.classes = torch.from_numpy(np.concatenate(labels))
        self.config = Config.for_texts(all_texts(self.names), names=self.names, **SIZES)
        self.vocabulary = self.config.vocabulary(self.member.title, self.member.subject)
        self.report_every = len(self.images) // recipe.batch_size  # once through the pictures
        if not self.report_every:
            raise ValueError(
                f"Pretraining: a batch of {recipe.batch_size} needs as many photographs, and {folder} holds "
                f"{len(self.images)}; choose smaller batches or the whole sets."
            )

    def batches(self, first: int) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
        return (self.batch(step) for step in range(first, self.recipe.steps))

    def batch(self, step: int) -> tuple[Tensor, Tensor, Tensor]:
        """See `loop.Lessons.batches`. All pictures of a batch have captions of one form, since nothing in a
        picture tells which sentence is said about it; those of one class then have one caption."""
        time_through, place = divmod(step, self.report_every)
        order = torch.randperm(
            len(self.images), generator=_generator(self.recipe.seed * 1_000_003 + time_through)
        )
        chosen = order[place * self.recipe.batch_size :][: self.recipe.batch_size]
        rng = _generator((self.recipe.seed + 1) * 10**9 + step)
        sentences = TEMPLATES[SENTENCES[torch.randint(len(SENTENCES), (), generator=rng)]]
        sentence = sentences[torch.randint(len(sentences), (), generator=rng)]
        classes, which = self.classes[chosen].unique(return_inverse=True)
        captions = self.vocabulary.tokenize(fill(sentence, [self.names[k] for k in classes]))
        return augment(self.images[chosen], self.recipe.shift, self.recipe.light, rng), captions, which

    @torch.no_grad()
    def accuracy(self, model: TwoTowers) -> dict[str, float]:
        device, right = model.logit_scale.device, {}
        for title, items in self.tests.items():
            texts = model.text(self.vocabulary.tokenize(fill(SINGLE, items.class_names)).to(device))
            features = torch.cat(
                [model.visual(model.normalize(part.to(device))) for part in pictures(items).split(250)]
            )
            guesses = (features @ F.normalize(texts, dim=-1).T).argmax(dim=1).cpu().numpy()
            right[title] = float((guesses == items.labels).mean())
        return right


def pictures(items: Items) -> Tensor:
    """All pictures of a set. -> uint8 (N, SIDE, SIDE, 3)"""
    images = np.empty((len(items.labels), SIDE, SIDE, 3), dtype=np.uint8)
    for item in range(len(images)):
        with items.picture(item) as image:
            images[item] = square(image, SIDE)
    return torch.from_numpy(images)


def augment(images: Tensor, shift: int, light: float, rng: torch.Generator) -> Tensor:
    """Shift, mirror and light every picture anew. uint8 (B, S, S, 3) -> float (B, S, S, 3) in [0, 255]"""
    count, side = images.shape[:2]
    channels_first = images.permute(0, 3, 1, 2).float()
    padded = F.pad(channels_first, (shift,) * 4, mode="reflect").permute(0, 2, 3, 1)
    down, right = torch.randint(0, 2 * shift + 1, (2, count), generator=rng)
    mirrored = torch.rand(count, generator=rng) < 0.5
    pixels = torch.arange(side)
    columns = torch.where(mirrored[:, None], side - 1 - pixels, pixels) + right[:, None]  # (B, S)
    rows = pixels + down[:, None]  # (B, S)
    shifted = padded[torch.arange(count)[:, None, None], rows[:, :, None], columns[:, None, :]]
    contrast, brightness = 1 + light * (2 * torch.rand(2, count, 1, 1, 1, generator=rng) - 1)
    mean = shifted.mean(dim=(1, 2, 3), keepdim=True)
    return ((shifted - mean) * contrast + mean * brightness).clamp(0, 255)


def all_texts(names: tuple[str, ...]) -> list[str]:
    """Every caption there can be."""
    return [
        text for sentences in SENTENCES for sentence in TEMPLATES[sentences] for text in fill(sentence, names)
    ]


def _generator(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)
