import dataclasses
import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from clip_tta_core import pretrain
from clip_tta_core.clip import mini
from clip_tta_core.pretrain import CaptionedPictures, Recipe, contrastive_loss


def unit(*shape):
    return F.normalize(torch.randn(*shape, generator=torch.Generator().manual_seed(0)), dim=-1)


def test_the_loss_of_distinct_captions_is_clips():
    images, texts = unit(5, 8), unit(10, 8)[5:]
    logits = 20 * images @ texts.T
    expected = (F.cross_entropy(logits, torch.arange(5)) + F.cross_entropy(logits.T, torch.arange(5))) / 2
    torch.testing.assert_close(contrastive_loss(images, texts, torch.arange(5), torch.tensor(20.0)), expected)


def test_pictures_with_equal_captions_share_the_target():
    images, texts, which = unit(4, 8), unit(2, 8), torch.tensor([0, 1, 0, 0])
    perfect = texts[which]
    # Three pictures of one caption cannot be told apart: each of its three rows and columns costs ln 3.
    loss = contrastive_loss(perfect, torch.eye(8)[:2], which, torch.tensor(0.0))
    assert loss.item() == pytest.approx(math.log(4))
    sharp = contrastive_loss(torch.eye(8)[which], torch.eye(8)[:2], which, torch.tensor(100.0))
    assert sharp.item() == pytest.approx(3 / 4 * math.log(3), rel=1e-4)
    assert contrastive_loss(images, texts, which, torch.tensor(100.0)) > sharp


def test_the_order_of_a_batch_does_not_matter():
    images, texts, which = unit(6, 8), unit(3, 8), torch.tensor([0, 1, 2, 0, 1, 0])
    order, scale = torch.tensor([3, 1, 5, 0, 2, 4]), torch.tensor(10.0)
    torch.testing.assert_close(
        contrastive_loss(images[order], texts, which[order], scale),
        contrastive_loss(images, texts, which, scale),
    )


@pytest.fixture(scope="module")
def vocabulary():
    config = mini.MiniConfig.for_texts(pretrain.all_texts())
    return mini.Vocabulary(config.words, config.tokens, config.context_length)


def test_every_caption_there_can_be_is_in_the_vocabulary(vocabulary):
    texts = pretrain.all_texts()
    assert len(texts) == len(set(texts))
    assert len(vocabulary.tokenize(texts[::97])) == len(texts[::97])


def test_a_batch_depends_on_the_recipe_and_its_number_only(vocabulary):
    batches = CaptionedPictures(Recipe(steps=10, batch_size=16), vocabulary)
    images, captions, which = batches[7]
    assert images.shape == (16, 64, 64, 3) and images.dtype == torch.uint8
    assert captions.shape == (which.max() + 1, vocabulary.context_length)
    for again, before in zip(batches[7], (images, captions, which), strict=True):
        assert again.equal(before)
    assert not batches[8][0].equal(images)
    other = CaptionedPictures(Recipe(steps=10, batch_size=16, seed=1), vocabulary)
    assert not other[7][0].equal(images)


def test_a_few_steps_reduce_the_loss(monkeypatch):
    monkeypatch.setattr(pretrain, "REPORT_EVERY", 5)
    torch.set_num_threads(1)
    recipe = Recipe(steps=25, batch_size=32, lr=2e-3, warm_up=3)
    losses = [loss for _, _, loss in pretrain.train(recipe, "cpu")]
    assert len(losses) == 5 and losses[-1] < losses[0]


def test_the_same_seed_trains_the_same_weights():
    recipe = Recipe(steps=2, batch_size=8)
    first, second, other = (
        list(pretrain.train(dataclasses.replace(recipe, seed=seed), "cpu"))[-1][1].state_dict()
        for seed in (0, 0, 1)
    )
    assert all(first[name].equal(second[name]) for name in first)
    assert not all(first[name].equal(other[name]) for name in first)


def test_the_learning_rate_warms_up_and_falls_to_nothing():
    recipe = Recipe(steps=100, warm_up=10)
    shares = np.array([pretrain._share_of_lr(step, recipe) for step in range(101)])
    assert shares[0] == 0.1 and shares[9] == 1 and shares.max() <= 1 and shares[100] == 0
    assert np.all(np.diff(shares[:10]) > 0) and np.all(np.diff(shares[10:]) < 0)


def test_the_command_writes_a_model_that_loads(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(pretrain, "zero_shot_accuracy", lambda model: 0.5)
    arguments = ["pretrain", "--steps", "1", "--workers", "0", "--device", "cpu", "--out", str(tmp_path)]
    monkeypatch.setattr("sys.argv", arguments)
    pretrain.main()
    assert "zero-shot 50.0%" in capsys.readouterr().out
    assert mini.load(tmp_path).config.image_size == 64
