"""Attacks on each method as it has adapted, by an attacker who rehearses what the method does."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch

from clip_tta_core import adversary, engine, limits
from clip_tta_core.clip.loading import classifier, load
from clip_tta_core.methods import METHODS
from clip_tta_core.records import RunConfig
from clip_tta_core.validation import attack_steps

SMALL = RunConfig(
    methods={"tent": {"lr": 1e-2, "steps": 5}},
    batch_size=16,
    batches=2,
    seed=3,
    attack="linf",
    attack_epsilon=2.0,
    attack_target="adapted",
)
LOADED = dataclasses.replace(SMALL, attack_target="loaded")


def last(config, **changes):
    *_, report = engine.run(dataclasses.replace(config, **changes))
    return report


def truth(report, label):
    """What a contender gives the true classes, on average."""
    labels = report.batch.labels
    return report.outcomes[label].probs[np.arange(len(labels)), labels].mean()


def test_who_has_nothing_to_know_of_is_attacked_as_the_model_is():
    """TAPT and TPS forget what they learn from views, and answer from the picture that was attacked."""
    methods = {"lame": {}, "mta": {"views": 1}, "tps": {"views": 8}, "tapt": {"views": 8}}
    first, second = last(LOADED, methods=methods), last(SMALL, methods=methods)
    assert np.array_equal(first.batch.images, second.batch.images)
    for label in ("zero_shot", *methods):
        assert np.array_equal(first.outcomes[label].probs, second.outcomes[label].probs)
        cls = METHODS[label]
        assert not adversary.knows_more(cls, cls.Config.from_values(methods.get(label, {})))


def test_of_a_method_that_has_not_moved_the_attacker_knows_the_model():
    still = {"tent": {"lr": 0.0}}
    first, second = last(LOADED, methods=still), last(SMALL, methods=still)
    np.testing.assert_allclose(first.outcomes["tent"].probs, second.outcomes["tent"].probs, atol=1e-4, rtol=0)


def test_rehearsing_leaves_no_trace():
    """An attack below half a level is rounded away, so only what rehearsing left behind could differ."""
    methods = {"cliptta": {"lr": 1e-3, "steps": 2}, "rotta": {"lr": 1e-3}, "tpt": {"views": 4}}
    first, second = (last(one, methods=methods, attack_epsilon=0.4) for one in (LOADED, SMALL))
    for label in methods:
        assert np.array_equal(first.outcomes[label].probs, second.outcomes[label].probs)


def test_it_misleads_the_weights_that_answer_more_than_an_attack_on_the_model_does():
    assert truth(last(SMALL), "tent") < truth(last(LOADED), "tent") - 0.05


def test_it_looks_at_views_where_the_method_does():
    views = {"r_tpt": {"views": 8, "candidates": 5}}
    config = {"methods": views, "attack_epsilon": 8.0, "batches": 1}
    assert truth(last(SMALL, **config), "r_tpt") < truth(last(LOADED, **config), "r_tpt") - 0.05


def test_what_is_climbed_are_the_logits_of_the_weights_and_of_views_with_a_gradient():
    loaded = load("mini-clip")
    frozen = classifier(loaded, ("cat", "airplane", "anchor"), "single")
    images = torch.rand(2, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    tent = METHODS["tent"](
        frozen.fork("visual_norm"), METHODS["tent"].Config.from_values({}), torch.Generator()
    )
    for parameter in tent.clip.trainable():
        parameter.data.mul_(1.1)
    asked = images.clone().requires_grad_()
    logits = adversary.aim(tent, torch.Generator())(asked)
    torch.testing.assert_close(logits, tent.clip.predict(images).logits)
    logits.sum().backward()
    assert asked.grad is not None and asked.grad.abs().max() > 0
    assert all(parameter.grad is None for parameter in tent.clip.trainable())
    zero = METHODS["zero"](
        frozen.fork(""), METHODS["zero"].Config.from_values({"views": 9}), torch.Generator()
    )
    climb = adversary.aim(zero, torch.Generator().manual_seed(0))
    assert not torch.equal(climb(images), climb(images)), "views are drawn anew at every step"


def test_its_steps_count_among_those_that_an_operator_allows(monkeypatch):
    three = dataclasses.replace(SMALL, methods={"zero_shot": {}, "tent": {}, "r_tpt": {"views": 64}})
    # 7 iterations on 2 batches: of the model, of TENT's weights, and of 4 views
    assert attack_steps(three, three.contenders) == 14 * (1 + 1 + 4)
    loaded = dataclasses.replace(three, attack_target="loaded")
    assert attack_steps(loaded, loaded.contenders) == 14
    assert attack_steps(dataclasses.replace(three, attack_epsilon=0.0), three.contenders) == 0
    monkeypatch.setenv(limits.MAX_STEPS.name, "50")
    engine.check(loaded)
    with pytest.raises(ValueError, match="a run may take 50 steps, this one asks for"):
        engine.check(three)


def test_whom_it_is_made_for_is_one_of_two():
    with pytest.raises(ValueError, match="attack_target must be 'loaded' or 'adapted', got 'both'"):
        engine.check(dataclasses.replace(SMALL, attack_target="both"))
