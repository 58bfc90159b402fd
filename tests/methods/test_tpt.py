"""TPT, by its definition, picture by picture."""

from __future__ import annotations

import pytest
import torch

from clip_tta_core import augment
from clip_tta_core.methods.tpt import Tpt


def build(clip, **knobs):
    return Tpt(clip.fork(Tpt.train), Tpt.Config(**knobs), torch.Generator().manual_seed(0))


def tuned(clip, views, steps, lr, loss):
    """Texts after `steps` steps of AdamW on a loss of the kept views' logits. (V, 3, H, W)"""
    fork = clip.fork("context")
    adam = torch.optim.AdamW(fork.trainable(), lr=lr)
    z = clip.encode_image(views)
    entropy = torch.distributions.Categorical(logits=clip.classify(z)).entropy()
    kept = z[entropy.argsort(stable=True)[: max(1, len(views) // 10)]]
    for _ in range(steps):
        value = loss(clip.scale * kept @ fork.encode_classes().T)
        adam.zero_grad()
        value.backward()
        adam.step()
    return fork.encode_classes().detach(), z


def entropy_of_the_mean(logits):
    p = logits.softmax(dim=1).mean(dim=0)
    return -(p * p.log()).sum()


@pytest.mark.parametrize("steps", [1, 3])
def test_each_picture_is_answered_with_a_prompt_of_its_own(make_clip, make_images, steps):
    clip, images = make_clip(scale=10.0), make_images(batch=3)
    method = build(clip, views=30, steps=steps, lr=0.05)
    views = augment.views(images, 30, torch.Generator().manual_seed(0))
    method.adapt(images)
    answers = method.predict(images).logits
    for of_one, answer, before in zip(views, answers, clip.predict(images).logits, strict=True):
        texts, z = tuned(clip, of_one, steps, 0.05, entropy_of_the_mean)
        torch.testing.assert_close(answer, 10 * z[0] @ texts.T, atol=1e-3, rtol=1e-4)
        assert (answer - before).abs().max() > 1e-2


def test_identical_views_lower_the_entropy_of_the_picture_itself(make_clip, make_images, monkeypatch):
    monkeypatch.setattr(
        augment, "views", lambda images, count, rng: images[:, None].expand(-1, count, -1, -1, -1)
    )
    clip, images = make_clip(scale=10.0), make_images()
    method = build(clip, views=16)
    report = method.adapt(images)
    before = torch.distributions.Categorical(logits=clip.predict(images).logits).entropy()
    assert report["loss"] == pytest.approx(before.mean().item(), rel=1e-4)
    after = torch.distributions.Categorical(logits=method.predict(images).logits).entropy()
    assert (after < before).all()


def test_between_pictures_the_context_is_what_it_was_bit_for_bit(clip, images):
    method = build(clip, views=12, steps=2)
    before = [p.detach().clone() for p in method.clip.trainable()]
    method.adapt(images)
    assert all(torch.equal(a, b) for a, b in zip(before, method.clip.trainable(), strict=True))


def test_a_picture_s_answer_does_not_depend_on_its_batch(make_clip, make_images):
    clip, images = make_clip(scale=10.0), make_images(batch=4)
    together = build(clip, views=12).predict(images).logits
    method = build(clip, views=12)
    apart = torch.cat([method.predict(part).logits for part in images.split([1, 3])])
    torch.testing.assert_close(together, apart, atol=1e-3, rtol=1e-4)


def test_only_the_likeliest_candidates_are_tuned(make_clip, make_images):
    clip, images = make_clip(classes=30, scale=10.0), make_images()
    before = clip.predict(images).logits
    after = build(clip, views=12, candidates=4, lr=0.05).predict(images).logits
    changed = before != after
    assert (changed.sum(dim=1) == 4).all()
    likeliest = before.topk(4, dim=1).indices
    assert changed.gather(1, likeliest).all()


def test_the_context_starts_from_the_words_of_the_template(clip):
    fork = clip.fork("context")
    torch.testing.assert_close(fork.encode_classes(), clip.text_features)
