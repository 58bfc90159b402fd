"""R-TPT: the loss of views on their own, and whom it listens to."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from clip_tta_core import augment
from clip_tta_core.methods.r_tpt import RTpt, reliability
from clip_tta_core.methods.tpt import Tpt
from tests.methods.test_tpt import tuned


def build(clip, **knobs):
    return RTpt(clip.fork(RTpt.train), RTpt.Config(**knobs), torch.Generator().manual_seed(0))


def mean_of_entropies(logits):
    return torch.distributions.Categorical(logits=logits).entropy().mean()


def test_the_answer_is_that_of_all_views_by_how_much_they_resemble_each_other(make_clip, make_images):
    clip, images = make_clip(scale=10.0), make_images(batch=3)
    method = build(clip, views=30, lr=0.05)
    views = augment.views(images, 30, torch.Generator().manual_seed(0))
    report, losses = method.adapt(images), []
    for of_one, answer in zip(views, method.predict(images).logits, strict=True):
        entropies = torch.distributions.Categorical(logits=clip.predict(of_one).logits).entropy()
        losses.append(entropies.sort().values[:3].mean().item())
        texts, z = tuned(clip, of_one, 1, 0.05, mean_of_entropies)
        cosines = [sorted((z[v] @ z[u]).item() for u in range(30) if u != v)[-20:] for v in range(30)]
        weights = (torch.tensor(cosines).mean(dim=1) / 0.01).softmax(dim=0)
        expected = sum(w * 10 * texts @ x for w, x in zip(weights, z, strict=True))
        torch.testing.assert_close(answer, expected, atol=1e-3, rtol=1e-3)
    assert report["loss"] == pytest.approx(sum(losses) / 3, rel=1e-4)


def test_of_identical_views_all_weigh_the_same_and_the_loss_is_tpt_s(make_clip, images, monkeypatch):
    monkeypatch.setattr(
        augment, "views", lambda images, count, rng: images[:, None].expand(-1, count, -1, -1, -1)
    )
    clip = make_clip(scale=10.0)
    method, other = build(clip, views=12), Tpt(clip.fork("context"), Tpt.Config(views=12), torch.Generator())
    report = method.adapt(images)
    assert report["own_weight"] == pytest.approx(1 / 12, rel=1e-3)
    assert report["loss"] == pytest.approx(other.adapt(images)["loss"], rel=1e-4)
    torch.testing.assert_close(
        method.predict(images).logits, other.predict(images).logits, atol=1e-3, rtol=1e-3
    )


def test_an_outlier_is_not_listened_to_and_the_less_the_sharper():
    rows = F.normalize(torch.tensor([[1.0, 0.0], [1.0, 0.1], [1.0, -0.1], [0.0, 1.0]]), dim=1)
    heard = [reliability(rows, 20, t)[3].item() for t in (1.0, 0.1, 0.01)]
    assert 0.25 > heard[0] > heard[1] > heard[2] and heard[2] < 1e-6


def test_a_view_is_no_neighbour_of_itself():
    rows = F.normalize(torch.tensor([[1.0, 0.0], [0.9, 0.1], [0.0, 1.0]]), dim=1)
    others = torch.tensor([rows[0] @ rows[1], rows[0] @ rows[1], rows[1] @ rows[2]])
    torch.testing.assert_close(reliability(rows, 1, 0.5), (others / 0.5).softmax(dim=0))


def test_weights_add_up_and_one_view_has_all():
    rows = F.normalize(torch.randn(7, 4, generator=torch.Generator().manual_seed(0)), dim=1)
    torch.testing.assert_close(reliability(rows, 3, 0.1).sum(), torch.tensor(1.0))
    assert reliability(rows[:1], 3, 0.1).tolist() == [1.0]
