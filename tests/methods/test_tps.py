"""TPS, against its definition picture by picture with torch's AdamW."""

from __future__ import annotations

import math

import pytest
import torch

from clip_tta_core import augment
from clip_tta_core.losses import view_entropy
from clip_tta_core.methods import tps
from clip_tta_core.methods.tps import Tps, shifted


def build(clip, seed=0, **knobs):
    return Tps(clip.fork(""), Tps.Config(**knobs), torch.Generator().manual_seed(seed))


def unit(x):
    return torch.nn.functional.normalize(x, dim=-1)


def by_definition(clip, images, views, share, steps, lr, shared=False):
    """Logits of each picture, its texts shifted on their own."""
    out, t = [], clip.text_features
    for made in augment.views(images, views, torch.Generator().manual_seed(0)):
        z = clip.encode_image(made).detach()
        delta = torch.zeros(1 if shared else len(t), t.shape[1], requires_grad=True)
        adamw = torch.optim.AdamW([delta], lr=lr, weight_decay=0.01)
        for _ in range(steps):
            p = (clip.scale * z @ unit(t + delta).T).softmax(dim=-1)
            kept = (-(p * p.log()).sum(dim=-1)).argsort()[: max(1, int(share * views))]
            mean = p[kept].mean(dim=0)
            loss = -(mean * mean.log()).sum()
            adamw.zero_grad()
            loss.backward()
            adamw.step()
        out.append(clip.scale * unit(t + delta.detach()) @ z[0])
    return torch.stack(out)


@pytest.mark.parametrize("shift", ["per_class", "shared"])
@pytest.mark.parametrize("steps", [1, 3])
def test_it_is_its_definition_picture_by_picture(make_clip, make_images, shift, steps):
    clip, images = make_clip(scale=20.0), make_images()
    method = build(clip, views=12, share=0.25, steps=steps, shift=shift)
    method.adapt(images)
    theirs = by_definition(clip, images, 12, 0.25, steps, 5e-3, shift == "shared")
    torch.testing.assert_close(method.predict(images).logits, theirs, atol=2e-3, rtol=0)
    assert (theirs - clip.predict(images).logits).abs().max() > 0.05


def test_pictures_that_take_turns_are_shifted_as_together(make_clip, images, monkeypatch):
    clip = make_clip(scale=20.0)
    together = build(clip, views=6, share=0.5).predict(images).logits
    monkeypatch.setattr(tps, "AT_ONCE", 3 * clip.text_features.numel())
    torch.testing.assert_close(
        build(clip, views=6, share=0.5).predict(images).logits, together, atol=1e-4, rtol=0
    )


def test_the_loss_is_the_entropy_of_the_mean_prediction():
    logits = torch.tensor([[[0.0, 0.0], [100.0, 0.0]]])  # (.5, .5) and (1, 0): their mean is (.75, .25)
    expected = -0.75 * math.log(0.75) - 0.25 * math.log(0.25)
    assert view_entropy(logits).item() == pytest.approx(expected, abs=1e-6)


def test_its_gradient_is_that_of_tent_on_the_texts_when_there_is_one_view(make_clip, make_images):
    """In closed form: scale x (p (log p + H))' before the texts are made unit again."""
    clip, images = make_clip(scale=20.0), make_images(batch=1)
    z, t = clip.encode_image(images)[0], clip.text_features.clone().requires_grad_()
    entropy = view_entropy((clip.scale * t @ z)[None, None])
    (gradient,) = torch.autograd.grad(entropy.sum(), t)
    p = (clip.scale * t.detach() @ z).softmax(dim=-1)
    h = -(p * p.log()).sum()
    torch.testing.assert_close(
        gradient, -clip.scale * torch.outer(p * (p.log() + h), z), atol=1e-4, rtol=1e-3
    )


def test_texts_that_do_not_move_stay_bit_for_bit():
    texts = unit(torch.randn(4, 16, generator=torch.Generator().manual_seed(0)))
    shift = torch.zeros(2, 4, 16)
    shift[1, 2] = 0.1
    moved = shifted(texts, shift)
    assert torch.equal(moved[0], texts) and torch.equal(moved[1, [0, 1, 3]], texts[[0, 1, 3]])
    torch.testing.assert_close(moved[1, 2], unit(texts[2] + 0.1))


def test_a_shared_shift_orthogonal_to_all_differences_moves_no_answer():
    texts = torch.eye(3)[:2]  # apart along (1, -1, 0)
    z = unit(torch.tensor([0.3, 0.5, 0.2]))
    shift = torch.tensor([[[0.0, 0.0, 0.7]]])
    before, after = texts @ z, (texts + shift)[0] @ z
    torch.testing.assert_close(before[0] - before[1], after[0] - after[1])
    assert (shifted(texts, shift)[0] @ z).argmax() == before.argmax()


def test_a_broken_picture_is_its_own_trouble_only(clip, make_images):
    images = make_images()
    images[2] = math.nan
    method = build(clip, views=4)
    assert all(math.isfinite(value) for value in method.adapt(images).values())
    assert method.predict(images).logits[[0, 1, 3, 4, 5, 6, 7]].isfinite().all()


def test_weight_decay_acts_from_the_second_step_on(make_clip, make_images):
    clip, images = make_clip(scale=20.0), make_images(batch=3)
    method = build(clip, views=6, share=1.0, steps=3, lr=0.5)
    ours, theirs = method.predict(images).logits, by_definition(clip, images, 6, 1.0, 3, 0.5)
    torch.testing.assert_close(ours, theirs, atol=1e-3, rtol=0)


def test_a_step_shows_the_pictures_own_logits_under_the_shifts_of_by_then(
    make_clip, make_images, monkeypatch
):
    """Two pictures at a time: the others stand where they were left."""
    clip, images, shown = make_clip(scale=10.0), make_images(batch=3), []
    monkeypatch.setattr(tps, "AT_ONCE", 2 * clip.text_features.numel())
    method = build(clip, views=12, steps=2, lr=0.05)
    method.on_show = lambda logits, terms: shown.append(logits.clone())
    method.adapt(images)
    after, before = method.predict(images).logits, clip.predict(images).logits
    assert len(shown) == 4
    torch.testing.assert_close(shown[0], before, atol=1e-4, rtol=1e-4)
    assert (shown[1][:2] - before[:2]).abs().amax(dim=1).min() > 1e-3
    torch.testing.assert_close(shown[1][2], before[2], atol=1e-4, rtol=1e-4)
    for later in shown[2:]:
        assert torch.equal(later[:2], after[:2])
