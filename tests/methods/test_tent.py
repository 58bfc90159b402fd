"""Tent, step by step."""

from __future__ import annotations

import copy

import pytest
import torch
import torch.nn.functional as F

from clip_tta_core.methods.tent import Tent


def build(clip, **knobs):
    return Tent(clip.fork("visual_norm"), Tent.Config(**knobs), torch.Generator())


@pytest.mark.parametrize(("beta_reg", "optimizer"), [(0.0, "adam"), (1.0, "adam"), (0.0, "sgd")])
def test_it_is_descent_on_the_mean_entropy_of_the_norms(clip, make_images, beta_reg, optimizer):
    ours = build(clip, lr=1e-3, steps=3, beta_reg=beta_reg, optimizer=optimizer)
    visual = copy.deepcopy(clip.visual)
    norms = [m for m in visual.modules() if isinstance(m, torch.nn.LayerNorm)]
    parameters = [p.requires_grad_(True) for norm in norms for p in norm.parameters()]
    if optimizer == "adam":
        descent = torch.optim.Adam(parameters, lr=1e-3, eps=1e-6)
    else:
        descent = torch.optim.SGD(parameters, lr=1e-3, momentum=0.9)
    for seed in range(3):
        images = make_images(seed=seed)
        ours.adapt(images)
        for _ in range(3):
            probs = (100 * F.normalize(visual((images - 0.5) / 0.25), dim=1) @ clip.text_features.T).softmax(
                dim=1
            )
            loss = torch.special.entr(probs).sum(dim=1).mean()
            mean = probs.mean(dim=0)
            loss = loss + beta_reg * (mean * mean.log()).sum()
            descent.zero_grad()
            loss.backward()
            descent.step()
        for a, b in zip(ours.clip.trainable(), parameters, strict=True):
            torch.testing.assert_close(a, b, atol=1e-5, rtol=1e-4)


def test_it_makes_predictions_surer(clip, make_images):
    method = build(clip, lr=1e-3, steps=1)
    entropies = [method.adapt(make_images())["entropy"] for _ in range(10)]
    assert entropies[-1] < entropies[0]


@pytest.mark.parametrize(("batch", "counts"), [(1, False), (2, True)])
def test_the_bonus_counts_from_two_pictures_on(clip, make_images, batch, counts):
    images = make_images(batch=batch)
    report = build(clip, beta_reg=1.0).adapt(images)
    assert (report["loss"] < report["entropy"]) == counts
    assert report["loss"] == report["entropy"] or counts


def test_a_step_that_could_not_be_taken_is_counted(clip, images):
    assert build(clip).adapt(images)["skipped"] == 0.0
    images[0] = torch.nan
    assert build(clip).adapt(images)["skipped"] == 1.0
