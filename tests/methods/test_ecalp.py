"""ECALP, against its definition with a graph of lists."""

from __future__ import annotations

import math

import pytest
import torch

from clip_tta_core.methods.ecalp import Ecalp


def build(clip, **knobs):
    return Ecalp(clip.fork(""), Ecalp.Config(**knobs), torch.Generator())


def unit(x):
    return x / x.norm()


def by_definition(clip, features, alpha=1.0, k_image=8, k_text=3, gamma=10, rounds=3):
    """Labels of every picture's copy at its turn, in double; of equals the earlier is linked."""
    t, x = clip.text_features.double(), features.double()
    classes = len(t)
    u = unit(((t - t.mean(dim=0)) ** 2).sum(dim=0) / (classes - 1))
    labels, out = {}, []
    for i in range(len(x)):
        nodes = [*range(i + 1), "copy"]

        def feature(node, i=i):
            return x[i if node == "copy" else node]

        def near(a, b, nodes=nodes, feature=feature):
            older, newer = sorted((a, b), key=nodes.index)
            return float(unit(u * feature(older)) @ feature(newer))

        size = classes + len(nodes)
        w = torch.zeros(size, size).double()
        for a, node in enumerate(nodes):
            ranked = sorted(range(len(nodes)), key=lambda b, node=node: (-near(node, nodes[b]), b))
            for b in ranked[: min(k_image, i + 2)]:
                w[classes + a, classes + b] = near(node, nodes[b]) ** gamma
            cosines = (t @ feature(node)).tolist()
            for c in sorted(range(classes), key=lambda c, s=cosines: -s[c])[:k_text]:
                w[classes + a, c] = cosines[c] ** gamma
        w = w + w.T
        root = w.sum(dim=1).sqrt() + 1e-6
        w = w / torch.outer(root, root)
        start = torch.stack([labels.get(node, torch.zeros(classes).double()) for node in nodes])
        y = start
        for _ in range(rounds):
            y = alpha * w[classes:] @ torch.cat([torch.eye(classes).double(), y]) + (1 - alpha) * start
        out.append(y[-1])
        for a in range(i + 1):
            labels[a] = torch.zeros(classes).double()
            labels[a][y[a].argmax()] = y[a].max() / 5
    return torch.stack(out)


@pytest.mark.parametrize("alpha", [1.0, 0.7])
def test_it_is_its_definition_picture_by_picture(make_clip, make_images, alpha):
    clip = make_clip()
    batches = [make_images(batch=8, seed=seed) for seed in range(3)]
    method = build(clip, alpha=alpha, factor=1.0)
    ours = []
    for images in batches:
        method.adapt(images)
        ours.append(method.predict(images).logits)
    theirs = by_definition(clip, clip.encode_image(torch.cat(batches)), alpha)
    torch.testing.assert_close(torch.cat(ours).double(), theirs, atol=1e-4, rtol=1e-3)


def test_the_first_picture_is_its_three_nearest_texts_and_nothing_else(clip, make_images):
    images = make_images(batch=1)
    method = build(clip)
    method.adapt(images)
    labels = method.predict(images).logits[0]
    linked = clip.predict(images).logits[0].topk(3).indices.tolist()
    assert {k for k in range(5) if labels[k] > 0} == set(linked)


def test_its_logits_are_labels_times_a_factor_that_leaves_no_doubt(clip, make_images):
    images = make_images()
    sure = build(clip).predict(images).logits
    torch.testing.assert_close(
        sure, 1e4 * build(clip, factor=1.0).predict(images).logits, atol=1e-2, rtol=1e-4
    )


def test_the_graph_keeps_the_newest_pictures_only(clip, make_images):
    method = build(clip, bank=5)
    report = method.adapt(make_images())
    assert report["bank"] == 5 and method.similarity.shape == (5, 5)
    weighed = method.telling * clip.encode_image(make_images())[-1]
    torch.testing.assert_close(method.weighed[-1], weighed / weighed.norm())


def test_other_pictures_are_answered_as_the_next_and_forgotten(clip, make_images):
    method, images = build(clip), make_images(batch=1, seed=5)
    method.adapt(make_images())
    expected = method.predict(images.clone()).logits
    method.adapt(images)
    assert len(method.labels) == 9
    torch.testing.assert_close(method.predict(images).logits, expected)


def test_a_broken_picture_joins_no_graph(clip, make_images):
    images = make_images()
    images[2] = math.nan
    method = build(clip)
    assert method.adapt(images)["bank"] == 7
    assert method.predict(images).logits[[0, 1, 3, 4, 5, 6, 7]].isfinite().all()
