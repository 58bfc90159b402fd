"""Weights of one's own for every picture, against one pass per picture."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from clip_tta_core import losses
from clip_tta_core.clip.classifier import ClipClassifier
from clip_tta_core.clip.rows import NormRows


class SequenceFirst(nn.Module):
    """Two transformer layers that count tokens before pictures, as the first CLIPs do."""

    def __init__(self) -> None:
        super().__init__()
        self.patches = nn.Conv2d(3, 32, kernel_size=4, stride=4)
        self.blocks = nn.ModuleList(nn.TransformerEncoderLayer(32, 4, 64, dropout=0.0) for _ in range(2))
        self.norm = nn.LayerNorm(32)

    def forward(self, images):
        tokens = self.patches(images).flatten(2).permute(2, 0, 1)  # (N, B, width)
        for block in self.blocks:
            tokens = block(tokens)
        return self.norm(tokens.mean(dim=0))[:, :16]


class Maps(nn.Module):
    """Convolutions with a normalization over channels, given by name, and one over the batch."""

    class Norm(nn.LayerNorm):
        def forward(self, maps):
            maps = nn.functional.layer_norm(
                maps.permute(0, 2, 3, 1), self.normalized_shape, weight=self.weight, bias=self.bias
            )
            return maps.permute(0, 3, 1, 2)

    def __init__(self) -> None:
        super().__init__()
        self.first, self.norm = nn.Conv2d(3, 8, 3, stride=2), self.Norm(8)
        self.second, self.batch_norm = nn.Conv2d(8, 16, 3, stride=2), nn.BatchNorm2d(16)

    def forward(self, images):
        maps = self.norm(self.first(images)).relu()
        return self.batch_norm(self.second(maps)).relu().mean(dim=(2, 3))


@pytest.fixture(params=["pictures first", "tokens first"])
def fork(request, make_clip):
    clip = make_clip(scale=10.0)
    if request.param == "tokens first":
        torch.manual_seed(0)
        clip = ClipClassifier(SequenceFirst(), clip.text_features, 10.0)
    return clip.fork("visual_norm")


def entropy(fork):
    return lambda features: losses.entropy(fork.classify(features))


def flat(tensors):
    return torch.cat([t.flatten() for t in tensors])


def assert_one_backward_per_picture(fork, images):
    features, gradients = NormRows(fork).gradients(images, entropy(fork))
    torch.testing.assert_close(features, fork.encode_image(images).detach(), atol=1e-5, rtol=0)
    for image, row in zip(images, gradients, strict=True):
        loss = losses.entropy(fork.predict(image[None]).logits).sum()
        alone = flat(torch.autograd.grad(loss, fork.trainable()))
        torch.testing.assert_close(row, alone, atol=1e-5, rtol=1e-4)


def test_one_backward_gives_what_one_per_picture_gives(fork, make_images):
    assert_one_backward_per_picture(fork, make_images())


def test_as_many_pictures_as_there_are_tokens_are_not_mistaken_for_them(fork, make_images):
    assert_one_backward_per_picture(fork, make_images(batch=16))  # 16 x 16 pixels in patches of 4


def test_pieces_of_a_batch_give_what_the_batch_gives(fork, make_images):
    whole = NormRows(fork).gradients(make_images(), entropy(fork))
    fork.micro_batch = 3
    for ours, theirs in zip(NormRows(fork).gradients(make_images(), entropy(fork)), whole, strict=True):
        torch.testing.assert_close(ours, theirs, atol=1e-6, rtol=1e-5)


def test_a_picture_is_encoded_with_its_own_row(fork, make_images):
    rows = NormRows(fork)
    images = make_images(batch=3)
    own = rows.start + 0.3 * torch.randn(3, len(rows.start), generator=torch.Generator().manual_seed(0))
    together = rows.encode(images, own)
    for image, row, feature in zip(images, own, together, strict=True):
        with torch.no_grad():
            position = 0
            for p in fork.trainable():
                p.copy_(row[position : position + p.numel()].view_as(p))
                position += p.numel()
        torch.testing.assert_close(fork.encode_image(image[None])[0].detach(), feature, atol=1e-5, rtol=0)


def test_batch_normalization_and_norms_of_maps_take_rows_too(make_clip, make_images):
    torch.manual_seed(0)
    fork = ClipClassifier(Maps(), make_clip().text_features, 10.0).fork("visual_norm")
    images = make_images()
    _, gradients = NormRows(fork).gradients(images, entropy(fork))
    loss = losses.entropy(fork.predict(images).logits).sum()
    together = flat(torch.autograd.grad(loss, fork.trainable()))
    torch.testing.assert_close(gradients.sum(dim=0), together, atol=1e-4, rtol=1e-3)


def test_a_norm_that_calls_none_of_torchs_functions_is_named_as_the_reason(make_clip, make_images):
    class Own(nn.LayerNorm):
        def forward(self, x):
            x = (x - x.mean(dim=-1, keepdim=True)) / x.std(dim=-1, keepdim=True)
            return x * self.weight + self.bias

    visual = nn.Sequential(nn.Flatten(), nn.Linear(3 * 16 * 16, 16), Own(16))
    fork = ClipClassifier(visual, make_clip().text_features).fork("visual_norm")
    with pytest.raises(ValueError, match="NormRows: every normalization layer .* got 2 weights"):
        NormRows(fork).gradients(make_images(), entropy(fork))


def test_the_fork_stays_as_it_was(fork, make_images):
    before = [p.detach().clone() for p in fork.trainable()]
    rows = NormRows(fork)
    rows.gradients(make_images(), entropy(fork))
    rows.encode(make_images(), rows.start.expand(8, -1) + 1)
    assert all(torch.equal(p, q) for p, q in zip(before, fork.trainable(), strict=True))
    assert all(p.grad is None for p in fork.trainable())
