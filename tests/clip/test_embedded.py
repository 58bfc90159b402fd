"""The CLIPs that ship with the project."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import skimage.data
import torch
import torch.nn.functional as F
from PIL import Image
from safetensors.torch import load_file

from clip_tta_core.clip import embedded
from clip_tta_core.clip.embedded import EMBEDDED, MINI, PHOTO
from clip_tta_core.clip.loading import MODELS, classifier, load
from clip_tta_core.clip.prompts import TEMPLATES, fill
from clip_tta_core.clip.towers import Config, TwoTowers
from clip_tta_core.pretrain.drawings import zero_shot_accuracy
from clip_tta_core.sources.rendered import COLOURS, OBJECTS

ROOT = Path(__file__).parents[2]
TEXTS = ("a photo of a cat", "art of the dog.")
SMALL = dict(
    image_size=32, stem=(4, 8), strides=(2, 2), patch_size=8, width=16, layers=1, heads=2, text_width=16
)


@pytest.fixture(scope="module", params=EMBEDDED.values(), ids=lambda member: member.name)
def member(request):
    return request.param


@pytest.fixture(scope="module")
def shipped():
    return {member.name: embedded.load(member) for member in EMBEDDED.values()}


def text_features(model, name, texts):
    with torch.no_grad():
        return F.normalize(model.text(embedded.tokenize(name, texts)), dim=-1)


@pytest.mark.parametrize("stored", [torch.float32, torch.float16])
def test_a_saved_model_comes_back_as_it_was_stored_in_float32(stored, tmp_path):
    torch.manual_seed(0)
    model = TwoTowers(Config.for_texts(TEXTS, names=("cat", "dog"), **SMALL)).eval()
    embedded.save(model, tmp_path / "new", {"steps": 3}, stored)
    again = embedded.load(MINI, tmp_path / "new")
    assert again.config == model.config and not again.training
    assert json.loads((tmp_path / "new" / "config.json").read_text())["training"] == {"steps": 3}
    for name, value in again.state_dict().items():
        assert value.dtype == torch.float32
        expected = model.state_dict()[name]
        expected = expected.to(stored).float() if expected.ndim else expected
        torch.testing.assert_close(value, expected, rtol=0, atol=0)
    written = load_file(tmp_path / "new" / "model.safetensors")
    assert {value.dtype for value in written.values() if value.ndim} == {stored}


def test_each_is_in_the_menu_and_loads_by_its_name(member):
    assert MODELS[member.name].title == member.title
    loaded = load(member.name, "cpu")
    assert loaded.name == member.name and loaded.image_size in (32, 64)
    assert loaded.scale == pytest.approx(100)
    assert {p.dtype for p in loaded.visual.parameters()} == {torch.float32}
    assert not any(p.requires_grad for p in (*loaded.visual.parameters(), *loaded.text.parameters()))


def test_each_is_small_and_finite(member, shipped):
    assert sum(file.stat().st_size for file in member.folder.iterdir()) < 8e6
    assert all(torch.isfinite(p).all() for p in shipped[member.name].parameters())


def test_each_says_how_it_was_trained(member):
    training = json.loads((member.folder / "config.json").read_text())["training"]
    assert {"steps", "batch_size", "lr", "seed", "minutes", "device"} <= set(training)
    assert training["steps_done"] == training["steps"]


def test_errors_speak_of_the_model_that_was_asked(member):
    with pytest.raises(
        ValueError, match=f"^{member.title} does not know 'zyzzyva'; name {member.subject} or "
    ):
        classifier(load(member.name, "cpu"), ("zyzzyva", "cat"))


def test_mini_clip_recognizes_rendered_objects(shipped):
    # 95 % on 4,000; two standard errors of 500
    assert zero_shot_accuracy(shipped[MINI.name], embedded.vocabulary(MINI.name), count=500) >= 0.93


def test_mini_clip_knows_every_object_and_colour_in_every_template():
    coloured = (f"{colour} {name}" for colour, name in zip(COLOURS, OBJECTS, strict=False))
    names = [*OBJECTS, *COLOURS, *coloured]
    for template in TEMPLATES["eight"]:
        assert len(embedded.tokenize(MINI.name, fill(template, names))) == len(names)
    assert {"umbrella", "music", "turquoise", "photo"} <= set(embedded.vocabulary(MINI.name).words)


def test_photo_clip_knows_110_names_in_every_sentence_it_was_told():
    names = embedded.read_config(PHOTO.folder).names
    assert len(set(names)) == 110 and {"airplane", "sweet pepper", "streetcar"} <= set(names)
    for sentences in ("single", "eight", "eighty"):
        for template in TEMPLATES[sentences]:
            assert len(embedded.tokenize(PHOTO.name, fill(template, names))) == 110


def test_every_name_of_photo_clip_lies_nearest_to_itself_in_other_words(shipped):
    names = embedded.read_config(PHOTO.folder).names
    plain = text_features(shipped[PHOTO.name], PHOTO.name, fill("a photo of a {}", names))
    other = text_features(shipped[PHOTO.name], PHOTO.name, fill("art of the {}.", names))
    assert (other @ plain.T).argmax(dim=1).tolist() == list(range(110))


def test_a_caption_that_names_several_classes_lies_nearest_to_classes_it_names(shipped):
    names = ("clover", "star", "heart", "umbrella", "cat", "gear", "envelope", "scissors")
    texts = text_features(shipped[MINI.name], MINI.name, fill("a photo of a {}", names))
    both = text_features(shipped[MINI.name], MINI.name, ["a photo of a clover or heart"])
    assert {names[i] for i in (both @ texts.T)[0].topk(2).indices.tolist()} == {"clover", "heart"}


def test_known_names_are_whole_names_for_photo_clip():
    asked = ("cat", "Sweet_Pepper", "sea lion", "sea", "zebra", "pickup  truck", "lion")
    assert embedded.known(asked, "photo-clip") == ("cat", "Sweet_Pepper", "sea", "pickup  truck", "lion")


def test_known_names_are_any_of_its_words_for_mini_clip():
    assert embedded.known(("red umbrella", "umbrella", "zebra", "Red Cat"), "mini-clip") == (
        "red umbrella",
        "umbrella",
        "Red Cat",
    )


def test_of_other_clips_every_name_is_known():
    assert embedded.known(("zebra", "zyzzyva"), "ViT-B-32/openai") == ("zebra", "zyzzyva")


def test_photo_clip_tells_a_cat_from_a_rocket_on_photographs_of_others():
    pictures = {"cat": skimage.data.chelsea(), "rocket": skimage.data.rocket()}
    small = []
    for image in pictures.values():
        side = min(image.shape[:2])
        top, left = (image.shape[0] - side) // 2, (image.shape[1] - side) // 2
        centre = Image.fromarray(image[top : top + side, left : left + side])
        small.append(np.asarray(centre.resize((32, 32), Image.Resampling.BICUBIC)))
    clip = classifier(load(PHOTO.name, "cpu"), tuple(pictures))
    images = torch.from_numpy(np.stack(small)).permute(0, 3, 1, 2) / 255
    assert clip.predict(images).logits.argmax(dim=1).tolist() == [0, 1]


def test_photo_clip_waits_until_it_is_used_and_takes_less_than_100_mb_beside_mini_clip():
    """In a process of its own: the largest memory it ever had is of interest."""
    code = """
import resource
from clip_tta_core import engine
from clip_tta_core.clip import loading
most = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
engine.catalog()
loading.classifier(loading.load("mini-clip", "cpu"), ("airplane", "cat"))
assert [key[0] for key in loading._shelf] == ["mini-clip"], loading._shelf
before = most()
loading.classifier(loading.load("photo-clip", "cpu"), ("airplane", "automobile", "bird", "cat", "deer"))
print(most() - before)
"""
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert int(done.stdout) < 100
