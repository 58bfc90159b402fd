"""Train mini-CLIP from scratch on rendered objects and their captions: python -m clip_tta_core.pretrain

The loss is CLIP's (Radford et al., ICML 2021): in a batch of pictures and captions, each picture picks its
caption and each caption its picture. No class labels, no corrupted pictures, no picture twice.
"""

from __future__ import annotations

import argparse
import itertools
import math
import os
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset

from clip_tta_core.clip import mini
from clip_tta_core.clip.loading import choose_device
from clip_tta_core.clip.precision import choose_autocast
from clip_tta_core.clip.prompts import SINGLE, TEMPLATES, fill
from clip_tta_core.sources import rendered

WORLD = (
    2**40
)  # added to training seeds: runs, whose seeds are below 2^32, never meet a picture of the training
VALIDATION = 2**41  # added to the seed of the pictures that only watch the progress
REPORT_EVERY = 250  # steps


@dataclass(frozen=True)
class Recipe:
    """Everything that decides the weights."""

    steps: int = 3000
    batch_size: int = 128
    lr: float = 1e-3
    weight_decay: float = 0.05
    warm_up: int = 300  # steps to the full learning rate, from where it falls like a cosine
    easy_until: float = 0.2  # the share of the steps after which pictures are as hard as they get
    seed: int = 0


class CaptionedPictures(Dataset):
    """Item i is batch i of the training: it depends on the recipe and i only, so any worker can make it."""

    def __init__(self, recipe: Recipe, vocabulary: mini.Vocabulary) -> None:
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


def contrastive_loss(images: Tensor, texts: Tensor, which: Tensor, scale: Tensor) -> Tensor:
    """CLIP's loss, where pictures with equal captions share the target. -> ()

    Args:
        images: (B, D) unit rows.
        texts: (U, D) unit rows, one per different caption.
        which: (B,) the caption of each picture.
        scale: () from cosines to logits.
    """
    logits = scale * images @ texts[which].T  # (B, B)
    same = (which[:, None] == which[None, :]).float()
    targets = same / same.sum(dim=1, keepdim=True)  # symmetric: equal captions come in blocks
    return (F.cross_entropy(logits, targets) + F.cross_entropy(logits.T, targets)) / 2


def train(
    recipe: Recipe, device: str = "auto", workers: int = 0
) -> Iterator[tuple[int, mini.MiniClip, float]]:
    """Yield (steps done, model, mean loss since the last yield) every REPORT_EVERY steps and at the end."""
    torch.manual_seed(recipe.seed)
    place = choose_device(device)
    model = mini.build(mini.MiniConfig.for_texts(all_texts())).to(place).train()
    optimizer = _optimizer(model, recipe)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: _share_of_lr(step, recipe))
    batches = DataLoader(CaptionedPictures(recipe, model.vocabulary), batch_size=None, num_workers=workers)
    precision = choose_autocast(place)
    total, since = 0.0, 0
    for step, (pictures, captions, which) in enumerate(batches, start=1):
        pictures, captions, which = pictures.to(place), captions.to(place), which.to(place)
        with torch.autocast(place.type, precision, enabled=precision is not None):
            images, texts = model.visual(model.normalize(pictures)), model.text(captions)
        images, texts = F.normalize(images.float(), dim=-1), F.normalize(texts.float(), dim=-1)
        loss = contrastive_loss(images, texts, which, model.logit_scale.exp())
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        total, since = total + loss.detach(), since + 1
        if step % REPORT_EVERY == 0 or step == recipe.steps:
            yield step, model, float(total) / since
            total, since = 0.0, 0


@torch.no_grad()
def zero_shot_accuracy(model: mini.MiniClip, count: int = 1000) -> float:
    """Share of right answers on `count` pictures of the task, none of which was trained on."""
    device = model.logit_scale.device
    indices = np.arange(count)
    labels = rendered.labels(len(rendered.TASK), VALIDATION, indices)
    images = torch.from_numpy(
        rendered.render(rendered.object_ids(rendered.TASK)[labels], VALIDATION, indices)
    )
    texts = model.text(model.tokenize(fill(SINGLE, rendered.TASK)))
    features = torch.cat([model.visual(model.normalize(part.to(device))) for part in images.split(250)])
    guesses = (features @ F.normalize(texts, dim=-1).T).argmax(dim=1).cpu().numpy()
    return float((guesses == labels).mean())


def all_texts() -> list[str]:
    """Every caption there can be."""
    colours = ("", *(f"{colour} " for colour in rendered.COLOURS))
    things = [colour + name for colour, name in itertools.product(colours, rendered.OBJECTS)]
    return [text for template in TEMPLATES["eight"] for text in fill(template, things)]


def _optimizer(model: nn.Module, recipe: Recipe) -> torch.optim.Optimizer:
    """AdamW; only matrices decay."""
    trained = [p for p in model.parameters() if p.requires_grad]
    matrices, others = [p for p in trained if p.ndim > 1], [p for p in trained if p.ndim <= 1]
    groups = [
        {"params": matrices, "weight_decay": recipe.weight_decay},
        {"params": others, "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, lr=recipe.lr, betas=(0.9, 0.98))


def _share_of_lr(step: int, recipe: Recipe) -> float:
    if step < recipe.warm_up:
        return (step + 1) / recipe.warm_up
    left = (recipe.steps - step) / max(1, recipe.steps - recipe.warm_up)
    return 0.5 * (1 - math.cos(math.pi * left))


def main() -> None:
    parser = argparse.ArgumentParser(prog="clip_tta_core.pretrain", description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=Recipe.steps)
    parser.add_argument("--seed", type=int, default=Recipe.seed)
    parser.add_argument("--device", default="auto", help="cuda, mps, cpu or auto")
    parser.add_argument(
        "--workers", type=int, default=max(1, (os.cpu_count() or 2) - 1), help="rendering processes"
    )
    parser.add_argument("--out", type=Path, default=mini.FOLDER)
    args = parser.parse_args()

    recipe = Recipe(steps=args.steps, seed=args.seed)
    start = time.monotonic()
    for step, model, loss in train(recipe, args.device, args.workers):
        model.eval()
        accuracy, minutes = zero_shot_accuracy(model), (time.monotonic() - start) / 60
        print(f"{step:6d}  loss {loss:.3f}  zero-shot {accuracy:.1%}  {minutes:.1f} min", flush=True)
        done = {"steps_done": step, "minutes": round(minutes, 1), "device": str(model.logit_scale.device)}
        mini.save(model, args.out, {**asdict(recipe), **done})
        model.train()


if __name__ == "__main__":
    main()
