"""StatA, against its definition written with loops."""

from __future__ import annotations

import math

import pytest
import torch

from clip_tta_core.methods.stata import StatA


def build(clip, **knobs):
    return StatA(clip.fork(""), StatA.Config(**knobs), torch.Generator())


def unit(x):
    return x / x.norm(dim=-1, keepdim=True)


def by_definition(clip, images, alpha=1.0, k=3, rounds=10):
    """Assignments of a batch in double, the neighbours' pull inside the bracket as the authors have it."""
    x, t = clip.encode_image(images).double(), clip.text_features.double()
    n, classes = len(x), len(t)
    y = (clip.scale * x @ t.T).softmax(dim=-1)
    links = torch.zeros(n, n).double()
    for i in range(n):
        cosines = [(float(x[i] @ x[j]), j) for j in range(n) if j != i]
        for cosine, j in sorted(cosines, reverse=True)[:k]:
            links[i, j] = cosine
    z, mu = y, t
    first = sum(y[i, c] * (x[i] - t[c]) ** 2 for i in range(n) for c in range(classes)) / n
    sigma = first.repeat(classes, 1)

    def refine(z):
        for _ in range(5):
            pull = (links + links.T) @ z
            new = torch.zeros_like(z)
            for i in range(n):
                for c in range(classes):
                    fit = -((x[i] - mu[c]) ** 2 / sigma[c]).sum() / 2 - sigma[c].log().sum() / 2
                    new[i, c] = y[i, c] * torch.exp((fit + 50 / (2 * k) * pull[i, c]) / 50)
            z = new / new.sum(dim=-1, keepdim=True)
        return z

    for _ in range(rounds):
        z = refine(z)
        new_mu, new_sigma = [], []
        for c in range(classes):
            count = int((z.argmax(dim=-1) == c).sum())
            beta = count / (alpha + count)
            own = unit((z[:, c, None] * x).sum(dim=0) / z[:, c].sum())
            m = unit(beta * own + (1 - beta) * t[c])
            spread = (z[:, c, None] * (x - m) ** 2).sum(dim=0) / z[:, c].sum()
            new_mu.append(m)
            new_sigma.append(beta * spread + (1 - beta) * (first + (t[c] - m) ** 2))
        mu, sigma = torch.stack(new_mu), torch.stack(new_sigma)
    return refine(z)


@pytest.mark.parametrize("rounds", [1, 10])
def test_it_is_its_definition_with_loops(make_clip, make_images, rounds):
    clip, images = make_clip(scale=20.0), make_images(batch=12)
    ours = build(clip, rounds=rounds).predict(images).logits.softmax(dim=-1)
    theirs = by_definition(clip, images, rounds=rounds)
    torch.testing.assert_close(ours.double(), theirs, atol=1e-3, rtol=0)
    assert (theirs - clip.predict(images).logits.softmax(dim=-1)).abs().max() > 0.05


def test_classes_are_their_pictures_the_more_the_more_they_have(clip, images):
    method = build(clip)
    given = torch.nn.functional.one_hot(torch.tensor([1] + [2] * 3 + [3] * 10 + [4] * 64), 5).float()
    expected = torch.tensor([0, 0.5, 0.75, 0.909091, 0.984615])
    torch.testing.assert_close(method._trust(given), expected, atol=1e-6, rtol=0)


def test_classes_without_pictures_stay_their_texts(clip, images):
    method = build(clip)
    answers = torch.zeros(8, 5)
    answers[torch.arange(8), torch.tensor([1, 2, 2, 2, 3, 3, 3, 3])] = 1
    features, first = clip.encode_image(images), torch.full((16,), 0.1)
    means, variances = method._classes(features, answers, torch.tensor([0, 0.5, 0.75, 0.8, 0]), first)
    torch.testing.assert_close(means[[0, 4]], clip.text_features[[0, 4]])  # what no picture shows is its text
    torch.testing.assert_close(variances[[0, 4]], first.expand(2, -1), atol=1e-6, rtol=0)
    assert not torch.allclose(means[1], clip.text_features[1])


def test_a_strong_anchor_leaves_every_class_at_its_text(clip, images):
    report = build(clip, anchor=1e4).adapt(images)
    assert report["anchor_weight"] > 0.999


def test_without_gaussians_and_neighbours_it_is_zero_shot(clip, images):
    method = build(clip, weight=0.0, laplacian=0.0)
    assert torch.equal(method.predict(images).logits, clip.predict(images).logits)


def test_it_reports_how_many_classes_a_batch_shows(make_clip, make_images):
    clip, images = make_clip(scale=20.0), make_images(batch=12)
    report = build(clip).adapt(images)
    shown = by_definition(clip, images).argmax(dim=-1).unique()
    assert report["classes"] == len(shown)
    assert 0 < report["anchor_weight_seen"] < report["anchor_weight"] < 1


def test_a_broken_picture_speaks_to_no_other(clip, make_images):
    images = make_images()
    whole = [0, 1, 3, 4, 5, 6, 7]
    expected = build(clip).predict(images[whole]).logits
    images[2] = math.nan
    logits = build(clip).predict(images).logits
    torch.testing.assert_close(logits[whole], expected, atol=1e-4, rtol=1e-4)
    assert logits[2].isnan().all()
