"""Random changes to pictures in [0, 1], each picture its own. (B, 3, H, W) -> (B, 3, H, W)"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

GRAY = (0.299, 0.587, 0.114)  # luma of ITU-R BT.601
CROP_PAD = 4  # pixels


def _uniform(images: Tensor, low: float, high: float, rng: torch.Generator) -> Tensor:
    """One number for each picture, drawn on the CPU, shaped to multiply with it. -> (B, 1, 1, 1)"""
    drawn = torch.rand(len(images), generator=rng).to(images.device, images.dtype)
    return (low + (high - low) * drawn)[:, None, None, None]


def gray(images: Tensor) -> Tensor:
    """Luma. (B, 3, H, W) -> (B, 1, H, W)"""
    return torch.einsum("bchw,c->bhw", images, images.new_tensor(GRAY))[:, None]


def mix(images: Tensor, others: Tensor, share: Tensor) -> Tensor:
    """share x pictures + (1 - share) x others, kept in [0, 1]; above 1 it moves away from the others."""
    return (share * images + (1 - share) * others).clamp(0, 1)


def shift_hue(images: Tensor, turns: Tensor) -> Tensor:
    """Turn the hue, keeping value and saturation. (B, 3, H, W), turns (B, 1, 1, 1): 1 is a whole turn."""
    red, green, blue = images.unbind(dim=1)  # (B, H, W) each
    value, highest = images.max(dim=1)
    chroma = value - images.amin(dim=1)
    safe = torch.where(chroma > 0, chroma, torch.ones_like(chroma))
    sixths = torch.stack([(green - blue) / safe, (blue - red) / safe + 2, (red - green) / safe + 4], dim=1)
    hue = sixths.gather(1, highest[:, None]) + 6 * turns  # (B, 1, H, W), in sixths of a turn
    offset = images.new_tensor([5.0, 3.0, 1.0])[None, :, None, None]
    k = (offset + hue) % 6  # (B, 3, H, W)
    return value[:, None] - chroma[:, None] * torch.minimum(k, 4 - k).clamp(0, 1)


def jitter(images: Tensor, rng: torch.Generator) -> Tensor:
    """RoTTA's colour changes, in random order: brightness, contrast, saturation, hue and gamma."""
    black = torch.zeros_like(images)
    changes: list[Callable[[Tensor], Tensor]] = [
        lambda x: mix(x, black, _uniform(x, 0.6, 1.4, rng)),
        lambda x: mix(x, gray(x).mean(dim=(2, 3), keepdim=True), _uniform(x, 0.7, 1.3, rng)),
        lambda x: mix(x, gray(x), _uniform(x, 0.5, 1.5, rng)),
        lambda x: shift_hue(x, _uniform(x, -0.06, 0.06, rng)),
        lambda x: x.clamp(min=1e-8) ** _uniform(x, 0.7, 1.3, rng),
    ]
    for which in torch.randperm(len(changes), generator=rng).tolist():
        images = changes[which](images)
    return images


def affine(images: Tensor, degrees: Tensor, scale: Tensor, shift: Tensor, flip: Tensor) -> Tensor:
    """Rotate, scale, shift and mirror about the middle, bilinear; beyond the edge its last pixels go on.

    Args:
        images: (B, 3, H, W).
        degrees, scale: (B, 1, 1, 1).
        shift: (B, 2), right and down, as shares of the side.
        flip: (B, 1, 1, 1), -1 mirrors left and right, 1 does not.
    """
    angle, scale, flip = (t.flatten() for t in (degrees * math.pi / 180, scale, flip))
    height, width = images.shape[-2:]
    cos, sin = angle.cos() / scale, angle.sin() / scale
    right, down = 2 * shift[:, 0], 2 * shift[:, 1]  # the grid runs from -1 to 1
    wide = width / height
    across = torch.stack([cos, sin / wide, -cos * right - sin / wide * down], dim=1) * flip[:, None]  # (B, 3)
    along = torch.stack([-sin * wide, cos, sin * wide * right - cos * down], dim=1)
    grid = F.affine_grid(torch.stack([across, along], dim=1), list(images.shape), align_corners=False)
    return F.grid_sample(images, grid, padding_mode="border", align_corners=False)


def blur(images: Tensor, sigma: Tensor) -> Tensor:
    """Gaussian blur over 5 x 5 pixels, each picture with its own width. (B, 3, H, W), (B, 1, 1, 1)"""
    batch, channels, height, width = images.shape
    steps = torch.arange(-2, 3, device=images.device, dtype=images.dtype)
    kernel = (-0.5 * (steps / sigma.flatten()[:, None]) ** 2).softmax(dim=1)  # (B, 5)
    padded = F.pad(images, (2, 2, 2, 2), mode="replicate").reshape(1, batch * channels, height + 4, width + 4)
    each = kernel.repeat_interleave(channels, dim=0)  # (B * 3, 5)
    rows = F.conv2d(padded, each[:, None, :, None], groups=batch * channels)
    return F.conv2d(rows, each[:, None, None, :], groups=batch * channels).view_as(images)


def strong(images: Tensor, rng: torch.Generator) -> Tensor:
    """RoTTA's strong augmentation: colours, rotation, size, shift, blur, mirror, noise.

    The ranges are those of Yuan et al., CVPR 2023, arXiv 2303.13899. Their shift is a sixteenth of the side
    after the picture was padded to twice its size: an eighth of the picture.
    """
    images = jitter(images.clamp(0, 1), rng)
    images = affine(
        images,
        degrees=_uniform(images, -15, 15, rng),
        scale=_uniform(images, 0.9, 1.1, rng),
        shift=torch.cat([_uniform(images, -1 / 8, 1 / 8, rng).flatten(1) for _ in range(2)], dim=1),
        flip=_uniform(images, -1, 1, rng).sign(),
    )
    images = blur(images, _uniform(images, 0.001, 0.5, rng))
    noise = torch.randn(images.shape, generator=rng).to(images.device, images.dtype)
    return (images + 0.005 * noise).clamp(0, 1)


def crop_flip(images: Tensor, rng: torch.Generator) -> Tensor:
    """STAMP's light view: pad by four pixels of black, cut the size out anywhere, mirror half of them.

    Four pixels at any size, as in the authors' code: an eighth of CIFAR's side, a 56th of ImageNet's.
    """
    batch, _, height, width = images.shape
    padded = F.pad(images, (CROP_PAD, CROP_PAD, CROP_PAD, CROP_PAD))
    top, left = torch.randint(2 * CROP_PAD + 1, (2, batch, 1), generator=rng).to(images.device)  # (B, 1) each
    mirrored = torch.rand(batch, 1, generator=rng).to(images.device) < 0.5
    across = torch.arange(width, device=images.device).expand(batch, width)
    columns = left + torch.where(mirrored, across.flip(1), across)  # (B, W)
    rows = top + torch.arange(height, device=images.device)  # (B, H)
    which = torch.arange(batch, device=images.device)[:, None, None]
    return padded.permute(0, 2, 3, 1)[which, rows[:, :, None], columns[:, None, :]].permute(0, 3, 1, 2)
