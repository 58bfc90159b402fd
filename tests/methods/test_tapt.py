"""TAPT: statistics of tokens, references, and the step on them."""

from __future__ import annotations

import pytest
import torch

from clip_tta_core import augment
from clip_tta_core.attacks import Attack
from clip_tta_core.methods.tapt import Tapt, statistics_distance, token_statistics


def build(clip, **knobs):
    return Tapt(clip.fork(Tapt.train), Tapt.Config(**knobs), torch.Generator().manual_seed(0))


@pytest.fixture
def unsure_clip(make_clip):
    return make_clip(scale=10.0)


def test_statistics_are_per_token_and_channel_over_pictures(unsure_clip, images):
    fork = unsure_clip.fork("visual_prompts")
    ((mean, variance),) = token_statistics(fork, images, 8)
    tokens = fork.encode_blocks(images)[1][0]  # (8, N, width)
    torch.testing.assert_close(mean, tokens.mean(dim=0))
    torch.testing.assert_close(variance, tokens.var(dim=0), atol=1e-5, rtol=1e-4)


def test_the_distance_to_one_s_own_statistics_is_none():
    stats = [(torch.randn(4, 3), torch.rand(4, 3)) for _ in range(2)]
    assert statistics_distance(stats, stats).item() == 0
    nearly = [(mean + 5e-7, variance) for mean, variance in stats]
    assert statistics_distance(stats, nearly).item() == 0  # rounding is no difference
    moved = [(mean + 1, variance + 3) for mean, variance in stats]
    assert statistics_distance(stats, moved).item() == pytest.approx(2 * (0.5 * 1 + 0.5 * 3))


def by_definition(clip, method, views, gamma, lr):
    """One picture's answer. (V, 3, H, W)"""
    fork = clip.fork("visual_prompts")
    with torch.no_grad():
        for mine, its in zip(fork.trainable(), method.clip.trainable(), strict=True):
            mine.copy_(its)
    adam = torch.optim.AdamW(fork.trainable(), lr=lr)
    with torch.no_grad():
        entropy = torch.distributions.Categorical(logits=fork.predict(views).logits).entropy()
    kept = views[entropy.argsort(stable=True)[: len(views) // 10]]
    features, (tokens,) = fork.encode_blocks(kept)
    p = (10 * features @ clip.text_features.T).softmax(dim=1).mean(dim=0)
    loss = -(p * p.log()).sum()
    for share, name in ((1 - gamma, "clean"), (gamma, "attacked")):
        ((mean, variance),) = method.references[name]
        apart = (tokens.mean(dim=0) - mean).abs(), (tokens.var(dim=0, correction=0) - variance).abs()
        # The learned tokens are the same everywhere: what is left of them is rounding.
        loss = loss + 100 / 9 * share * sum(d.where(d > 1e-6, 0.0).mean() / 2 for d in apart)
    loss.backward()
    adam.step()
    with torch.no_grad():
        return loss.item(), fork.predict(views[:1]).logits[0]


@pytest.mark.parametrize("gamma", [0.5, 0.1])
def test_it_is_a_step_on_entropy_and_alignment(unsure_clip, make_images, gamma):
    images, source = make_images(batch=2), make_images(batch=40, seed=9)
    method = build(unsure_clip, views=30, spread=0.02, gamma=gamma, lr=0.01)
    method.see_source(source, unsure_clip.predict(source).logits.argmax(dim=1), Attack(epsilon=8 / 255))
    views = augment.views(images, 30, torch.Generator().manual_seed(0))
    report = method.adapt(images)
    losses = []
    for of_one, answer in zip(views, method.predict(images).logits, strict=True):
        loss, expected = by_definition(unsure_clip, method, of_one, gamma, 0.01)
        losses.append(loss)
        torch.testing.assert_close(answer, expected, atol=1e-3, rtol=1e-3)
    assert report["loss"] == pytest.approx(sum(losses) / 2, rel=1e-4)


def test_gamma_says_which_reference_counts(unsure_clip, make_images):
    source = make_images(batch=40, seed=9)
    labels = unsure_clip.predict(source).logits.argmax(dim=1)
    method = build(unsure_clip, gamma=0.0)
    method.see_source(source, labels)
    assert set(method.references) == {"clean"}  # and nothing is attacked for nothing
    method = build(unsure_clip, gamma=1.0)
    method.see_source(source, labels)
    inputs = [mean[None].expand(3, -1, -1) for mean, _ in method.references["attacked"]]
    method.references["clean"] = [(mean + 7, variance) for mean, variance in method.references["clean"]]
    _, variance = method.references["attacked"][0]
    assert method._alignment(inputs).item() == pytest.approx(100 / 9 * variance.mean().item() / 2, rel=1e-4)


def test_references_are_made_once_for_a_model_and_its_pictures(unsure_clip, make_images):
    source = make_images(batch=10, seed=9)
    labels = torch.zeros(10, dtype=torch.long)
    first, second = build(unsure_clip), build(unsure_clip)
    first.see_source(source, labels)
    second.see_source(source, labels)
    assert first.references is second.references


def test_between_pictures_the_tokens_are_what_they_were_bit_for_bit(unsure_clip, images):
    method = build(unsure_clip, views=12, steps=2)
    before = [p.detach().clone() for p in method.clip.trainable()]
    method.adapt(images)
    assert all(torch.equal(a, b) for a, b in zip(before, method.clip.trainable(), strict=True))
    assert all(0 < p.abs().max() < 1e-3 for p in before)  # almost nothing, so that accuracy stays


def test_without_a_source_it_lowers_the_entropy_alone(unsure_clip, images):
    method = build(unsure_clip, views=20)
    assert method._alignment([torch.randn(2, 3, 4)]) == 0
    assert method.adapt(images)["loss"] > 0
