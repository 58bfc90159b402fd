"""Prompts that are learned in copies of a tower: open_clip's own, tiny and random."""

from __future__ import annotations

import copy

import open_clip
import pytest
import torch
from open_clip.transformer import TextTransformer, VisionTransformer

from clip_tta_core.clip.classifier import ClipClassifier
from clip_tta_core.clip.learned import PromptedTransformer
from clip_tta_core.clip.loading import TextTower

NAMES = ("cat", "dog", "fire truck", "owl")


@pytest.fixture(scope="module")
def clip():
    torch.manual_seed(0)
    visual = VisionTransformer(32, 8, 32, 11, 2, 2.0, output_dim=16).eval()
    text = TextTransformer(context_length=16, width=32, heads=2, layers=2, output_dim=16).eval()
    torch.nn.init.normal_(text.text_projection, std=0.2)
    tower = TextTower(text, open_clip.SimpleTokenizer(context_length=16)).requires_grad_(False)
    with torch.no_grad():
        features = tower([f"a photo of a {name}." for name in NAMES])
    return ClipClassifier(visual, features, 100.0, NAMES, encode_text=tower, templates=("a photo of a {}.",))


@pytest.fixture
def pictures():
    return torch.rand(4, 3, 32, 32, generator=torch.Generator().manual_seed(1))


def weights(clip):
    return [
        tensor.clone() for tower in (clip.visual, clip.encode_text) for tensor in tower.state_dict().values()
    ]


def test_a_context_starts_where_the_words_were_and_has_one_vector_a_word(clip):
    fork = clip.fork("context")
    (context,) = fork.trainable()
    assert context.shape == (4, 32)
    torch.testing.assert_close(fork.encode_classes(), clip.text_features)
    words = clip.encode_text.tokenize(["a photo of a"])[0, 1:5]
    assert torch.equal(context, clip.encode_text.encoder.token_embedding(words))


def test_a_learned_context_is_read_in_the_place_of_the_words(clip):
    """With the embedding rows of other words, texts read as if they began with those."""
    fork = clip.fork("context")
    words = clip.encode_text.tokenize(["the best of every"])[0, 1:5]
    with torch.no_grad():
        fork.trainable()[0].copy_(clip.encode_text.encoder.token_embedding(words))
        expected = clip.encode_text([f"the best of every {name}." for name in NAMES])
        torch.testing.assert_close(fork.encode_classes(), expected)
        torch.testing.assert_close(fork.encode_classes(classes=[2, 0]), expected[[2, 0]])


def test_a_template_without_words_before_the_name_is_read_as_a_photo(clip):
    bare = copy.copy(clip)
    bare.templates, bare.source = ("{} texture.",), bare
    fork = bare.fork("context")
    assert fork.templates == ("a photo of a {}",) and len(fork.trainable()[0]) == 4


def test_a_thousand_classes_give_the_gradient_of_all_together(clip):
    names = tuple(f"owl {n}" for n in range(150))  # read in pieces of 64
    many = ClipClassifier(clip.visual, torch.randn(150, 16), 100.0, names, encode_text=clip.encode_text)
    fork = many.fork("context")
    (context,) = fork.trainable()
    target = torch.randn(150, 16, generator=torch.Generator().manual_seed(2))
    (whole,) = torch.autograd.grad((fork.encode_classes() * target).sum(), context)
    parts = [range(0, 50), range(50, 150)]
    apart = [
        torch.autograd.grad((fork.encode_classes(classes=part) * target[part]).sum(), context)[0]
        for part in parts
    ]
    torch.testing.assert_close(whole, sum(apart), atol=1e-4, rtol=1e-3)


def by_hand(visual, images, prompts):
    """Features and block inputs of the transformer with prompts, block by block. (B, 3, H, W)"""
    x = visual.conv1(images).flatten(2).transpose(1, 2)
    x = torch.cat([visual.class_embedding.expand(len(x), 1, -1), x], dim=1) + visual.positional_embedding
    x = visual.ln_pre(torch.cat([x, prompts[0].expand(len(x), -1, -1)], dim=1))
    inputs = []
    for number, block in enumerate(visual.transformer.resblocks):
        if 0 < number < len(prompts):
            x = torch.cat([x[:, :-2], prompts[number].expand(len(x), -1, -1)], dim=1)
        inputs.append(x)
        x = block(x)
    return visual.ln_post(x)[:, 0] @ visual.proj, inputs


def test_visual_prompts_stand_behind_the_patches_and_each_block_has_its_own(clip, pictures):
    fork = clip.fork("visual_prompts")
    prompts = fork.trainable()
    assert [tuple(p.shape) for p in prompts] == [(2, 32)] * 9 and not any(p.any() for p in prompts)
    with torch.no_grad():
        for number, prompt in enumerate(prompts):
            prompt.normal_(generator=torch.Generator().manual_seed(number))
        features, inputs = fork.encode_blocks(pictures)
        expected, wanted = by_hand(clip.visual, pictures, prompts)
        torch.testing.assert_close(features, torch.nn.functional.normalize(expected, dim=-1))
        torch.testing.assert_close(inputs, wanted)
        torch.testing.assert_close(fork.encode_image(pictures), features)


def test_every_prompt_has_a_say(clip, pictures):
    fork = clip.fork("visual_prompts")
    with torch.no_grad():
        for prompt in fork.trainable():
            prompt.normal_(generator=torch.Generator().manual_seed(0))
    gradients = torch.autograd.grad(fork.predict(pictures).logits.square().sum(), fork.trainable())
    assert all(gradient.any() for gradient in gradients)


@pytest.mark.parametrize("train", ["context", "visual_prompts", "visual_tower"])
def test_learning_touches_nothing_of_the_shared_model(clip, pictures, train):
    before = weights(clip)
    fork = clip.fork(train)
    optimizer = torch.optim.Adam(fork.trainable(), lr=0.1)
    texts = fork.encode_classes() if train == "context" else fork.text_features
    fork.classify(fork.encode_image(pictures), texts).square().sum().backward()
    optimizer.step()
    assert all(torch.equal(a, b) for a, b in zip(before, weights(clip), strict=True))
    assert all(p.grad is None for tower in (clip.visual, clip.encode_text) for p in tower.parameters())
    if train != "visual_tower":
        shared = {p.data_ptr() for tower in (clip.visual, clip.encode_text) for p in tower.parameters()}
        towers = (fork.visual, fork.encode_text)
        private = {p.data_ptr() for tower in towers for p in tower.parameters()} - shared
        assert len(private) == len(fork.trainable())


@pytest.mark.parametrize("train", ["context", "visual_prompts", "visual_tower"])
def test_a_copy_of_a_fork_learns_apart_from_it(clip, pictures, train):
    fork = clip.fork(train)
    copied = copy.deepcopy(fork)
    with torch.no_grad():
        for parameter in copied.trainable():
            parameter.add_(torch.randn_like(parameter))

    def read(one):
        return one.encode_classes() if train == "context" else one.encode_image(pictures)

    assert not torch.allclose(read(fork), read(copied))
    if train == "context":
        assert copied.encode_text.tokenize is fork.encode_text.tokenize


def test_towers_that_cannot_be_prompted_say_so(clip):
    other = ClipClassifier(torch.nn.Linear(4, 16), torch.randn(3, 16), encode_text=torch.nn.Linear(4, 16))
    with pytest.raises(ValueError, match=r"fork\('visual_prompts'\) needs a vision transformer, got Linear"):
        other.fork("visual_prompts")
    with pytest.raises(ValueError, match=r"fork\('context'\) needs .* an embedding of words, got Linear"):
        other.fork("context")
    other.encode_text = None
    with pytest.raises(ValueError, match=r"fork\('context'\) needs a text encoder that is a module"):
        other.fork("context")


class Bags(torch.nn.Module):
    """Another text encoder, without a start of text: words are numbers of letters; places have vectors."""

    def __init__(self):
        super().__init__()
        self.places = torch.nn.Embedding(12, 16)
        self.words = torch.nn.Embedding(30, 16)

    def forward(self, texts):
        rows = [[len(word) for word in text.split()] for text in texts]
        tokens = torch.tensor([(row + [0] * 12)[:12] for row in rows])
        return torch.nn.functional.normalize((self.words(tokens) * self.places.weight).sum(dim=1), dim=-1)


def test_the_words_of_any_encoder_with_an_embedding_can_be_learned():
    torch.manual_seed(0)
    encoder = Bags().requires_grad_(False)
    texts = encoder([f"a photo of a {name}" for name in NAMES])
    clip = ClipClassifier(torch.nn.Linear(4, 16), texts, 100.0, NAMES, encode_text=encoder)
    fork = clip.fork("context")
    (context,) = fork.trainable()
    assert torch.equal(context, encoder.words.weight[[1, 5, 2, 1]])
    torch.testing.assert_close(fork.encode_classes(), texts)
    with torch.no_grad():
        context.copy_(encoder.words.weight[[3, 4, 2, 5]])
        torch.testing.assert_close(fork.encode_classes(), encoder([f"the best of every {n}" for n in NAMES]))


def test_tokens_of_an_encoder_with_blocks_along_the_first_dimension_come_batch_first(pictures):
    torch.manual_seed(1)
    visual = VisionTransformer(32, 8, 32, 3, 2, 2.0, output_dim=16).eval()
    first = PromptedTransformer(visual)
    visual.transformer.batch_first = False
    for block in visual.transformer.resblocks:
        block.attn.batch_first = False
    second = PromptedTransformer(visual)
    with torch.no_grad():
        for prompted in (first, second):
            for number, prompt in enumerate(prompted.prompts):
                prompt.normal_(generator=torch.Generator().manual_seed(number))
        (a, inputs), (b, others) = first.forward_blocks(pictures), second.forward_blocks(pictures)
    torch.testing.assert_close(a, b)
    torch.testing.assert_close(inputs, others)
