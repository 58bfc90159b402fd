"""Augmentation, against torchvision's picture by picture."""

from __future__ import annotations

import pytest
import torch
from PIL import Image, ImageOps
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


@pytest.mark.parametrize("augmix", [False, True])
def test_the_picture_itself_is_the_first_of_its_views(pictures, augmix):
    made = augment.views(pictures, 5, seeded(), augmix)
    assert made.shape == (4, 5, 3, 24, 32) and made.min() >= 0 and made.max() <= 1
    assert torch.equal(made[:, 0], pictures)
    assert torch.equal(augment.views(pictures, 1, seeded(), augmix), pictures[:, None])
    assert all(not torch.equal(made[0, i], made[0, j]) for i in range(5) for j in range(i))


@pytest.mark.parametrize("augmix", [False, True])
def test_views_follow_from_a_pictures_place_in_the_stream_and_from_nothing_else(pictures, augmix):
    together = augment.views(pictures, 6, seeded(), augmix)
    rng = seeded()
    parts = [augment.views(part, 6, rng, augmix) for part in pictures.split([1, 2, 1])]
    torch.testing.assert_close(torch.cat(parts), together, atol=1e-6, rtol=0)
    torch.testing.assert_close(
        augment.views(pictures, 3, seeded(), augmix), together[:, :3], atol=1e-6, rtol=0
    )
    others = torch.cat([1 - pictures[:1], pictures[1:]])
    torch.testing.assert_close(
        augment.views(others, 6, seeded(), augmix)[1:], together[1:], atol=1e-6, rtol=0
    )
    assert not torch.equal(together, augment.views(pictures, 6, seeded(1), augmix))


def test_no_views_at_all_are_refused(pictures):
    with pytest.raises(ValueError, match="views: count must be 1 or more, got 0"):
        augment.views(pictures, 0, seeded())


def test_a_view_is_torchvisions_resized_crop(pictures):
    numbers = torch.rand(4, 2 * augment.TRIES + 3, generator=seeded())
    numbers[:, 0] = torch.tensor([0.999, 0.0, 0.3, 0.6])  # area; the first is too large for a narrow crop
    numbers[0, augment.TRIES] = 0.0
    ours = augment.resized_crops(pictures, numbers)
    for picture, crop, row in zip(pictures, ours, numbers.tolist(), strict=True):
        for area, ratio in zip(row[: augment.TRIES], row[augment.TRIES :], strict=False):
            area, ratio = (0.5 + 0.5 * area) * 24 * 32, (4 / 3) ** (2 * ratio - 1)
            wide, high = round((area * ratio) ** 0.5), round((area / ratio) ** 0.5)
            if wide <= 32 and high <= 24:
                break
        else:
            wide, high = 32, 24
        top, left = int(row[-3] * (24 - high + 1)), int(row[-2] * (32 - wide + 1))
        expected = TF.resized_crop(picture, top, left, high, wide, [24, 32], antialias=False)
        expected = expected.flip(-1) if row[-1] < 0.5 else expected
        torch.testing.assert_close(crop, expected, atol=1e-5, rtol=0)


@pytest.mark.parametrize(("side", "least"), [(64, 0.5), (128, 0.08)])
def test_crops_hold_at_least_their_share_of_the_picture(side, least):
    ramp = torch.arange(side) / side
    picture = torch.stack([ramp.expand(side, side), ramp[:, None].expand(side, side), torch.ones(side, side)])
    made = augment.views(picture[None], 200, seeded())[0, 1:]
    spans = made[:, :2].amax(dim=(2, 3)) - made[:, :2].amin(dim=(2, 3)) + 1 / side  # (199, 2) across, down
    areas, ratios = spans.prod(dim=1), spans[:, 0] / spans[:, 1]
    assert least - 0.03 < areas.min() < least + 0.1 and areas.max() > 0.9
    assert 0.7 < ratios.min() < 0.8 and 1.25 < ratios.max() < 1.4
    mirrored = made[:, 0, 0, 0] > made[:, 0, 0, -1]
    assert 70 < mirrored.sum() < 130


def as_bytes(picture):
    return (picture * 255).round().to(torch.uint8)


def to_pil(picture):
    return TF.to_pil_image(as_bytes(picture))


def pil_changes(image, level, side):
    """AugMix's changes at severity 1 by Pillow, in the order of `CHANGES`."""
    wide, high = image.size

    def moved(*numbers):
        return image.transform(image.size, Image.AFFINE, numbers, resample=Image.BILINEAR)

    return [
        ImageOps.autocontrast(image),
        ImageOps.equalize(image),
        ImageOps.posterize(image, 4 - int(level * 4 / 10)),
        image.rotate(side * int(level * 30 / 10), resample=Image.BILINEAR),
        ImageOps.solarize(image, 256 - int(level * 256 / 10)),
        moved(1, side * level * 0.3 / 10, 0, 0, 1, 0),
        moved(1, 0, 0, side * level * 0.3 / 10, 1, 0),
        moved(1, 0, side * int(level * wide / 3 / 10), 0, 1, 0),
        moved(1, 0, 0, 0, 1, side * int(level * high / 3 / 10)),
    ]


@pytest.mark.parametrize(("level", "side"), [(0.35, 1.0), (0.99, -1.0)])
def test_the_changes_of_augmix_are_pillows(level, side):
    low = torch.rand(1, 3, 6, 6, generator=seeded())
    picture = torch.nn.functional.interpolate(low, (64, 64), mode="bilinear") * 0.9 + 0.05  # smooth
    theirs = pil_changes(to_pil(picture[0]), level, side)
    for change, expected in zip(augment.CHANGES, theirs, strict=True):
        ours = change(picture, torch.tensor([level]), torch.tensor([side]))[0]
        # Pillow leaves black what has no four neighbours, and turns and shears about the corners of pixels.
        inside = (slice(None), slice(3, -3), slice(3, -3))
        torch.testing.assert_close(ours[inside], TF.to_tensor(expected)[inside], atol=0.02, rtol=0)


def test_a_mixture_weighs_the_picture_and_three_chains():
    picture = torch.rand(1, 3, 16, 16, generator=seeded())
    numbers = torch.full((1, augment.NUMBERS - 2 * augment.TRIES - 3), 0.5)
    numbers[0, 0] = 1.0
    torch.testing.assert_close(augment.mix_chains(picture, numbers), picture)
    numbers[0, 0], numbers[0, 4:7] = 0.25, 0.0  # every chain makes one change
    numbers[0, 7:] = 4.5 / 9  # and this is solarize
    changed = augment.CHANGES[4](picture, torch.tensor([0.55]), torch.tensor([1.0]))
    torch.testing.assert_close(augment.mix_chains(picture, numbers), 0.25 * picture + 0.75 * changed)


def test_the_weights_of_the_chains_are_dirichlet():
    """Means 1/3 and variances 1/18, as of Dirichlet(1, 1, 1); read off pictures whose chains differ."""
    count = 4000
    numbers = torch.rand(count, augment.NUMBERS - 2 * augment.TRIES - 3, generator=seeded())
    numbers[:, 0] = 0.0
    numbers[:, 4:7] = 0.0
    white = torch.ones(count, 3, 4, 4)
    numbers[:, 7::3], numbers[:, 7] = 2.5 / 9, 4.5 / 9  # white becomes 240, or 0 in the first chain
    first = 1 - augment.mix_chains(white, numbers).mean(dim=(1, 2, 3)) / (240 / 255)  # (count,)
    assert first.mean() == pytest.approx(1 / 3, abs=0.02) and first.var() == pytest.approx(1 / 18, abs=0.01)
