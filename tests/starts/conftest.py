"""Tiny pictures with classes, and the settings under which each pre-step changes nothing."""

from __future__ import annotations

import pytest
import torch

from clip_tta_core.starts import STARTS, Shots

SHORT = {"steps": 2, "rounds": 2, "batch_size": 4, "attack_steps": 1}
# Settings with which nothing can move: no step, steps of length 0, prototypes that stay.
STILL = [{"steps": 0, "rounds": 0}, {"lr": 0.0, "mu": 0.0}]


def build(name, clip, *wanted, seed=0):
    """A pre-step with those of some settings that it has; later ones win."""
    cls = STARTS[name]
    known = {knob.name for knob in cls.Config.knobs()}
    settings = {key: value for values in wanted for key, value in values.items() if key in known}
    return cls(clip, cls.Config(**settings), torch.Generator().manual_seed(seed))


@pytest.fixture
def shots(make_images) -> Shots:
    """Four pictures of each of five classes, and ten without a label."""
    return Shots(make_images(batch=20), torch.arange(20) % 5, make_images(batch=10, seed=1))
