"""CLIPArTT, step by step."""

from __future__ import annotations

import copy

import pytest
import torch
import torch.nn.functional as F

from clip_tta_core.methods.clipartt import Clipartt


def build(clip, **knobs):
    return Clipartt(clip.fork("visual_norm"), Clipartt.Config(**knobs), torch.Generator())


@pytest.mark.parametrize("released", [False, True])
def test_it_is_adam_on_the_paper_s_loss(make_clip, images, released):
    clip = make_clip(scale=10.0)  # at CLIP's 100, the targets of these random features are all but one-hot
    method = build(clip, steps=3, transposed=released, through_targets=released)
    visual = copy.deepcopy(clip.visual)
    norms = [m for m in visual.modules() if isinstance(m, torch.nn.LayerNorm)]
    parameters = [p.requires_grad_(True) for norm in norms for p in norm.parameters()]
    adam = torch.optim.Adam(parameters, lr=1e-3, eps=1e-6)
    for _ in range(3):
        z = F.normalize(visual((images - 0.5) / 0.25), dim=1)
        top = (z @ clip.text_features.T).argsort(dim=1, descending=True)[:, :3]
        named = [[clip.class_names[k] for k in row] for row in top.tolist()]
        t = clip.encode_text([f"a photo of a {a} or {b} or {c}" for a, b, c in named]).detach()
        q = ((z @ z.T + t @ t.T) / (2 * 0.1)).softmax(dim=1)
        q = q.T if released else q.detach()
        loss = -(q * (10 * z @ t.T).log_softmax(dim=1)).sum(dim=1).mean()
        adam.zero_grad()
        loss.backward()
        adam.step()
    report = method.adapt(images)
    assert report["loss"] == pytest.approx(loss.item(), rel=1e-3)
    for a, b in zip(method.clip.trainable(), parameters, strict=True):
        torch.testing.assert_close(a, b, atol=1e-5, rtol=1e-4)


def test_a_single_class_is_captioned_with_the_class_texts(clip, images):
    method = build(clip, top=1)
    logits = clip.predict(images).logits
    assert torch.equal(method._captions(logits), clip.text_features[logits.argmax(dim=1)])


def test_more_classes_than_there_are_means_all_of_them(make_clip, images):
    clip = make_clip(classes=2)
    report = build(clip, top=3, steps=1).adapt(images)
    assert report["skipped"] == 0


def test_captions_name_the_likeliest_class_first_and_are_encoded_once(clip):
    texts = []
    clip.encode_text.register_forward_pre_hook(lambda _, args: texts.extend(args[0]))
    method = build(clip)
    logits = torch.tensor([[0.0, 3, 2, 1, 0], [0, 3, 2, 1, 0], [9, 0, 0, 7, 8]])
    method._captions(logits)
    method._captions(logits)
    assert texts == [
        "a photo of a thing b1 or thing c2 or thing d3",
        "a photo of a thing a0 or thing e4 or thing d3",
    ]


def test_one_picture_moves_no_weight(clip, make_images):
    method = build(clip, steps=2)
    before = [p.clone() for p in method.clip.trainable()]
    method.adapt(make_images(batch=1))
    assert all(torch.equal(a, b) for a, b in zip(before, method.clip.trainable(), strict=True))


def test_it_says_whether_it_starts_over(clip):
    assert Clipartt.episodic and build(clip).episodic and not build(clip, episodic=False).episodic


def test_a_model_that_cannot_read_its_captions_is_named_with_a_way_out(clip, images):
    def read(texts):
        raise ValueError("never seen 'or'")

    clip.encode_text = read
    with pytest.raises(ValueError, match=r"such as 'a photo of .* or .*' \(never seen 'or'\); set top to 1"):
        build(clip).adapt(images)
    assert build(clip, top=1).adapt(images)["skipped"] == 0


def test_without_a_text_encoder_it_says_what_is_missing(clip, images):
    clip.encode_text = None
    with pytest.raises(ValueError, match="needs a text encoder"):
        build(clip).adapt(images)
