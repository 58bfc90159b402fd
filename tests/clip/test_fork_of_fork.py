"""Forks of forks (a teacher, a frozen copy) and what each kind of fork trains."""

from __future__ import annotations

import pytest
import torch

from clip_tta_core.clip.classifier import ClipClassifier


def nudge(clip):
    with torch.no_grad():
        for parameter in clip.trainable():
            parameter += 0.1


def test_a_fork_of_a_fork_starts_from_its_weights_and_goes_its_own_way(clip, images):
    student = clip.fork("visual_norm")
    nudge(student)
    teacher = student.fork("visual_norm")
    with torch.no_grad():
        kept = student.predict(images).logits
        torch.testing.assert_close(teacher.predict(images).logits, kept, rtol=0, atol=0)
        nudge(student)
        torch.testing.assert_close(teacher.predict(images).logits, kept, rtol=0, atol=0)


def test_the_source_of_a_fork_of_a_fork_is_the_frozen_model(clip, images):
    student = clip.fork("visual_norm")
    nudge(student)
    teacher = student.fork("")
    assert teacher.source is clip
    with torch.no_grad():
        frozen = clip.predict(images).logits
    torch.testing.assert_close(teacher.zero_shot(images).logits, frozen, rtol=0, atol=0)


@pytest.mark.parametrize("train", ["", "visual_norm_lower"])
def test_a_fork_of_a_fork_trains_only_what_it_says(clip, train):
    inner = clip.fork("visual_norm").fork(train)
    trained = [p for p in inner.visual.parameters() if p.requires_grad]
    assert {id(p) for p in trained} == {id(p) for p in inner.trainable()}


@pytest.mark.parametrize(("blocks", "kept"), [(12, 9), (4, 3), (24, 18)])
def test_the_lower_norms_are_those_below_the_last_quarter_of_the_blocks(blocks, kept):
    from open_clip.transformer import VisionTransformer

    visual = VisionTransformer(
        image_size=16, patch_size=8, width=16, layers=blocks, heads=2, mlp_ratio=1, output_dim=8
    )
    clip = ClipClassifier(visual, torch.eye(8)[:3])
    fork = clip.fork("visual_norm_lower")
    trained = {id(p) for p in fork.trainable()}
    names = {name for name, p in fork.visual.named_parameters() if id(p) in trained}
    expected = {
        f"transformer.resblocks.{b}.ln_{n}.{w}"
        for b in range(kept)
        for n in (1, 2)
        for w in ("weight", "bias")
    }
    assert names == expected | {"ln_pre.weight", "ln_pre.bias"}
