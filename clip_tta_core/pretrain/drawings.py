"""mini-CLIP's lessons: rendered objects and their captions.

No class labels, no corrupted pictures, no picture twice.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Subset

from clip_tta_core.clip import embedded
from clip_tta_core.clip.prompts import SINGLE, TEMPLATES, fill
from clip_tta_core.clip.towers import Config, TwoTowers
from clip_tta_core.clip.vocabulary import Vocabulary
from clip_tta_core.pretrain import loop
from clip_tta_core.sources import rendered

WORLD = (
    2**40
)  # added to training seeds: runs, whose seeds are below 2^32, never meet a picture of the training
VALIDATION = 2**41  # added to the seed of the pictures that only watch the progress


@dataclass(frozen=True)
class Recipe(loop.Recipe):
    """As `loop.Recipe`, with mini-CLIP's values."""

    steps: int = 3000
    batch_size: int = 128
    lr: float = 1e-3
    weight_decay: float = 0.05
    warm_up: int = 300
    easy_until: float = 0.2  # the share of the steps after which pictures are as hard as they get


class CaptionedPictures(Dataset):
    """Item i is batch i of the training: it depends on the recipe and i only, so any worker can make it."""

    def __init__(self, recipe: Recipe, vocabulary: Vocabulary) -> None:
        self.recipe = recipe
        self.vocabulary = vocabulary

    def __len__(self) -> int:
        return self.recipe.steps

    def __getitem__(self, step: int) -> tuple[Tensor, Tensor, Tensor]:
        """uint8 (B, H, W, 3), the batch's U different captions as rows (U, L), which of them is whose (B,)"""
        seed, count = WORLD + self.recipe.seed, self.recipe.batch_size
        indices = np.arange(step * count, (step + 1) * count)
        objects = rendered.labels(len(rendered.OBJECTS), seed, indices)
        difficulty = min(1.0, step / max(1, self.recipe.easy_until * self.recipe.steps))
        images = rendered.render(objects, seed, indices, difficulty=difficulty)
        texts = rendered.captions(objects, seed, indices, TEMPLATES["eight"], difficulty)
        different = sorted(set(texts))
        which = torch.tensor([different.index(text) for text in texts])
        return torch.from_numpy(images), self.vocabulary.tokenize(different), which


class Drawings:
    """What mini-CLIP is trained on. See `loop.Lessons`."""

    member = embedded.MINI
    report_every = 250

    def __init__(self, recipe: Recipe, workers: int = 0) -> None:
        self.recipe = recipe
        self.workers = workers  # processes that render
        self.config = Config.for_texts(all_texts())
        self.vocabulary = self.config.vocabulary(self.member.title, self.member.subject)

    def batches(self, first: int) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
        left = Subset(CaptionedPictures(self.recipe, self.vocabulary), range(first, self.recipe.steps))
        return iter(DataLoader(left, batch_size=None, num_workers=self.workers))

    def accuracy(self, model: TwoTowers) -> dict[str, float]:
        return {"rendered objects": zero_shot_accuracy(model, self.vocabulary)}


@torch.no_grad()
def zero_shot_accuracy(model: TwoTowers, vocabulary: Vocabulary, count: int = 1000) -> float:
    """Share of right answers on `count` pictures of the task, none of which was trained on."""
    device = model.logit_scale.device
    indices = np.arange(count)
    labels = rendered.labels(len(rendered.TASK), VALIDATION, indices)
    images = torch.from_numpy(
        rendered.render(rendered.object_ids(rendered.TASK)[labels], VALIDATION, indices)
    )
    texts = model.text(vocabulary.tokenize(fill(SINGLE, rendered.TASK)).to(device))
    features = torch.cat([model.visual(model.normalize(part.to(device))) for part in images.split(250)])
    guesses = (features @ F.normalize(texts, dim=-1).T).argmax(dim=1).cpu().numpy()
    return float((guesses == labels).mean())


def all_texts() -> list[str]:
    """Every caption there can be."""
    colours = ("", *(f"{colour} " for colour in rendered.COLOURS))
    things = [colour + name for colour, name in itertools.product(colours, rendered.OBJECTS)]
    return [text for template in TEMPLATES["eight"] for text in fill(template, things)]
