"""The weights that ship with the project."""

import json

import pytest
import torch
import torch.nn.functional as F

from clip_tta_core.clip import mini
from clip_tta_core.clip.prompts import TEMPLATES, fill
from clip_tta_core.pretrain import zero_shot_accuracy
from clip_tta_core.sources.rendered import COLOURS, OBJECTS


@pytest.fixture(scope="module")
def shipped():
    return mini.load()


def test_it_recognizes_rendered_objects(shipped):
    assert zero_shot_accuracy(shipped, count=500) >= 0.93  # 95 % on 4,000; two standard errors of 500


def test_it_knows_every_object_and_colour_in_every_template():
    names = [
        *OBJECTS,
        *COLOURS,
        *(f"{colour} {name}" for colour, name in zip(COLOURS, OBJECTS, strict=False)),
    ]
    for template in TEMPLATES["eight"]:
        assert len(mini.tokenize(fill(template, names))) == len(names)
    assert {"umbrella", "music", "turquoise", "photo"} <= set(mini.words())


def test_it_is_small_and_its_scale_is_that_of_clip(shipped):
    assert sum(file.stat().st_size for file in mini.FOLDER.iterdir()) < 8e6
    assert shipped.logit_scale.exp().item() == pytest.approx(100)
    assert all(torch.isfinite(p).all() for p in shipped.parameters())


def test_it_says_how_it_was_trained():
    training = json.loads((mini.FOLDER / "config.json").read_text())["training"]
    assert {"steps", "batch_size", "lr", "seed", "minutes", "device"} <= set(training)
    assert training["steps_done"] == training["steps"]


def test_a_caption_that_names_several_classes_lies_nearest_to_classes_it_names(shipped):
    names = ("clover", "star", "heart", "umbrella", "cat", "gear", "envelope", "scissors")
    texts = F.normalize(shipped.text(shipped.tokenize([f"a photo of a {name}" for name in names])), dim=-1)
    both = F.normalize(shipped.text(shipped.tokenize(["a photo of a clover or heart"])), dim=-1)
    assert {names[i] for i in (both @ texts.T)[0].topk(2).indices.tolist()} == {"clover", "heart"}
