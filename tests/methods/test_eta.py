"""ETA: what it selects, how it weighs, and that nothing selected means nothing learned."""

from __future__ import annotations

import math

import pytest
import torch

from clip_tta_core import losses
from clip_tta_core.memory import MeanPrediction
from clip_tta_core.methods.eta import Eta


def build(clip, **knobs):
    return Eta(clip.fork(Eta.train), Eta.Config(**knobs), torch.Generator())


@pytest.fixture
def unsure_clip(make_clip):
    """A classifier whose predictions spread from sure to doubtful."""
    return make_clip(scale=10.0)


def weights(method):
    return torch.cat([p.detach().flatten() for p in method.clip.trainable()])


def test_an_even_prediction_weighs_e_to_the_margin_less_its_entropy():
    loss = losses.reliable_entropy(torch.zeros(3, 2), margin=0.5)
    assert math.isclose(loss.item(), math.exp(0.5 - math.log(2)) * math.log(2), rel_tol=1e-6)


def test_the_weight_is_not_differentiated():
    logits = torch.tensor([[1.0, 0.0, -1.0]], dtype=torch.float64, requires_grad=True)
    (ours,) = torch.autograd.grad(losses.reliable_entropy(logits, 0.7), logits)
    doubt = losses.entropy(logits)
    (plain,) = torch.autograd.grad(doubt.sum(), logits)
    torch.testing.assert_close(ours, math.exp(0.7 - doubt.item()) * plain)


def test_selecting_everything_is_weighted_entropy_over_the_whole_batch(unsure_clip, images):
    method = build(unsure_clip, margin=1.5, epsilon=2.0, optimizer="sgd", lr=0.01)
    reference = unsure_clip.fork("visual_norm")
    margin = 1.5 * math.log(5)
    for _ in range(2):  # momentum starts at the second step
        report = method.adapt(images)
        assert report["selected"] == 1.0
    optimizer = torch.optim.SGD(reference.trainable(), lr=0.01, momentum=0.9)
    for _ in range(2):
        log_probs = reference.predict(images).logits.log_softmax(dim=-1)
        entropy = -(log_probs.exp() * log_probs).sum(dim=-1)
        loss = (torch.exp(margin - entropy.detach()) * entropy).sum() / len(images)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    expected = torch.cat([p.detach().flatten() for p in reference.trainable()])
    torch.testing.assert_close(weights(method), expected)


def test_only_sure_pictures_are_learned_from(unsure_clip, images):
    method = build(unsure_clip, margin=0.5)
    entropy = losses.entropy(unsure_clip.predict(images).logits)
    share = (entropy < 0.5 * math.log(5)).float().mean().item()
    assert 0 < share < 1
    assert method.adapt(images)["selected"] == share


def test_the_same_batch_again_teaches_nothing_new(unsure_clip, images):
    method = build(unsure_clip, margin=1.5, epsilon=1e-3)
    assert method.adapt(images)["selected"] == 1.0
    before = weights(method)
    report = method.adapt(images)
    assert report["selected"] == 0.0 and report["reliable"] == 1.0 and report["skipped"] == 1.0
    assert torch.equal(weights(method), before)


def test_without_a_reliable_picture_not_even_momentum_moves_the_weights(unsure_clip, images, make_images):
    method = build(unsure_clip, margin=1.5, epsilon=2.0)
    method.adapt(images)
    before, mean = weights(method), method.learned.mean.clone()
    object.__setattr__(method.config, "margin", 0.0)
    report = method.adapt(make_images(seed=1))
    assert report == {"reliable": 0.0, "selected": 0.0, "skipped": 1.0}
    assert torch.equal(weights(method), before) and torch.equal(method.learned.mean, mean)


def test_the_running_mean_is_of_the_selected_only(unsure_clip, images):
    method = build(unsure_clip, margin=0.5)
    logits = unsure_clip.predict(images).logits
    chosen = losses.entropy(logits) < 0.5 * math.log(5)
    method.adapt(images)
    torch.testing.assert_close(method.learned.mean, logits.softmax(dim=-1)[chosen].mean(dim=0))


@pytest.mark.parametrize(("classes", "epsilon"), [(10, 1.3 / math.sqrt(10)), (1000, 0.05)])
def test_the_automatic_bound_lets_a_sure_prediction_pass_an_even_mean(classes, epsilon):
    learned = MeanPrediction()
    learned.update(torch.full((1, classes), 1 / classes))
    sure = torch.eye(classes)[:1]
    assert learned.novel(sure, "auto").all()
    share = torch.full((1, classes), 1.0)
    assert not learned.novel(share, "auto").any()
    cosine = torch.cosine_similarity(sure, learned.mean[None]).item()
    assert cosine < epsilon and not learned.novel(sure, cosine - 1e-3).any()


def test_a_picture_that_is_not_a_number_never_reaches_the_mean(unsure_clip, images):
    method = build(unsure_clip, margin=1.5)
    images[0, 0, 0, 0] = math.nan
    assert method.adapt(images)["skipped"] == 1.0
    assert method.learned.mean.isfinite().all()
