"""AdaContrast: refined labels, the contrast between pictures, and the slow encoder."""

from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F

from clip_tta_core import augment, losses
from clip_tta_core.methods.adacontrast import Adacontrast


def build(clip, **knobs):
    return Adacontrast(
        clip.fork("visual_norm"), Adacontrast.Config(**knobs), torch.Generator().manual_seed(0)
    )


@pytest.fixture
def plain(monkeypatch):
    """Views that are the pictures themselves, and mirrored."""
    monkeypatch.setattr(augment, "crop_flip", lambda images, rng: images)
    monkeypatch.setattr(augment, "strong", lambda images, rng: images.flip(-1))


def test_two_batches_by_definition(make_clip, make_images, plain):
    clip = make_clip(scale=10.0)
    method = build(clip, lr=1e-3, momentum=0.5, neighbours=3)
    fork, slow = clip.fork("visual_norm"), clip.fork("visual_norm")
    adam = torch.optim.Adam(fork.trainable(), lr=1e-3, eps=1e-6)
    bank, queue = [], []  # (feature, probs), (key, label)
    for seed in range(2):
        images = make_images(seed=seed)
        report = method.adapt(images)
        with torch.no_grad():
            seen, keys = slow.predict(images), slow.encode_image(images.flip(-1))
        probs = seen.logits.softmax(dim=1)
        votes = bank or list(zip(seen.features, probs, strict=True))
        labels = []
        for z in seen.features:
            nearest = sorted(votes, key=lambda pair: -(pair[0] @ z).item())[:3]
            labels.append(sum(p for _, p in nearest).argmax().item())
        q = fork.predict(images.flip(-1))
        loss = F.cross_entropy(q.logits, torch.tensor(labels)) - losses.marginal_entropy(q.logits)
        for z, k, label in zip(q.features, keys, labels, strict=True):
            own = (z @ k / 0.07).exp()
            rest = sum((z @ other / 0.07).exp() for other, known in queue if known != label)
            loss = loss - (own / (own + rest)).log() / len(images)
        assert report["loss"] == pytest.approx(loss.item(), rel=1e-4)
        adam.zero_grad()
        loss.backward()
        adam.step()
        with torch.no_grad():
            for a, b in zip(slow.trainable(), fork.trainable(), strict=True):
                a.copy_((a + b) / 2)
        bank += list(zip(seen.features, probs, strict=True))
        queue += list(zip(keys, labels, strict=True))
        for a, b in zip(method.slow.trainable(), slow.trainable(), strict=True):
            torch.testing.assert_close(a, b, atol=1e-5, rtol=1e-4)
    assert len(method.past) == len(method.keys) == 16


def test_the_first_batch_has_nobody_to_be_told_apart_from(clip, images):
    assert build(clip).adapt(images)["instances"] == pytest.approx(0.0, abs=1e-6)


def test_bank_and_queue_forget_the_oldest(clip, make_images):
    method = build(clip, bank=16, queue=20)
    for seed in range(4):
        method.adapt(make_images(seed=seed))
    assert len(method.past) == len(method.past_probs) == 16 and len(method.keys) == 20
    assert len(method.key_labels) == 20


def test_several_steps_remember_a_batch_once(clip, images):
    method = build(clip, steps=3)
    method.adapt(images)
    assert len(method.past) == 8


def test_a_broken_picture_is_not_remembered(clip, images):
    method = build(clip)
    images[3] = math.nan
    assert method.adapt(images)["skipped"] == 1.0
    assert len(method.past) == len(method.keys) == 7 and method.past.isfinite().all()


def test_one_picture_alone_is_not_rewarded_for_doubt(clip, make_images):
    assert "diversity" not in build(clip).adapt(make_images(batch=1))
