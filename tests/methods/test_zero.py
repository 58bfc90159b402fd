"""ZERO: whose votes count, and who wins a tie."""

from __future__ import annotations

import pytest
import torch

from clip_tta_core import augment
from clip_tta_core.methods.zero import Zero, count_votes


def build(clip, **knobs):
    return Zero(clip.fork(Zero.train), Zero.Config(**knobs), torch.Generator().manual_seed(0))


def by_definition(clip, views):
    """The winners by the paper's words. (B, V, 3, H, W), 30 % vote"""
    winners = []
    for of_one in views:
        logits = clip.predict(of_one).logits
        entropy = torch.distributions.Categorical(logits=logits).entropy()
        order = entropy.argsort(stable=True)
        kept = int(0.3 * len(of_one))
        votes = logits[order[:kept]].argmax(dim=1).bincount(minlength=5).tolist()
        tied = [k for k, count in enumerate(votes) if count == max(votes)]
        rest = [logits[v].argmax().item() for v in order[kept:]]
        winner = next((k for k in rest if k in tied), None)
        if winner is None:
            winner = max(tied, key=lambda k: logits[order[kept]][k].item())
        winners.append(tied[0] if len(tied) == 1 else winner)
    return winners


def test_it_is_the_vote_of_the_sure_views(make_clip):
    clip = make_clip(scale=10.0)
    images = torch.rand(60, 3, 16, 16, generator=torch.Generator().manual_seed(1))  # views in conflict
    method = build(clip, views=14)
    views = augment.views(images, 14, torch.Generator().manual_seed(0))
    report = method.adapt(images)
    assert report["ties"] > 0
    answer = method.predict(images)
    assert answer.logits.argmax(dim=1).tolist() == by_definition(clip, views)
    torch.testing.assert_close(answer.features, clip.encode_image(images))


def test_shares_of_the_votes_are_the_probabilities(clip, images):
    method = build(clip, views=20)
    probs = method.predict(images).logits.softmax(dim=1)
    sure = method.adapt(images)["agreement"]
    alone = probs.max(dim=1).values
    assert (6 * probs).sub((6 * probs).round()).abs().max() < 0.5  # of 6 votes, ties aside
    assert alone.mean().item() == pytest.approx(sure, abs=0.15)


def sharp(*classes, count=3):
    """Logits of views that name these classes, the surest first."""
    return 5 * torch.nn.functional.one_hot(torch.tensor([classes]), count).float()


def test_of_tied_classes_the_next_sure_view_that_names_one_decides():
    votes, tied = count_votes(sharp(0, 1, 2, 1, 0), 2)
    assert tied.all() and votes.argmax().item() == 1
    assert votes.tolist() == [[1.0, 2.0, 0.0]]


def test_where_no_view_names_a_tied_class_its_logit_in_the_next_view_decides():
    logits = sharp(0, 1, 2, 2)
    logits[0, 2] = torch.tensor([0.1, 0.3, 5.0])
    logits[0, 3] = torch.tensor([0.9, 0.0, 5.0])
    assert count_votes(logits, 2)[0].argmax().item() == 1


def test_with_nobody_left_to_ask_the_first_of_tied_classes_wins():
    assert count_votes(sharp(2, 1), 2)[0].argmax().item() == 1


def test_votes_add_up_where_nothing_is_tied():
    votes, tied = count_votes(sharp(1, 1, 0), 3)
    assert votes.tolist() == [[1.0, 2.0, 0.0]] and not tied.any()


def test_a_picture_alone_answers_as_zero_shot(clip, images):
    assert torch.equal(build(clip, views=1).predict(images).logits, clip.predict(images).logits)
