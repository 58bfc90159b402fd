"""UniEnt: the split, the two losses, and TENT when everything is known."""

from __future__ import annotations

import math

import pytest
import torch

from clip_tta_core import losses
from clip_tta_core.methods.tent import Tent
from clip_tta_core.methods.unient import Unient


def build(clip, cls=Unient, **knobs):
    return cls(clip.fork(cls.train), cls.Config(**knobs), torch.Generator())


@pytest.fixture
def unsure_clip(make_clip):
    return make_clip(scale=10.0)


def flat(clip):
    return torch.cat([p.detach().flatten() for p in clip.trainable()])


def nearness_of(method, values):
    """Let the frozen model find the pictures this near to a class."""
    logits = torch.tensor([[value * method.clip.scale, -1.0] for value in values])
    method.clip.zero_shot = lambda images: type("Seen", (), {"logits": logits})


def test_pictures_near_a_class_are_known_and_others_not(unsure_clip, images):
    method = build(unsure_clip)
    nearness_of(method, [0.3, 0.31, 0.29, 0.1, 0.11, 0.32, 0.09, 0.3])
    torch.testing.assert_close(method._known(images), torch.tensor([1.0, 1, 1, 0, 0, 1, 0, 1]))
    prediction = method.predict(images)
    assert ((prediction.scores > prediction.threshold).sum()) == 5


def test_the_split_is_a_mixture_of_two_gaussians_over_the_distance_to_the_nearest_class(
    make_clip, make_images
):
    mixture = pytest.importorskip("sklearn.mixture")
    clip, images = make_clip(), make_images(batch=64)
    nearest = (clip.encode_image(images) @ clip.text_features.T).amax(dim=1)
    far = 1 - (nearest - nearest.min()) / (nearest.max() - nearest.min())
    fitted = mixture.GaussianMixture(2, tol=1e-3, random_state=0, n_init=5).fit(far[:, None].double())
    expected = fitted.predict_proba(far[:, None].double())[:, fitted.means_.ravel().argmin()]
    known = build(clip)._known(images)
    agreed = (known > 0.5) == torch.from_numpy(expected > 0.5)
    assert 8 < (known > 0.5).sum() < 56 and agreed.float().mean() > 0.9


def test_both_losses_by_hand(unsure_clip):
    logits = torch.tensor([[0.0, 0.0], [2.0, 0.0], [0.0, 1.0], [3.0, 0.0]])
    h = losses.entropy(logits)
    r = losses.marginal_entropy(logits)
    hard = build(unsure_clip, beta_ood=0.2, beta_reg=0.1)._loss(logits, torch.tensor([1.0, 1.0, 0.0, 1.0]))
    torch.testing.assert_close(hard, (h[0] + h[1] + h[3]) / 3 - 0.2 * h[2] - 0.1 * r)
    pi = torch.tensor([0.9, 0.8, 0.1, 0.5])
    soft = build(unsure_clip, soft=True, beta_ood=0.2, beta_reg=0.1)._loss(logits, pi)
    expected = (0.9 * h[0] + 0.8 * h[1] + 0.1 * h[2] + 0.5 * h[3]) / 4
    expected = expected - 0.2 * (0.1 * h[0] + 0.2 * h[1] + 0.9 * h[2] + 0.5 * h[3]) / 4 - 0.1 * r
    torch.testing.assert_close(soft, expected)


@pytest.mark.parametrize("soft", [False, True])
def test_with_everything_known_and_no_bonus_it_is_tent(unsure_clip, make_images, soft):
    images = make_images(batch=6)  # too few to split
    ours = build(unsure_clip, soft=soft, beta_reg=0.0, beta_ood=0.0)
    tent = build(unsure_clip, Tent)
    for _ in range(3):
        assert ours.adapt(images)["known"] == 1.0
        tent.adapt(images)
    torch.testing.assert_close(flat(ours.clip), flat(tent.clip))


@pytest.mark.parametrize("soft", [False, True])
def test_known_pictures_become_surer_and_unknown_ones_less(make_clip, images, soft):
    clip = make_clip(scale=5.0)
    method = build(clip, soft=soft, beta_reg=0.0, beta_ood=1.0, lr=2e-3, steps=5)
    nearness_of(method, [0.3, 0.31, 0.29, 0.1, 0.11, 0.32, 0.09, 0.3])
    before = losses.entropy(clip.predict(images).logits)
    method.adapt(images)
    change = losses.entropy(method.clip.predict(images).logits).detach() - before
    known = torch.tensor([1, 1, 1, 0, 0, 1, 0, 1], dtype=torch.bool)
    assert change[known].mean() < 0 < change[~known].mean()


def test_pictures_all_equally_near_are_all_known(unsure_clip, images):
    method = build(unsure_clip)
    nearness_of(method, [0.25] * 8)
    assert method._known(images).tolist() == [1.0] * 8


def test_a_picture_that_is_not_a_number_is_not_known_and_does_not_spoil_the_split(unsure_clip, images):
    method = build(unsure_clip)
    nearness_of(method, [0.3, 0.31, 0.29, 0.1, 0.11, 0.32, 0.09, 0.3, math.nan])
    torch.testing.assert_close(method._known(images), torch.tensor([1.0, 1, 1, 0, 0, 1, 0, 1, 0]))
