"""Where losses pull: by hand, against autograd, and what is true of them always."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from clip_tta_core import losses, pulls

# Two classes, logits (2, 0), (0, 1), (1, 0).
THREE = torch.tensor([[2.0, 0.0], [0.0, 1.0], [1.0, 0.0]], dtype=torch.float64).softmax(dim=-1).numpy()


def test_the_pulls_of_three_pictures_by_hand():
    tent = [[0.209987, -0.209987], [-0.196612, 0.196612], [0.196612, -0.196612]]
    np.testing.assert_allclose(pulls.entropy(THREE), tent, atol=1e-6)
    contrast = [[0.118724, -0.118724], [-0.244206, 0.244206], [0.131225, -0.131225]]
    np.testing.assert_allclose(pulls.contrast(THREE), contrast, atol=1e-6)


@pytest.mark.parametrize("classes", [2, 5, 30])
@pytest.mark.parametrize(
    ("pull", "loss"),
    [
        (pulls.entropy, lambda logits: losses.entropy(logits).sum()),
        (pulls.contrast, lambda logits: len(logits) * losses.soft_contrastive(logits)),
        (pulls.diversity, lambda logits: -len(logits) * losses.marginal_entropy(logits)),
    ],
)
def test_pulls_are_what_autograd_finds(pull, loss, classes):
    rng = torch.Generator().manual_seed(classes)
    logits = (4 * torch.randn(12, classes, generator=rng, dtype=torch.float64)).requires_grad_()
    loss(logits).backward()
    assert logits.grad is not None
    probs = logits.detach().softmax(dim=-1).numpy()
    np.testing.assert_allclose(pull(probs), -logits.grad.numpy(), atol=1e-9)


def test_contrast_alone_never_lowers_the_class_that_a_picture_answers():
    probs = np.random.default_rng(0).dirichlet(np.full(10, 0.3), 64)
    own = pulls.contrast(probs)[np.arange(64), probs.argmax(axis=1)]
    assert (own >= -1e-9).all()


def test_probabilities_that_are_zero_stay_without_a_pull():
    probs = np.array([[1.0, 0.0, 0.0], [0.0, 0.5, 0.5]], dtype=np.float32)
    for pull in (pulls.entropy, pulls.contrast, pulls.diversity):
        assert np.isfinite(pull(probs)).all() and (pull(probs)[probs == 0] == 0).all()


def test_a_step_along_a_pull_changes_the_probabilities_as_told():
    probs, pull = THREE, pulls.entropy(THREE)
    moved = torch.tensor(np.log(probs) + 1e-6 * pull).softmax(dim=-1).numpy()
    np.testing.assert_allclose((moved - probs) / 1e-6, pulls.on_probs(probs, pull), atol=1e-5)
