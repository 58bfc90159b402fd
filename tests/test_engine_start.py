"""Runs that begin with what a few labelled pictures make of the model."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from clip_tta_core import engine, few_shots, limits, logs
from clip_tta_core.clip.embedded import MINI, load
from clip_tta_core.control import Control
from clip_tta_core.methods import METHODS
from clip_tta_core.records import Contender, Pictures, RunConfig
from clip_tta_core.sources.base import PictureSource
from clip_tta_core.starts import STARTS, making
from clip_tta_core.stream import Stream
from clip_tta_core.validation import ZERO_SHOT, references_of, start_label, start_steps
from tests.methods.test_contract import SHORT, SILENT, known

CLASSES = ("umbrella", "airplane", "anchor")
STEP = {"steps": 1, "batch_size": 2}


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """Nothing made before, and a folder of one's own for what is made."""
    monkeypatch.setenv(limits.STARTS, str(tmp_path / "starts"))
    monkeypatch.setattr(making, "_shelf", type(making._shelf)())
    return tmp_path / "starts"


def small(**fields) -> RunConfig:
    wanted = {
        "contenders": (Contender(ZERO_SHOT, ZERO_SHOT),),
        "class_names": CLASSES,
        "batch_size": 6,
        "batches": 1,
        "shots": 2,
        "start": "clipood",
        "start_settings": STEP,
        "corruption": "fog",
    }
    return RunConfig(**(wanted | fields))


def last(config, control=None):
    *_, report = engine.run(config, control)
    return report


def test_the_start_takes_part_as_it_is_beside_zero_shot_clip():
    config = small()
    label = start_label(config)
    report = last(config)
    assert list(report.outcomes) == [ZERO_SHOT, label] == [one.label for one in references_of(config)]
    assert label == "CLIPood, 2 shots"
    plain = last(dataclasses.replace(config, start="none", start_settings={}))
    assert np.array_equal(report.batch.images, plain.batch.images), "the stream is the same"
    assert np.array_equal(report.outcomes[ZERO_SHOT].probs, plain.outcomes[ZERO_SHOT].probs)
    assert not np.array_equal(report.outcomes[label].probs, plain.outcomes[ZERO_SHOT].probs)
    assert [one.label for one in logs.open_log(config).contenders] == list(report.outcomes)


@pytest.mark.parametrize("still", [{"steps": 0}, {"lr": 0.0}], ids=["no steps", "no size"])
def test_a_start_that_changes_nothing_gives_the_run_without_one_bit_for_bit(still):
    tent = {"tent": {"lr": 1e-2}}
    with_start = last(small(methods=tent, start_settings=STEP | still))
    without = last(small(methods=tent, start="none", start_settings={}))
    for label in (ZERO_SHOT, "tent"):
        assert np.array_equal(with_start.outcomes[label].probs, without.outcomes[label].probs)


OTHERS = [name for name in METHODS if name != ZERO_SHOT]


@pytest.mark.parametrize("names", [OTHERS[k : k + 6] for k in range(0, len(OTHERS), 6)], ids=" ".join)
def test_every_method_adapts_from_the_start(names):
    """With nothing to learn from it answers as the start does, bit for bit; else from there on."""
    silent = last(small(methods={name: known(name, SHORT, SILENT) for name in names})).outcomes
    moving = last(small(methods={name: known(name, SHORT, {"views": 4}) for name in names})).outcomes
    start = silent[start_label(small())].probs
    assert not np.array_equal(start, silent[ZERO_SHOT].probs)
    for name in names:
        assert np.array_equal(silent[name].probs, start), name
        assert moving[name].probs.shape == start.shape and np.isfinite(moving[name].probs).all(), name


def test_contenders_adapt_from_the_start_or_from_clip_as_they_say():
    still = {"lr": 0.0}
    contenders = (Contender("from it", "tent", still), Contender("alone", "tent", still, from_start=False))
    config = small(contenders=contenders)
    outcomes = last(config).outcomes
    assert np.array_equal(outcomes["from it"].probs, outcomes[start_label(config)].probs)
    assert np.array_equal(outcomes["alone"].probs, outcomes[ZERO_SHOT].probs)


def test_pictures_for_the_start_are_clean_and_of_a_world_apart():
    config = small(style="negative")
    stream = Stream(config, 64)
    drawn = few_shots.draw(config, stream, 64)
    assert drawn.images.shape == (6, 64, 64, 3) and drawn.labels.tolist() == [0, 0, 1, 1, 2, 2]
    shown = Stream(dataclasses.replace(config, style="none", corruption="none", batches=4), 64)
    seen = {image.tobytes() for batch in shown for image in batch.images}
    assert not seen & {image.tobytes() for image in drawn.images}
    again = few_shots.draw(dataclasses.replace(config, corruption="snow", batch_size=3), stream, 64)
    assert np.array_equal(drawn.images, again.images), "whatever happens to the stream"
    other = few_shots.draw(dataclasses.replace(config, seed=1), stream, 64)
    assert not np.array_equal(drawn.images, other.images)


def uploaded(count: int) -> Pictures:
    images = np.random.default_rng(0).integers(0, 256, (count, 16, 16, 3), dtype=np.uint8)
    return Pictures(images, np.arange(count) % 3, tuple(f"p{i}" for i in range(count)), CLASSES)


def test_of_a_finite_source_what_the_stream_leaves_is_taken():
    pictures = uploaded(30)
    config = small(source="upload", pictures=pictures, batch_size=5, batches=3, shots=4)
    stream = Stream(config, 64)
    assert isinstance(stream.source, PictureSource)
    drawn = few_shots.draw(config, stream, 64)
    shown = {pictures.images[item].tobytes() for item in stream.plan.items}
    taken = [image.tobytes() for image in drawn.images]
    assert len(shown) == 15 and not shown & set(taken) and len(set(taken)) == len(taken)
    own = {image.tobytes(): label for image, label in zip(pictures.images, pictures.labels, strict=True)}
    assert [own[one] for one in taken] == drawn.labels.tolist() and not drawn.notes


def test_fewer_than_asked_for_is_said_and_none_is_an_error():
    config = small(source="upload", pictures=uploaded(12), batch_size=3, batches=1, shots=16)
    drawn = few_shots.draw(config, Stream(config, 64), 64)
    assert drawn.notes == ("Start: 48 labelled pictures were asked for and 9 are left beside the stream.",)
    whole = dataclasses.replace(config, batch_size=12)
    with pytest.raises(
        ValueError, match=r"Start: every class needs a labelled picture .* choose fewer batches"
    ):
        few_shots.draw(whole, Stream(whole, 64), 64)


def test_it_is_made_once_and_remembered(monkeypatch):
    config, made = small(), []
    clipood = STARTS["clipood"]
    make = clipood.make
    monkeypatch.setattr(clipood, "make", lambda self, shots: made.append(1) or make(self, shots))
    first, other = (last(dataclasses.replace(config, corruption=name)) for name in ("fog", "snow"))
    making._shelf.clear()
    again = last(config)
    label = start_label(config)
    assert len(made) == 1 and np.array_equal(first.outcomes[label].probs, again.outcomes[label].probs)
    assert not np.array_equal(first.outcomes[label].probs, other.outcomes[label].probs)


def test_making_can_be_watched_and_stopped_and_leaves_nothing(folder):
    said = []

    class Watching(Control):
        def announce(self, progress):
            said.append(progress.doing)
            if "step 3 of 50" in progress.doing:
                self.stop()
            super().announce(progress)

    config = small(start_settings={"steps": 50, "batch_size": 2})
    assert list(engine.run(config, Watching())) == []
    assert "making the start, CLIPood: step 2 of 50" in said
    assert not folder.exists() or not list(folder.iterdir())
    assert not making._locks and not making._shelf


def test_a_start_is_saved_as_a_checkpoint_of_its_model(tmp_path):
    config, file = small(), tmp_path / "start.safetensors"
    engine.save_start(config, file)
    state, model = load_file(file), load(MINI)
    assert state.keys() == model.state_dict().keys()
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    model.load_state_dict(state)
    assert any(not torch.equal(before[name], state[name]) for name in state if name.startswith("visual."))
    assert all(torch.equal(before[name], state[name]) for name in state if name.startswith("text."))
    batch = last(config)
    images = torch.from_numpy(batch.batch.images)
    with torch.no_grad():
        raw = model.visual(model.normalize(images))
    features = batch.outcomes[start_label(config)].features
    np.testing.assert_allclose(torch.nn.functional.normalize(raw, dim=-1).numpy(), features, atol=1e-4)


@pytest.mark.parametrize(
    "fields, says",
    [
        ({"start": "clipod"}, "Unknown start 'clipod'. Did you mean 'clipood'"),
        ({"start": "none"}, "settings of a start need a start"),
        ({"start_settings": {"margin": 2}}, r"Clipood: margin must be a number in \[0, 1\], got 2"),
        ({"start_settings": {"margins": 0.1}}, "Clipood: has no knob 'margins'"),
        ({"shots": 0}, r"Run: shots must be in \[1, 16\], got 0"),
        ({"contenders": (Contender("CLIPood, 2 shots", "tent"),)}, "that of the run's start"),
    ],
)
def test_what_cannot_be_is_answered_before_anything_runs(fields, says):
    with pytest.raises(ValueError, match=says):
        engine.check(small(**fields))


def test_pictures_without_labels_make_no_start():
    pictures = dataclasses.replace(uploaded(12), labels=np.full(12, -1), class_names=())
    with pytest.raises(ValueError, match="Start: it learns from labelled pictures"):
        engine.check(small(source="upload", pictures=pictures))


def test_its_steps_count_among_those_that_an_operator_allows(monkeypatch):
    monkeypatch.setenv(limits.MAX_STEPS.name, "40")
    assert start_steps(small()) == 1 and start_steps(small(start="none", start_settings={})) == 0
    engine.check(small())
    with pytest.raises(ValueError, match="a run may take 40 steps, this one asks for 50"):
        engine.check(small(start_settings={"steps": 50}))
