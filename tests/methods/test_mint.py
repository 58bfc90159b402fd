"""Mint, against its definition and worked numbers."""

from __future__ import annotations

import math

import pytest
import torch

from clip_tta_core.methods.mint import Mint


def build(clip, **knobs):
    return Mint(clip.fork("visual_norm"), Mint.Config(**knobs), torch.Generator())


def weights(method):
    return [p.detach().clone() for p in method.clip.trainable()]


def unit(rows):
    return torch.nn.functional.normalize(rows, dim=-1)


def by_definition(clip, batches, lr, prior):
    """Answers batch by batch, with torch's own Adam and lists of features."""
    texts = clip.text_features
    before, after, gradients, out = [], [], [], []
    for images in batches:
        fork = clip.fork("visual_norm")
        z = fork.encode_image(images)
        y = (z @ texts.T).argmax(dim=-1)
        before += [(x.detach(), int(k)) for x, k in zip(z, y, strict=True)]
        m = torch.stack([x for x, _ in before]).mean(dim=0)
        present = sorted(set(y.tolist()))
        loss = 0.0
        for k in present:
            m_k = torch.stack([x for x, label in before if label == k]).mean(dim=0)
            own = z[y == k]
            apart = ((own - m) ** 2).sum(dim=-1).mean() - ((own - m_k) ** 2).sum(dim=-1).mean()
            loss = loss - apart / len(present)
        gradients.append(torch.autograd.grad(loss, fork.trainable()))
        adam = torch.optim.Adam(fork.trainable(), lr=lr)
        for p, *all_of_it in zip(fork.trainable(), *gradients, strict=True):
            p.grad = torch.stack(all_of_it).mean(dim=0)
        adam.step()
        with torch.no_grad():
            z = fork.encode_image(images)
        after += list(zip(z, (z @ texts.T).argmax(dim=-1).tolist(), strict=True))
        share = len(after) / (prior + len(after))
        rows = []
        for k, t in enumerate(texts):
            own = [x for x, label in after if label == k]
            rows.append((1 - share) * t + share * (torch.stack(own).mean(dim=0) if own else 0 * t))
        out.append(clip.scale * z @ unit(torch.stack(rows)).T)
    return torch.cat(out)


@pytest.mark.parametrize(("lr", "prior"), [(0.007, 10_000.0), (0.02, 5.0)])
def test_it_is_its_definition_batch_by_batch(make_clip, make_images, lr, prior):
    clip = make_clip(scale=20.0)
    batches = [make_images(batch=10, seed=seed) for seed in range(4)]
    method = build(clip, lr=lr, prior=prior)
    ours = []
    for images in batches:
        report = method.adapt(images)
        ours.append(method.predict(images).logits)
    assert report["pseudo_classes"] > 1
    theirs = by_definition(clip, batches, lr, prior)
    # Where a gradient is all but 0 its sign, and so a weight's step, is a matter of rounding.
    torch.testing.assert_close(torch.cat(ours), theirs, atol=5e-3, rtol=0)
    assert (theirs - clip.predict(torch.cat(batches)).logits).abs().max() > 0.1


def test_variances_by_hand(clip):
    """Images along (1, .2), (.9, .5) of one class and (.3, 1) of another."""
    method = build(clip)
    features = unit(torch.tensor([[1.0, 0.2], [0.9, 0.5], [0.3, 1.0]]))
    method.before.sums = torch.zeros(5, 2)
    method.before.add(features, torch.tensor([0, 0, 1]))
    between, within = method._variances(features, torch.tensor([0, 0, 1]))
    assert within.item() == pytest.approx(0.011894, abs=2e-6)
    assert (between + within).item() == pytest.approx(0.231408, abs=2e-6)
    assert between.item() == pytest.approx(0.219514, abs=2e-6)


def test_of_a_first_batch_it_is_how_far_the_class_means_are_from_the_mean_of_all(clip, images):
    method = build(clip)
    report = method.adapt(images)
    means, seen = method.before.means(), method.before.counts > 0
    apart = (means[seen] - method.before.mean()).square().sum(dim=-1)
    assert report["between"] == pytest.approx(apart.mean().item(), rel=1e-4)


def test_no_weight_moves_further_than_the_step_and_all_come_back(clip, images):
    method = build(clip, lr=0.01)
    before = [p.detach().clone() for p in method.clip.trainable()]
    far = []
    encode = method.clip.encode_image
    method.clip.encode_image = lambda images: (
        far.append(
            max((p - q).abs().max().item() for p, q in zip(method.clip.trainable(), before, strict=True))
        ),
        encode(images),
    )[1]
    method.adapt(images)
    assert far[0] == 0 and 0.009 < far[1] < 0.01 + 1e-6
    assert all(torch.equal(p, q) for p, q in zip(before, method.clip.trainable(), strict=True))


def test_a_gradient_of_the_size_of_the_epsilon_takes_half_a_step(clip, images):
    method = build(clip, lr=0.01)
    method.gradient = [torch.full_like(g, 1e-8) for g in method.gradient]
    seen = []
    encode = method.clip.encode_image
    method.clip.encode_image = lambda images: (seen.extend(weights(method)), encode(images))[1]
    before = weights(method)
    method.predict(images)
    for p, q in zip(seen, before, strict=True):
        torch.testing.assert_close(p, q - 0.005, atol=1e-6, rtol=0)


def test_the_same_batch_again_leaves_the_mean_gradient(clip, images):
    method = build(clip)
    method.adapt(images)
    first = [g.clone() for g in method.gradient]
    method.adapt(images)
    for ours, before in zip(method.gradient, first, strict=True):
        torch.testing.assert_close(ours, before, atol=1e-6, rtol=1e-3)


def test_a_first_batch_of_one_class_has_no_gradient_and_counts(clip, make_images):
    method = build(clip)
    report = method.adapt(make_images(batch=1))
    assert report["between"] == 0 and report["skipped"] == 0
    assert method.batches == 1 and method.before.total == method.after.total == 1
    assert not any(g.any() for g in method.gradient)  # of what is not exactly 0 the step takes the sign


def test_it_reads_seven_sentences_on_request_and_is_their_zero_shot_without_a_step(clip, images):
    from clip_tta_core.clip.prompts import TEMPLATES

    method = build(clip, lr=0.0, prototypes=False, ensemble=True)
    method.adapt(images)
    texts = clip.encode_classes(TEMPLATES["seven"])
    expected = clip.scale * clip.encode_image(images) @ texts.T
    torch.testing.assert_close(method.predict(images).logits, expected, atol=1e-4, rtol=0)


def test_a_broken_picture_is_learned_from_by_nothing(clip, make_images):
    images = make_images()
    images[2] = math.nan
    method = build(clip)
    assert method.adapt(images)["skipped"] == 1
    assert method.before.total == 7 and method.before.sums.isfinite().all()
    assert method.predict(images).logits[[0, 1, 3]].isfinite().all()
