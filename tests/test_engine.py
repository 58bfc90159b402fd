"""A run as a whole: reports, repeatability, stopping, bad values."""

from __future__ import annotations

import dataclasses
import pickle
import threading
import time

import numpy as np
import pytest
import torch

from clip_tta_core import engine
from clip_tta_core.clip.loading import LoadedClip
from clip_tta_core.control import Control
from clip_tta_core.records import Pictures, RunConfig
from tests.conftest import TinyText, TinyVisual


@pytest.fixture(autouse=True)
def tiny_model(monkeypatch):
    """A random CLIP of a few thousand weights in the place of the real ones."""
    torch.manual_seed(0)
    visual, text = TinyVisual().requires_grad_(False).eval(), TinyText().requires_grad_(False).eval()
    cpu = torch.device("cpu")
    loaded = LoadedClip("tiny", visual, text, 100.0, (0.5,) * 3, (0.25,) * 3, 16, cpu, None, None)
    monkeypatch.setattr(engine, "load", lambda model, device, observe: loaded)
    return loaded


SHORT = RunConfig(
    corruption="contrast", batch_size=8, batches=3, methods={"tent": {"lr": 1e-2}, "cliptta": {"steps": 2}}
)


def reports(config=SHORT, **changes):
    return list(engine.run(dataclasses.replace(config, **changes)))


def curve(all_reports, method):
    return np.concatenate([report.outcomes[method].probs for report in all_reports])


def test_reports_are_plain_data_that_survive_pickling():
    for report in reports():
        again = pickle.loads(pickle.dumps(report))
        assert again.step == report.step and set(again.outcomes) == {"zero_shot", "tent", "cliptta"}
        for outcome in again.outcomes.values():
            assert outcome.probs.dtype == np.float32 and outcome.probs.shape == (8, 20)
            np.testing.assert_allclose(outcome.probs.sum(axis=1), 1, rtol=1e-5)


def test_the_same_seed_gives_the_same_numbers_alone_or_beside_others():
    together, again, alone = reports(), reports(), reports(methods={"cliptta": {"steps": 2}})
    np.testing.assert_array_equal(curve(together, "cliptta"), curve(again, "cliptta"))
    np.testing.assert_array_equal(curve(together, "cliptta"), curve(alone, "cliptta"))
    assert not np.array_equal(curve(together, "cliptta"), curve(reports(seed=1), "cliptta"))


def test_a_run_leaves_the_shared_model_untouched(tiny_model):
    before = [t.clone() for t in tiny_model.visual.state_dict().values()]
    reports()
    assert all(
        torch.equal(a, b) for a, b in zip(before, tiny_model.visual.state_dict().values(), strict=True)
    )


def test_the_stream_does_not_depend_on_the_batch_size():
    wide, narrow = reports(batch_size=8, batches=2), reports(batch_size=4, batches=4)
    images = [np.concatenate([r.batch.images for r in rs]) for rs in (wide, narrow)]
    np.testing.assert_array_equal(*images)
    np.testing.assert_array_equal(curve(wide, "zero_shot"), curve(narrow, "zero_shot"))


def test_episodic_runs_forget_between_batches():
    def second_batch(**changes):
        return reports(methods={"tent": {"lr": 1e-2}}, **changes)[1].outcomes["tent"].probs

    assert not np.array_equal(second_batch(episodic=True), second_batch(episodic=False))


def test_predictions_before_the_update_of_the_first_batch_are_zero_shot():
    first = reports(predict="pre")[0].outcomes
    np.testing.assert_array_equal(first["tent"].probs, first["zero_shot"].probs)
    later = reports(predict="post")[0].outcomes
    assert not np.array_equal(later["tent"].probs, later["zero_shot"].probs)


def test_closing_the_generator_ends_the_run():
    run = engine.run(SHORT)
    next(run)
    run.close()
    assert threading.active_count() < 10
    with pytest.raises(StopIteration):
        next(run)


def test_stop_acts_between_optimization_steps():
    control = Control()
    seen = []

    def follow():
        seen.extend(
            engine.run(dataclasses.replace(SHORT, batches=500, methods={"tent": {"steps": 50}}), control)
        )

    thread = threading.Thread(target=follow)
    thread.start()
    while control.progress.step < 3:
        time.sleep(0.001)
    control.stop()
    thread.join(timeout=5)
    assert not thread.is_alive() and len(seen) < 500


def test_a_paused_run_takes_exactly_the_steps_it_is_given():
    control = Control()
    control.pause()
    config = dataclasses.replace(SHORT, batches=1, methods={"tent": {"steps": 3}})
    done = threading.Event()
    thread = threading.Thread(target=lambda: (list(engine.run(config, control)), done.set()))
    thread.start()
    assert not done.wait(0.2)
    for _ in range(4):  # the start of the batch and three optimization steps
        assert not done.is_set()
        control.step()
    assert done.wait(5)
    thread.join()


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"methods": {}}, "at least one method"),
        ({"methods": {"tnet": {}}}, "Did you mean 'tent'"),
        ({"methods": {"tent": {"lr": 3}}}, r"Tent: lr must be a number in \[0, 0.1\], got 3"),
        ({"methods": {"tent": {"speed": 3}}}, "no knob 'speed'"),
        ({"batch_size": 0}, "batch_size must be in"),
        ({"severity": 9}, "severity must be in"),
        ({"batches": 2.5}, "whole number"),
        ({"corruption": "fogg"}, "Did you mean 'fog'"),
        ({"order": "random"}, "Unknown order"),
        ({"predict": "later"}, "'post' or 'pre'"),
        ({"seed": -1}, "seed"),
        ({"class_names": ("umbrella",)}, "at least two"),
        ({"class_names": ("umbrella", "umbrella")}, "listed once"),
    ],
)
def test_bad_values_are_answered_with_a_sentence_before_anything_runs(changes, sentence):
    with pytest.raises(ValueError, match=sentence):
        engine.run(dataclasses.replace(SHORT, **changes))


def test_unlabelled_pictures_leave_what_needs_labels_undefined():
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (10, 32, 32, 3), dtype=np.uint8)
    mine = Pictures(images, np.full(10, -1), tuple(f"{i}.jpg" for i in range(10)))
    result = reports(source="upload", pictures=mine, class_names=("cat", "dog", "bird"), batches=5)
    assert [len(report.batch) for report in result] == [8, 2]
    metrics = result[-1].outcomes["cliptta"].metrics
    assert all(np.isnan(metrics[name]) for name in ("accuracy", "ece", "gained", "auroc"))
    assert 1 <= metrics["effective_classes"] <= 3 and 0 <= metrics["changed"] <= 1


@pytest.mark.parametrize("arrival", ["mixed", "bursts", "late"])
def test_unknown_pictures_come_in_their_share_and_are_judged_apart(arrival):
    result = reports(unknown_source="characters", unknown_share=0.25, unknown_arrival=arrival, batches=8)
    unknown = np.concatenate([report.batch.unknown for report in result])
    assert unknown.mean() == pytest.approx(0.25, abs=0.02)
    if arrival == "late":
        assert not unknown[: len(unknown) // 2].any()
    metrics = result[-1].outcomes["tent"].metrics
    assert 0 <= metrics["auroc"] <= 1 and 0 <= metrics["accuracy"] <= 1


def test_all_classes_are_listed_in_the_catalog_as_plain_data():
    catalog = engine.catalog()
    assert {"tent", "cliptta", "zero_shot"} <= {card.name for card in catalog.methods}
    assert pickle.loads(pickle.dumps(catalog.corruptions)) == catalog.corruptions
