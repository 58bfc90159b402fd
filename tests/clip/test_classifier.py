"""ClipClassifier: pictures in [0, 1] in, unit features and scaled logits out; forks own what they train."""

from __future__ import annotations

import copy
import gc
import math

import open_clip
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from clip_tta_core.clip.classifier import AMPLIFICATION, ClipClassifier
from clip_tta_core.clip.loading import TextTower


class Colours(nn.Module):
    """An encoder one can follow by hand: the mean of every channel is the feature. (B, 3, H, W) -> (B, 3)"""

    def forward(self, images: Tensor) -> Tensor:
        return images.mean(dim=(2, 3))


class BatchNormed(nn.Module):
    """A convolution under batch normalization, whose running statistics are those of no batch."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.norm = nn.Conv2d(3, 4, kernel_size=1), nn.BatchNorm2d(4)
        self.norm.running_mean.fill_(3.0)

    def forward(self, images: Tensor) -> Tensor:
        return self.norm(self.conv(images)).flatten(1)  # (B, 4 H W)


def plain(red: float, green: float, blue: float) -> Tensor:
    """One picture of one colour. -> (1, 3, 4, 4)"""
    return torch.tensor([red, green, blue]).view(1, 3, 1, 1).expand(1, 3, 4, 4)


def objective(fork: ClipClassifier, images: Tensor) -> Tensor:
    """Something to minimize that sees every feature, also of texts where there is a text encoder."""
    texts = fork.encode_classes() if fork.encode_text else fork.text_features
    probs = fork.classify(fork.encode_image(images), texts).softmax(dim=-1)  # (B, K)
    return (probs * torch.arange(fork.num_classes)).square().mean()


def gradients(fork: ClipClassifier, images: Tensor) -> list[Tensor]:
    return list(torch.autograd.grad(objective(fork, images), fork.trainable()))


def learn(fork: ClipClassifier, images: Tensor, steps: int = 3) -> None:
    optimizer = torch.optim.Adam(fork.trainable(), lr=0.1)
    for _ in range(steps):
        optimizer.zero_grad()
        objective(fork, images).backward()
        optimizer.step()


def calls_of(module: nn.Module) -> list[int]:
    """Sizes of the batches that go through a module from now on."""
    sizes: list[int] = []
    module.register_forward_pre_hook(lambda _, inputs: sizes.append(len(inputs[0])))
    return sizes


def test_pictures_are_normalized_inside():
    clip = ClipClassifier(Colours(), torch.eye(3), mean=(0.5, 0.4, 0.3), std=(0.25, 0.2, 0.1))
    # (0.75 - 0.5) / 0.25, (0.8 - 0.4) / 0.2, (0.5 - 0.3) / 0.1
    torch.testing.assert_close(
        clip.encode_image(plain(0.75, 0.8, 0.5), unit=False), torch.tensor([[1.0, 2.0, 2.0]])
    )
    torch.testing.assert_close(clip.encode_image(plain(0.75, 0.8, 0.5)), torch.tensor([[1.0, 2.0, 2.0]]) / 3)


def test_logits_are_cosines_times_the_scale():
    clip = ClipClassifier(Colours(), torch.eye(3)[:2], scale=10.0)
    prediction = clip.predict(plain(0.3, 0.4, 0.0))
    torch.testing.assert_close(prediction.features, torch.tensor([[0.6, 0.8, 0.0]]))
    torch.testing.assert_close(prediction.logits, torch.tensor([[6.0, 8.0]]))
    assert prediction.scores is None and prediction.threshold is None
    others = F.normalize(torch.tensor([[1.0, 1.0, 0.0]]), dim=-1)
    torch.testing.assert_close(
        clip.classify(prediction.features, others), torch.tensor([[14.0 / math.sqrt(2)]])
    )


def test_features_are_unit_rows_and_do_not_depend_on_the_neighbours(clip, images):
    features = clip.encode_image(images)
    torch.testing.assert_close(features.norm(dim=-1), torch.ones(len(images)))
    alone = torch.cat([clip.encode_image(image[None]) for image in images])
    torch.testing.assert_close(alone, features)


def test_a_picture_that_is_not_a_number_spoils_only_its_own_row(clip, images):
    spoiled = images.clone()
    spoiled[2, 0, 3, 3] = torch.nan
    features = clip.predict(spoiled).features
    assert features[2].isnan().all()
    others = torch.arange(len(images)) != 2
    torch.testing.assert_close(features[others], clip.predict(images).features[others])


def test_a_classifier_arrives_frozen_and_a_fork_trains_nothing_else():
    visual = nn.Sequential(Colours(), nn.LayerNorm(3), nn.Dropout(0.5), nn.Linear(3, 3))
    clip = ClipClassifier(visual, torch.eye(3))
    assert clip.trainable() == [] and not any(p.requires_grad for p in visual.parameters())
    assert not any(module.training for module in visual.modules())
    assert not clip.predict(plain(0.1, 0.2, 0.3)).logits.requires_grad
    fork = clip.fork("visual_norm")
    trained = {name for name, p in fork.visual.named_parameters() if p.requires_grad}
    assert trained == {"1.weight", "1.bias"} and not fork.visual[2].training


@pytest.mark.parametrize(
    ("architecture", "numbers"), [("ViT-B-32", 39_936), ("ViT-B-16", 39_936), ("ViT-L-14", 102_400)]
)
def test_a_fork_owns_its_layer_norms_and_shares_every_other_tensor(architecture, numbers):
    """Two times 768 numbers in each of the 26 layer norms of a ViT-B, two times 1,024 in 50 of a ViT-L."""
    with torch.device("meta"):  # shapes are enough
        visual = open_clip.create_model(architecture, load_weights=False, device="meta").visual
    clip = ClipClassifier(visual, torch.eye(2))
    fork = clip.fork("visual_norm")
    assert sum(parameter.numel() for parameter in fork.trainable()) == numbers
    private = {id(parameter) for parameter in fork.trainable()}
    shared = dict(clip.visual.named_parameters())
    for name, parameter in fork.visual.named_parameters():
        assert (parameter is shared[name]) != (id(parameter) in private), name
    assert all(b is dict(clip.visual.named_buffers())[n] for n, b in fork.visual.named_buffers())
    assert fork.text_features is clip.text_features and fork.source is clip


@pytest.mark.parametrize("train", ["visual_norm", "visual_norm_lower", "visual_norm_but_top", "norm"])
def test_learning_leaves_the_source_untouched_bit_for_bit(train, clip, images):
    towers = (clip.visual, clip.encode_text)
    before = copy.deepcopy([tower.state_dict() for tower in towers])
    logits = clip.predict(images).logits
    fork = clip.fork(train)
    started = [parameter.clone() for parameter in fork.trainable()]
    learn(fork, images)
    assert not any(torch.equal(a, b) for a, b in zip(started, fork.trainable(), strict=True))
    torch.testing.assert_close([tower.state_dict() for tower in towers], before, rtol=0, atol=0)
    torch.testing.assert_close(clip.predict(images).logits, logits, rtol=0, atol=0)


def test_a_fork_that_trains_nothing_is_the_frozen_model(clip, images):
    fork = clip.fork("")
    assert fork.trainable() == [] and fork.visual is clip.visual
    torch.testing.assert_close(fork.predict(images).logits, clip.predict(images).logits, rtol=0, atol=0)


def test_forks_train_the_same_weights_in_the_same_order(clip):
    first, second = clip.fork("norm"), clip.fork("norm")
    names = [
        {id(p): name for tower in (f.visual, f.encode_text) for name, p in tower.named_parameters()}
        for f in (first, second)
    ]
    listed = [[n[id(p)] for p in f.trainable()] for n, f in zip(names, (first, second), strict=True)]
    assert listed[0] == listed[1] and len(listed[0]) == 8  # three norms see pictures, one texts


def test_batch_normalization_is_by_running_statistics_until_it_is_trained(images):
    torch.manual_seed(0)
    clip = ClipClassifier(BatchNormed(), torch.eye(2, 4 * 16 * 16))
    norm, maps = clip.visual.norm, clip.visual.conv(images)
    frozen = F.batch_norm(maps, norm.running_mean, norm.running_var, norm.weight, norm.bias).flatten(1)
    torch.testing.assert_close(clip.encode_image(images, unit=False), frozen)
    fork = clip.fork("visual_norm")
    mean, variance = maps.mean(dim=(0, 2, 3)), maps.var(dim=(0, 2, 3), correction=0)
    of_batch = (maps - mean.view(1, 4, 1, 1)) / (variance.view(1, 4, 1, 1) + norm.eps).sqrt()
    torch.testing.assert_close(fork.encode_image(images, unit=False), of_batch.flatten(1))
    learn(fork, images)
    torch.testing.assert_close(clip.encode_image(images, unit=False), frozen, rtol=0, atol=0)
    assert norm.num_batches_tracked == 0 and norm.running_mean.eq(3).all()


@pytest.mark.parametrize("limit", [1, 3, 7, 8, 100])
def test_small_pieces_give_the_features_and_gradients_of_the_whole(limit, clip, images):
    whole = clip.predict(images)
    fork = clip.fork("visual_norm")
    expected = gradients(fork, images)
    clip.micro_batch = limit
    assert fork.micro_batch == limit, "one limit for all who share the memory"
    sizes = calls_of(fork.visual)
    torch.testing.assert_close(fork.predict(images).logits, whole.logits)
    assert max(sizes) <= limit and max(sizes) - min(sizes) <= 1 and sum(sizes) == len(images)
    torch.testing.assert_close(gradients(fork, images), expected, rtol=1e-3, atol=1e-5)


def test_all_pieces_but_the_last_are_computed_again_on_the_way_back(clip, images):
    clip.micro_batch = 3
    fork = clip.fork("visual_norm")
    sizes = calls_of(fork.visual)
    loss = objective(fork, images)
    assert sizes == [3, 3, 2]
    loss.backward()
    assert sorted(sizes[3:]) == [3, 3]


def test_what_the_frozen_model_says_of_a_tensor_is_computed_once_for_all(clip, images):
    first, second = clip.fork("visual_norm"), clip.fork("norm")
    learn(first, images)
    sizes = calls_of(clip.visual)
    answers = [asked.zero_shot(images) for asked in (first, clip, second, first.fork(""))]
    assert sizes == [len(images)] and all(answer is answers[0] for answer in answers)
    assert not answers[0].logits.requires_grad
    torch.testing.assert_close(answers[0].logits, clip.predict(images).logits, rtol=0, atol=0)
    sizes.clear()
    clip.zero_shot(images.clone())
    assert sizes == [len(images)], "equal pictures in another tensor are other pictures"


def test_the_answer_does_not_keep_the_pictures_in_memory(clip, make_images):
    clip.zero_shot(make_images(seed=1))
    gc.collect()
    assert clip._last[0]() is None
    sizes = calls_of(clip.visual)
    clip.zero_shot(make_images(seed=2))  # whatever address it has
    assert sizes == [8]


@pytest.mark.parametrize("micro_batch", [None, 3])
def test_features_beside_tokens_are_those_of_the_picture(micro_batch, clip, images):
    clip.micro_batch = micro_batch
    features, tokens = clip.fork("visual_norm").encode_tokens(images)
    assert tokens.shape == (8, 16, 16)  # 16 patches of 4 x 4 pixels, 16 numbers each
    torch.testing.assert_close(features, clip.encode_image(images))
    torch.testing.assert_close(tokens.norm(dim=-1), torch.ones(8, 16))


def test_prompts_are_normalized_before_they_are_averaged_and_after():
    """A prompt that the encoder makes three times as long must not count three times."""

    class Letters(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.unused = nn.Parameter(torch.zeros(()))  # says on which device the tower is

        def forward(self, tokens: Tensor) -> Tensor:
            return F.one_hot(tokens, 2) * torch.tensor([3.0, 1.0])

    text = TextTower(Letters(), lambda texts: torch.tensor([int("!" in one) for one in texts]))
    clip = ClipClassifier(Colours(), torch.eye(2), class_names=("cat", "dog"), encode_text=text)
    torch.testing.assert_close(clip.encode_classes(("a {}", "a {}!")), torch.full((2, 2), math.sqrt(0.5)))
    torch.testing.assert_close(clip.encode_classes(("a {}",)), torch.tensor([[1.0, 0.0], [1.0, 0.0]]))


def test_without_templates_the_classes_are_read_as_they_were_made(clip):
    torch.testing.assert_close(clip.encode_classes(), clip.text_features, rtol=0, atol=0)
    assert not torch.allclose(clip.encode_classes(("no {} here",)), clip.text_features, atol=1e-2)


def test_classes_without_names_get_numbers():
    assert ClipClassifier(Colours(), torch.eye(3)).class_names == ("class 0", "class 1", "class 2")


def in_precision(clip: ClipClassifier, autocast: torch.dtype | None) -> ClipClassifier:
    """The same model with the encoder under autocast."""
    return ClipClassifier(
        copy.deepcopy(clip.visual),
        clip.text_features,
        clip.scale,
        clip.class_names,
        (0.5,) * 3,
        (0.25,) * 3,
        encode_text=clip.encode_text,
        autocast=autocast,
    )


@pytest.mark.parametrize("autocast", [torch.bfloat16, torch.float16])
@pytest.mark.parametrize("micro_batch", [None, 3])
def test_autocast_is_inside_the_encoder_and_float32_outside(autocast, micro_batch, make_clip, images):
    clip = make_clip(scale=10.0)
    reduced = in_precision(clip, autocast)
    reduced.micro_batch = micro_batch
    inside = []
    fork = reduced.fork("visual_norm")
    fork.visual.project.register_forward_hook(lambda *call: inside.append(call[-1].dtype))
    prediction = fork.predict(images)
    assert set(inside) == {autocast}
    assert prediction.features.dtype == prediction.logits.dtype == torch.float32
    torch.testing.assert_close(prediction.features, clip.predict(images).features, rtol=0, atol=0.02)
    features, tokens = reduced.encode_tokens(images)
    assert features.dtype == tokens.dtype == torch.float32
    for got, exact in zip(gradients(fork, images), gradients(clip.fork("visual_norm"), images), strict=True):
        assert got.dtype == torch.float32
        assert (got - exact).norm() < 0.1 * exact.norm()


@pytest.mark.parametrize(
    "descend",
    [lambda f: f, copy.deepcopy, lambda f: f.fork("norm"), lambda f: copy.deepcopy(copy.deepcopy(f))],
)
def test_gradients_are_amplified_on_their_way_through_a_half_precision_encoder_only(
    descend, make_clip, images
):
    """fp16 ends at 6e-8; what is trained, in either tower, sees gradients of their true size."""
    clip = make_clip(scale=10.0)
    inside = []
    descendant = descend(in_precision(clip, torch.float16).fork("norm"))
    descendant.visual.project.register_full_backward_hook(lambda _, ins, outs: inside.append(outs[0].norm()))
    exact_fork = clip.fork("norm")
    exact_fork.visual.project.register_full_backward_hook(lambda _, ins, outs: inside.append(outs[0].norm()))
    got, exact = gradients(descendant, images), gradients(exact_fork, images)
    assert inside[0] / inside[1] == pytest.approx(AMPLIFICATION, rel=0.1)
    for one, other in zip(got, exact, strict=True):
        assert (one - other).norm() < 0.1 * other.norm()


def test_a_deep_copy_goes_its_own_way_and_shares_what_is_frozen(clip, images):
    fork = clip.fork("norm")
    learn(fork, images, steps=1)
    kept = fork.predict(images).logits.detach()
    twin = copy.deepcopy(fork)
    torch.testing.assert_close(twin.predict(images).logits, kept, rtol=0, atol=0)
    learn(twin, images)
    torch.testing.assert_close(fork.predict(images).logits, kept, rtol=0, atol=0)
    assert not torch.equal(twin.predict(images).logits, kept)
    assert twin.visual.patches.weight is clip.visual.patches.weight and twin.source is clip
    assert copy.deepcopy(clip) is clip


@pytest.mark.parametrize(
    ("ask", "sentence"),
    [
        (
            lambda clip: clip.encode_image(torch.zeros(3, 16, 16)),
            r"must be float \(B, 3, H, W\).*\(3, 16, 16\)",
        ),
        (lambda clip: clip.encode_image(torch.zeros(2, 1, 16, 16)), r"got torch.float32 \(2, 1, 16, 16\)"),
        (lambda clip: clip.encode_image(torch.zeros(2, 16, 16, 3)), r"\(2, 16, 16, 3\)"),
        (lambda clip: clip.predict(torch.zeros(2, 3, 16, 16, dtype=torch.uint8)), "got torch.uint8"),
        (
            lambda clip: clip.predict(torch.zeros(0, 3, 16, 16)),
            "needs at least one image, got an empty batch",
        ),
        (lambda clip: clip.encode_tokens(torch.zeros(0, 3, 16, 16)), "at least one image"),
        (lambda clip: clip.fork("visual"), "train must be one of .*'visual_norm'.*, got 'visual'"),
        (lambda clip: ClipClassifier(clip.visual, torch.eye(1, 16)), r"two classes or more, got \(1, 16\)"),
        (lambda clip: ClipClassifier(clip.visual, torch.ones(16)), r"must be \(K, D\).*got \(16,\)"),
        (
            lambda clip: ClipClassifier(clip.visual, torch.eye(3, 16), class_names=("cat", "dog")),
            "must name all 3 rows of text_features, got 2",
        ),
        (
            lambda clip: ClipClassifier(clip.visual, torch.eye(3, 16)).fork("norm"),
            "needs a text encoder that is a module",
        ),
        (lambda clip: ClipClassifier(Colours(), torch.eye(3)).fork("visual_norm"), "no normalization layer"),
    ],
)
def test_what_cannot_be_done_is_said_in_one_sentence(ask, sentence, clip):
    with pytest.raises(ValueError, match=sentence) as caught:
        ask(clip)
    assert "\n" not in str(caught.value) and str(caught.value).endswith(".")


def test_a_fork_without_the_top_blocks_keeps_the_final_norm(clip):
    visual = torch.nn.ModuleList(torch.nn.LayerNorm(4) for _ in range(26))  # of ViT-B: one, twice twelve, one
    visual.forward = lambda images: images.mean(dim=(2, 3))
    fork = ClipClassifier(visual, torch.eye(3)).fork("visual_norm_but_top")
    trained = {id(p) for p in fork.trainable()}
    places = [i for i, norm in enumerate(fork.visual) if id(norm.weight) in trained]
    assert places == [*range(19), 25]
