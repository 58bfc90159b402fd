"""Ramen, against its definition with one backward pass per picture and lists."""

from __future__ import annotations

import math

import pytest
import torch

from clip_tta_core import losses
from clip_tta_core.methods.ramen import Ramen


def build(clip, **knobs):
    return Ramen(clip.fork("visual_norm"), Ramen.Config(**knobs), torch.Generator())


def flat(tensors):
    return torch.cat([t.flatten() for t in tensors])


def by_definition(clip, batches, lr, capacity, k, beta):
    """Logits of each batch; the memory is a list per class of (feature, gradient, entropy)."""
    memory = {label: [] for label in range(clip.num_classes)}
    out = []
    for images in batches:
        features = []
        for image in images:
            fork = clip.fork("visual_norm")
            prediction = fork.predict(image[None])
            h = losses.entropy(prediction.logits).sum()
            g = flat(torch.autograd.grad(h, fork.trainable()))
            label = int(prediction.logits.argmax())
            features.append(prediction.features[0].detach())
            memory[label] = [*memory[label], (features[-1], g, h.item())][-capacity:]
        for image, z in zip(images, features, strict=True):
            pull = 0.0
            for entries in memory.values():
                near = sorted(entries, key=lambda entry, z=z: (z - entry[0]).norm().item())[:k]
                for key, g, h in near:
                    pull = pull + math.exp(-h) * math.exp(-beta * (z - key).norm().item()) * g
            fork = clip.fork("visual_norm")
            with torch.no_grad():
                moved, position = lr * pull.sign(), 0
                for p in fork.trainable():
                    p -= moved[position : position + p.numel()].view_as(p)
                    position += p.numel()
                out.append(fork.predict(image[None]).logits[0])
    return torch.stack(out)


@pytest.mark.parametrize(("capacity", "k", "beta"), [(100, 50, 5.0), (3, 2, 1.0), (75, 1, 0.0)])
def test_it_is_its_definition_with_a_backward_pass_per_picture(make_clip, make_images, capacity, k, beta):
    clip = make_clip(scale=20.0)
    batches = [make_images(batch=10, seed=seed) for seed in range(3)]
    method = build(clip, capacity=capacity, neighbours=k, beta=beta, precision="single")
    ours = []
    for images in batches:
        report = method.adapt(images)
        ours.append(method.predict(images).logits)
    assert report["memory"] <= 5 * capacity and report["largest_class"] <= capacity
    theirs = by_definition(clip, batches, 0.01, capacity, k, beta)
    apart = (torch.cat(ours) - theirs).abs().amax(dim=-1)
    # A sum that all but cancels may take the other sign; few of a picture's hundreds of weights do.
    assert apart.median() < 1e-4 and apart.max() < 0.1
    assert (theirs - clip.predict(torch.cat(batches)).logits).abs().max() > 0.1


def test_half_precision_gives_the_same_answers(make_clip, make_images):
    clip = make_clip(scale=20.0)
    single, half = build(clip, precision="single"), build(clip)
    for seed in range(4):
        images = make_images(batch=24, seed=seed)
        reports = [method.adapt(images) for method in (single, half)]
        ours, exact = (method.predict(images).logits for method in (half, single))
        assert torch.equal(ours.argmax(dim=-1), exact.argmax(dim=-1))
        torch.testing.assert_close(ours, exact, atol=0.1, rtol=0)
    assert reports[0]["memory_mb"] == 2 * reports[1]["memory_mb"] > 0


def test_of_one_class_with_all_as_neighbours_the_step_is_the_sign_of_a_weighted_mean(make_clip, make_images):
    images = (make_images(batch=1) + 0.02 * make_images(batch=6, seed=1)).clamp(0, 1)  # much alike
    clip = make_clip(scale=5.0)
    method = build(clip, neighbours=1000, beta=0.0, precision="single")
    features, gradients = method.rows.gradients(images, lambda z: losses.entropy(clip.classify(z)))
    weights = (-losses.entropy(clip.classify(features))).exp()
    assert len(clip.classify(features).argmax(dim=-1).unique()) == 1
    method.adapt(images)
    pull = method.memory.nearest(features, 1000, 0.0)
    torch.testing.assert_close(pull, (weights @ gradients).expand(6, -1), atol=1e-5, rtol=1e-3)


def test_the_order_within_a_batch_does_not_matter_while_there_is_room(make_clip, make_images):
    clip, images = make_clip(scale=20.0), make_images()
    order = torch.tensor([3, 1, 7, 0, 2, 6, 5, 4])
    first, second = build(clip, precision="single"), build(clip, precision="single")
    first.adapt(images)
    shuffled = images[order]
    second.adapt(shuffled)
    apart = first.predict(images).logits[order] - second.predict(shuffled).logits
    assert apart.abs().amax(dim=-1).median() < 1e-4


def test_the_oldest_leaves_first_and_megabytes_bound_what_is_kept(clip, make_images):
    method = build(clip, capacity=2)
    for seed in range(3):
        method.adapt(make_images(seed=seed))
    features = clip.encode_image(torch.cat([make_images(seed=seed) for seed in range(3)]))
    labels = clip.classify(features).argmax(dim=-1)
    for label, queue in enumerate(method.memory.queues):
        newest = features[labels == label][-2:]
        for entry, feature in zip(queue, newest, strict=True):
            torch.testing.assert_close(entry.key, feature, atol=1e-5, rtol=0)
    numbers = len(method.rows.start)
    fits = 2**20 // (5 * 2 * numbers)
    assert build(clip, memory_mb=1).memory.queues[0].maxlen == fits
    assert build(clip, memory_mb=1, precision="single").memory.queues[0].maxlen == fits // 2


def test_pictures_it_did_not_adapt_to_are_answered_by_their_neighbours(make_clip, make_images):
    clip = make_clip(scale=20.0)
    method, others = build(clip), make_images(seed=5)
    torch.testing.assert_close(method.predict(others).logits, clip.predict(others).logits)
    method.adapt(make_images())
    first = method.predict(others).logits
    assert not torch.allclose(first, clip.predict(others).logits, atol=1e-3)
    assert torch.equal(first, method.predict(others).logits) and len(method.memory) == 8


def test_a_broken_picture_enters_no_memory(clip, make_images):
    images = make_images()
    images[2] = math.nan
    method = build(clip)
    assert method.adapt(images)["memory"] == 7
    assert method.predict(images).logits[[0, 1, 3, 4, 5, 6, 7]].isfinite().all()
