"""Looking into a run: every step of a batch can be seen, and nothing changes by it."""

from __future__ import annotations

import dataclasses
import threading

import numpy as np
import pytest

from clip_tta_core import engine
from clip_tta_core.control import BETWEEN_LOOKS, Control
from clip_tta_core.methods import METHODS
from clip_tta_core.records import RunConfig

CONFIG = RunConfig(corruption="contrast", severity=4, batch_size=8, batches=2, seed=5)
SHORT = {"steps": 2, "rounds": 1, "templates": 2, "every": 8, "views": 2}
TWO = RunConfig(methods={"tent": {"steps": 3}, "cliptta": {"steps": 2}}, batch_size=8, batches=2, seed=5)


STEPLESS = (
    "zero_shot",
    "lame",
    "tda",
    "calip",
    "ecalp",
    "bca",
    "dota",
    "stata",
    "ms_tta",
    "onzeta",
    "mta",
    "zero",
)
SHOWING = [name for name in METHODS if name not in STEPLESS]  # tests.methods.test_contract: all of them show


def looked_into(config):
    """A run of which somebody sees every step. -> glimpses, reports"""
    control, glimpses = Control(), []
    control.looker = glimpses.append
    control.wants_look = lambda: True
    return glimpses, list(engine.run(config, control))


def short(name: str) -> dict[str, float]:
    known = {knob.name: SHORT[knob.name] for knob in METHODS[name].Config.knobs() if knob.name in SHORT}
    return known | (
        {"gamma": 0.0} if name == "tapt" else {}
    )  # spares it an attack on what it has seen before


@pytest.mark.parametrize("name", SHOWING)
def test_looked_into_or_not_a_run_gives_the_same_numbers_bit_for_bit(name):
    config = dataclasses.replace(CONFIG, methods={name: short(name)})
    _, seen = looked_into(config)
    for a, b in zip(seen, engine.run(config), strict=True):
        np.testing.assert_array_equal(a.outcomes[name].probs, b.outcomes[name].probs)
        assert a.outcomes[name].losses == b.outcomes[name].losses


def test_every_step_is_seen_before_it_is_taken_and_every_method_when_it_is_done():
    glimpses, _ = looked_into(TWO)
    first = [
        (one.step and (one.step.label, one.step.step, one.step.steps), list(one.outcomes)) for one in glimpses
    ]
    assert first[: len(first) // 2] == [
        (None, ["zero_shot"]),
        *((("tent", k, 3), ["zero_shot"]) for k in range(3)),
        (None, ["zero_shot", "tent"]),
        *((("cliptta", k, 2), ["zero_shot", "tent"]) for k in range(2)),
        (None, ["zero_shot", "tent", "cliptta"]),
    ]
    assert [one.batch_number for one in glimpses] == [1] * 8 + [2] * 8


def test_a_step_starts_from_the_predictions_and_the_loss_that_it_lowers():
    glimpses, reports = looked_into(TWO)
    tent = [one.step for one in glimpses if one.batch_number == 1 and one.step and one.step.label == "tent"]
    source = reports[0].outcomes["zero_shot"].probs
    np.testing.assert_allclose(tent[0].probs, source, atol=1e-5)
    for step in tent:
        entropy = -(step.probs * np.log(np.maximum(step.probs, 1e-30))).sum(axis=1).mean()
        assert step.losses["loss"] == pytest.approx(entropy, rel=1e-4)
    assert tent[-1].losses["loss"] == reports[0].outcomes["tent"].losses["loss"]
    later = [one.step for one in glimpses if one.step and one.step.label == "cliptta"]
    for step in later:
        parts = [value for name, value in step.losses.items() if name != "loss"]
        assert len(parts) == 2 and sum(parts) == pytest.approx(step.losses["loss"], abs=1e-5)


@pytest.mark.parametrize(
    ("name", "settings", "on"),
    [
        ("tent", {}, "batch"),
        ("tps", {}, "batch"),
        ("adacontrast", {}, "views"),
        ("tpt", {}, "picture"),
        ("rlcf", {"tune": "norms"}, "picture"),
        ("rotta", {}, "memory"),
        ("sotta", {"confidence": 0.0}, "memory"),
        ("stamp", {"margin": 1.5, "views": 1}, "memory"),
        ("cliptta", {}, "batch"),
        ("cliptta", {"composition": "memory_only"}, "memory"),
    ],
)
def test_a_step_says_what_it_learns_from_and_one_on_a_memory_leaves_the_answers(name, settings, on):
    config = dataclasses.replace(CONFIG, methods={name: short(name) | settings})
    glimpses, reports = looked_into(config)
    steps = [one.step for one in glimpses if one.step and one.batch_number == 1]
    assert steps and {step.on for step in steps} == {on}
    if on == "memory":
        source = reports[0].outcomes["zero_shot"].probs
        for step in steps:
            np.testing.assert_allclose(step.probs, source, atol=1e-5)
        assert len({step.losses["loss"] for step in steps}) == len(steps), "the loss moves"


def test_the_memory_shows_what_it_holds_with_its_features():
    glimpses, reports = looked_into(TWO)
    memory = glimpses[7].memories["cliptta"]  # after the first batch: what it holds is of that batch
    images = reports[0].batch.images
    features = reports[0].outcomes["zero_shot"].features
    answers = reports[0].outcomes["zero_shot"].probs.argmax(axis=1)
    assert 0 < len(memory.images) <= 8
    for image, label, feature in zip(memory.images, memory.labels, memory.features, strict=True):
        (at,) = np.flatnonzero((images == image).all(axis=(1, 2, 3)))
        assert answers[at] == label
        np.testing.assert_allclose(features[at], feature, atol=1e-5)


def test_a_run_that_goes_on_is_looked_into_now_and_then_and_a_held_one_at_every_step():
    control = Control()
    assert not control.wants_look(), "nobody looks"
    control.looker = lambda glimpse: None
    assert control.wants_look() and not control.wants_look()
    control._looked -= BETWEEN_LOOKS
    assert control.wants_look()
    control.pause()
    assert control.wants_look() and control.wants_look()


def test_a_held_run_has_shown_what_it_is_held_at_and_a_step_leads_to_the_next():
    control, glimpses, news = Control(), [], threading.Event()

    def look(glimpse):
        glimpses.append(glimpse)
        news.set()

    control.looker = look
    control.pause()
    thread = threading.Thread(target=lambda: list(engine.run(TWO, control)), daemon=True)
    thread.start()
    seen = []
    while len(seen) < 3:
        news.clear()
        control.step()
        if news.wait(0.5) and glimpses[-1].step:
            seen.append((glimpses[-1].step.step, control.progress.step))
    control.stop()
    thread.join(30)
    assert not thread.is_alive()
    assert all(taken == at for taken, at in seen), "the status and the numbers speak of the same step"


@pytest.mark.parametrize("name", ["tent", "cliptta", "eta", "clipartt", "batclip", "tps", "tpt"])
def test_one_press_of_step_is_one_step_of_a_method_that_shows_them(name):
    """Held where it shows a step, it is not held before it as well."""
    control, held = Control(), []
    control.looker = lambda glimpse: None
    checkpoint = control.checkpoint

    def counted(progress):
        if progress.label and progress.steps:
            held.append(progress.step)
        checkpoint(progress)

    control.checkpoint = counted
    config = dataclasses.replace(
        CONFIG,
        batches=1,
        methods={
            name: short(name) | {"steps": 3, **({"margin": 1.5, "epsilon": 2.0} if name == "eta" else {})}
        },
    )
    list(engine.run(config, control))
    assert held == [*range(3 * (8 if name == "tpt" else 1))]
