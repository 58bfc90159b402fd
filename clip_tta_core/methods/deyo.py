"""DeYO: entropy is not enough. Lee et al., ICLR 2024, arXiv 2403.07366.

A sure prediction may rest on a background. One that rests on the object's shape loses its confidence when
the picture is cut into patches and these are shuffled. With p and p' the probabilities of a picture and of
its shuffled copy, y its predicted class,

    H < margin ln K     reliable; only these are shuffled and looked at again
    d = p(y) - p'(y)    > drop: kept
    loss                mean over the kept of (e^(E0 - H) + e^d) H, the factor not differentiated

with E0 = anchor ln K. Nothing kept: no step, and momentum stays as it is. Every picture has a shuffle of its
own. The step grows with the batch, as lr B / 64; with ResNets and batches below 32 the authors take twice
that. Their settings for Waterbirds and ColoredMNIST are for ResNets.

The authors leave out the last three of twelve blocks by name, which is the last quarter here; their rule for
the final normalization does not match the name CLIP gives it, so that one is trained (`final_norm`).
Nothing spreads the predictions over the classes: what is wrong, sure and rests on shape is learned too.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from clip_tta_core import losses, optim
from clip_tta_core.clip.classifier import ClipClassifier
from clip_tta_core.hparams import knob
from clip_tta_core.methods.base import GradientConfig, Method, register
from clip_tta_core.records import Cost


@dataclass(frozen=True)
class DeyoConfig(GradientConfig):
    lr: float = knob(
        1e-3,
        0.0,
        1.0,
        log=True,
        help="Step size of momentum descent for a batch of 64; grows with the batch.",
    )
    steps: int = knob(1, 1, 50, help="Gradient steps per batch; each selects afresh.")
    margin: float = knob(0.5, 0.0, 1.5, help="Entropy below which a picture is reliable, as a share of ln K.")
    drop: float = knob(0.2, -1.0, 1.0, help="Loss of confidence without shape above which a picture is kept.")
    anchor: float = knob(0.4, 0.0, 1.5, help="Entropy that weighs 1, as a share of ln K.")
    patches: int = knob(4, 1, 16, help="Patches per side that are shuffled; 1 leaves the picture whole.")
    final_norm: bool = knob(True, help="Train the last normalization too.")


@register
class Deyo(Method[DeyoConfig]):
    """Lower the entropy of sure predictions that hold on to the shape of things: those that lose confidence
    when the picture's patches are shuffled."""

    name, title, family = "deyo", "DeYO", "entropy minimization"
    citation = "Lee et al., ICLR 2024, arXiv 2403.07366"
    train = "visual_norm_but_top"
    presets = {
        "authors": {},
        "authors, ResNet": {"lr": 2.5e-4, "drop": 0.3},
        "authors, one picture at a time": {"lr": 2e-3},
        "authors, Waterbirds": {"lr": 1.25e-3, "drop": 0.5},
        "authors, ColoredMNIST": {"lr": 2.5e-4, "margin": 1.0, "anchor": 1.0, "drop": 0.5},
        "CLIPTTA protocol": {"steps": 10},
    }
    Config = DeyoConfig

    @classmethod
    def cost(cls, config: DeyoConfig, batch_size: int = 64, batches: int = 16) -> Cost:
        return Cost(2 * config.steps + 1, config.steps)

    def __init__(self, clip: ClipClassifier, config: DeyoConfig, rng: torch.Generator) -> None:
        super().__init__(clip, config, rng)
        weights = clip.trainable()
        self.optimizer = optim.make_optimizer(
            "sgd", weights if config.final_norm or len(weights) < 4 else weights[:-2], config.lr
        )

    def adapt(self, images: Tensor) -> dict[str, float]:
        for group in self.optimizer.param_groups:
            group["lr"] = self.config.lr * len(images) / 64
        report, skipped = {}, 0
        for _ in self.steps(self.config.steps):
            numbers = self._step(images)
            report |= numbers
            skipped += "loss" not in numbers
        return report | {"skipped": float(skipped)}

    def _step(self, images: Tensor) -> dict[str, float]:
        """One step on a batch. -> what it selected, and its loss if there was a step"""
        unit = math.log(self.clip.num_classes)
        logits = self.clip.predict(images).logits  # (B, K)
        entropy = losses.entropy(logits)  # (B,)
        reliable = (entropy.detach() < self.config.margin * unit).nonzero().flatten()  # (N,)
        report = {"reliable": len(reliable) / len(images), "selected": 0.0}
        if not len(reliable):
            return report
        lost = self._lost_confidence(images[reliable], logits.detach()[reliable])  # (N,)
        kept = lost > self.config.drop
        report |= {"selected": kept.sum().item() / len(images), "lost_confidence": lost.mean().item()}
        if not report["selected"]:
            return report
        doubt = entropy[reliable][kept]
        loss = (weight(doubt.detach(), lost[kept], self.config.anchor * unit) * doubt).mean()
        self.show(logits, loss=loss)
        if optim.guarded_step(self.optimizer, loss):
            report["loss"] = loss.item()
        return report

    @torch.no_grad()
    def _lost_confidence(self, images: Tensor, logits: Tensor) -> Tensor:
        """By how much the predicted class is less probable once the patches are shuffled. (N, K) -> (N,)"""
        confidence, labels = logits.softmax(dim=-1).max(dim=-1)
        shuffled = self.clip.predict(shuffle_patches(images, self.config.patches, self.rng)).logits
        return confidence - shuffled.softmax(dim=-1).gather(1, labels[:, None])[:, 0]


def weight(entropy: Tensor, lost: Tensor, anchor: float) -> Tensor:
    """How much pictures count, by their doubt and by what they lose without shape. 2 x (N,) -> (N,)"""
    return (anchor - entropy).exp() + lost.exp()


def shuffle_patches(images: Tensor, count: int, rng: torch.Generator) -> Tensor:
    """Cut pictures into count x count patches and lay these out at random. (B, 3, H, W) -> (B, 3, H, W)

    Where the sides are no multiples of `count`, pictures are made a little smaller for it and larger again.
    """
    batch, channels, height, width = images.shape
    order = torch.rand(batch, count**2, generator=rng).argsort(dim=-1).to(images.device)  # (B, count^2)
    high, wide = max(1, height // count), max(1, width // count)
    inside = _resize(images, high * count, wide * count)
    patches = inside.reshape(batch, channels, count, high, count, wide).transpose(3, 4).flatten(2, 3)
    patches = patches.gather(2, order[:, None, :, None, None].expand_as(patches))  # (B, 3, count^2, h, w)
    laid = patches.unflatten(2, (count, count)).transpose(3, 4).reshape_as(inside)
    return _resize(laid, height, width)


def _resize(images: Tensor, height: int, width: int) -> Tensor:
    if images.shape[-2:] == (height, width):
        return images
    return F.interpolate(images, (height, width), mode="bilinear", antialias=True)
