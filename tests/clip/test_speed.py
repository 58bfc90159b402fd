"""What the page says of a model's speed rests on numbers that can be counted again."""

import open_clip
import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from clip_tta_core.clip import embedded, speed
from clip_tta_core.clip.embedded import EMBEDDED
from clip_tta_core.clip.loading import MODELS


def operations(visual: torch.nn.Module, side: int, device: str) -> int:
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        visual.eval()(torch.zeros(1, 3, side, side, device=device))
    return counter.get_total_flops()


@pytest.mark.parametrize("architecture", ["ViT-B-32", "ViT-B-16", "ViT-L-14", "RN50"])
def test_a_picture_costs_what_is_declared(architecture):
    model = open_clip.create_model(architecture, load_weights=False, device="meta")
    counted = operations(model.visual, 224, "meta")
    assert speed.OPERATIONS[architecture] == pytest.approx(counted, rel=0.03)


@pytest.mark.parametrize("name", EMBEDDED)
def test_an_embedded_clip_costs_what_is_declared(name):
    model = embedded.load(EMBEDDED[name])
    counted = operations(model.visual, model.config.image_size, "cpu")
    assert speed.OPERATIONS[name] == pytest.approx(counted, rel=0.03)


def test_every_model_of_the_list_has_its_cost():
    assert {name.partition("/")[0] for name in MODELS} <= speed.OPERATIONS.keys()


def test_the_machine_is_measured_once_and_quickly():
    speed.matmul_rate.cache_clear()
    rate = speed.matmul_rate()
    assert 1e8 < rate < 1e16, "operations per second of a device of our time"
    assert speed.matmul_rate() == rate
