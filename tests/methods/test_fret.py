"""FRET, both forms."""

from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F

from clip_tta_core import losses
from clip_tta_core.methods.fret import Fret, graph_features


def build(clip, **knobs):
    return Fret(clip.fork("visual_norm"), Fret.Config(**knobs), torch.Generator())


def test_the_simple_form_lowers_the_redundancy_it_reports(clip, images):
    method = build(clip, lr=1e-3, steps=20)
    before = losses.redundancy(clip.encode_image(images)).item()
    report = method.adapt(images)
    assert report["redundancy"] < before
    z = method.clip.encode_image(images).detach().double()
    columns = z / z.norm(dim=0)
    by_hand = (columns.T @ columns - torch.eye(16)).abs().sum() / (16 * 15)
    assert losses.redundancy(z).item() == pytest.approx(by_hand.item(), rel=1e-6)


def test_graph_features_by_definition(clip, images):
    z = clip.encode_image(images).double()
    gram = z.T @ z
    rest = gram - torch.diag(torch.diag(gram))
    degree = torch.diag(rest.abs().sum(dim=1) ** -0.5)
    torch.testing.assert_close(graph_features(z), z @ degree @ rest @ degree)


def test_the_diagonal_part_of_the_graph_leaves_features_alone(clip, images):
    z = clip.encode_image(images).double()
    diagonal = torch.diag(torch.diag(z.T @ z))
    degree = torch.diag(diagonal.abs().sum(dim=1) ** -0.5)
    torch.testing.assert_close(z @ degree @ diagonal @ degree, z)


def test_the_graph_loss_by_definition(make_clip, make_images):
    clip = make_clip(scale=5.0)
    first, second = make_images(), make_images(seed=1)
    method = build(clip, form="graph", lr=0.0, sharpness=2.0, weight_prediction=0.7)
    method.adapt(first)
    report = method.adapt(second)
    z = clip.encode_image(second).double()
    seen = clip.encode_image(torch.cat([first, second])).double()
    texts = clip.text_features.double()
    labels = (seen @ texts.T).argmax(dim=1)
    centroids = torch.stack(
        [
            F.normalize(seen[labels == k].sum(dim=0), dim=0) if (labels == k).any() else texts[k]
            for k in range(5)
        ]
    )
    rest = F.normalize(graph_features(z), dim=1)
    total = 0.0
    for i in range(8):
        towards = (2 * centroids @ z[i]).exp()
        apart = towards.sum() + (2 * z[i] @ rest[i]).exp()
        total -= (towards[labels[8 + i]] / apart).log()
        p = (5 * texts @ z[i]).softmax(dim=0)
        q = (5 * texts @ rest[i]).softmax(dim=0)
        total += 0.7 * (-(p * p.log()).sum() - (q * (1 - p).log()).sum())
    assert report["loss"] == pytest.approx(total.item() / 8, rel=1e-4)


@pytest.mark.parametrize("form", ["simple", "graph"])
def test_sure_predictions_and_broken_pictures_leave_everything_finite(clip, make_images, form):
    method = build(clip, form=form)
    images = make_images()
    report = method.adapt(images)
    assert math.isfinite(report["loss"]) and report["skipped"] == 0
    images[0] = math.nan
    assert method.adapt(images.clone())["skipped"] == 1
    assert method.sums.isfinite().all()
    assert all(p.isfinite().all() for p in method.clip.trainable())


def test_one_picture_has_no_redundancy_to_lower(clip, make_images):
    assert build(clip).adapt(make_images(batch=1))["skipped"] == 1
