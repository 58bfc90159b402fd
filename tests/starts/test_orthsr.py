"""OrthSR: rotations by Cayley's transform, merging them, and what is cut out."""

from __future__ import annotations

import copy

import pytest
import torch

from clip_tta_core.starts import Shots
from clip_tta_core.starts.orthsr import Rotated, cayley, cut_out, salient


def free(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def test_cayleys_transform_by_hand():
    # S = [[0, 1], [-1, 0]]: a turn by 2 arctan 1, a quarter.
    turn = cayley(torch.tensor([[0.0, 1.0], [0.0, 0.0]]))
    torch.testing.assert_close(turn, torch.tensor([[0.0, 1.0], [-1.0, 0.0]]))


def test_it_is_a_rotation_and_the_identity_for_nothing():
    turn = cayley(free(3, 8, 8).double())
    unit = torch.eye(8, dtype=torch.float64).expand(3, -1, -1)
    torch.testing.assert_close(turn.mT @ turn, unit, atol=1e-12, rtol=0)
    torch.testing.assert_close(torch.linalg.det(turn), torch.ones(3, dtype=torch.float64))
    assert torch.equal(cayley(torch.zeros(3, 8, 8)), torch.eye(8).expand(3, -1, -1))


@pytest.fixture
def turned(clip):
    module = Rotated(copy.deepcopy(clip.visual), 4)
    with torch.no_grad():
        for k, skew in enumerate(module.skew):
            skew.copy_(0.3 * free(*skew.shape, seed=k))
    return module


def test_singular_values_stay_and_blocks_divide_the_outputs(turned, clip):
    assert turned.names == ["mlp.0.weight", "mlp.2.weight", "project.weight"]
    for name, weight in turned.weights().items():
        before = clip.visual.get_parameter(name)
        assert not torch.allclose(weight, before)
        torch.testing.assert_close(torch.linalg.svdvals(weight), torch.linalg.svdvals(before))
    assert [tuple(skew.shape) for skew in turned.skew] == [(4, 16, 16), (4, 8, 8), (4, 4, 4)]


def test_merged_weights_answer_as_the_turned_ones_did(turned, images):
    expected = turned(images)
    torch.testing.assert_close(turned.merged()(images), expected)


def test_a_turn_acts_on_a_layers_outputs(turned, clip):
    # Injected behind the layer instead of merged into it: R (W x).
    tokens = free(5, 32)
    weight = clip.visual.mlp[0].weight
    outputs = (tokens @ weight.T).unflatten(-1, (4, 16))
    injected = torch.einsum("boi,tbi->tbo", cayley(turned.skew[0]), outputs).flatten(1)
    torch.testing.assert_close(tokens @ turned.weights()["mlp.0.weight"].T, injected)


def test_the_square_is_cut_where_the_answer_rests(clip):
    # A model that looks at the lower left corner alone.
    class Corner(torch.nn.Module):
        def forward(self, images):
            part = images[:, :, -4:, :4].mean(dim=(2, 3))
            return torch.cat([part, part.square()], dim=1) @ torch.ones(6, 16).tril()

    clip = copy.copy(clip)
    clip.visual, clip.source = Corner(), clip
    pictures = Shots(torch.rand(3, 3, 16, 16), torch.tensor([0, 1, 2]), torch.zeros(0, 3, 16, 16))
    corners = salient(clip, pictures, 0.25)
    assert corners.tolist() == [[12, 0]] * 3
    erased = cut_out(pictures.images, corners, 0.25)
    assert (erased[:, :, 12:, :4] == 0.5).all()
    erased[:, :, 12:, :4] = pictures.images[:, :, 12:, :4]
    assert torch.equal(erased, pictures.images)
    assert torch.equal(cut_out(pictures.images, corners, 0.0), pictures.images)
