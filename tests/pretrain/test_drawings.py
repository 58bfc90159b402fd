import numpy as np
import pytest

from clip_tta_core.pretrain import drawings
from clip_tta_core.pretrain.drawings import CaptionedPictures, Drawings, Recipe


@pytest.fixture(scope="module")
def vocabulary():
    return Drawings(Recipe()).vocabulary


def test_every_caption_there_can_be_is_in_the_vocabulary(vocabulary):
    texts = drawings.all_texts()
    assert len(texts) == len(set(texts))
    assert len(vocabulary.tokenize(texts[::97])) == len(texts[::97])


def test_a_batch_depends_on_the_recipe_and_its_number_only(vocabulary):
    batches = CaptionedPictures(Recipe(steps=10, batch_size=16), vocabulary)
    images, captions, which = batches[7]
    assert images.shape == (16, 64, 64, 3) and images.numpy().dtype == np.uint8
    assert captions.shape == (which.max() + 1, vocabulary.context_length)
    for again, before in zip(batches[7], (images, captions, which), strict=True):
        assert again.equal(before)
    assert not batches[8][0].equal(images)
    other = CaptionedPictures(Recipe(steps=10, batch_size=16, seed=1), vocabulary)
    assert not other[7][0].equal(images)


def test_batches_go_on_from_any_number():
    lessons = Drawings(Recipe(steps=4, batch_size=4))
    whole, rest = list(lessons.batches(0)), list(lessons.batches(2))
    assert len(whole) == 4 and len(rest) == 2
    assert all(
        one.equal(other)
        for a, b in zip(whole[2:], rest, strict=True)
        for one, other in zip(a, b, strict=True)
    )


def test_the_recipe_is_the_one_the_shipped_weights_were_trained_with():
    recipe = Recipe()
    assert (recipe.steps, recipe.batch_size, recipe.lr, recipe.warm_up) == (3000, 128, 1e-3, 300)
    assert recipe.scale(0) == recipe.scale(2999) == 100
