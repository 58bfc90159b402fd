"""The encoder's number format is chosen by measurement, stored once, and never reaches what is trained."""

from __future__ import annotations

import copy
import dataclasses

import open_clip
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from clip_tta_core import engine
from clip_tta_core.clip import loading, precision
from clip_tta_core.clip.attention import make_contiguous
from clip_tta_core.clip.classifier import ClipClassifier
from clip_tta_core.records import RunConfig, RunLog
from tests.clip import families

CPU = torch.device("cpu")


@pytest.fixture(scope="module", autouse=True)
def known(tmp_path_factory):
    families.register(tmp_path_factory.mktemp("configs"))


def wide() -> nn.Module:
    """An encoder of products only, with enough weights to be worth it."""
    return nn.Sequential(nn.Linear(3000, 4000, bias=False, device="meta"), nn.LayerNorm(4000))


def tower(seed: int = 0) -> nn.Module:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = open_clip.create_model("tiny-vit", load_weights=False, force_custom_text=True)
    return make_contiguous(model.visual.eval().requires_grad_(False))


@pytest.mark.parametrize(("gain", "chosen"), [(2.1, torch.bfloat16), (1.19, None), (0.1, None)])
def test_a_cpu_takes_bfloat16_where_it_is_measured_to_be_faster(gain, chosen, monkeypatch):
    monkeypatch.setattr(precision, "speedup", lambda outputs, inputs: gain)
    assert precision.choose(wide(), CPU) is chosen


def test_the_measured_product_is_the_models_largest(monkeypatch):
    asked = []
    monkeypatch.setattr(precision, "speedup", lambda *shape: asked.append(shape) or 1.0)
    precision.choose(nn.Sequential(nn.Linear(4, 5, device="meta"), wide()), CPU)
    assert asked == [(4000, 3000)]


def test_small_and_convolutional_encoders_stay_in_float32(monkeypatch):
    monkeypatch.setattr(precision, "speedup", lambda outputs, inputs: 10.0)
    assert precision.choose(nn.Linear(10, 10), CPU) is None
    assert precision.choose(nn.Sequential(wide(), nn.Conv2d(2000, 2000, 3, device="meta")), CPU) is None


def test_the_measurement_is_a_ratio_of_times():
    assert 0 < precision.speedup(64, 48) < 1000


@pytest.mark.parametrize(("wanted", "chosen"), [("float32", None), ("bfloat16", torch.bfloat16)])
def test_a_wish_overrides_the_measurement(wanted, chosen, monkeypatch):
    monkeypatch.setattr(precision, "speedup", lambda *shape: pytest.fail("measured although told"))
    assert precision.choose(wide(), CPU, wanted) is chosen


def test_an_unknown_precision_is_refused_in_a_sentence():
    with pytest.raises(ValueError, match="^Precision must be one of auto, float32, bfloat16, got 'int8'.$"):
        precision.check("int8")


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_stored_weights_give_bit_by_bit_what_autocast_makes_of_float32_ones(dtype):
    plain = tower()
    stored = precision.store(copy.deepcopy(plain), dtype)
    images = torch.randn(4, 3, 32, 32)
    with torch.autocast("cpu", dtype):
        torch.testing.assert_close(stored(images), plain(images), rtol=0, atol=0)


def test_norms_stay_in_float32_and_are_what_is_trained():
    stored = precision.store(tower(), torch.bfloat16)
    clip = ClipClassifier(stored, torch.eye(16)[:5], autocast=torch.bfloat16)
    fork = clip.fork("visual_norm")
    assert {p.dtype for p in fork.trainable()} == {torch.float32}
    F.cross_entropy(fork.predict(torch.rand(4, 3, 32, 32)).logits, torch.arange(4)).backward()
    assert all(p.grad is not None and p.grad.dtype == torch.float32 for p in fork.trainable())
    assert {m.weight.dtype for m in stored.modules() if isinstance(m, (nn.Linear, nn.Conv2d))} == {
        torch.bfloat16
    }


def test_features_in_bfloat16_are_close_to_those_in_float32():
    images = torch.rand(16, 3, 32, 32)
    exact = ClipClassifier(tower(), torch.eye(16)[:5]).encode_image(images)
    stored = precision.store(tower(), torch.bfloat16)
    rounded = ClipClassifier(stored, torch.eye(16)[:5], autocast=torch.bfloat16).encode_image(images)
    assert rounded.dtype == torch.float32
    assert F.cosine_similarity(rounded, exact).min() > 0.999


def test_a_model_is_loaded_once_per_precision_and_says_which_it_has(tmp_path):
    name = f"tiny-vit@{families.save(families.build('tiny-vit'), tmp_path / 'tiny.safetensors')}"
    exact, rounded = (loading.load(name, "cpu", wanted=wanted) for wanted in ("float32", "bfloat16"))
    assert (exact.precision, rounded.precision) == ("float32", "bfloat16")
    assert loading.load(name, "cpu", wanted="bfloat16") is rounded is not exact
    with pytest.raises(ValueError, match="Precision must be"):
        loading.load(name, "cpu", wanted="half")


def test_a_run_says_in_which_precision_it_was_made_and_takes_the_one_it_is_told(tmp_path):
    name = f"tiny-vit@{families.save(families.build('tiny-vit'), tmp_path / 'tiny.safetensors')}"
    config = RunConfig(methods={"tent": {}}, model=name, batch_size=4, batches=1, class_names=("cat", "cup"))
    logs = {}
    for wanted in ("auto", "float32", "bfloat16"):
        logs[wanted] = RunLog()
        for report in engine.run(dataclasses.replace(config, precision=wanted, device="cpu")):
            logs[wanted].append(report, 0.0)
    assert {name: log.made["precision"] for name, log in logs.items()} == {
        "auto": "float32",  # too small to gain anything
        "float32": "float32",
        "bfloat16": "bfloat16",
    }
    with pytest.raises(ValueError, match="Precision must be one of"):
        engine.run(dataclasses.replace(config, precision="int4"))
