"""ULFine: how far prototypes move, and that the projection takes them in."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from clip_tta_core.clip.classifier import ClipClassifier
from clip_tta_core.starts.ulfine import (
    Ulfine,
    fitted,
    moving_rates,
    push_apart,
    with_prototypes,
)


def unit(*shape, seed=0):
    return F.normalize(torch.randn(*shape, generator=torch.Generator().manual_seed(seed)), dim=-1)


def test_rates_are_at_most_mu_and_zero_for_a_class_never_named():
    rates = moving_rates(torch.tensor([40.0, 10.0, 0.0, 20.0]), 0.3)
    torch.testing.assert_close(rates, torch.tensor([0.3, 0.075, 0.0, 0.15]))
    assert torch.equal(moving_rates(torch.zeros(3), 0.3), torch.zeros(3))


def test_a_prototype_moves_by_its_rate_and_one_of_rate_zero_not_at_all():
    prototypes, means = torch.eye(3)[:2], torch.eye(3)[1:]
    moved = fitted(prototypes, means, torch.tensor([0.25, 0.0]))
    torch.testing.assert_close(moved[0], torch.tensor([0.75, 0.25, 0.0]) / 0.625**0.5)
    assert torch.equal(moved[1], prototypes[1])


def test_means_that_are_orthogonal_stay_and_others_part():
    torch.testing.assert_close(push_apart(torch.eye(4), 0.5), torch.eye(4))
    close = F.normalize(torch.tensor([[1.0, 0.2], [1.0, -0.2]]), dim=-1)
    parted = push_apart(close, 0.2)
    assert parted[0] @ parted[1] < close[0] @ close[1]


def test_features_meet_the_texts_as_they_met_the_prototypes(clip, images):
    texts, prototypes = clip.text_features, unit(5, 16)
    begun = ClipClassifier(with_prototypes(clip.visual, texts, prototypes), texts, 1.0)
    before, after = (model.encode_image(images, unit=False) for model in (clip, begun))
    # The classifier normalizes pictures first: compare what goes into the encoder alike.
    raw = clip.visual(images), begun.visual(images)
    torch.testing.assert_close(raw[1] @ texts.T, raw[0] @ prototypes.T, rtol=1e-4, atol=1e-5)
    assert before.shape == after.shape


def test_a_matrix_at_the_end_is_taken_as_a_layer_is(clip, images):
    class Matrix(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.proj = torch.nn.Parameter(unit(3, 16))

        def forward(self, images):
            return images.mean(dim=(2, 3)) @ self.proj

    visual, prototypes = Matrix(), unit(5, 16, seed=1)
    turned = with_prototypes(visual, clip.text_features, prototypes)
    torch.testing.assert_close(turned(images) @ clip.text_features.T, visual(images) @ prototypes.T)


def test_an_encoder_without_a_projection_is_refused():
    texts = unit(5, 16)
    with pytest.raises(ValueError, match="ULFine: the image encoder must end in a projection to 16 numbers"):
        with_prototypes(torch.nn.Linear(3, 4), texts, unit(5, 16, seed=1))


def test_pictures_are_drawn_long_tailed_those_without_a_label_too():
    labelled, others = Ulfine.draw(Ulfine.Config(imbalance=10.0), 16, 10, np.random.default_rng(0))
    assert labelled.max() == 16 and labelled.min() == 2 and np.array_equal(others, 4 * labelled)
    even, none = Ulfine.draw(Ulfine.Config(imbalance=1.0, unlabelled=0.0), 4, 10, np.random.default_rng(0))
    assert even.tolist() == [4] * 10 and none.tolist() == [0] * 10
