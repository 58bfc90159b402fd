"""OrthSR: fine-tuning by rotations of the weights, held to the frozen model. Li et al., arXiv 2407.08374.

    W' = R W,  R = (I + S)(I - S)^-1 with S = -S^T    the Cayley transform: a rotation, and I for S = 0
    loss       cross-entropy + regularize KL(p_frozen || p)

for the matrices of the attention and MLP layers of every block. R is merged into W in the end, so that
nothing of it is left. Half of the pictures have the part erased on which the frozen model's answer rests
(attentive CutOut).

No code and no full description is public; the rest is ours: S has blocks along its diagonal, which keeps the
inverse cheap; the part that is erased is the square where the gradient of the frozen model's logit of the
true class by the pixels is largest, which every encoder has, where the authors take the attention of ViT's
class token; Adam, and the weights of the terms.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.func import functional_call

from clip_tta_core import hparams
from clip_tta_core.clip.classifier import ClipClassifier
from clip_tta_core.hparams import knob
from clip_tta_core.starts.base import Shots, Start, frozen, register


@dataclass(frozen=True)
class OrthSrConfig(hparams.Config):
    lr: float = knob(1e-3, 0.0, 1e-1, log=True, help="Step size of Adam on S.")
    steps: int = knob(60, 0, 10_000, help="Optimization steps.")
    batch_size: int = knob(32, 2, 512, help="Pictures a step.")
    blocks: int = knob(16, 1, 64, help="Blocks of each rotation; 1 turns all outputs of a layer together.")
    regularize: float = knob(1.0, 0.0, 10.0, help="Weight of the distillation from the frozen model.")
    cutout: float = knob(0.25, 0.0, 0.9, help="Side of the square that is erased, as a share of the picture.")


@register
class OrthSr(Start[OrthSrConfig]):
    """Turn the weights of every block by learned rotations, which keep their norms and angles, stay close to
    the frozen model's answers, and learn without the part of a picture that it relies on."""

    name, title = "orthsr", "OrthSR"
    citation = "Li et al., arXiv 2407.08374"
    fails = (
        "Holding on to the frozen model on clean pictures does not hold on to it elsewhere: on noisy ones "
        "photo-CLIP loses ten points."
    )
    Config = OrthSrConfig

    def make(self, shots: Shots) -> nn.Module:
        model = self.clip.fork("visual_tower")
        visual = frozen(model.visual)
        turned = Rotated(visual, self.config.blocks)
        model.visual = turned
        erased = cut_out(shots.images, salient(self.clip, shots, self.config.cutout), self.config.cutout)
        batches = self.batches(
            torch.cat([shots.images, erased]), torch.cat([shots.labels, shots.labels]), self.config.batch_size
        )

        def loss() -> Tensor:
            images, labels = next(batches)
            logits = model.classify(model.encode_image(images))
            with torch.no_grad():
                before = self.clip.predict(images).logits.log_softmax(dim=-1)
            kept = F.kl_div(logits.log_softmax(dim=-1), before, reduction="batchmean", log_target=True)
            return F.cross_entropy(logits, labels) + self.config.regularize * kept

        optimizer = torch.optim.Adam(list(turned.skew.parameters()), lr=self.config.lr)
        for _ in self.descend(optimizer, self.config.steps, loss):
            pass
        return frozen(turned.merged())


def cayley(free: Tensor) -> Tensor:
    """(I + S)(I - S)^-1 with S = A - A^T: rotations, the identity for A = 0. (..., n, n) -> (..., n, n)"""
    skew = free - free.mT
    unit = torch.eye(free.shape[-1], device=free.device, dtype=free.dtype)
    return torch.linalg.solve(unit - skew, unit + skew)  # both factors commute


class Rotated(nn.Module):
    """An image encoder whose matrices are turned on the side of their outputs.

    Args:
        visual: frozen; its weights stay as they are until `merged`.
        blocks: of each rotation, or as many below as divide a layer's outputs.
    """

    def __init__(self, visual: nn.Module, blocks: int) -> None:
        super().__init__()
        self.visual = visual
        self.names = [name for name, weight in visual.named_parameters() if _turns(name, weight)]
        if not self.names:
            raise ValueError(
                "OrthSR: the image encoder must have linear layers to turn, and has none; "
                "choose another start."
            )
        free = []
        for name in self.names:
            outputs = len(visual.get_parameter(name))
            count = max(n for n in range(1, blocks + 1) if outputs % n == 0)
            like = visual.get_parameter(name)
            free.append(nn.Parameter(like.new_zeros(count, outputs // count, outputs // count)))
        self.skew = nn.ParameterList(free)

    def forward(self, images: Tensor) -> Tensor:
        return functional_call(self.visual, self.weights(), (images,))

    def weights(self) -> dict[str, Tensor]:
        """The turned matrices by name."""
        found = {}
        for name, free in zip(self.names, self.skew, strict=True):
            weight = self.visual.get_parameter(name)
            turned = cayley(free) @ weight.unflatten(0, free.shape[:2])  # (blocks, n, inputs)
            found[name] = turned.flatten(0, 1)
        return found

    @torch.no_grad()
    def merged(self) -> nn.Module:
        """The encoder with the rotations in its weights."""
        for name, weight in self.weights().items():
            self.visual.get_parameter(name).copy_(weight)
        return self.visual


def _turns(name: str, weight: Tensor) -> bool:
    """Whether a parameter is a layer's matrix; CLIP's projection, a bare parameter, is none."""
    return weight.ndim == 2 and name.endswith("weight")


def salient(clip: ClipClassifier, shots: Shots, share: float) -> Tensor:
    """Upper left corners of the squares on which the true class's logit depends most. -> int64 (N, 2)

    Args:
        clip: the frozen model.
        shots: the pictures and their classes.
        share: side of the square as a share of the picture's; at least a pixel.
    """
    found = []
    for images, labels in zip(shots.images.split(64), shots.labels.split(64), strict=True):
        images = images.clone().requires_grad_(True)
        with torch.enable_grad():
            logits = clip.predict(images).logits.gather(1, labels[:, None]).sum()
        (slope,) = torch.autograd.grad(logits, images)
        side = _side(images, share)
        weight = F.avg_pool2d(slope.abs().sum(dim=1, keepdim=True), side, stride=1)[:, 0]  # (B, h, w)
        place = weight.flatten(1).argmax(dim=1)
        found.append(torch.stack([place // weight.shape[2], place % weight.shape[2]], dim=1))
    return torch.cat(found)


def cut_out(images: Tensor, corners: Tensor, share: float) -> Tensor:
    """Pictures with a grey square in the place of what was there. (N, 3, H, W), (N, 2) -> (N, 3, H, W)"""
    if share == 0:
        return images
    height, width = images.shape[-2:]
    side = _side(images, share)
    down = torch.arange(height, device=images.device)[None] - corners[:, :1]  # (N, H)
    right = torch.arange(width, device=images.device)[None] - corners[:, 1:]
    inside = ((down >= 0) & (down < side))[:, :, None] & ((right >= 0) & (right < side))[:, None]
    return torch.where(inside[:, None], images.new_full((), 0.5), images)


def _side(images: Tensor, share: float) -> int:
    return max(1, round(share * min(images.shape[-2:])))
