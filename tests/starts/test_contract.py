"""What every pre-step must do, whatever it is called: this file names none."""

from __future__ import annotations

import dataclasses
import inspect
import re

import numpy as np
import pytest
import torch

from clip_tta_core.clip.classifier import ClipClassifier
from clip_tta_core.starts import STARTS, Shots
from tests.starts.conftest import SHORT, STILL, build

every_start = pytest.mark.parametrize("name", STARTS)


def state(visual):
    return [tensor.clone() for tensor in visual.state_dict().values()]


def same(a, b):
    return all(torch.equal(x, y) for x, y in zip(a, b, strict=True))


@every_start
@pytest.mark.parametrize("still", STILL, ids=["no steps", "no size"])
def test_what_cannot_move_gives_the_model_back_bit_for_bit(name, still, clip, shots):
    visual = build(name, clip, SHORT, still).make(shots)
    assert visual is not clip.visual and same(state(visual), state(clip.visual))


@every_start
def test_it_moves_weights_and_not_the_loaded_models(name, clip, shots):
    before = state(clip.visual)
    visual = build(name, clip, SHORT).make(shots)
    assert same(before, state(clip.visual)) and not same(before, state(visual))
    assert visual.state_dict().keys() == clip.visual.state_dict().keys()
    assert not any(p.requires_grad or p.grad is not None for p in visual.parameters())
    assert not any(p.requires_grad or p.grad is not None for p in clip.visual.parameters())


@every_start
def test_made_again_it_is_the_same_and_of_another_seed_another(name, clip, shots):
    once, again = (state(build(name, clip, SHORT).make(shots)) for _ in range(2))
    assert same(once, again)


@every_start
def test_the_result_is_an_encoder_that_every_method_can_take(name, clip, shots, images):
    visual = build(name, clip, SHORT).make(shots)
    begun = ClipClassifier(visual, clip.text_features, clip.scale, clip.class_names)
    prediction = begun.predict(images)
    assert prediction.logits.isfinite().all() and prediction.logits.shape == (8, 5)
    torch.testing.assert_close(prediction.features.norm(dim=-1), torch.ones(8))
    assert begun.fork("visual_norm").trainable()


@every_start
@pytest.mark.parametrize("classes", [2, 5, 1000])
def test_one_picture_a_class_is_enough_and_so_are_two_classes(name, classes, make_clip, make_images):
    few = Shots(make_images(batch=classes), torch.arange(classes), make_images(batch=1)[:0])
    visual = build(name, make_clip(classes=classes), SHORT).make(few)
    assert all(p.isfinite().all() for p in visual.parameters())


@every_start
def test_a_picture_that_is_no_number_leaves_the_weights_finite(name, clip, shots):
    broken = shots.images.clone()
    broken[0, 0, 0, 0] = torch.nan
    visual = build(name, clip, SHORT).make(dataclasses.replace(shots, images=broken))
    assert all(p.isfinite().all() for p in visual.parameters())


@every_start
def test_it_draws_at_least_one_picture_of_every_class_and_no_more_than_asked_for(name):
    cls = STARTS[name]
    labelled, others = cls.draw(cls.Config(), 16, 20, np.random.default_rng(0))
    assert labelled.shape == others.shape == (20,) and (others >= 0).all()
    assert labelled.min() >= 1 and labelled.max() == 16
    assert cls.steps_of(cls.Config(), 320) >= 0


@every_start
def test_steps_can_be_watched_and_ended(name, clip, shots):
    start, seen = build(name, clip, SHORT), []

    def stop(step, steps):
        seen.append((step, steps))
        if step == 1:
            raise KeyboardInterrupt

    start.on_step = stop
    with pytest.raises(KeyboardInterrupt):
        start.make(shots)
    assert seen == [(0, seen[0][1]), (1, seen[0][1])]


@every_start
def test_every_knob_is_read(name):
    source = inspect.getsource(inspect.getmodule(STARTS[name]))
    for field in dataclasses.fields(STARTS[name].Config):
        assert re.search(rf"onfig\.{field.name}\b", source), f"{name} never reads its knob {field.name}"


@every_start
def test_it_says_what_it_is_whence_and_where_it_fails(name):
    cls = STARTS[name]
    assert re.search(r"arXiv \d{4}\.\d{5}", cls.citation) and cls.fails.endswith(".")
    assert inspect.getdoc(cls) and all(knob.help for knob in cls.Config.knobs())


def test_a_misspelt_name_is_answered_with_the_right_one():
    with pytest.raises(ValueError, match="Unknown start 'clipod'. Did you mean 'clipood'"):
        STARTS["clipod"]
