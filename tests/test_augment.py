"""Augmentation, against torchvision's picture by picture."""

from __future__ import annotations

import pytest
import torch
from torchvision.transforms import functional as TF

from clip_tta_core import augment


@pytest.fixture
def pictures():
    return torch.rand(4, 3, 24, 32, generator=torch.Generator().manual_seed(0))


def each(*values):
    return torch.tensor(values)[:, None, None, None]


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def test_hue_turns_as_in_torchvision(pictures):
    turns = (-0.06, 0.0, 0.06, 0.3)
    expected = torch.stack([TF.adjust_hue(p, t) for p, t in zip(pictures, turns, strict=True)])
    torch.testing.assert_close(augment.shift_hue(pictures, each(*turns)), expected, atol=1e-5, rtol=0)


def test_grey_pictures_have_no_hue_to_turn():
    grey = torch.full((1, 3, 4, 4), 0.4)
    torch.testing.assert_close(augment.shift_hue(grey, each(0.3)), grey)


def test_saturation_and_contrast_are_mixtures_with_grey(pictures):
    torch.testing.assert_close(
        augment.mix(pictures, augment.gray(pictures), each(1.4, 1.4, 1.4, 1.4)),
        TF.adjust_saturation(pictures, 1.4),
        atol=1e-3,  # torchvision rounds the grey weights
        rtol=0,
    )


@pytest.mark.parametrize("angle", [15.0, -7.0])
def test_rotation_size_and_shift_are_torchvisions_inside_the_picture(pictures, angle):
    ours = augment.affine(
        pictures,
        each(*[angle] * 4),
        each(*[1.1] * 4),
        torch.tensor([[2 / 32, 3 / 24]] * 4),
        each(*[1.0] * 4),
    )
    theirs = TF.affine(pictures, angle, [2, 3], 1.1, [0.0, 0.0], interpolation=TF.InterpolationMode.BILINEAR)
    torch.testing.assert_close(ours[..., 8:-8, 8:-8], theirs[..., 8:-8, 8:-8], atol=2e-4, rtol=0)


def test_mirroring_is_exact_about_the_middle(pictures):
    ones, none = each(*[1.0] * 4), each(*[0.0] * 4)
    ours = augment.affine(pictures, none, ones, torch.zeros(4, 2), -ones)
    torch.testing.assert_close(ours, pictures.flip(-1), atol=1e-5, rtol=0)


def test_blur_is_torchvisions_inside_the_picture(pictures):
    sigmas = (0.001, 0.3, 0.5, 1.0)
    ours = augment.blur(pictures, each(*sigmas))
    for picture, sigma, blurred in zip(pictures, sigmas, ours, strict=True):
        expected = TF.gaussian_blur(picture, [5, 5], [sigma, sigma])
        torch.testing.assert_close(blurred[..., 2:-2, 2:-2], expected[..., 2:-2, 2:-2], atol=1e-5, rtol=0)


@pytest.mark.parametrize("change", [augment.strong, augment.crop_flip])
def test_changed_pictures_stay_pictures_and_follow_the_seed(pictures, change):
    once = change(pictures, seeded())
    assert once.shape == pictures.shape and once.min() >= 0 and once.max() <= 1
    assert torch.equal(once, change(pictures, seeded()))
    assert not torch.equal(once, change(pictures, seeded(1)))


def test_every_picture_gets_its_own_change(pictures):
    same = pictures[:1].expand(4, -1, -1, -1)
    for change in (augment.strong, augment.crop_flip):
        changed = change(same, seeded())
        assert not torch.equal(changed[0], changed[1])


def test_a_crop_shows_a_part_of_the_padded_picture(pictures):
    padded = torch.nn.functional.pad(pictures, (4, 4, 4, 4))  # four pixels, whatever the size
    crops = augment.crop_flip(pictures, seeded())
    for whole, crop in zip(padded, crops, strict=True):
        windows = [whole[:, r : r + 24, c : c + 32] for r in range(9) for c in range(9)]
        assert any(torch.equal(crop, w) or torch.equal(crop, w.flip(-1)) for w in windows)


@pytest.mark.parametrize("side", [16, 40])
def test_a_crop_is_off_by_up_to_four_pixels_at_any_size(side):
    """A lone white pixel in the middle shows where each was cut; mirrored, it counts from the right."""
    pictures = torch.zeros(400, 3, side, side)
    pictures[:, :, side // 2, side // 2] = 1
    rows, columns = augment.crop_flip(pictures, seeded())[:, 0].nonzero()[:, 1:].T - side // 2
    assert set(rows.tolist()) == set(range(-4, 5))
    assert set(columns.tolist()) == set(range(-5, 5))  # straight: -4 to 4; mirrored: -5 to 3
