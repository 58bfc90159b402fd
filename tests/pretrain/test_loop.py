"""The loss, the schedule, and that a training which was cut off ends where an unbroken one does."""

import dataclasses
import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from clip_tta_core.clip import embedded
from clip_tta_core.clip.prompts import fill
from clip_tta_core.clip.towers import Config
from clip_tta_core.pretrain import loop
from clip_tta_core.pretrain.loop import Recipe, contrastive_loss, share_of_lr, train

NAMES = ("red", "green", "blue", "grey")
RECIPE = Recipe(steps=6, batch_size=16, lr=2e-3, weight_decay=0.05, warm_up=2)


class Colours:
    """Pictures of one colour each, and its name."""

    member = embedded.PHOTO
    report_every = 2
    config = Config.for_texts(
        fill("a {}", NAMES), image_size=16, stem=(4,), strides=(2,), patch_size=4, width=8, layers=1, heads=2,
        text_width=8, text_layers=1, embed_dim=8, context_length=8,
    )  # fmt: skip

    def __init__(self, recipe):
        self.recipe = recipe
        self.vocabulary = self.config.vocabulary("it", "colours")

    def batches(self, first):
        for step in range(first, self.recipe.steps):
            rng = torch.Generator().manual_seed(step)
            which = torch.randint(len(NAMES), (self.recipe.batch_size,), generator=rng)
            palette = torch.tensor(
                [[255, 0, 0], [0, 255, 0], [0, 0, 255], [128, 128, 128]], dtype=torch.uint8
            )
            images = palette[which][:, None, None].expand(-1, 16, 16, -1)
            yield images, self.vocabulary.tokenize(fill("a {}", NAMES)), which

    def accuracy(self, model):
        return {}


@pytest.fixture(autouse=True)
def one_thread():
    """Sums over several threads may differ in their last bit."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def trained(recipe=RECIPE, folder=None):
    return list(train(Colours(recipe), "cpu", folder=folder))


def unit(*shape):
    return F.normalize(torch.randn(*shape, generator=torch.Generator().manual_seed(0)), dim=-1)


def test_the_loss_of_distinct_captions_is_clips():
    images, texts = unit(5, 8), unit(10, 8)[5:]
    logits = 20 * images @ texts.T
    expected = (F.cross_entropy(logits, torch.arange(5)) + F.cross_entropy(logits.T, torch.arange(5))) / 2
    torch.testing.assert_close(contrastive_loss(images, texts, torch.arange(5), 20.0), expected)


def test_pictures_with_equal_captions_share_the_target():
    images, texts, which = unit(4, 8), unit(2, 8), torch.tensor([0, 1, 0, 0])
    perfect = texts[which]
    # Three pictures of one caption cannot be told apart: each of its three rows and columns costs ln 3.
    loss = contrastive_loss(perfect, torch.eye(8)[:2], which, 0.0)
    assert loss.item() == pytest.approx(math.log(4))
    sharp = contrastive_loss(torch.eye(8)[which], torch.eye(8)[:2], which, 100.0)
    assert sharp.item() == pytest.approx(3 / 4 * math.log(3), rel=1e-4)
    assert contrastive_loss(images, texts, which, 100.0) > sharp


def test_the_order_of_a_batch_does_not_matter():
    images, texts, which = unit(6, 8), unit(3, 8), torch.tensor([0, 1, 2, 0, 1, 0])
    order, scale = torch.tensor([3, 1, 5, 0, 2, 4]), 10.0
    torch.testing.assert_close(
        contrastive_loss(images[order], texts, which[order], scale),
        contrastive_loss(images, texts, which, scale),
    )


def test_a_few_steps_reduce_the_loss():
    losses = [now.loss for now in trained(dataclasses.replace(RECIPE, steps=60))]
    assert len(losses) == 30 and losses[-1] < losses[0] / 2


def test_the_same_seed_trains_the_same_weights():
    first, second, other = (
        trained(dataclasses.replace(RECIPE, seed=seed))[-1].model.state_dict() for seed in (0, 0, 1)
    )
    assert all(first[name].equal(second[name]) for name in first)
    assert not all(first[name].equal(other[name]) for name in first)


def test_a_training_that_was_cut_off_ends_bit_by_bit_where_an_unbroken_one_does(tmp_path):
    whole = trained()[-1].model.state_dict()
    sitting = train(Colours(RECIPE), "cpu", folder=tmp_path)
    next(sitting), next(sitting)
    sitting.close()
    assert (tmp_path / loop.STATE).exists()
    rest = trained(folder=tmp_path)
    assert [now.step for now in rest] == [6] and rest[0].minutes > 0
    assert all(value.equal(whole[name]) for name, value in rest[0].model.state_dict().items())
    assert not any(tmp_path.iterdir()), "nothing is left of a training that is done"


def test_the_state_of_another_recipe_is_not_continued(tmp_path):
    next(train(Colours(RECIPE), "cpu", folder=tmp_path))
    with pytest.raises(
        ValueError, match=r"is of another recipe, .*'seed': 0.*; remove it, or choose another"
    ):
        trained(dataclasses.replace(RECIPE, seed=1), tmp_path)


def test_the_learning_rate_warms_up_and_falls_to_nothing():
    recipe = dataclasses.replace(RECIPE, steps=100, warm_up=10)
    shares = np.array([share_of_lr(step, recipe) for step in range(101)])
    assert shares[0] == 0.1 and shares[9] == 1 and shares.max() <= 1 and shares[100] == 0
    assert np.all(np.diff(shares[:10]) > 0) and np.all(np.diff(shares[10:]) < 0)


def test_the_scale_of_a_recipe_reaches_the_loss():
    class Flat(Recipe):
        def scale(self, step):
            return 0.0

    flat = Flat(**dataclasses.asdict(RECIPE))
    # Four captions among 16 pictures: without a scale every one of them is as likely as the others.
    assert trained(flat)[0].loss == pytest.approx(math.log(16), rel=1e-4)
    assert trained()[0].loss != pytest.approx(math.log(16), rel=1e-2)
