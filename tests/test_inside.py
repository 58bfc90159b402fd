"""What an observer records of a run: by hand, against numpy, and without a trace in the run itself."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch

from clip_tta_core import engine, export, inside
from clip_tta_core.clip.loading import LoadedClip
from clip_tta_core.control import Control
from clip_tta_core.memory import ConfidentMemory
from clip_tta_core.records import Kept, RunConfig, RunLog
from tests.conftest import TinyText, TinyVisual


@pytest.fixture
def tiny_model(monkeypatch):
    """A random CLIP of a few thousand weights in the place of the real ones."""
    torch.manual_seed(0)
    visual, text = TinyVisual().requires_grad_(False).eval(), TinyText().requires_grad_(False).eval()
    loaded = LoadedClip(
        "tiny", visual, text, 100.0, (0.5,) * 3, (0.25,) * 3, 16, torch.device("cpu"), None, None
    )
    monkeypatch.setattr(engine, "load", lambda *what, **how: loaded)
    return loaded


METHODS = {"tent": {"lr": 1e-2}, "cliptta": {"steps": 2, "lr": 1e-2, "shots": 1}, "rotta": {}, "mint": {}}


def reports(looked: bool, **changes):
    control = Control()
    control.inside = looked
    config = RunConfig(corruption="contrast", batch_size=8, batches=3, methods=METHODS)
    return list(engine.run(dataclasses.replace(config, **changes), control))


# ---- the plane ----


def test_axes_of_points_on_a_cross():
    rows = np.array([[3.0, 0, 0], [-3, 0, 0], [0, 1, 0], [0, -1, 0], [0, 0, 0.5], [0, 0, -0.5]])
    axes, explained = inside.principal_axes(rows)
    np.testing.assert_allclose(axes, [[1, 0], [0, 1], [0, 0]], atol=1e-12)
    assert explained == pytest.approx((18 + 2) / (18 + 2 + 0.5))


@pytest.mark.parametrize("shape", [(40, 6), (5, 30)])
def test_axes_are_the_leading_eigenvectors_of_the_covariance(shape):
    rows = np.random.default_rng(0).normal(size=shape)
    rows -= rows.mean(axis=0)
    axes, explained = inside.principal_axes(rows)
    variances, vectors = np.linalg.eigh(rows.T @ rows)
    np.testing.assert_allclose(np.abs((vectors[:, [-1, -2]] * axes).sum(axis=0)), 1, atol=1e-9)
    np.testing.assert_allclose(axes.T @ axes, np.eye(2), atol=1e-12)
    assert explained == pytest.approx(variances[-2:].sum() / variances.sum())


def test_pictures_and_captions_are_centred_apart_and_a_cloud_that_moves_is_seen_to_move():
    rng = np.random.default_rng(1)
    pictures, texts = rng.normal(size=(9, 4)) + 50, rng.normal(size=(3, 4)) - 50
    projection = inside.Projection(pictures, texts)
    places = projection.places(pictures)
    np.testing.assert_allclose(places.mean(axis=0), 0, atol=1e-5)
    np.testing.assert_allclose(projection.plane.captions.mean(axis=0), 0, atol=1e-5)
    moved = projection.places(pictures + 2 * projection.axes[:, 0])
    np.testing.assert_allclose(moved - places, np.tile([2.0, 0.0], (9, 1)), atol=1e-5)


def test_a_run_is_drawn_on_the_plane_of_the_frozen_models_first_batch(tiny_model):
    seen = reports(True)
    first = seen[0].outcomes["zero_shot"].features.astype(np.float64)
    assert all(report.plane is seen[0].plane for report in seen)
    texts = engine.classifier(tiny_model, engine.catalog().task, "single").text_features.double().numpy()
    captions, pictures = texts - texts.mean(axis=0), first - first.mean(axis=0)
    _, _, directions = np.linalg.svd(np.concatenate([pictures, captions]))
    for report in seen:
        for outcome in report.outcomes.values():
            expected = (outcome.features - first.mean(axis=0)) @ directions[:2].T
            np.testing.assert_allclose(np.abs(outcome.inside.places), np.abs(expected), atol=1e-5)
    np.testing.assert_allclose(np.abs(seen[0].plane.captions), np.abs(captions @ directions[:2].T), atol=1e-5)


# ---- drift ----


def test_drift_of_a_layer_by_hand():
    start = [torch.tensor([1.0, 1.0]), torch.tensor([0.0, 0.0]), torch.tensor([2.0])]
    now = [torch.tensor([1.0, 4.0]), torch.tensor([0.0, 4.0]), torch.tensor([1.5])]
    assert inside.drift_by_layer(["a", "a", "b"], now, start) == {"a": 5.0, "b": 0.5}


def test_layers_carry_the_names_of_the_encoder_and_add_up_to_the_drift_of_the_run(tiny_model):
    seen = reports(True)
    first, last = (report.outcomes["tent"] for report in (seen[0], seen[-1]))
    assert first.inside.layers == ("norm_pre", "norm_mid", "norm_post") and last.inside.layers == ()
    assert len(last.inside.drift) == 3 and min(last.inside.drift) > 0
    weights = [p for n, p in tiny_model.visual.named_parameters() if n.startswith("norm_")]
    size = sum(p.square().sum().item() for p in weights) ** 0.5
    total = sum(length**2 for length in last.inside.drift) ** 0.5
    assert total / size == pytest.approx(last.metrics["drift"], rel=1e-5)
    assert seen[0].outcomes["zero_shot"].inside.drift == ()


# ---- memories ----


def test_a_shelf_tells_what_came_and_what_went(make_images):
    memory, shelf = ConfidentMemory(3, shots=1), inside.Shelf()
    first, second = make_images(3, seed=1), make_images(2, seed=2)
    memory.insert(first[[2, 0]], torch.tensor([0, 1]), torch.tensor([0.5, 0.6]))  # a filter left one out
    stored, dropped = shelf.look(memory.entries, first)
    assert [(kept.picture, kept.label) for kept in stored] == [(2, 0), (0, 1)] and dropped == ()
    assert stored[0].confidence == 0.5
    memory.insert(second, torch.tensor([0, 1]), torch.tensor([0.9, 0.1]))
    assert shelf.look(memory.entries, second) == ((Kept(0, 0, pytest.approx(0.9)),), ((1, 2),))
    assert shelf.look(memory.entries, make_images(2, seed=3)) == ((), ())


def test_equal_pictures_are_told_apart_and_strange_ones_do_no_harm(make_images):
    memory = ConfidentMemory(2, shots=4)
    images = make_images(3)
    images[1] = images[0]
    memory.insert(torch.cat([images[:2], 1 - images[2:]]), torch.tensor([0, 0, 1]), torch.tensor([3.0, 2, 1]))
    stored, _ = inside.Shelf().look(memory.entries, images)
    assert [kept.picture for kept in stored] == [0, 1, -1]


@pytest.mark.parametrize("name", ["cliptta", "rotta"])
def test_what_was_stored_and_not_dropped_is_what_the_memory_holds(tiny_model, name):
    held, now = {}, 0.0
    for report in reports(True, batches=6):
        looked = report.outcomes[name].inside
        for origin in looked.dropped:
            del held[origin]
        held |= {(report.batch_number, kept.picture): kept for kept in looked.stored}
        now = report.outcomes[name].losses["memory"]
        assert len(held) == now
    assert now > 0 and all(picture >= 0 for _, picture in held)


def test_a_memory_that_starts_over_is_seen_to(tiny_model):
    for report in reports(True, episodic=True)[1:]:
        looked = report.outcomes["cliptta"].inside
        assert looked.dropped and {number for number, _ in looked.dropped} == {report.batch_number - 1}


# ---- the run itself ----


@pytest.mark.parametrize("predict", ["post", "pre"])
def test_a_run_that_is_looked_into_gives_the_same_numbers_bit_for_bit(tiny_model, predict):
    for seen, unseen in zip(reports(True, predict=predict), reports(False, predict=predict), strict=True):
        assert unseen.plane is None
        for label, outcome in seen.outcomes.items():
            other = unseen.outcomes[label]
            assert other.inside is None and outcome.inside is not None
            np.testing.assert_array_equal(outcome.probs, other.probs)
            np.testing.assert_array_equal(outcome.features, other.features)
            np.testing.assert_array_equal(outcome.scores, other.scores)
            np.testing.assert_equal(dict(outcome.losses), dict(other.losses))
            np.testing.assert_equal(dict(outcome.metrics), dict(other.metrics))


def test_a_log_keeps_places_instead_of_features_and_comes_back_from_its_file(tiny_model):
    log = RunLog(class_names=engine.catalog().task)
    for report in reports(True):
        log.append(report, 1.0)
    again = export.from_json(export.to_json(log))
    np.testing.assert_array_equal(again.plane.captions, log.plane.captions)
    for label, batches in log.inside.items():
        assert len(again.inside[label]) == 3
        for mine, theirs in zip(batches, again.inside[label], strict=True):
            np.testing.assert_array_equal(mine.places, theirs.places)
            assert mine.places.shape == (8, 2)
            assert dataclasses.replace(mine, places=0) == dataclasses.replace(theirs, places=0)
