"""Steps several methods share: sharpness-aware steps, weight averages, ways back."""

from __future__ import annotations

import math

import torch

from clip_tta_core import optim


def bowl(start=(3.0, 4.0)):
    """w with loss |w|^2 / 2, whose gradient is w itself."""
    w = torch.tensor(start, requires_grad=True)
    return w, torch.optim.SGD([w], lr=0.1), lambda: (w**2).sum() / 2


def test_a_sharp_step_descends_by_the_gradient_found_uphill():
    w, sgd, loss = bowl()
    second = optim.sharp_step(sgd, loss(), loss, rho=0.5)
    # uphill: w (1 + 0.5 / 5) = (3.3, 4.4); step: w - 0.1 (3.3, 4.4)
    torch.testing.assert_close(w.detach(), torch.tensor([2.67, 3.56]))
    torch.testing.assert_close(second.detach(), torch.tensor((3.3**2 + 4.4**2) / 2))


def test_without_a_radius_a_sharp_step_is_a_plain_one():
    w, sgd, loss = bowl()
    optim.sharp_step(sgd, loss(), loss, rho=0.0)
    v, plain, other = bowl()
    assert optim.guarded_step(plain, other())
    assert torch.equal(w, v)


def test_weights_come_back_bit_for_bit_when_nothing_is_left_uphill():
    w, sgd, loss = bowl((0.1, 1e-3))
    before, seen = w.detach().clone(), []
    assert optim.sharp_step(sgd, loss(), lambda: seen.append(w.detach().clone()), rho=0.05) is None
    assert not torch.equal(seen[0], before) and torch.equal(w, before)
    assert not sgd.state and w.grad is None


def test_nothing_that_is_not_a_number_is_stepped_on():
    w, sgd, loss = bowl()
    before = w.detach().clone()
    assert optim.sharp_step(sgd, loss() * math.nan, loss, rho=0.05) is None
    assert optim.sharp_step(sgd, loss(), lambda: loss() * math.inf, rho=0.05) is None
    assert not optim.guarded_step(sgd, loss() * math.nan)
    assert torch.equal(w, before) and not sgd.state


def test_a_teacher_moves_by_its_rate_and_not_at_all_where_the_student_agrees():
    teacher, student = [torch.tensor([1.0, 0.1])], [torch.tensor([3.0, 0.1])]
    optim.ema_update(teacher, student, 0.25)
    assert teacher[0].tolist() == [1.5, torch.tensor(0.1).item()]


def test_drift_is_relative_to_the_starting_point():
    assert math.isclose(
        optim.drift([torch.tensor([3.0, 5.0])], [torch.tensor([3.0, 4.0])]), 0.2, rel_tol=1e-6
    )


def test_an_episode_is_adamw_from_the_start_and_leaves_no_trace():
    weight, reference = (torch.tensor([2.0, -3.0], requires_grad=True) for _ in range(2))
    episode = optim.Episode([weight], lr=0.1, weight_decay=0.5)
    adam = torch.optim.AdamW([reference], lr=0.1, weight_decay=0.5)
    for _ in range(3):
        adam.zero_grad()
        reference.square().sum().backward()
        adam.step()
    for _ in range(2):  # the second picture learns as the first did
        assert not episode.moved
        losses = episode.learn(lambda: weight.square().sum(), range(3))
        assert len(losses) == 3 and losses[0] == 13 and episode.moved
        torch.testing.assert_close(weight, reference)
        episode.forget()
        assert weight.tolist() == [2.0, -3.0]


def test_an_episode_passes_over_losses_that_are_not_numbers():
    weight = torch.ones(2, requires_grad=True)
    episode = optim.Episode([weight], lr=0.1)
    assert episode.learn(lambda: weight.sum() * torch.nan, range(2)) == [] and not episode.moved
