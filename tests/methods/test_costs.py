"""What methods say they cost is what is counted at the image encoder."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import nn

from clip_tta_core import engine
from clip_tta_core.methods import METHODS
from tests.methods.test_contract import EVERYTHING, known

BATCH, BATCHES, CLASSES = 64, 5, 16


class Counting(nn.Module):
    """An image encoder that counts the pictures that pass, forward and backward; forks count together."""

    def __init__(self, visual: nn.Module) -> None:
        super().__init__()
        self.visual = visual
        self.passes = {"forward": 0, "backward": 0}

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self._counted(self.visual(images), len(images))

    def forward_tokens(self, images: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        features, tokens = self.visual.forward_tokens(images)
        return self._counted(features, len(images)), tokens

    def with_prompts(self) -> Counting:
        prompted = Counting(self.visual.with_prompts())
        prompted.passes = self.passes
        return prompted

    @property
    def prompts(self) -> nn.ParameterList:
        return self.visual.prompts

    def forward_blocks(self, images: torch.Tensor) -> tuple[torch.Tensor, list[torch.Tensor]]:
        features, inputs = self.visual.forward_blocks(images)
        return self._counted(features, len(images)), inputs

    def __deepcopy__(self, memo: dict) -> Counting:
        copied = Counting(copy.deepcopy(self.visual, memo))
        copied.passes = self.passes
        return copied

    def _counted(self, features: torch.Tensor, count: int) -> torch.Tensor:
        self.passes["forward"] += count
        if features.requires_grad:
            features.register_hook(lambda gradient: self._count_backward(count))
        return features

    def _count_backward(self, count: int) -> None:
        self.passes["backward"] += count


def count(name, clip, make_images, **knobs):
    """Pictures forward and backward per picture of a stream, by counting."""
    with torch.no_grad():  # classes that a picture of noise may show, each as likely as the next
        features = clip.encode_image(make_images(batch=CLASSES, seed=99))
        clip.text_features = nn.functional.normalize(features - features.mean(dim=0), dim=-1)
    clip.visual = Counting(clip.visual)
    cls = METHODS[name]
    config = cls.Config(**knobs)

    def build():
        return cls(clip.fork(cls.train), config, torch.Generator().manual_seed(0))

    method = build()
    for seed in range(BATCHES):
        method = build() if seed and method.episodic else method
        images = make_images(batch=BATCH, seed=seed)
        method.adapt(images)
        method.predict(images)
    return [clip.visual.passes[way] / (BATCH * BATCHES) for way in ("forward", "backward")]


def few_steps(name):
    """Some knobs of a method, with little to do and nothing left out: costs are stated for that."""
    return known(name, {"steps": 2, "rounds": 2, "templates": 2}, EVERYTHING)


@pytest.mark.parametrize("name", METHODS)
def test_a_method_costs_what_it_says_within_a_quarter(name, make_clip, make_images):
    knobs = few_steps(name)
    forwards, backwards = count(name, make_clip(classes=CLASSES, scale=5.0), make_images, **knobs)
    said = engine.costs({name: knobs}, BATCH, BATCHES)[name]
    assert forwards == pytest.approx(said.forwards, rel=0.25)
    assert backwards == pytest.approx(said.backwards, rel=0.25)
    assert forwards + 2 * backwards == pytest.approx(said.relative, rel=0.25)


def test_preset_and_stream_decide_the_cost():
    default, slow = (engine.costs({"tent": {"steps": steps}})["tent"].relative for steps in (1, 10))
    assert (default, slow) == (4, 31)
    assert engine.costs({"zero_shot": {}})["zero_shot"].relative == 1
    small, large = (engine.costs({"cliptta": {}}, size)["cliptta"].relative for size in (8, 512))
    assert small > large  # forty pictures from the memory weigh more beside a small batch
