"""STAMP: what may enter the memory, the loss on it, and the averaged prediction."""

from __future__ import annotations

import math

import pytest
import torch

from clip_tta_core import augment, losses
from clip_tta_core.methods.stamp import Stamp


def build(clip, **knobs):
    return Stamp(clip.fork(Stamp.train), Stamp.Config(**knobs), torch.Generator().manual_seed(0))


@pytest.fixture
def unsure_clip(make_clip):
    return make_clip(scale=10.0)


def flat(clip):
    return torch.cat([p.detach().flatten() for p in clip.trainable()])


def test_the_loss_by_hand():
    logits = torch.tensor([[0.0, 0.0], [3.0, 0.0]], dtype=torch.float64, requires_grad=True)
    a, b = losses.entropy(logits).tolist()
    weight = math.exp(-a) / (math.exp(-a) + math.exp(-b))
    loss = losses.self_weighted_entropy(logits, total=2)
    assert math.isclose(loss.item(), weight * a + (1 - weight) * b)
    assert math.isclose(losses.self_weighted_entropy(logits, total=64).item(), 32 * loss.item())


def test_gradients_flow_through_the_weights_only_where_asked():
    doubts = torch.tensor([0.3, 0.9], dtype=torch.float64)
    logits = torch.tensor([[2.0, 0.0], [0.5, 0.0]], dtype=torch.float64, requires_grad=True)
    doubts = losses.entropy(logits)
    weights = torch.softmax(-doubts.detach(), dim=0)
    (entropy_gradient,) = torch.autograd.grad((weights * doubts).sum(), logits)
    (without,) = torch.autograd.grad(losses.self_weighted_entropy(logits, 2, through_weights=False), logits)
    torch.testing.assert_close(without, entropy_gradient)
    assert torch.autograd.gradcheck(lambda rows: losses.self_weighted_entropy(rows, 2), logits)
    (through,) = torch.autograd.grad(losses.self_weighted_entropy(logits, 2), logits)
    assert not torch.allclose(through, without)


def test_the_update_is_a_sharpness_aware_step_on_the_whole_memory(unsure_clip, images):
    method = build(unsure_clip, optimizer="sgd", lr=0.05, rho=0.2, margin=1.5)
    method.adapt(images)
    fork = unsure_clip.fork("visual_norm_lower")
    weights = fork.trainable()
    start = [w.detach().clone() for w in weights]
    stored = torch.stack([entry.image for entry in method.memory.entries]) / 255

    def gradient():
        log_probs = fork.predict(stored).logits.log_softmax(dim=-1)
        doubts = -(log_probs.exp() * log_probs).sum(dim=-1)  # (8,)
        heavy = 64 * (-doubts).exp() / (-doubts).exp().sum()
        return torch.autograd.grad((heavy * doubts).mean(), weights)

    uphill = gradient()
    length = torch.cat([g.flatten() for g in uphill]).norm()
    with torch.no_grad():
        for w, g in zip(weights, uphill, strict=True):
            w += 0.2 * g / length
    expected = torch.cat([(w - 0.05 * g).flatten() for w, g in zip(start, gradient(), strict=True)])
    torch.testing.assert_close(flat(method.clip), expected)


def test_only_sure_pictures_enter(unsure_clip, images):
    method = build(unsure_clip, margin=0.5)
    entropy = losses.entropy(unsure_clip.predict(images).logits)
    sure = entropy < 0.5 * math.log(5)
    assert 0 < sure.sum() < len(images)
    report = method.adapt(images)
    assert report["selected"] == sure.float().mean().item() and report["memory"] == sure.sum().item()


def test_only_what_the_source_agrees_on_enters(unsure_clip, images):
    labels = unsure_clip.predict(images).logits.argmax(dim=-1)
    other = torch.nn.functional.one_hot((labels + (torch.arange(8) < 3)) % 5, 5).float()
    for check, kept in ((True, 5.0), (False, 8.0)):
        method = build(unsure_clip, margin=1.5, check_source=check)
        method.clip.zero_shot = lambda _: type("Seen", (), {"logits": other})
        assert method.adapt(images)["memory"] == kept


def test_label_and_agreement_are_of_the_picture_itself_and_doubt_of_its_views(
    unsure_clip, images, monkeypatch
):
    own = unsure_clip.predict(images).logits  # of views that all look like the next picture in the batch
    monkeypatch.setattr(augment, "crop_flip", lambda pictures, rng: pictures.roll(1, dims=0))
    mean = (own.softmax(dim=-1) + 3 * own.roll(1, dims=0).softmax(dim=-1)) / 4
    assert (mean.argmax(dim=-1) != own.argmax(dim=-1)).any()
    everything = build(unsure_clip, margin=1.5, views=4)
    assert everything.adapt(images)["memory"] == 8.0  # the source says of each what the model itself says
    assert [entry.label for entry in sorted(everything.memory.entries, key=lambda e: e.key)] == own.argmax(
        dim=-1
    ).tolist()
    doubt = torch.special.entr(mean).sum(dim=-1)
    sure = doubt < doubt.median()
    assert 0 < sure.sum() < 8
    margin = doubt.median().item() / math.log(5)
    assert build(unsure_clip, margin=margin - 1e-6, views=4).adapt(images)["memory"] == sure.sum().item()


def test_while_the_memory_fills_descent_is_longer_by_what_it_lacks(unsure_clip, images):
    moved = []
    for capacity in (8, 32):
        method = build(unsure_clip, optimizer="sgd", lr=1e-3, rho=0.0, margin=1.5, capacity=capacity)
        start = flat(method.clip)
        method.adapt(images)
        moved.append(flat(method.clip) - start)
    torch.testing.assert_close(moved[1], 4 * moved[0], atol=1e-6, rtol=1e-2)


def test_the_source_is_not_asked_of_a_thousand_classes(make_clip, images):
    method = build(make_clip(classes=1000), margin=1.5)
    method.clip.zero_shot = None
    assert method.adapt(images)["memory"] == 8.0


def test_nothing_sure_teaches_nothing(unsure_clip, images):
    method = build(unsure_clip, margin=0.0)
    before = flat(method.clip)
    report = method.adapt(images)
    assert report == {"skipped": 1.0, "selected": 0.0, "memory": 0.0, "memory_classes": 0.0}
    assert torch.equal(flat(method.clip), before)


def test_a_picture_that_is_not_a_number_never_enters(unsure_clip, images):
    method = build(unsure_clip, margin=1.5)
    images[2] = math.nan
    report = method.adapt(images)
    assert report["memory"] == 7.0 and math.isfinite(report["loss"])


def test_one_view_predicts_as_the_model_does(unsure_clip, images):
    method = build(unsure_clip)
    prediction = method.predict(images)
    with torch.no_grad():
        logits = unsure_clip.predict(images).logits
    assert torch.equal(prediction.logits, logits)
    torch.testing.assert_close(prediction.scores, -losses.entropy(logits))
    assert math.isclose(prediction.threshold, -0.4 * math.log(5))


@pytest.mark.parametrize("view", ["crop", "strong"])
def test_several_views_are_averaged_as_probabilities(unsure_clip, images, view):
    method = build(unsure_clip, views=4, view=view)
    seen, predict = [], method.clip.predict

    def watched(pictures):
        seen.append(predict(pictures))
        return seen[-1]

    method.clip.predict = watched
    prediction = method.predict(images)
    probs = torch.stack([one.logits.softmax(dim=-1) for one in seen]).mean(dim=0)
    assert len(seen) == 4
    torch.testing.assert_close(prediction.logits.exp(), probs)
    assert torch.equal(prediction.features, seen[0].features)


def test_predicting_changes_nothing(unsure_clip, images):
    method = build(unsure_clip, views=3)
    state = method.rng.get_state()
    first = method.predict(images.clone())
    assert torch.equal(first.logits, method.predict(images).logits)
    assert torch.equal(method.rng.get_state(), state)


def test_a_batch_is_adapted_to_and_predicted_with_the_same_views(unsure_clip, make_images):
    method = build(unsure_clip, views=3, lr=0.0, margin=1.5)
    seen, predict = [], method.predict

    def watched(images):
        seen.append(predict(images))
        return seen[-1]

    method.predict = watched
    for seed in range(2):
        images = make_images(seed=seed)
        method.adapt(images)
        assert not torch.equal(method.predict(images).logits, unsure_clip.predict(images).logits)
    assert torch.equal(seen[0].logits, seen[1].logits) and torch.equal(seen[2].logits, seen[3].logits)


def test_the_schedule_is_half_a_cosine(unsure_clip, images):
    method = build(unsure_clip, schedule=4, lr=0.01, margin=1.5)
    rates = []
    for _ in range(4):
        method.adapt(images)
        rates.append(method.optimizer.param_groups[0]["lr"])
    expected = [0.005 * (1 + math.cos(math.pi * t / 4)) for t in range(4)]
    torch.testing.assert_close(torch.tensor(rates), torch.tensor(expected))


def test_the_authors_descent_has_no_momentum(unsure_clip):
    method = build(unsure_clip, optimizer="sgd")
    assert method.optimizer.param_groups[0]["momentum"] == 0


def test_a_full_memory_keeps_its_size(unsure_clip, make_images):
    method = build(unsure_clip, margin=1.5, capacity=10, check_source=False)
    assert [method.adapt(make_images(seed=seed))["memory"] for seed in range(3)] == [8.0, 10.0, 10.0]
