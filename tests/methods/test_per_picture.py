"""What methods of one picture at a time have in common: turns, what is known by then, and forgetting."""

from __future__ import annotations

import pytest
import torch

from clip_tta_core.methods import METHODS
from clip_tta_core.methods.per_picture import PerPicture
from tests.methods.test_contract import SHORT, build

STEPS = SHORT["steps"]
LEARNING = [name for name, cls in METHODS.items() if issubclass(cls, PerPicture)]


def followed(method, images):
    """What is shown of every step: logits (B, K), loss."""
    shown = []
    method.on_show = lambda logits, terms: shown.append((logits.clone(), terms["loss"].item()))
    report = method.adapt(images)
    return shown, report


def test_the_prompt_methods_are_among_them():
    assert {"tpt", "r_tpt", "tapt", "rlcf"} <= set(LEARNING)


@pytest.mark.parametrize("name", LEARNING)
def test_a_step_shows_the_answers_of_the_pictures_before_and_zero_shot_for_the_rest(
    name, make_clip, make_images
):
    clip, images = make_clip(scale=10.0), make_images(batch=4)
    method = build(name, clip, SHORT, {"views": 12, "lr": 0.05})
    shown, report = followed(method, images)
    after, before = method.predict(images).logits, clip.predict(images).logits
    assert len(shown) == STEPS * len(images) and not torch.equal(after, before)
    for number, (logits, _) in enumerate(shown):
        done = number // STEPS
        assert torch.equal(logits[:done], after[:done]) and torch.equal(logits[done:], before[done:])
    assert report["loss"] == pytest.approx(sum(loss for _, loss in shown) / len(shown), rel=1e-6)


@pytest.mark.parametrize("name", LEARNING)
def test_the_first_loss_of_a_picture_is_the_same_whoever_came_before(name, make_clip, make_images):
    """It starts from weights that know nothing of the pictures before."""
    clip, images = make_clip(scale=10.0), make_images(batch=3)
    losses = []
    for batch in (images, images.flip(0)):
        method = build(name, clip, SHORT, {"views": 1, "lr": 0.05})
        losses.append([loss for _, loss in followed(method, batch)[0]][::STEPS])
    assert losses[0] == pytest.approx(losses[1][::-1], abs=1e-5)
