"""SAR: the way uphill and back, the two filters, and the recovery."""

from __future__ import annotations

import math

import pytest
import torch

from clip_tta_core import losses
from clip_tta_core.methods.sar import Sar


def build(clip, **knobs):
    return Sar(clip.fork(Sar.train), Sar.Config(**knobs), torch.Generator())


@pytest.fixture
def unsure_clip(make_clip):
    return make_clip(scale=10.0)


def flat(clip):
    return torch.cat([p.detach().flatten() for p in clip.trainable()])


def spy(method):
    """The trainable weights at every forward pass of the method."""
    seen, predict = [], method.clip.predict

    def watched(images):
        seen.append(flat(method.clip))
        return predict(images)

    method.clip.predict = watched
    return seen


def test_without_a_radius_it_is_entropy_minimization_on_the_reliable(unsure_clip, images):
    method = build(unsure_clip, rho=0.0, margin=0.5, lr=0.1, recovery=0.0)
    reference = unsure_clip.fork(Sar.train)
    optimizer = torch.optim.SGD(reference.trainable(), lr=0.1 * 8 / 64, momentum=0.9)
    for _ in range(3):
        method.adapt(images)
        entropy = losses.entropy(reference.predict(images).logits)
        reliable = entropy < 0.5 * math.log(5)
        assert 0 < reliable.sum() < 8
        optimizer.zero_grad()
        entropy[reliable].mean().backward()
        optimizer.step()
    torch.testing.assert_close(flat(method.clip), flat(reference), rtol=0, atol=0)


def test_one_step_is_the_gradient_uphill_taken_from_the_weights_below(unsure_clip, images):
    method = build(unsure_clip, rho=0.3, margin=0.6, lr=0.1, recovery=0.0)
    margin = 0.6 * math.log(5)
    reference = unsure_clip.fork(Sar.train)
    weights = reference.trainable()
    start = [w.detach().clone() for w in weights]
    entropy = losses.entropy(reference.predict(images).logits)
    reliable = entropy < margin
    gradient = torch.autograd.grad(entropy[reliable].mean(), weights)
    length = torch.cat([g.flatten() for g in gradient]).norm()
    with torch.no_grad():
        for w, g in zip(weights, gradient, strict=True):
            w += 0.3 * g / length
    uphill = losses.entropy(reference.predict(images).logits)
    both = reliable & (uphill < margin)
    gradient = torch.autograd.grad(uphill[both].mean(), weights)
    expected = torch.cat([(w - 0.1 * 8 / 64 * g).flatten() for w, g in zip(start, gradient, strict=True)])
    report = method.adapt(images)
    torch.testing.assert_close(flat(method.clip), expected)
    assert report["reliable"] == reliable.float().mean() and report["selected"] == both.float().mean()
    assert math.isclose(report["loss"], uphill[both].mean().item(), rel_tol=1e-4)


def test_the_weights_go_uphill_by_rho_and_come_back_bit_for_bit(unsure_clip, images):
    method = build(unsure_clip, lr=0.0, margin=1.5, rho=0.05)
    seen, before = spy(method), flat(method.clip)
    method.adapt(images)
    assert math.isclose((seen[1] - seen[0]).norm().item(), 0.05, rel_tol=1e-3)
    assert torch.equal(flat(method.clip), before)


def test_a_loss_too_small_to_be_true_leads_back_to_the_start(unsure_clip, make_images):
    method = build(unsure_clip, lr=0.5, margin=1.5, recovery=0.0)
    start = flat(method.clip)
    method.adapt(make_images())
    assert method.running is not None and not torch.equal(flat(method.clip), start)
    object.__setattr__(method.config, "recovery", 0.5)
    method.running = 0.0
    report = method.adapt(make_images(seed=1))
    assert report["recoveries"] == 1.0 and "running" not in report
    assert torch.equal(flat(method.clip), start) and not method.optimizer.state
    assert method.running is None
    object.__setattr__(method.config, "recovery", 0.0)
    assert method.adapt(make_images(seed=2))["recoveries"] == 1.0  # not again, as nothing old is left


def test_the_running_loss_keeps_nine_tenths(unsure_clip, make_images):
    method = build(unsure_clip, margin=1.5, recovery=0.0)
    first = method.adapt(make_images())
    second = method.adapt(make_images(seed=1))
    assert first["running"] == first["loss"]
    assert math.isclose(second["running"], 0.9 * first["loss"] + 0.1 * second["loss"], rel_tol=1e-6)


def test_the_default_recovery_is_two_tenths_of_a_nat_for_a_thousand_classes():
    assert math.isclose(Sar.Config().recovery * math.log(1000), 0.2, rel_tol=0.01)


def test_without_a_reliable_picture_the_step_is_skipped(unsure_clip, images):
    method = build(unsure_clip, margin=1.5, recovery=0.0)
    method.adapt(images)
    before = flat(method.clip)
    object.__setattr__(method.config, "margin", 0.0)
    report = method.adapt(images)
    assert report["skipped"] == 1.0 and report["selected"] == 0.0
    assert torch.equal(flat(method.clip), before)


def test_the_step_size_grows_with_the_batch(unsure_clip, make_images):
    method = build(unsure_clip, lr=0.064)
    for batch in (8, 2):
        method.adapt(make_images(batch=batch))
        assert math.isclose(method.optimizer.param_groups[0]["lr"], batch * 1e-3)
