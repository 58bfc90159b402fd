"""Random changes to pictures in [0, 1], each picture its own. (B, 3, H, W) -> (B, 3, H, W)

`views` makes many of each picture at once: the test-time augmentation of TPT and its successors.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor
from torchvision.transforms.v2 import functional as TF

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


TRIES = 10  # crops drawn before the whole picture is taken, as in torchvision
CHAINS = DEPTH = 3  # AugMix's
NUMBERS = 2 * TRIES + 3 + 1 + 2 * CHAINS + 3 * CHAINS * DEPTH  # what chance decides about one view
PHOTOGRAPH = 128  # a picture of this side or more can lose nine tenths of itself and still be recognized


def views(images: Tensor, count: int, rng: torch.Generator, augmix: bool = False) -> Tensor:
    """Every picture and count - 1 random changes of it. (B, 3, H, W) -> (B, V, 3, H, W), V = count

    The picture itself comes first, bit for bit. The others are crops at a random place, of a random area and
    with sides 3 : 4 to 4 : 3, resized to the whole (bilinear), half of them mirrored: the views of TPT,
    Shu et al., NeurIPS 2022, arXiv 2209.07511. A crop holds at least 8 % of a photograph and, since less of a
    small picture shows nothing, half of one that is below 128 pixels.

    A picture has a generator of its own, seeded from `rng`: its views follow from its place in the stream,
    not from the batch it comes in, and asking for more views does not change the first.

    Args:
        images: (B, 3, H, W) in [0, 1].
        count: views per picture, 1 or more.
        rng: on the CPU; gives one seed per picture.
        augmix: whether the crops are also mixed with three chains of changes (`mix_chains`), as TPT does for
            everything but the variants of ImageNet.
    """
    if count < 1:
        raise ValueError(f"views: count must be 1 or more, got {count}.")
    seeds = torch.randint(2**62, (len(images),), generator=rng).tolist()
    drawn = [torch.rand(count - 1, NUMBERS, generator=torch.Generator().manual_seed(seed)) for seed in seeds]
    numbers = torch.stack(drawn).flatten(0, 1).to(images.device)  # (B (V - 1), NUMBERS)
    many = images.repeat_interleave(count - 1, dim=0)  # (B (V - 1), 3, H, W)
    if len(many):
        many = resized_crops(many, numbers[:, : 2 * TRIES + 3])
        if augmix:
            many = mix_chains(many, numbers[:, 2 * TRIES + 3 :])
    return torch.cat([images[:, None], many.unflatten(0, (len(images), count - 1))], dim=1)


def resized_crops(images: Tensor, numbers: Tensor) -> Tensor:
    """Crops resized to the whole, half of them mirrored; what is cut where is torchvision's rule.

    Args:
        images: (N, 3, H, W).
        numbers: (N, 2 TRIES + 3), even in [0, 1): areas, ratios of the sides, place down and across, mirror.
    """
    height, width = images.shape[-2:]
    least = 0.08 if min(height, width) >= PHOTOGRAPH else 0.5
    area = (least + (1 - least) * numbers[:, :TRIES]) * height * width
    ratio = ((2 * numbers[:, TRIES : 2 * TRIES] - 1) * math.log(4 / 3)).exp()  # width : height
    wide, high = (area * ratio).sqrt().round(), (area / ratio).sqrt().round()  # (N, TRIES)
    fits = (0 < wide) & (wide <= width) & (0 < high) & (high <= height)
    first = fits.float().argmax(dim=1, keepdim=True)
    none = ~fits.any(dim=1)
    wide = wide.gather(1, first)[:, 0].masked_fill(none, width)  # (N,)
    high = high.gather(1, first)[:, 0].masked_fill(none, height)
    down, across, mirror = numbers[:, 2 * TRIES :].unbind(dim=1)
    top, left = (down * (height - high + 1)).floor(), (across * (width - wide + 1)).floor()
    rows = _sample_points(top, high, height)  # (N, H)
    columns = _sample_points(left, wide, width)  # (N, W)
    columns = torch.where(mirror[:, None] < 0.5, columns.flip(1), columns)
    return _read_at(images, rows[:, :, None].expand(-1, -1, width), columns[:, None].expand(-1, height, -1))


def _sample_points(start: Tensor, length: Tensor, size: int) -> Tensor:
    """Where in the picture each pixel of a resized stretch lies, never beyond the stretch. -> (N, size)"""
    centres = (torch.arange(size, device=start.device) + 0.5) / size  # shares of the stretch
    inside = (centres * length[:, None] - 0.5).clamp(min=0).minimum(length[:, None] - 1)
    return start[:, None] + inside


def _read_at(images: Tensor, rows: Tensor, columns: Tensor) -> Tensor:
    """Bilinear values at positions in pixels, black outside. (N, 3, H, W), 2 x (N, H, W) -> (N, 3, H, W)"""
    height, width = images.shape[-2:]
    grid = torch.stack([(2 * columns + 1) / width - 1, (2 * rows + 1) / height - 1], dim=-1)
    return F.grid_sample(images, grid.to(images.dtype), padding_mode="zeros", align_corners=False)


def mix_chains(images: Tensor, numbers: Tensor) -> Tensor:
    """AugMix: m x picture + (1 - m) x the weighted sum of three chains of one to three changes each.

    The changes are contrast and histogram stretched, fewer shades, inverted lights, and small turns, shears
    and shifts, which leave black behind; at severity 1. Source: Hendrycks et al., ICLR 2020,
    arXiv 1912.02781, with the weights from Dirichlet(1, 1, 1) and m from Beta(1, 1).

    Args:
        images: (N, 3, H, W) in [0, 1].
        numbers: (N, 1 + 2 CHAINS + 3 CHAINS DEPTH), even in [0, 1).
    """
    kept, weights, depths, steps = numbers.split([1, CHAINS, CHAINS, 3 * CHAINS * DEPTH], dim=1)
    weights = -(1 - weights).log()  # exponential variables over their sum are Dirichlet(1, 1, 1)
    weights = weights / weights.sum(dim=1, keepdim=True)
    depths = (depths * DEPTH).floor()  # a chain takes one change more than this
    steps = steps.unflatten(1, (CHAINS, DEPTH, 3))
    mixed = torch.zeros_like(images)
    for chain in range(CHAINS):
        changed = images
        for depth in range(DEPTH):
            which, level, side = steps[:, chain, depth].unbind(dim=1)
            which = (which * len(CHANGES)).floor().masked_fill(depth > depths[:, chain], -1)
            changed = _change(changed, which, 0.1 + 0.9 * level, side.sub(0.5).sign())
        mixed = mixed + weights[:, chain, None, None, None] * changed
    kept = kept[:, :, None, None]
    return kept * images + (1 - kept) * mixed


def _change(images: Tensor, which: Tensor, level: Tensor, side: Tensor) -> Tensor:
    """Apply to each picture the change of its number, to none where it is -1. (N, 3, H, W), 3 x (N,)"""
    changed = images.clone()
    for number, change in enumerate(CHANGES):
        chosen = which == number
        if chosen.any():
            changed[chosen] = change(images[chosen], level[chosen], side[chosen])
    return changed


def _bytes(change: Callable[[Tensor, Tensor], Tensor]) -> Callable[[Tensor, Tensor, Tensor], Tensor]:
    """A change of colours that is defined on whole shades from 0 to 255."""
    return lambda images, level, side: change((images * 255).round().to(torch.uint8), level).float() / 255


def _solarize(images: Tensor, level: Tensor) -> Tensor:
    threshold = 256 - (25.6 * level).floor()[:, None, None, None]
    return torch.where(images >= threshold, 255 - images, images)


def _move(
    degrees: float = 0, shear: tuple[float, float] = (0, 0), shift: tuple[float, float] = (0, 0)
) -> Callable[[Tensor, Tensor, Tensor], Tensor]:
    """A change of place, as far as at level 10: degrees, shear of columns and rows, shift in shares."""

    def change(images: Tensor, level: Tensor, side: Tensor) -> Tensor:
        height, width = images.shape[-2:]
        level, side = level[:, None, None] / 10, side[:, None, None]
        rows = torch.arange(height, device=images.device, dtype=images.dtype)[:, None]
        columns = torch.arange(width, device=images.device, dtype=images.dtype)
        angle = side * (level * degrees).floor() * math.pi / 180
        down, across = rows - (height - 1) / 2, columns - (width - 1) / 2  # turns are about the middle
        return _read_at(
            images,
            rows
            + angle.sin() * across
            + (angle.cos() - 1) * down
            + side * (level * shear[1] * columns + (level * shift[1] * height).floor()),
            columns
            + (angle.cos() - 1) * across
            - angle.sin() * down
            + side * (level * shear[0] * rows + (level * shift[0] * width).floor()),
        )

    return change


CHANGES = (  # of AugMix: (N, 3, H, W), level (N,) in [0.1, 1), side (N,) 1 or -1
    _bytes(lambda images, level: TF.autocontrast(images)),
    _bytes(lambda images, level: TF.equalize(images)),
    _bytes(lambda images, level: TF.posterize(images, 4)),  # a level below 10 / 4 takes no further bit
    _move(degrees=30),
    _bytes(_solarize),
    _move(shear=(0.3, 0)),
    _move(shear=(0, 0.3)),
    _move(shift=(1 / 3, 0)),
    _move(shift=(0, 1 / 3)),
)
