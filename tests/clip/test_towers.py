import pytest
import torch
from torch import nn

from clip_tta_core.clip import towers
from clip_tta_core.clip.towers import Config, TwoTowers

TEXTS = ("a photo of a cat", "a photo of a red music note", "art of the dog.")
SMALL = dict(
    image_size=32,
    stem=(4, 6, 8),
    strides=(1, 2, 2),
    patch_size=8,
    width=16,
    layers=1,
    heads=2,
    text_width=16,
    embed_dim=8,
)


@pytest.fixture(scope="module")
def model():
    torch.manual_seed(0)
    return TwoTowers(Config.for_texts(TEXTS, **SMALL)).eval()


def test_the_towers_meet_in_one_space(model):
    assert model.visual(torch.zeros(2, 3, 32, 32)).shape == (2, 8)
    tokens = model.config.vocabulary("it", "pets").tokenize(TEXTS)
    assert model.text(tokens).shape == (3, 8)
    assert model.text.token_embedding.num_embeddings == len(model.config.tokens)
    assert model.logit_scale.exp().item() == pytest.approx(100)


@pytest.mark.parametrize("strides, patch_size", [((1, 2, 2), 8), ((2, 2, 2), 8), ((1, 1, 2), 2)])
def test_a_stem_gives_one_token_per_patch_whatever_its_strides(strides, patch_size):
    stem = towers.Stem((4, 6, 8), strides, 16, patch_size)
    assert stem(torch.zeros(2, 3, 32, 32)).shape == (2, 16, 32 // patch_size, 32 // patch_size)


def test_every_convolution_has_its_stride():
    with pytest.raises(ValueError):
        towers.Stem((4, 6, 8), (2, 2), 16, 8)


def test_pictures_are_normalized_as_the_configuration_says(model):
    images = torch.full((1, 32, 32, 3), 255, dtype=torch.uint8)
    expected = (1 - model.config.mean[0]) / model.config.std[0]
    normalized = model.normalize(images)
    assert normalized.shape == (1, 3, 32, 32)
    torch.testing.assert_close(normalized, torch.full((1, 3, 32, 32), expected))
    torch.testing.assert_close(model.normalize(images.float()), normalized)


def test_a_channel_norm_is_a_layer_norm_over_channels():
    norm = towers.ChannelNorm(6)
    assert isinstance(norm, nn.LayerNorm)
    maps = norm(torch.randn(2, 6, 5, 4) * 3 + 1)
    torch.testing.assert_close(maps.mean(dim=1), torch.zeros(2, 5, 4), atol=1e-5, rtol=0)
    torch.testing.assert_close(maps.var(dim=1, unbiased=False), torch.ones(2, 5, 4), atol=1e-3, rtol=0)


def test_memory_layout_of_the_pictures_does_not_matter(model):
    images = torch.rand(3, 3, 32, 32)
    other = images.contiguous(memory_format=torch.channels_last)
    torch.testing.assert_close(model.visual(images), model.visual(other), rtol=0, atol=0)
