"""photo-CLIP's lessons, on small sets of pictures made here."""

import copy
import zipfile

import numpy as np
import pytest
import torch
from PIL import Image

from clip_tta_core.clip import embedded
from clip_tta_core.pretrain import __main__ as command
from clip_tta_core.pretrain import photographs
from clip_tta_core.pretrain.photographs import Photographs, Recipe, augment

CLASSES = {"cifar10": ("cat", "ship"), "cifar100": ("sweet_pepper", "wolf", "rose")}
EACH = 4  # pictures a class and part


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """One set as folders, the other as zips, as they may lie in the data folder."""
    folder, rng = tmp_path_factory.mktemp("photos"), np.random.default_rng(0)
    for name, classes in CLASSES.items():
        for part in ("train", "test_half"):
            for label in classes:
                for number in range(EACH):
                    path = folder / f"{name}_{part}" / label / f"{number}.png"
                    path.parent.mkdir(parents=True, exist_ok=True)
                    Image.fromarray(rng.integers(0, 256, (32, 32, 3), dtype=np.uint8)).save(path)
    for part in ("train", "test_half"):
        tree = folder / f"cifar100_{part}"
        with zipfile.ZipFile(f"{tree}.zip", "w") as archive:
            for path in sorted(tree.rglob("*.png")):
                archive.write(path, path.relative_to(tree))
                path.unlink()
            for path in tree.iterdir():
                path.rmdir()
        tree.rmdir()
    return folder


@pytest.fixture(scope="module")
def lessons(folder):
    return Photographs(Recipe(batch_size=8), folder)


def test_both_sets_are_read_from_folders_and_zips(lessons):
    assert lessons.names == ("cat", "ship", "rose", "sweet pepper", "wolf")
    assert lessons.images.shape == (5 * EACH, 32, 32, 3) and lessons.images.dtype == torch.uint8
    assert lessons.classes.bincount().tolist() == [EACH] * 5
    assert {title: len(items.labels) for title, items in lessons.tests.items()} == {
        "CIFAR-10": 2 * EACH,
        "CIFAR-100": 3 * EACH,
    }


def test_equal_captions_share_their_row_and_say_the_class_in_changing_sentences(lessons):
    sentences = set()
    for step in range(12):
        _, captions, which = lessons.batch(step)
        assert len(captions) == len(captions.unique(dim=0)) == which.max() + 1, "one caption a class"
        sentences.add(tuple(captions[0].tolist()))
    assert len(sentences) > 5


def test_captions_name_the_classes_of_the_pictures(lessons):
    """Shades that tell the class are still told apart after augmenting."""
    plain = copy.copy(lessons)
    plain.images = (lessons.classes * 50).byte()[:, None, None, None].expand(-1, 32, 32, 3)
    plain.recipe = Recipe(batch_size=8, light=0.0)
    for step in range(4):
        images, captions, which = plain.batch(step)
        for image, caption in zip(images, captions[which], strict=True):
            name = lessons.names[int(image.mean() / 50 + 0.5)]
            assert set(lessons.vocabulary.tokenize(name)[0].tolist()) <= {0, *caption.tolist()}


def test_every_picture_is_seen_once_before_any_is_seen_again(lessons):
    numbered = copy.copy(lessons)
    numbered.images = torch.arange(20, dtype=torch.uint8)[:, None, None, None].expand(-1, 32, 32, 3)
    numbered.recipe, numbered.report_every = Recipe(batch_size=5, light=0.0), 4
    seen = torch.cat([numbered.batch(step)[0].mean(dim=(1, 2, 3)) for step in range(8)]).round().int()
    assert seen[:20].unique().numel() == seen[20:].unique().numel() == 20
    assert not seen[:20].equal(seen[20:])


def test_a_batch_depends_on_the_recipe_and_its_number_only(lessons, folder):
    for again, before in zip(
        lessons.batch(7), Photographs(Recipe(batch_size=8), folder).batch(7), strict=True
    ):
        assert again.equal(before)
    assert not lessons.batch(8)[0].equal(lessons.batch(7)[0])
    assert not Photographs(Recipe(batch_size=8, seed=1), folder).batch(7)[0].equal(lessons.batch(7)[0])
    assert next(lessons.batches(3))[0].equal(lessons.batch(3)[0])


def test_augmenting_shifts_mirrors_and_lights_and_does_nothing_else():
    ramp = torch.arange(32, dtype=torch.uint8).repeat(64, 32, 1)[..., None].expand(-1, -1, -1, 3) + 100
    images = augment(ramp, 4, 0.2, torch.Generator().manual_seed(0))
    assert images.shape == (64, 32, 32, 3) and images.min() >= 0 and images.max() <= 255
    rows = images[:, 0, :, 0]
    # A ramp that is shifted by up to 4 pixels keeps its slope inside, up to the contrast; mirrored, its sign.
    slope = (rows[:, 20] - rows[:, 10]) / 10
    assert 0.2 < (slope < 0).float().mean() < 0.8
    assert (slope.abs() > 0.8 - 1e-4).all() and (slope.abs() < 1.2 + 1e-4).all()
    assert images.mean(dim=(1, 2, 3)).min() > 0.8 * 100 and images.mean(dim=(1, 2, 3)).max() < 1.2 * 131
    flat = augment(
        torch.full((8, 32, 32, 3), 128, dtype=torch.uint8), 4, 0.2, torch.Generator().manual_seed(1)
    )
    assert (flat.amax(dim=(1, 2, 3)) - flat.amin(dim=(1, 2, 3)) < 1e-3).all(), "no noise"
    still = augment(ramp, 0, 0.0, torch.Generator().manual_seed(0))
    assert all(
        image.equal(one) or image.equal(one.flip(1)) for image, one in zip(still, ramp.float(), strict=True)
    )


def test_augmenting_keeps_the_colours_of_a_picture_together():
    red = torch.zeros(16, 32, 32, 3, dtype=torch.uint8)
    red[..., 0] = 200
    images = augment(red, 4, 0.2, torch.Generator().manual_seed(0))
    assert (images[..., 0] > images[..., 1] + 100).all() and images[..., 1].equal(images[..., 2])


def test_the_scale_rises_to_clips_and_stays():
    recipe = Recipe(steps=1000)
    scales = [recipe.scale(step) for step in range(1000)]
    assert scales[0] == 10 and scales[100] == pytest.approx(10 * 10**0.5)
    assert scales[200] == pytest.approx(100) and scales[999] == pytest.approx(100)


def test_too_few_photographs_for_a_batch_are_told(folder):
    with pytest.raises(ValueError, match="a batch of 64 needs as many photographs, and .* holds 20; choose"):
        Photographs(Recipe(batch_size=64), folder)


def test_accuracy_is_counted_on_the_test_pictures(lessons):
    torch.manual_seed(0)
    model = photographs.TwoTowers(lessons.config).eval()
    model.visual.proj.data.zero_()  # every answer is the first class then
    assert lessons.accuracy(model) == {"CIFAR-10": 1 / 2, "CIFAR-100": pytest.approx(1 / 3)}


def test_the_command_trains_and_writes_a_model_that_loads(folder, tmp_path, monkeypatch, capsys):
    arguments = [
        "pretrain",
        "photo",
        "--data",
        str(folder),
        "--steps",
        "1",
        "--batch",
        "8",
        "--device",
        "cpu",
    ]
    monkeypatch.setattr("sys.argv", [*arguments, "--out", str(tmp_path)])
    command.main()
    assert "CIFAR-10 " in capsys.readouterr().out
    config = embedded.load(embedded.PHOTO, tmp_path).config
    assert config.image_size == 32 and config.names == ("cat", "ship", "rose", "sweet pepper", "wolf")


def test_photographs_must_be_named(monkeypatch, capsys):
    monkeypatch.setattr("sys.argv", ["pretrain", "photo"])
    with pytest.raises(SystemExit):
        command.main()
    assert "--data must name a folder" in capsys.readouterr().err


def test_the_command_of_old_still_trains_mini_clip(tmp_path, monkeypatch):
    monkeypatch.setattr(command.drawings, "zero_shot_accuracy", lambda model, vocabulary: 0.5)
    arguments = ["pretrain", "--steps", "1", "--workers", "0", "--device", "cpu", "--out", str(tmp_path)]
    monkeypatch.setattr("sys.argv", arguments)
    command.main()
    assert embedded.load(embedded.MINI, tmp_path).config.image_size == 64
