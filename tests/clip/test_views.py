"""Features of views."""

import torch

from clip_tta_core import augment
from clip_tta_core.clip import views
from clip_tta_core.clip.views import encode_views


def test_views_are_encoded_each_and_the_picture_itself_first(clip, images):
    rng = torch.Generator().manual_seed(0)
    features = encode_views(clip, images, 5, rng)
    made = augment.views(images, 5, torch.Generator().manual_seed(0))
    assert features.shape == (8, 5, 16) and not features.requires_grad
    torch.testing.assert_close(features[:, 0], clip.encode_image(images))
    torch.testing.assert_close(features[3], clip.encode_image(made[3]))


def test_a_few_pictures_at_a_time_give_the_same(clip, images, monkeypatch):
    together = encode_views(clip, images, 5, torch.Generator().manual_seed(0), augmix=True)
    monkeypatch.setattr(views, "PIXELS", 3 * 5 * images[0].numel())  # three pictures
    parts = encode_views(clip, images.clone(), 5, torch.Generator().manual_seed(0), augmix=True)
    torch.testing.assert_close(parts, together, atol=1e-6, rtol=0)


def test_whoever_asks_for_the_same_views_is_given_the_same_and_goes_on_alike(clip, images):
    first, second = (torch.Generator().manual_seed(0) for _ in range(2))
    features = encode_views(clip.fork("visual_norm"), images, 5, first)
    assert encode_views(clip, images, 5, second) is features
    assert torch.equal(first.get_state(), second.get_state())
    assert encode_views(clip, images, 5, second) is not features  # the numbers have gone on


def test_other_views_are_made_anew(clip, images):
    def ask(pictures=images, count=5, seed=0, augmix=False):
        return encode_views(clip, pictures, count, torch.Generator().manual_seed(seed), augmix)

    features = ask()
    for other in ({"count": 6}, {"seed": 1}, {"augmix": True}, {"pictures": images.clone()}):
        assert ask() is not ask(**other)
    torch.testing.assert_close(ask(), features, rtol=0, atol=0)
    assert ask(count=1).shape == (8, 1, 16)


def test_a_fork_s_views_are_encoded_by_the_frozen_model(clip, images):
    fork = clip.fork("visual_norm")
    with torch.no_grad():
        for parameter in fork.trainable():
            parameter.mul_(3)
    features = encode_views(fork, images, 3, torch.Generator().manual_seed(0))
    torch.testing.assert_close(features[:, 0], clip.encode_image(images))
