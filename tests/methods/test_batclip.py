"""BATCLIP: the loss by hand, both towers."""

from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F

from clip_tta_core.methods.batclip import Batclip


def build(clip, **knobs):
    return Batclip(clip.fork("norm"), Batclip.Config(**knobs), torch.Generator())


@pytest.mark.parametrize("balanced", [False, True])
def test_the_loss_by_definition(clip, images, balanced):
    method = build(clip, lr=0.0, match=0.5, separate=0.25, unit_means=balanced, average_pairs=balanced)
    report = method.adapt(images)
    raw = clip.visual((images - 0.5) / 0.25)
    logits = 100 * F.normalize(raw, dim=1) @ clip.text_features.T
    labels = logits.argmax(dim=1)
    present = sorted(set(labels.tolist()))
    assert len(present) > 1
    means = {c: raw[labels == c].mean(dim=0) for c in present}
    entropy = torch.distributions.Categorical(logits=logits).entropy().mean()
    scaled = {c: F.normalize(m, dim=0) if balanced else m for c, m in means.items()}
    match = sum(scaled[c] @ clip.text_features[c] for c in present) / len(present)
    pairs = [(a, b) for a in present for b in present if a != b]
    apart = sum(1 - F.cosine_similarity(means[a], means[b], dim=0) for a, b in pairs)
    apart = apart / len(pairs) if balanced else apart
    assert report["entropy"] == pytest.approx(entropy.item(), rel=1e-4)
    assert report["match"] == pytest.approx(-0.5 * match.item(), rel=1e-4)
    assert report["separation"] == pytest.approx(-0.25 * apart.item(), rel=1e-4)
    assert report["loss"] == pytest.approx((entropy - 0.5 * match - 0.25 * apart).item(), rel=1e-4)


def test_decay_beside_the_step_shrinks_and_decay_within_it_steers(clip, images):
    """Without any gradient, AdamW shrinks by lr * decay; Adam's first step has one length whatever pulls."""
    for decoupled in (True, False):
        method = build(clip, lr=0.01, weight_decay=0.5, decoupled=decoupled)
        weights = method.clip.trainable()
        before = [w.detach().clone() for w in weights]
        for w in weights:
            w.grad = torch.zeros_like(w)
        method.optimizer.step()
        for w, old in zip(weights, before, strict=True):
            expected = old * (1 - 0.01 * 0.5) if decoupled else old - 0.01 * old.sign()
            torch.testing.assert_close(w.detach(), expected, atol=1e-6, rtol=1e-5)


def test_a_single_predicted_class_has_no_separation(clip, make_images):
    assert build(clip).adapt(make_images(batch=1))["separation"] == 0


def test_both_towers_learn_and_predictions_use_both(clip, make_images):
    method, images = build(clip), make_images()
    before = [p.clone() for p in method.clip.trainable()]
    method.adapt(images)
    moved = [not torch.equal(a, b) for a, b in zip(before, method.clip.trainable(), strict=True)]
    assert len(moved) == 8 and all(moved)  # three norms of the image tower, one of the text tower
    texts = method.clip.encode_classes().detach()
    assert not torch.allclose(texts, clip.text_features, atol=1e-4)
    expected = 100 * method.clip.encode_image(images) @ texts.T
    torch.testing.assert_close(method.predict(images).logits, expected, atol=1e-3, rtol=1e-4)


def test_a_broken_picture_costs_the_step_and_nothing_else(clip, make_images):
    method, images = build(clip), make_images()
    images[0] = math.nan
    before = [p.clone() for p in method.clip.trainable()]
    assert method.adapt(images)["skipped"] == 1
    assert all(torch.equal(a, b) for a, b in zip(before, method.clip.trainable(), strict=True))


def test_a_text_encoder_that_cannot_be_trained_is_answered_in_a_sentence(clip):
    clip.encode_text = None
    with pytest.raises(ValueError, match="needs a text encoder that is a module"):
        build(clip)
