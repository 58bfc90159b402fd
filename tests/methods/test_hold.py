"""Holding on to the source: one knob of every method that trains weights over a stream."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from clip_tta_core import engine, losses, optim
from clip_tta_core.methods import METHODS
from clip_tta_core.methods.base import GradientConfig
from tests.methods.test_contract import EVERYTHING, SHORT, build

HOLDING = [name for name, cls in METHODS.items() if issubclass(cls.Config, GradientConfig)]
FORMS = ["predictions", "features"]
# Settings with which weights move in a few short batches, whatever the method waits for.
MOVING = {**SHORT, **EVERYTHING, "lr": 1e-2, "optimizer": "adam"}


def moved(name, clip, make_images, **settings):
    """How far a method's weights are from the source after two batches, and its last logits."""
    method = build(name, clip, MOVING, settings)
    start = optim.copies(method.clip.trainable())
    for seed in range(2):
        method.adapt(make_images(seed=seed))
    distance = [(a - b).square().sum() for a, b in zip(method.clip.trainable(), start, strict=True)]
    return torch.stack(distance).sum().sqrt().item(), method.predict(make_images()).logits


def rows(*shape, seed=0):
    return F.normalize(torch.randn(*shape, generator=torch.Generator().manual_seed(seed)), dim=-1)


def test_the_methods_that_train_over_a_stream_have_the_knob():
    own = {"mint", "ramen", "tpt", "r_tpt", "tapt", "rlcf"}  # these go back after every batch or picture
    assert set(HOLDING) == {name for name, cls in METHODS.items() if cls.train} - own
    for name in HOLDING:
        assert [knob.name for knob in METHODS[name].Config.knobs()][-2:] == ["beta_source", "hold"]


@pytest.mark.parametrize("form", FORMS)
def test_the_distance_is_zero_and_flat_where_nothing_has_moved(form):
    features = rows(6, 8).requires_grad_(True)
    distance = losses.source_distance(features, features.detach(), rows(4, 8, seed=1), 10.0, form)
    distance.backward()
    assert distance.item() == pytest.approx(0, abs=1e-7) and features.grad.abs().max() < 1e-6


def test_the_distance_by_hand():
    texts, before, now = torch.eye(2), torch.tensor([[1.0, 0.0]]), torch.tensor([[0.6, 0.8]])
    assert losses.source_distance(now, before, texts, 1.0, "features").item() == pytest.approx(0.4)
    p, q = torch.tensor([1.0, 0.0]).softmax(0), torch.tensor([0.6, 0.8]).softmax(0)
    expected = (p * (p / q).log()).sum().item()
    assert losses.source_distance(now, before, texts, 1.0).item() == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("unit", [True, False])
def test_the_gradient_is_that_of_the_loss_with_the_distance_added(form, unit, clip, images):
    def away():
        fork = clip.fork("visual_norm")
        with torch.no_grad():
            for p in fork.trainable():
                p.add_(0.1 * torch.randn(p.shape, generator=torch.Generator().manual_seed(3)))
        return fork

    held, plain = away(), away()
    held.hold_to_source(2.0, form)
    for fork in (held, plain):
        features = fork.encode_image(images, unit=unit)
        loss = losses.entropy(fork.classify(features)).mean()
        if fork is plain:
            distance = losses.source_distance(
                F.normalize(features, dim=-1), clip.encode_image(images), clip.text_features, clip.scale, form
            )
            loss = loss + 2.0 * distance
        loss.backward()
    for a, b in zip(held.trainable(), plain.trainable(), strict=True):
        torch.testing.assert_close(a.grad, b.grad, rtol=1e-4, atol=1e-5)


def test_at_zero_it_is_as_without_bit_for_bit(clip, make_images):
    _, without = moved("tent", clip, make_images)
    _, zero = moved("tent", clip, make_images, beta_source=0.0, hold="features")
    assert torch.equal(without, zero)


@pytest.mark.parametrize("name", HOLDING)
def test_at_zero_no_method_has_anything_that_pulls(name, clip, make_images):
    method = build(name, clip, {"beta_source": 0.0})
    features = method.clip.encode_image(make_images())
    assert "Pulled" not in features.grad_fn.next_functions[0][0].name()
    held = build(name, clip, {"beta_source": 1.0}).clip.encode_image(make_images())
    assert torch.equal(features, held), "values stay as they are"


@pytest.mark.parametrize("name", HOLDING)
def test_held_weights_move_otherwise(name, make_clip, make_images):
    clip = make_clip(scale=10.0)
    free, without = moved(name, clip, make_images)
    _, with_it = moved(name, clip, make_images, beta_source=100.0)
    assert free > 0 and not torch.equal(without, with_it)


def test_strongly_held_answers_stay_closer_to_the_sources(make_clip, make_images):
    clip = make_clip(scale=10.0)
    before = clip.predict(make_images()).logits.softmax(dim=-1)
    apart = []
    for beta in (0.0, 100.0):
        _, logits = moved("tent", clip, make_images, beta_source=beta, lr=1e-2)
        apart.append((logits.softmax(dim=-1) - before).abs().mean().item())
    assert apart[1] < 0.5 * apart[0]


def test_what_learns_goes_through_the_source_too_and_costs_a_forward():
    costs = [
        engine.costs({"tent": {"steps": 10, "beta_source": beta}})["tent"].forwards for beta in (0.0, 1.0)
    ]
    assert costs == [11, 21]
