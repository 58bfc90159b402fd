"""RLCF: rewards, whom they move, and by how much."""

from __future__ import annotations

import pytest
import torch

from clip_tta_core import augment
from clip_tta_core.methods import rlcf
from clip_tta_core.methods.rlcf import Rlcf, reward_loss


def build(clip, **knobs):
    return Rlcf(clip.fork(Rlcf.train), Rlcf.Config(**knobs), torch.Generator().manual_seed(0))


LOGITS = 3 * torch.randn(6, 5, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
REWARD = torch.rand(6, 5, generator=torch.Generator().manual_seed(2), dtype=torch.float64)


def gradient(logits, reward, samples=3):
    logits = logits.clone().requires_grad_(True)
    loss = reward_loss(logits, reward, samples)
    loss.backward()
    return loss.item(), logits.grad


def test_the_loss_by_hand():
    logits = torch.tensor([[2.0, 1.0, 0.0]], dtype=torch.float64)
    reward = torch.tensor([[0.5, 0.9, 5.0]], dtype=torch.float64)
    log_probs = logits.log_softmax(dim=1)[0]
    expected = -(-0.2 * log_probs[0] + 0.2 * log_probs[1]) / 2  # around the mean of 0.5 and 0.9
    assert reward_loss(logits, reward, 2).item() == pytest.approx(expected.item())


def test_views_in_another_order_and_rewards_moved_by_a_constant_change_nothing():
    loss, pull = gradient(LOGITS, REWARD)
    order = torch.tensor([3, 0, 5, 1, 4, 2])
    assert gradient(LOGITS[order], REWARD[order])[0] == pytest.approx(loss)
    shifted = REWARD + torch.arange(6)[:, None]
    torch.testing.assert_close(gradient(LOGITS, shifted)[1], pull)


def test_equal_rewards_and_a_single_sample_pull_nowhere():
    assert gradient(LOGITS, torch.full_like(REWARD, 0.7))[1].abs().max() < 1e-15
    assert gradient(LOGITS, REWARD, samples=1)[1].abs().max() == 0


def test_what_is_rewarded_above_the_mean_rises():
    step = -gradient(LOGITS, REWARD)[1]
    for view, reward in enumerate(REWARD):
        sampled = LOGITS[view].topk(3).indices
        best = sampled[reward[sampled].argmax()]
        worst = sampled[reward[sampled].argmin()]
        assert step[view, best] > 0 > step[view, worst]


def reference(clip, images, tune, steps, lr):
    """Answers by the paper's words, the model being its own judge."""
    views = augment.views(images, 30, torch.Generator().manual_seed(0))
    answers = []
    for of_one in views:
        frozen = clip.encode_image(of_one)
        entropy = torch.distributions.Categorical(logits=clip.classify(frozen)).entropy()
        kept = entropy.argsort(stable=True)[:3]
        fork = clip.fork({"prompt": "context", "norms": "visual_norm", "image_encoder": "visual_tower"}[tune])
        adam = torch.optim.AdamW(fork.trainable(), lr=lr, weight_decay=5e-4)

        def logits(rows, fork=fork, of_one=of_one, frozen=frozen):
            if tune == "prompt":
                return clip.scale * frozen[rows] @ fork.encode_classes().T
            return fork.predict(of_one[rows]).logits

        for _ in range(steps):
            now = logits(kept)
            loss = 0
            for view, row in zip(kept, now, strict=True):
                top = row.topk(3).indices
                reward = 2.5 * (clip.text_features[top] @ frozen[view]).clamp(min=0)
                loss = loss - ((reward - reward.mean()) * row.log_softmax(dim=0)[top]).sum() / 9
            adam.zero_grad()
            loss.backward()
            adam.step()
        answers.append(logits(torch.tensor([0]))[0].detach())
    return torch.stack(answers)


@pytest.mark.parametrize(("tune", "lr"), [("prompt", 0.05), ("norms", 0.01), ("image_encoder", 1e-3)])
def test_it_is_the_policy_gradient_of_its_definition(make_clip, make_images, tune, lr):
    clip, images = make_clip(scale=10.0), make_images(batch=3)
    method = build(clip, views=30, tune=tune, lr=lr)
    method.adapt(images)
    answers = method.predict(images).logits
    torch.testing.assert_close(answers, reference(clip, images, tune, 3, lr), atol=2e-3, rtol=1e-3)
    assert (answers - clip.predict(images).logits).abs().max() > 1e-2


@pytest.mark.parametrize("tune", ["prompt", "norms", "image_encoder"])
def test_between_pictures_everything_is_as_it_was_bit_for_bit(clip, images, tune):
    method = build(clip, views=12, tune=tune)
    before = [p.detach().clone() for p in method.clip.trainable()]
    method.adapt(images)
    assert all(torch.equal(a, b) for a, b in zip(before, method.clip.trainable(), strict=True))


def judges(monkeypatch, make_clip, side=24):
    """Two models to load by name, of other weights and another resolution."""
    found = {"ViT-B-32/openai": make_clip(seed=5), "ViT-B-16/openai": make_clip(seed=6)}
    monkeypatch.setattr(
        rlcf, "load", lambda name, device: type("Loaded", (), {"image_size": side, "of": name})
    )
    monkeypatch.setattr(rlcf, "classifier", lambda loaded, names, template: found[loaded.of])
    return found


def test_judges_are_averaged_with_rounded_shares_and_see_pictures_at_their_own_size(
    make_clip, images, monkeypatch
):
    found = judges(monkeypatch, make_clip)
    method = build(make_clip(), judge="ViT-B-32/openai", second="ViT-B-16/openai", third="itself")
    assert [judge.share for judge in method.judges] == [0.56, 0.28, 0.17]
    own = method.clip.source.encode_image(images)
    large = torch.nn.functional.interpolate(images, (24, 24), mode="bicubic", align_corners=True)
    expected = 0.17 * 2.5 * (own @ method.clip.text_features.T).clamp(min=0)
    for share, judge in zip((0.56, 0.28), found.values(), strict=True):
        expected += share * 2.5 * (judge.encode_image(large) @ judge.text_features.T).clamp(min=0)
    torch.testing.assert_close(method._reward(own, images), expected)


def test_a_judge_sees_the_very_views_that_were_kept(make_clip, images, monkeypatch):
    judges(monkeypatch, make_clip, side=16)
    clip = make_clip(scale=10.0)
    method = build(clip, views=20, judge="ViT-B-32/openai")
    seen = []
    reward = method._reward
    method._reward = lambda features, pixels: (seen.append((features, pixels)), reward(features, pixels))[1]
    method.adapt(images)
    for features, pixels in seen:
        torch.testing.assert_close(clip.encode_image(pixels), features)


def test_judges_without_a_say_are_refused(clip):
    with pytest.raises(ValueError, match="Rlcf: at least one judge must have a weight above 0"):
        build(clip, judge_weight=0.0)
