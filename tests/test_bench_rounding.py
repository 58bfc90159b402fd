"""What bfloat16 changes is measured on the same batches, and is nothing where nothing is rounded."""

from __future__ import annotations

import pytest
import torch

from clip_tta_core.bench import rounding


def test_bfloat16_moves_features_a_little_and_float32_not_at_all(monkeypatch):
    first, second = rounding.differences("mini-clip", 16, 2, ["zero_shot", "tent"])
    assert first.method == "zero_shot" and second.method == "tent"
    for one in (first, second):
        assert 0.999 < one.cosine < 1 and 0 <= one.changed < 0.2
        assert abs(one.accuracy[0] - one.accuracy[1]) <= one.changed
    monkeypatch.setattr(rounding, "FORMS", (None, None))
    (same,) = rounding.differences("mini-clip", 16, 2, ["tent"])
    assert same.changed == 0 and same.cosine == pytest.approx(1) and same.accuracy[0] == same.accuracy[1]


def test_the_frozen_weights_of_the_second_form_are_stored_in_bfloat16():
    loaded = rounding.speed.load("mini-clip", "cpu", "float32")
    rounded = rounding._in_form(loaded, torch.bfloat16)
    assert torch.bfloat16 in {weight.dtype for weight in rounded.visual.parameters()}
    assert {weight.dtype for weight in loaded.visual.parameters()} == {torch.float32}, "a copy"
