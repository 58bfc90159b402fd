import json

import pytest
import torch
from torch import nn

from clip_tta_core.clip import mini

TEXTS = ("a photo of a cat", "a photo of a red music note", "art of the dog.")
SMALL = dict(
    image_size=32, stem=(4, 8), patch_size=8, width=16, layers=1, heads=2, text_width=16, embed_dim=8
)


@pytest.fixture(scope="module")
def model():
    torch.manual_seed(0)
    return mini.build(mini.MiniConfig.for_texts(TEXTS, **SMALL)).eval()


def test_the_towers_meet_in_one_space(model):
    assert model.visual(torch.zeros(2, 3, 32, 32)).shape == (2, 8)
    assert model.text(model.tokenize(TEXTS)).shape == (3, 8)
    assert model.logit_scale.exp().item() == pytest.approx(100)


def test_the_vocabulary_is_just_the_words_of_the_texts(model):
    assert model.config.words == (".", "a", "art", "cat", "dog", "music", "note", "of", "photo", "red", "the")
    assert model.config.tokens == tuple(sorted(model.config.tokens))
    assert (
        model.text.token_embedding.num_embeddings == len(model.config.tokens) == 11 + 3
    )  # start, end, padding


def test_texts_become_rows_with_the_end_marked_by_the_largest(model):
    rows = model.tokenize(["a cat", "the red music note."])
    assert rows.shape == (2, model.config.context_length) and rows.dtype == torch.int64
    assert rows.argmax(dim=1).tolist() == [
        3,
        6,
    ]  # where the text ends, which is where the tower reads its feature
    assert rows[0, 4:].eq(0).all()
    assert rows.max() == len(model.config.tokens) - 1


def test_case_and_space_do_not_matter(model):
    assert model.tokenize("  A  Photo of a CAT ").equal(model.tokenize("a photo of a cat"))


def test_unknown_words_are_named_in_one_sentence(model):
    with pytest.raises(ValueError, match=r"^mini-CLIP does not know 'giraffe', 'zebra'; [^.]*\.$"):
        model.tokenize(["a photo of a zebra", "a giraffe", "a cat"])
    with pytest.raises(ValueError, match="does not know '!'"):
        model.tokenize("a cat!")
    with pytest.raises(ValueError, match="'w101' and 995 more words; "):
        model.tokenize(" ".join(f"w{k}" for k in range(1000)))


def test_no_texts_give_no_rows(model):
    assert model.tokenize([]).shape == (0, model.config.context_length)


def test_a_saved_model_comes_back_the_same(model, tmp_path):
    mini.save(model, tmp_path / "new", {"steps": 3})
    again = mini.load(tmp_path / "new")
    assert again.config == model.config and not again.training
    assert json.loads((tmp_path / "new" / "config.json").read_text())["training"] == {"steps": 3}
    images = torch.rand(2, 3, 32, 32)
    torch.testing.assert_close(again.visual(images), model.visual(images), rtol=0, atol=0)
    tokens = model.tokenize(TEXTS)
    torch.testing.assert_close(again.text(tokens), model.text(tokens), rtol=0, atol=0)


def test_pictures_are_normalized_as_the_configuration_says(model):
    images = torch.full((1, 32, 32, 3), 255, dtype=torch.uint8)
    expected = (1 - model.config.mean[0]) / model.config.std[0]
    normalized = model.normalize(images)
    assert normalized.shape == (1, 3, 32, 32)
    torch.testing.assert_close(normalized, torch.full((1, 3, 32, 32), expected))


def test_a_channel_norm_is_a_layer_norm_over_channels():
    norm = mini.ChannelNorm(6)
    assert isinstance(norm, nn.LayerNorm)
    maps = norm(torch.randn(2, 6, 5, 4) * 3 + 1)
    torch.testing.assert_close(maps.mean(dim=1), torch.zeros(2, 5, 4), atol=1e-5, rtol=0)
    torch.testing.assert_close(maps.var(dim=1, unbiased=False), torch.ones(2, 5, 4), atol=1e-3, rtol=0)


def test_memory_layout_of_the_pictures_does_not_matter(model):
    images = torch.rand(3, 3, 32, 32)
    other = images.contiguous(memory_format=torch.channels_last)
    torch.testing.assert_close(model.visual(images), model.visual(other), rtol=0, atol=0)
