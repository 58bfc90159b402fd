"""On a CUDA device: autocast, moving a model there, real shortage of memory."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from open_clip.transformer import VisionTransformer

from clip_tta_core import engine
from clip_tta_core.clip import loading, precision
from clip_tta_core.clip.classifier import ClipClassifier
from clip_tta_core.records import RunConfig
from tests.clip import families

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device"),
]
DEVICE = torch.device("cuda")
METHODS = {"tent": {}, "cliptta": {"steps": 2}}


@pytest.fixture
def stored(tmp_path):
    """The name of a random vision transformer in a file."""
    families.register(tmp_path)
    return f"tiny-vit@{families.save(families.build('tiny-vit'), tmp_path / 'tiny.safetensors')}"


@pytest.fixture
def empty_shelf(monkeypatch):
    monkeypatch.setattr(loading, "_shelf", type(loading._shelf)())


def transformer(autocast: torch.dtype | None) -> ClipClassifier:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        visual = VisionTransformer(
            image_size=64, patch_size=16, width=128, layers=4, heads=4, mlp_ratio=4.0, output_dim=32
        )
        texts = F.normalize(torch.randn(5, 32), dim=-1)
    return ClipClassifier(visual.to(DEVICE), texts.to(DEVICE), scale=10.0, autocast=autocast)


@pytest.mark.parametrize("autocast", [torch.bfloat16, torch.float16])
def test_reduced_precision_gives_nearly_the_features_and_gradients_of_float32(autocast, make_images):
    images = make_images(batch=16, size=64).to(DEVICE)
    found = {}
    for dtype in (None, autocast):
        fork = transformer(dtype).fork("visual_norm")
        prediction = fork.predict(images)
        loss = prediction.logits.softmax(dim=-1).square().mean()
        gradients = torch.cat([g.flatten() for g in torch.autograd.grad(loss, fork.trainable())])
        found[dtype] = prediction.features.detach(), gradients
    assert all(tensor.dtype == torch.float32 for pair in found.values() for tensor in pair)
    torch.testing.assert_close(found[autocast][0], found[None][0], rtol=0, atol=0.03)
    assert F.cosine_similarity(found[autocast][1], found[None][1], dim=0) > 0.98
    assert found[autocast][1].norm() / found[None][1].norm() == pytest.approx(1, rel=0.1)


def test_a_model_that_is_in_memory_moves_without_its_file(stored, empty_shelf, monkeypatch):
    on_cpu = loading.load(stored, "cpu")
    monkeypatch.setattr(loading, "_build", lambda *arguments: pytest.fail("read the file again"))
    moved = loading.load(stored, "cuda")
    assert moved.visual.proj.device.type == "cuda" and on_cpu.visual.proj.device.type == "cpu"
    assert moved.autocast == precision.choose_autocast(DEVICE) and moved.micro_batch is None
    assert loading.load(stored, "cuda") is moved


def test_a_run_gives_nearly_the_predictions_of_the_cpu(stored, empty_shelf):
    config = RunConfig(model=stored, methods=METHODS, corruption="fog", batch_size=16, batches=2)
    there, here = (list(engine.run(dataclasses.replace(config, device=device))) for device in ("cuda", "cpu"))
    for a, b in zip(there, here, strict=True):
        assert a.device.startswith("cuda") and b.device == "cpu"
        for name, outcome in a.outcomes.items():
            cosines = (outcome.features * b.outcomes[name].features).sum(axis=1)
            assert cosines.min() > 0.99, name


def test_a_lack_of_memory_ends_in_smaller_pieces(make_images):
    """A real one: the process may take no more than what half of the batch needs."""
    clip = transformer(None)
    images = make_images(batch=2048, size=64).to(DEVICE)

    def backward() -> None:
        fork = clip.fork("visual_norm")
        fork.predict(images).logits.square().mean().backward()

    torch.cuda.reset_peak_memory_stats()
    clip.micro_batch = len(images) // 4
    backward()
    enough = torch.cuda.max_memory_reserved()
    engine.release_memory()
    _, total = torch.cuda.mem_get_info()
    torch.cuda.set_per_process_memory_fraction(enough * 1.2 / total)
    try:
        clip.micro_batch = None
        with pytest.raises(RuntimeError) as caught:
            backward()
        assert engine.out_of_memory(caught.value)
        del caught
        engine.release_memory()
        clip.micro_batch = len(images) // 4
        backward()
    finally:
        torch.cuda.set_per_process_memory_fraction(1.0)


def test_the_memory_of_a_run_is_given_back(stored, empty_shelf):
    config = RunConfig(model=stored, methods=METHODS, batch_size=64, batches=2, device="cuda")
    held = []
    for _ in range(3):
        assert np.isfinite(list(engine.run(config))[-1].outcomes["cliptta"].probs).all()
        engine.release_memory()
        held.append(torch.cuda.memory_allocated())
    assert held[2] <= held[1] * 1.1
