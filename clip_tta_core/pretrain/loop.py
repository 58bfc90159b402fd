"""What the trainings of the embedded CLIPs have in common: the loss, the schedule and the loop.

The loss is CLIP's (Radford et al., ICML 2021): in a batch of pictures and captions, each picture picks its
caption and each caption its picture. A training that was cut off goes on where it stopped.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Protocol

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel

from clip_tta_core.clip.embedded import Member
from clip_tta_core.clip.loading import choose_device
from clip_tta_core.clip.precision import choose_autocast
from clip_tta_core.clip.towers import SCALE, Config, TwoTowers

STATE = "state.pt"  # in the output folder, until the training is done


@dataclass(frozen=True)
class Recipe:
    """Everything that decides the weights."""

    steps: int
    batch_size: int
    lr: float
    weight_decay: float
    warm_up: int  # steps to the full learning rate, from where it falls like a cosine
    seed: int = 0

    def scale(self, step: int) -> float:
        """From cosines to logits, at a step counted from 0."""
        return SCALE


class Lessons(Protocol):
    """What a member of the family is trained on."""

    member: Member
    config: Config
    report_every: int  # steps

    @property
    def recipe(self) -> Recipe:
        """What decides the weights."""
        ...

    def batches(self, first: int) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
        """The batches from number `first` on, each of which depends on the recipe and its number only.

        Pictures (B, H, W, 3) in [0, 255], the batch's U different captions as rows (U, L), and which of them
        is whose (B,).
        """
        ...

    def accuracy(self, model: TwoTowers) -> Mapping[str, float]:
        """Zero-shot accuracy on pictures that are not trained on, by the name of their set."""
        ...


@dataclass(frozen=True)
class Progress:
    """Where a training is."""

    step: int  # done
    model: TwoTowers
    loss: float  # mean since the last report
    minutes: float  # of all sittings


def contrastive_loss(images: Tensor, texts: Tensor, which: Tensor, scale: float) -> Tensor:
    """CLIP's loss, where pictures with equal captions share the target. -> ()

    Args:
        images: (B, D) unit rows.
        texts: (U, D) unit rows, one per different caption.
        which: (B,) the caption of each picture.
        scale: from cosines to logits.
    """
    logits = scale * images @ texts[which].T  # (B, B)
    same = (which[:, None] == which[None, :]).float()
    targets = same / same.sum(dim=1, keepdim=True)  # symmetric: equal captions come in blocks
    return (F.cross_entropy(logits, targets) + F.cross_entropy(logits.T, targets)) / 2


def train(
    lessons: Lessons, device: str = "auto", bfloat16: bool = False, folder: Path | None = None
) -> Iterator[Progress]:
    """Report every `report_every` steps and at the end.

    Args:
        device: see `choose_device`.
        bfloat16: encode in it on a CPU too, which pays on those with units for it only.
        folder: where the state is kept between sittings; one that is there is continued.

    Raises:
        ValueError: one sentence, where the state in `folder` is of another recipe.
    """
    recipe = lessons.recipe
    torch.manual_seed(recipe.seed)
    place = choose_device(device)
    precision = torch.bfloat16 if bfloat16 else choose_autocast(place)
    model = TwoTowers(lessons.config).to(place).train()
    optimizer = _optimizer(model, recipe)
    done, earlier = _restore(folder, model, optimizer, recipe) if folder else (0, 0.0)
    total, since, start = 0.0, 0, time.monotonic()
    for step, batch in enumerate(lessons.batches(done), start=done):
        pictures, captions, which = (part.to(place) for part in batch)
        with (
            _attention(place, precision),
            torch.autocast(place.type, precision, enabled=precision is not None),
        ):
            images, texts = model.visual(model.normalize(pictures)), model.text(captions)
        images, texts = F.normalize(images.float(), dim=-1), F.normalize(texts.float(), dim=-1)
        loss = contrastive_loss(images, texts, which, recipe.scale(step))
        for group in optimizer.param_groups:
            group["lr"] = recipe.lr * share_of_lr(step, recipe)
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        total, since, done = total + loss.detach(), since + 1, step + 1
        if done % lessons.report_every == 0 or done == recipe.steps:
            minutes = earlier + (time.monotonic() - start) / 60
            if folder:
                _keep(folder, model, optimizer, recipe, done, minutes)
            yield Progress(done, model, float(total) / since, minutes)
            total, since = 0.0, 0
    if folder:
        (folder / STATE).unlink(missing_ok=True)


def share_of_lr(step: int, recipe: Recipe) -> float:
    """Of the full learning rate, at a step counted from 0."""
    if step < recipe.warm_up:
        return (step + 1) / recipe.warm_up
    left = (recipe.steps - step) / max(1, recipe.steps - recipe.warm_up)
    return 0.5 * (1 - math.cos(math.pi * left))


def _attention(place: torch.device, precision: torch.dtype | None) -> AbstractContextManager:
    """Over a few tokens in bfloat16, fused attention takes a quarter of a CPU's step to go backward."""
    slow = precision is not None and place.type == "cpu"
    return sdpa_kernel(SDPBackend.MATH) if slow else nullcontext()


def _optimizer(model: nn.Module, recipe: Recipe) -> torch.optim.Optimizer:
    """AdamW; only matrices decay."""
    trained = [p for p in model.parameters() if p.requires_grad]
    matrices, others = [p for p in trained if p.ndim > 1], [p for p in trained if p.ndim <= 1]
    groups = [
        {"params": matrices, "weight_decay": recipe.weight_decay},
        {"params": others, "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, lr=recipe.lr, betas=(0.9, 0.98))


def _keep(
    folder: Path,
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    recipe: Recipe,
    done: int,
    minutes: float,
) -> None:
    """Write the state so that one is whole at every moment."""
    folder.mkdir(parents=True, exist_ok=True)
    state = {"model": model.state_dict(), "optimizer": optimizer.state_dict()}
    state |= {"recipe": asdict(recipe), "done": done, "minutes": minutes}
    torch.save(state, folder / f"{STATE}.new")
    (folder / f"{STATE}.new").replace(folder / STATE)


def _restore(
    folder: Path, model: nn.Module, optimizer: torch.optim.Optimizer, recipe: Recipe
) -> tuple[int, float]:
    """Steps done and minutes taken by earlier sittings."""
    if not (folder / STATE).exists():
        return 0, 0.0
    state = torch.load(folder / STATE, map_location="cpu", weights_only=True)
    if state["recipe"] != asdict(recipe):
        raise ValueError(
            f"Pretraining: {folder / STATE} is of another recipe, {state['recipe']}; remove it, or choose "
            "another folder with --out."
        )
    model.load_state_dict(state["model"])
    optimizer.load_state_dict(state["optimizer"])
    return state["done"], state["minutes"]
