"""TDA, against its definition picture by picture."""

from __future__ import annotations

import math

import pytest
import torch

from clip_tta_core.methods.tda import Tda


def build(clip, **knobs):
    return Tda(clip.fork(""), Tda.Config(**knobs), torch.Generator())


def by_definition(clip, batches, low):
    """The logits of every picture at its turn, from lists of (feature, entropy, probabilities)."""
    positive, negative = {}, {}
    classes = clip.num_classes
    out = []

    def offer(cache, label, size, item):
        cache.setdefault(label, []).append(item)
        cache[label] = sorted(cache[label], key=lambda kept: kept[1])[:size]

    for images in batches:
        for z in clip.encode_image(images):
            logits = clip.scale * clip.text_features @ z
            p = logits.softmax(dim=0)
            h = -(p * logits.log_softmax(dim=0)).sum().item()
            label = logits.argmax().item()
            offer(positive, label, 3, (z, h, p))
            if 0.2 < h / math.log2(classes) < 0.5:
                offer(negative, label, 2, (z, h, p))
            for c, kept in positive.items():
                for k, _, _ in kept:
                    logits[c] += 2.0 * torch.exp(-5.0 * (1 - z @ k))
            for kept in negative.values():
                for k, _, q in kept:
                    logits -= 0.117 * torch.exp(-1.0 * (1 - z @ k)) * ((q > low) & (q < 1)).float()
            out.append(logits)
    return torch.stack(out)


@pytest.mark.parametrize(
    ("classes", "mask_low", "low"), [(5, "auto", 0.2), (5, 0.03, 0.03), (50, "auto", 0.03)]
)
def test_it_is_its_definition_picture_by_picture(make_clip, make_images, classes, mask_low, low):
    clip = make_clip(classes=classes, scale=60.0)
    batches = [make_images(batch=16, seed=seed) for seed in range(3)]
    method = build(clip, mask_low=mask_low)
    ours = []
    for images in batches:
        report = method.adapt(images)
        ours.append(method.predict(images).logits)
    assert report["negative"] > 1
    torch.testing.assert_close(torch.cat(ours), by_definition(clip, batches, low), atol=1e-3, rtol=1e-4)


def test_empty_caches_are_zero_shot_exactly(clip, images):
    assert torch.equal(build(clip).predict(images).logits, clip.predict(images).logits)


def test_without_weights_it_is_zero_shot_exactly(clip, make_images):
    method = build(clip, alpha_positive=0.0, alpha_negative=0.0)
    for seed in range(2):
        images = make_images(seed=seed)
        method.adapt(images)
        assert torch.equal(method.predict(images).logits, clip.predict(images).logits)


def test_the_first_picture_adds_alpha_to_its_own_class_only(clip, make_images):
    images = make_images(batch=1)
    method = build(clip, alpha_positive=4.0, alpha_negative=0.0)
    method.adapt(images)
    before = clip.predict(images).logits[0]
    gained = method.predict(images).logits[0] - before
    expected = torch.zeros(5)
    expected[before.argmax()] = 4.0
    torch.testing.assert_close(gained, expected, atol=1e-4, rtol=0)


def test_predicting_changes_nothing_and_other_pictures_see_the_caches(clip, make_images):
    method, images, others = build(clip), make_images(), make_images(seed=1)
    method.adapt(images)
    first = method.predict(others).logits
    assert torch.equal(first, method.predict(others).logits)
    assert not torch.equal(first, clip.predict(others).logits)
    assert len(method.positive) <= 15 and len(method.negative) <= 10


def test_a_broken_picture_enters_no_cache(clip, make_images):
    images = make_images()
    images[2] = math.nan
    method = build(clip, shots_positive=8)
    assert method.adapt(images)["positive"] == 7
    assert method.positive.features.isfinite().all() and method.masks.isfinite().all()
    logits = method.predict(images).logits
    assert logits[2].isnan().all() and logits[[0, 1, 3, 4, 5, 6, 7]].isfinite().all()


def test_doubt_never_speaks_against_a_class_that_is_certain(make_clip, images):
    clip = make_clip(scale=1000.0)  # so sure that a probability rounds to 1 while the entropy is not yet 0
    method = build(clip, doubt_low=0.0, shots_negative=8)
    method.adapt(images)
    probs = clip.predict(images).logits.softmax(dim=-1)
    certain = probs.max(dim=-1)
    assert len(method.negative) and (certain.values == 1).any()
    kept = method.negative.entropy.isfinite()
    for label, place in kept.nonzero().tolist():
        feature = method.negative.features[label, place]
        own = clip.classify(feature[None]).softmax(dim=-1)[0]
        assert torch.equal(method.masks[label, place], ((own > 0.2) & (own < 1)).float())
