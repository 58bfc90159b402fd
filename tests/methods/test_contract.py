"""What every method must do, whatever it is called: this file names none."""

from __future__ import annotations

import dataclasses
import inspect
import math
import pickle

import pytest
import torch

from clip_tta_core.methods import METHODS


def build(name, clip, seed=0, **knobs):
    cls = METHODS[name]
    return cls(clip.fork(cls.train), cls.Config(**knobs), torch.Generator().manual_seed(seed))


def fewer_steps(name):
    """Settings that keep a test short without changing what is tested."""
    knobs = {knob.name for knob in METHODS[name].Config.knobs()}
    return {"steps": 2} if "steps" in knobs else {}


def snapshot(clip):
    towers = [clip.visual, *([clip.encode_text] if isinstance(clip.encode_text, torch.nn.Module) else [])]
    return [tensor.clone() for tower in towers for tensor in tower.state_dict().values()]


def texts_of(name):
    return inspect.getdoc(METHODS[name])


every_method = pytest.mark.parametrize("name", METHODS)


@every_method
def test_reports_are_finite_plain_and_picklable(name, clip, make_images):
    method = build(name, clip, **fewer_steps(name))
    for seed in range(3):
        images = make_images(seed=seed)
        report = method.adapt(images)
        assert pickle.loads(pickle.dumps(report)) == report
        assert all(type(value) is float and math.isfinite(value) for value in report.values()), report
        prediction = method.predict(images)
        assert prediction.logits.shape == (8, 5) and prediction.features.shape == (8, 16)
        assert prediction.logits.isfinite().all() and not prediction.logits.requires_grad
        torch.testing.assert_close(prediction.features.norm(dim=-1), torch.ones(8))


@every_method
def test_a_batch_of_one_works(name, clip, make_images):
    method = build(name, clip, **fewer_steps(name))
    report = method.adapt(make_images(batch=1))
    assert all(math.isfinite(value) for value in report.values()), report
    assert method.predict(make_images(batch=1)).logits.isfinite().all()


@every_method
@pytest.mark.parametrize("classes", [2, 1000])
def test_two_and_a_thousand_classes_work(name, classes, make_clip, make_images):
    method = build(name, make_clip(classes=classes), **fewer_steps(name))
    report = method.adapt(make_images())
    assert all(math.isfinite(value) for value in report.values()), report
    assert method.predict(make_images()).logits.shape == (8, classes)


@every_method
def test_the_loaded_model_stays_as_it_was_bit_for_bit(name, clip, make_images):
    before = snapshot(clip)
    method = build(name, clip, **fewer_steps(name))
    for seed in range(2):
        method.adapt(make_images(seed=seed))
    assert all(torch.equal(a, b) for a, b in zip(before, snapshot(clip), strict=True))
    assert not any(p.requires_grad or p.grad is not None for p in clip.visual.parameters())


@every_method
def test_the_result_is_the_same_alone_or_beside_other_methods(name, clip, make_images):
    def logits(companions):
        method = build(name, clip, **fewer_steps(name))
        others = [build(other, clip, **fewer_steps(other)) for other in companions]
        for seed in range(2):
            images = make_images(seed=seed)
            for other in others:
                other.adapt(images)
            method.adapt(images)
            out = method.predict(images).logits
        return out

    torch.testing.assert_close(logits([]), logits(["tent", "cliptta"]), rtol=0, atol=0)


@every_method
def test_no_learning_rate_means_zero_shot(name, clip, make_images):
    knobs = {knob.name for knob in METHODS[name].Config.knobs()}
    if "lr" not in knobs:
        pytest.skip("has no learning rate")
    method = build(name, clip, lr=0.0, **fewer_steps(name))
    images = make_images()
    method.adapt(images)
    torch.testing.assert_close(method.predict(images).logits, clip.predict(images).logits, rtol=0, atol=0)


@every_method
def test_pixels_that_are_not_numbers_leave_the_weights_finite(name, clip, make_images):
    method = build(name, clip, **fewer_steps(name))
    images = make_images()
    images[0, 0, 0, 0] = math.nan
    method.adapt(images)
    assert all(p.isfinite().all() for p in method.clip.trainable())
    assert method.predict(make_images(seed=1)).logits.isfinite().all()


@every_method
def test_only_what_the_method_declares_is_trained(name, clip, make_images):
    method = build(name, clip, **fewer_steps(name))
    declared = {id(p) for p in method.clip.trainable()}
    before = {n: p.detach().clone() for n, p in method.clip.visual.named_parameters()}
    method.adapt(make_images())
    for n, p in method.clip.visual.named_parameters():
        assert id(p) in declared or torch.equal(before[n], p), n


@every_method
def test_every_knob_is_read(name):
    source = inspect.getsource(inspect.getmodule(METHODS[name]))
    for field in dataclasses.fields(METHODS[name].Config):
        assert f"onfig.{field.name}" in source, f"{name} never reads its knob {field.name}"


@every_method
def test_every_preset_is_valid(name):
    for values in METHODS[name].presets.values():
        METHODS[name].Config.from_values(dict(values))


def test_summaries_are_distinct():
    assert len({texts_of(name) for name in METHODS}) == len(METHODS)


def test_an_unknown_method_is_answered_with_the_nearest_name():
    with pytest.raises(ValueError, match="Did you mean 'tent'"):
        METHODS["tnet"]
