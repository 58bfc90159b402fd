"""The names that notebooks import, how they are called and what they give: a promise, so a change here breaks
somebody's work."""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Callable, Iterator, Mapping

import numpy as np
import pytest
import torch

from clip_tta_core.clip.classifier import ClipClassifier, Prediction
from clip_tta_core.corruptions import CORRUPTIONS, corrupt
from clip_tta_core.engine import run
from clip_tta_core.hparams import Config
from clip_tta_core.methods import METHODS
from clip_tta_core.records import Report, RunConfig
from clip_tta_core.ui.settings import defaults, split_names, to_config
from tests.conftest import TinyVisual

EMPTY = inspect.Parameter.empty
SMALL = RunConfig(methods={"tent": {}, "cliptta": {"steps": 1}}, batch_size=4, batches=2, corruption="fog")


def signature(function: Callable) -> dict[str, object]:
    """Parameters in order, with their defaults."""
    return {name: p.default for name, p in inspect.signature(function).parameters.items()}


def hyper_parameters(config: type[Config]) -> dict[str, object]:
    return {field.name: field.default for field in dataclasses.fields(config)}


@pytest.mark.parametrize(
    ("function", "starts_with"),
    [
        (
            ClipClassifier,
            {"visual": EMPTY, "text_features": EMPTY, "scale": 100.0, "class_names": ()}
            | {"mean": (0.0,) * 3, "std": (1.0,) * 3, "encode_text": None},
        ),
        (ClipClassifier.encode_image, {"self": EMPTY, "images": EMPTY}),
        (ClipClassifier.predict, {"self": EMPTY, "images": EMPTY}),
        (ClipClassifier.fork, {"self": EMPTY, "train": "visual_norm"}),
        (ClipClassifier.trainable, {"self": EMPTY}),
        (corrupt, {"image": EMPTY, "name": EMPTY, "severity": EMPTY, "seed": 0}),
        (run, {"config": EMPTY, "control": None}),
    ],
    ids=lambda value: getattr(value, "__qualname__", ""),
)
def test_what_is_promised_can_be_called_by_position_and_by_name(function, starts_with):
    """More may follow, if it has a default."""
    parameters = signature(function)
    assert dict(list(parameters.items())[: len(starts_with)]) == starts_with
    assert list(parameters)[: len(starts_with)] == list(starts_with)
    assert EMPTY not in list(parameters.values())[len(starts_with) :]


@pytest.mark.parametrize("name", METHODS)
def test_every_method_is_built_and_used_in_the_same_way(name):
    cls = METHODS[name]
    assert list(signature(cls)) == ["clip", "config", "rng"]
    assert list(signature(cls.adapt)) == list(signature(cls.predict)) == ["self", "images"]
    assert dataclasses.is_dataclass(cls.Config) and isinstance(cls.train, str)
    assert EMPTY not in signature(cls.Config).values()


def test_the_example_of_a_notebook(images):
    torch.manual_seed(0)
    texts = torch.nn.functional.normalize(torch.randn(3, 16), dim=-1)
    clip = ClipClassifier(
        TinyVisual(),
        texts,
        scale=100.0,
        class_names=("cat", "dog", "fox"),
        mean=(0.5, 0.5, 0.5),
        std=(0.25, 0.25, 0.25),
    )
    features = clip.encode_image(images)
    assert features.shape == (8, 16) and clip.trainable() == []
    cls = METHODS["cliptta"]
    rng = torch.Generator().manual_seed(0)
    method = cls(clip.fork(cls.train), cls.Config(lr=1e-4, steps=10), rng)
    report = method.adapt(images)
    assert report and all(isinstance(k, str) and isinstance(v, float) for k, v in report.items())
    prediction = method.predict(images)
    assert isinstance(prediction, Prediction)
    assert prediction.logits.shape == (8, 3) and prediction.features.shape == (8, 16)


def test_tent_starts_as_its_authors_left_it():
    promised = {"lr": 1e-3, "steps": 1, "beta_reg": 0.0}
    assert promised.items() <= hyper_parameters(METHODS["tent"].Config).items()
    assert METHODS["tent"].train == "visual_norm"


def test_cliptta_starts_as_its_authors_left_it():
    promised = {
        "lr": 1e-4,
        "steps": 10,
        "loss": "soft",
        "direction": "image_to_text",
        "composition": "batch_and_memory",
        "shots": 4,
        "sample_size": 40,
        "beta_tta": 1.0,
        "beta_reg": 1.0,
        "open_set": False,
        "beta_ood": 1.0,
        "score": "max_log_prob",
        "kappa": 1.0,
        "gamma": 0.005,
        "filter_unknown": True,
    }
    cls = METHODS["cliptta"]
    assert promised.items() <= hyper_parameters(cls.Config).items() and cls.train == "visual_norm"
    choices = {knob.name: set(knob.choices) for knob in cls.Config.knobs()}
    assert choices["loss"] == {"soft", "hard"} and choices["direction"] == {
        "image_to_text",
        "text_to_image",
        "symmetric",
    }
    assert choices["composition"] == {"batch_and_memory", "memory_only", "batch_only"}


@pytest.mark.parametrize("name", ["tent", "cliptta"])
def test_both_use_adam_with_the_epsilon_of_the_released_code(name, clip):
    method = METHODS[name](clip.fork("visual_norm"), METHODS[name].Config(), torch.Generator())
    assert isinstance(method.optimizer, torch.optim.Adam)
    assert [group["eps"] for group in method.optimizer.param_groups] == [1e-6]


def test_methods_and_corruptions_are_listed_and_a_wrong_name_is_answered():
    assert {"zero_shot", "tent", "cliptta"} <= set(METHODS) and len(CORRUPTIONS) == 19
    for registry in (METHODS, CORRUPTIONS):
        for name in registry:
            assert registry[name].name == name
    with pytest.raises(ValueError, match="Unknown method 'tnet'. Did you mean 'tent'.* Known: "):
        METHODS["tnet"]


def test_corrupt_takes_and_gives_a_picture():
    picture = np.random.default_rng(0).integers(0, 256, (20, 30, 3), dtype=np.uint8)
    foggy = corrupt(picture, "fog", 3, seed=1)
    assert foggy.dtype == np.uint8 and foggy.shape == (20, 30, 3)
    np.testing.assert_array_equal(foggy, corrupt(image=picture, name="fog", severity=3, seed=1))
    assert not np.array_equal(foggy, corrupt(picture, "fog", 3))


def test_the_settings_of_a_run_have_their_names_and_may_all_be_left_out():
    assert [one.method for one in RunConfig().contenders] == ["zero_shot", "tent", "cliptta"]
    promised = {
        "model": "mini-clip",
        "source": "rendered",
        "corruption": "none",
        "severity": 5,
        "batch_size": 64,
        "episodic": False,
        "predict": "post",
        "seed": 0,
    }
    assert promised.items() <= vars(RunConfig()).items()
    with pytest.raises(dataclasses.FrozenInstanceError):
        RunConfig().seed = 1


def test_a_run_is_a_generator_that_closing_stops():
    reports = run(SMALL)
    assert inspect.isgenerator(reports)
    assert next(reports).batch_number == 1
    reports.close()
    assert next(reports, None) is None


def test_scripts_read_class_lists_and_settings_as_the_page_does():
    assert split_names('id,name\n0,"German shepherd, Alsatian"\n1,tabby') == (
        "German shepherd, Alsatian",
        "tabby",
    )
    config = to_config(defaults() | {"corruption": "fog", "class_names": "cat, dog"})
    assert config == RunConfig(corruption="fog", class_names=("cat", "dog"))


def parts(value: object) -> Iterator[object]:
    """What a value is made of, down to the last number."""
    if dataclasses.is_dataclass(value):
        value = {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        yield from (part for item in value.items() for one in item for part in parts(one))
    elif isinstance(value, tuple | list):
        yield from (part for one in value for part in parts(one))
    else:
        yield value


def test_reports_are_plain_data():
    reports = list(run(SMALL))
    assert [report.batch_number for report in reports] == [1, 2]
    for report in reports:
        assert isinstance(report, Report) and set(report.outcomes) == {"zero_shot", "tent", "cliptta"}
        assert {type(part) for part in parts(report)} <= {np.ndarray, str, int, float, bool, type(None)}
        arrays = [part for part in parts(report) if isinstance(part, np.ndarray)]
        assert {str(array.dtype) for array in arrays} == {"uint8", "int64", "bool", "float32"}
