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
    parts = encode_views(clip, images, 5, torch.Generator().manual_seed(0), augmix=True)
    torch.testing.assert_close(parts, together, atol=1e-6, rtol=0)
