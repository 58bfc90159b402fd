"""Texts of the frozen tower: any prompt, every template, each encoded once."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from clip_tta_core.clip import classifier
from clip_tta_core.clip.prompts import TEMPLATES, fill


@pytest.fixture
def read(clip):
    """The texts the encoder was asked for, in order."""
    texts = []
    clip.encode_text.register_forward_pre_hook(lambda _, args: texts.extend(args[0]))
    return texts


def test_every_template_has_class_texts_of_its_own(clip):
    features = clip.template_features(TEMPLATES["eight"])
    assert features.shape == (8, 5, 16)
    torch.testing.assert_close(features.norm(dim=-1), torch.ones(8, 5))
    torch.testing.assert_close(
        F.normalize(features.mean(dim=0), dim=-1), clip.encode_classes(TEMPLATES["eight"])
    )


def test_a_prompt_is_encoded_once_for_the_model_and_all_its_forks(clip, read):
    fork = clip.fork("norm")
    first = fork.encode_prompts(["a photo of a cat or dog", "a cat", "a photo of a cat or dog"])
    second = clip.encode_prompts(["a cat", "a photo of a cat or dog"])
    assert read == ["a photo of a cat or dog", "a cat"]
    assert torch.equal(first[[1, 0]], second) and torch.equal(first[0], first[2])


def test_prompts_are_read_by_the_frozen_tower_and_class_texts_by_the_forks_own(clip):
    fork = clip.fork("norm")
    with torch.no_grad():
        for parameter in fork.trainable():
            parameter.add_(0.5)
    prompts = fill("a photo of a {}", clip.class_names)
    torch.testing.assert_close(fork.encode_prompts(prompts), clip.text_features)
    classes = fork.encode_classes()
    assert classes.requires_grad and not torch.allclose(classes, clip.text_features, atol=1e-3)


def test_what_is_remembered_has_a_limit(clip, read, monkeypatch):
    monkeypatch.setattr(classifier, "TEXTS_KEPT", 2)
    for text in ("one", "two", "three", "one"):
        clip.encode_prompts([text])
    assert read == ["one", "two", "three", "one"]
    assert clip.encode_prompts(["four", "five", "six"]).shape == (3, 16)


def test_without_a_text_encoder_one_sentence_says_what_is_missing(clip):
    clip.encode_text = None
    for ask in (
        lambda: clip.encode_prompts(["a cat"]),
        lambda: clip.template_features(["a {}"]),
        clip.encode_classes,
    ):
        with pytest.raises(ValueError, match="needs a text encoder; pass encode_text"):
            ask()


def test_a_prompt_the_encoder_cannot_read_is_named(clip):
    clip.encode_text = lambda texts: torch.full((len(texts), 16), torch.nan)
    with pytest.raises(ValueError, match="finite features, got others for 'a cat'"):
        clip.encode_prompts(["a cat"])
