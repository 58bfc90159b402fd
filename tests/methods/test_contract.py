"""What every method must do, whatever it is called: this file names none."""

from __future__ import annotations

import copy
import dataclasses
import inspect
import math
import pickle
import re

import pytest
import torch

from clip_tta_core.methods import METHODS, Method
from clip_tta_core.methods.base import GradientConfig

# Settings that keep a test short; what learns every so many pictures then does within one batch.
SHORT = {"steps": 2, "rounds": 1, "templates": 2, "every": 8}
# Knobs that leave pictures out, set so that they leave out all or none.
NOTHING = {"margin": 0.0, "confidence": 1.01, "delta": 1.0, "drop": 1.0}
EVERYTHING = {"margin": 1.5, "epsilon": 2.0, "confidence": 0.0, "delta": -1.0, "drop": -1.0}
# Settings under which what does not learn, or has no say, is zero-shot: steps of length 0 and votes of none.
SILENT = {"lr": 0.0, "weight": 0.0, "beta_visual": 0.0, "beta_text": 0.0, "alpha_positive": 0.0}
SILENT |= {"alpha_negative": 0.0, "alpha": 0.0, "blend": 1.0, "ensemble": False, "views": 1}
SILENT |= {"prototypes": False, "eta": 0.0, "laplacian": 0.0, "beta": 0.0, "dual_rate": 0.0}
SILENT |= {"move_above": 1.01, "weigh_above": 1.01}


def known(name, *wanted):
    """Of some settings those a method has; later ones win."""
    knobs = {knob.name for knob in METHODS[name].Config.knobs()}
    return {key: value for values in wanted for key, value in values.items() if key in knobs}


def build(name, clip, *wanted, seed=0):
    cls = METHODS[name]
    config = cls.Config(**known(name, *wanted))
    return cls(clip.fork(cls.train), config, torch.Generator().manual_seed(seed))


def snapshot(clip):
    towers = [clip.visual, *([clip.encode_text] if isinstance(clip.encode_text, torch.nn.Module) else [])]
    return [tensor.clone() for tower in towers for tensor in tower.state_dict().values()]


def finite(report):
    return all(type(value) is float and math.isfinite(value) for value in report.values())


every_method = pytest.mark.parametrize("name", METHODS)
every_preset = pytest.mark.parametrize(
    ("name", "preset"), [(name, preset) for name in METHODS for preset in ("", *METHODS[name].presets)]
)


def settings(name, preset):
    return METHODS[name].presets[preset] if preset else {}


@every_preset
def test_reports_are_finite_plain_and_picklable(name, preset, clip, make_images):
    method = build(name, clip, settings(name, preset), SHORT)
    for seed in range(3):
        images = make_images(seed=seed)
        report = method.adapt(images)
        assert pickle.loads(pickle.dumps(report)) == report
        assert finite(report), report
        prediction = method.predict(images)
        assert prediction.logits.shape == (8, 5) and prediction.features.shape == (8, 16)
        assert prediction.logits.isfinite().all() and not prediction.logits.requires_grad
        torch.testing.assert_close(prediction.features.norm(dim=-1), torch.ones(8))


@every_preset
def test_a_batch_of_one_works(name, preset, clip, make_images):
    method = build(name, clip, settings(name, preset), SHORT, {"every": 1})
    report = method.adapt(make_images(batch=1))
    assert finite(report), report
    assert method.predict(make_images(batch=1)).logits.isfinite().all()


@every_method
@pytest.mark.parametrize("classes", [2, 1000])
def test_two_and_a_thousand_classes_work(name, classes, make_clip, make_images):
    method = build(name, make_clip(classes=classes), SHORT)
    report = method.adapt(make_images())
    assert finite(report), report
    assert method.predict(make_images()).logits.shape == (8, classes)


@every_method
def test_the_loaded_model_stays_as_it_was_bit_for_bit(name, clip, make_images):
    before = snapshot(clip)
    method = build(name, clip, SHORT)
    for seed in range(2):
        method.adapt(make_images(seed=seed))
    assert all(torch.equal(a, b) for a, b in zip(before, snapshot(clip), strict=True))
    assert not any(p.requires_grad or p.grad is not None for p in clip.visual.parameters())


@every_method
def test_built_again_it_starts_over_bit_for_bit(name, clip, make_images):
    def run():
        method = build(name, clip, SHORT)
        logits = []
        for seed in range(2):
            images = make_images(seed=seed)
            method.adapt(images)
            logits.append(method.predict(images).logits)
        return torch.cat(logits)

    assert torch.equal(run(), run())


@every_method
def test_the_result_is_the_same_alone_or_beside_other_methods(name, clip, make_images):
    def logits(companions):
        method = build(name, clip, SHORT)
        others = [build(other, clip, SHORT) for other in companions]
        for seed in range(2):
            images = make_images(seed=seed)
            for other in others:
                other.adapt(images)
            method.adapt(images)
            out = method.predict(images).logits
        return out

    names = list(METHODS)
    here = names.index(name)
    neighbours = [names[(here + i) % len(names)] for i in (1, 2, 3)]
    torch.testing.assert_close(logits([]), logits(neighbours), rtol=0, atol=0)


@every_preset
def test_without_steps_and_votes_it_is_zero_shot_exactly(name, preset, clip, make_images):
    method = build(name, clip, settings(name, preset), SHORT, SILENT)
    for seed in range(2):
        images = make_images(seed=seed)
        method.adapt(images)
        assert torch.equal(method.predict(images).logits, clip.predict(images).logits)


@every_preset
def test_pixels_that_are_not_numbers_leave_the_weights_and_what_follows_finite(
    name, preset, clip, make_images
):
    method = build(name, clip, settings(name, preset), SHORT)
    method.adapt(make_images(seed=2))
    images = make_images()
    images[0, 0, 0, 0] = math.nan
    method.adapt(images)
    assert all(p.isfinite().all() for p in method.clip.trainable())
    assert finite(method.adapt(make_images(seed=3)))
    assert all(p.isfinite().all() for p in method.clip.trainable())
    assert method.predict(make_images(seed=1)).logits.isfinite().all()


@pytest.mark.parametrize("name", [name for name in METHODS if known(name, NOTHING)])
def test_selecting_nothing_leaves_every_weight_where_it_was(name, clip, make_images):
    method = build(name, clip, SHORT, NOTHING)
    before = snapshot(method.clip)
    report = method.adapt(make_images())
    assert finite(report) and report["skipped"] > 0
    assert all(torch.equal(a, b) for a, b in zip(before, snapshot(method.clip), strict=True))


@pytest.mark.parametrize("name", [name for name in METHODS if known(name, EVERYTHING)])
def test_selecting_everything_moves_weights_and_skips_nothing(name, make_clip, make_images):
    method = build(name, make_clip(scale=10.0), SHORT, EVERYTHING)
    before = snapshot(method.clip)
    report = method.adapt(make_images())
    assert finite(report) and report["skipped"] == 0
    assert not all(torch.equal(a, b) for a, b in zip(before, snapshot(method.clip), strict=True))


@every_method
def test_a_copy_goes_on_as_the_original_does(name, clip, make_images):
    method = build(name, clip, SHORT, {"every": 1})
    method.adapt(make_images())
    rng = torch.Generator()
    rng.set_state(method.rng.get_state())
    copied = copy.deepcopy(method, {id(method.rng): rng})
    logits = []
    for one in (method, copied):
        images = make_images(seed=1)
        one.adapt(images)
        logits.append(one.predict(images).logits)
    assert torch.equal(*logits)


@every_method
def test_only_what_the_method_declares_is_trained(name, clip, make_images):
    method = build(name, clip, SHORT)
    declared = {id(p) for p in method.clip.trainable()}
    parameters = [*method.clip.visual.named_parameters(), *method.clip.encode_text.named_parameters()]
    before = [p.detach().clone() for _, p in parameters]
    method.adapt(make_images())
    for (n, p), old in zip(parameters, before, strict=True):
        assert id(p) in declared or torch.equal(old, p), n


@every_method
def test_every_knob_is_read_and_not_only_to_state_the_cost(name):
    cls = METHODS[name]
    rooms = {inspect.getmodule(one) for one in cls.__mro__ if issubclass(one, Method) and one is not Method}
    source = "".join(map(inspect.getsource, rooms)).replace(inspect.getsource(cls.cost), "")
    shared = {field.name for field in dataclasses.fields(GradientConfig)}  # read by the base: test_hold
    for field in dataclasses.fields(cls.Config):
        if field.name in shared:
            continue
        assert re.search(rf"onfig\.{field.name}\b", source), f"{name} never reads its knob {field.name}"


@every_method
def test_every_step_is_shown_before_it_is_taken(name, make_clip, make_images):
    method = build(name, make_clip(scale=10.0), SHORT, EVERYTHING, {"views": 4})
    images, taken, shown = make_images(), [], []
    method.on_step = lambda step, steps: taken.append((step, steps))
    method.on_show = lambda logits, terms: shown.append((len(taken), logits.clone(), dict(terms)))
    method.adapt(images)
    assert [at for at, _, _ in shown] == list(range(1, len(taken) + 1))
    assert all(logits.shape == (8, 5) and terms["loss"].shape == () for _, logits, terms in shown)
    assert all(step < steps for step, steps in taken)
    assert taken or not method.clip.trainable(), "what trains weights takes steps"


@every_preset
def test_every_preset_is_valid(name, preset):
    METHODS[name].Config.from_values(dict(settings(name, preset)))


def test_summaries_are_distinct():
    assert len({inspect.getdoc(cls) for cls in METHODS.values()}) == len(METHODS)


@every_method
def test_a_misspelt_name_is_answered_with_the_right_one(name):
    with pytest.raises(ValueError, match=f"Did you mean '{name}'"):
        METHODS[name + "x"]


@pytest.mark.parametrize("name", [name for name, cls in METHODS.items() if cls.forgets])
def test_what_forgets_every_picture_answers_as_if_it_had_seen_none_before(name, clip, make_images):
    earlier, images, start = make_images(seed=1), make_images(seed=2), torch.Generator().manual_seed(5)
    answers = []
    for seen in ((earlier,), ()):
        method = build(name, clip, SHORT, {"views": 8})
        for batch in seen:
            method.adapt(batch)
        method.rng.set_state(start.get_state())  # the same views
        method.adapt(images)
        answers.append(method.predict(images).logits)
    assert torch.equal(*answers)
